"""SIGHUP: the configuration is taken over, or stays as it was; a terminal that is gone ends what ran in it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import COMMAND, Gateway, Simulator, environment, gateway, make_home, until


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Processes inherit that hangups are ignored, from whoever runs the tests under nohup(1)."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def configure(home: Path, text: str) -> None:
    path = home / "config.toml"
    path.write_text(text)
    path.chmod(0o600)


def hang_up(running: Gateway) -> None:
    running.process.send_signal(signal.SIGHUP)


def tries(running: Gateway, name: str) -> int:
    before = len(running.simulator.seen(name))
    assert running.ask(f"{name}/gpt-4o").status == 502
    return len(running.simulator.seen(name)) - before


def test_O18_at_a_hangup_a_good_configuration_is_taken_over_and_of_a_bad_one_nothing(
    tmp_path: Path, simulator: Simulator
) -> None:
    home = tmp_path / "home"
    make_home(home)
    configure(home, "retries = 0\nretry_delay_s = 0.01\n")
    with gateway(home, simulator) as running:
        name = running.provider("status=500")
        assert tries(running, name) == 1
        configure(home, "retries = 2\nretry_delay_s = 0.01\n")
        assert tries(running, name) == 1
        hang_up(running)
        until(lambda: tries(running, name) == 3)
        log = running.log.read_text()
        for bad in ("retries = 'many'\nretry_delay_s = 0.01\n", "retires = 0\n", "[", "retries = 0"):
            configure(home, bad)
            if bad == "retries = 0":
                (home / "config.toml").chmod(0o644)
            said = len(log)
            hang_up(running)
            log = until(lambda size=said: (text := running.log.read_text()) and len(text) > size and text)
            assert "not taken over" in log[said:]
            assert "config.toml" in log[said:]
            assert tries(running, name) == 3
        configure(home, "retries = 1\nretry_delay_s = 0.01\nprices_url = 'https://prices.example/data.json'\n")
        hang_up(running)
        until(lambda: tries(running, name) == 2)
        assert "next start: prices_url." in running.log.read_text()
        configure(home, "retries = 2\nretry_delay_s = 0.01\nlog_level = 'error'\n")
        hang_up(running)
        until(lambda: tries(running, name) == 3)
        configure(home, "retries = 1\nretry_delay_s = 0.01\nlog_level = 'error'\nprices_url = 'https://b.example/'\n")
        hang_up(running)
        until(lambda: tries(running, name) == 2)
        assert running.log.read_text().count("next start: prices_url.") == 1
        assert running.process.poll() is None


def test_O18_a_providers_file_that_is_wrong_is_named_at_a_hangup_and_the_others_go_on(
    tmp_path: Path, simulator: Simulator
) -> None:
    with gateway(tmp_path / "home", simulator) as running:
        name = running.provider()
        assert running.ask(f"{name}/gpt-4o").status == 200
        (running.home / "providers" / "bad.toml").write_text('id = "bad"\nname = 7\n')
        hang_up(running)
        until(lambda: "bad.toml" in running.log.read_text())
        assert running.ask(f"{name}/gpt-4o").status == 200


def test_O18_a_gateway_whose_terminal_is_gone_stops_in_good_order(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(COMMAND[0], [*COMMAND, "serve", "--port", "0"], environment(home))
    said = b""
    while b"tokens create" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    end_s = time.monotonic() + 20
    while (waited := os.waitpid(pid, os.WNOHANG))[0] == 0:
        assert time.monotonic() < end_s
        time.sleep(0.02)
    assert os.waitstatus_to_exitcode(waited[1]) == 0


def test_O18_where_hangups_are_ignored_they_are(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND, "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "http://" in process.stdout.readline()
    ignored = next(
        line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("SigIgn")
    )
    assert int(ignored.split()[1], 16) & 1
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()
