"""`ownkey alerts` in a shell, and the gateway that sends by itself."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from alerting import AT_MS, HOOK, SECRET, alert
from answering import Provider
from house import COMMAND, Simulator, environment, gateway, library, run, until, write_provider
from mail_server import mail_server
from scripted import answer


def hooked(receiver: Provider, *ports: int) -> dict[str, str]:
    return {
        "OWNKEY_ALERT_WEBHOOK_URL": f"{receiver.url}{HOOK}",
        "OWNKEY_ALERT_WEBHOOK_SECRET": SECRET,
        "OWNKEY_ALLOW_PRIVATE_HOSTS": ",".join(f"127.0.0.1:{port}" for port in (receiver.port, *ports)),
    }


def keep(home: Path, *ids: str) -> None:
    with library(home) as ownkey:
        for number, id in enumerate(ids):
            ownkey.house.store.alerts.raise_(alert(id, message=f"The budget {id} is used up.", at_ms=AT_MS + number))


def listed(home: Path, *arguments: str) -> list[dict[str, Any]]:
    done = run(environment(home), "alerts", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.row("C12")
def test_a_gateway_sends_the_alert_of_a_budget_that_comes_near_its_limit(
    home: Path, simulator: Simulator, receiver: Provider
) -> None:
    name = write_provider(home, simulator)
    with library(home) as ownkey:
        ownkey.budgets.set("daily", limit="0.02", alert_percent=1)
    with gateway(home, simulator, **hooked(receiver, simulator.port)) as running:
        for _ in range(8):
            assert running.ask(f"{name}/gpt-4o", max_tokens=64).status == 200
        (request,) = until(lambda: receiver.heard(HOOK), within_s=15)
        said = json.loads(request.body)
        assert said["kind"] == "budget_threshold"
        assert "daily" in said["message"]
        assert said["id"].startswith("budget:")
        (one,) = until(lambda: [row for row in listed(home) if row["sent_at_ms"]])
        assert (one["id"], one["deliveries"][0]["channel"]) == (said["id"], "webhook")
        assert running.stop() == 0


def test_alerts_are_listed_marked_as_seen_and_found_again(home: Path) -> None:
    assert "Nothing new" in run(environment(home), "alerts").stdout
    keep(home, "budget:a:0:80", "budget:b:0:80", "budget:c:0:80")
    assert [row["id"][7] for row in listed(home)] == ["c", "b", "a"]
    assert "The budget budget:c:0:80 is used up." in run(environment(home), "alerts").stdout
    assert run(environment(home), "alerts", "seen", "budget:b:0:80").stdout == "1 alert marked as seen.\n"
    assert [row["id"][7] for row in listed(home)] == ["c", "a"]
    assert [row["id"][7] for row in listed(home, "--all")] == ["c", "a", "b"]
    assert run(environment(home), "alerts", "seen", "--all").stdout == "2 alerts marked as seen.\n"
    assert listed(home) == []
    (first, *_) = listed(home, "--all")
    assert first["facts"]["limit"] == 20_000_000_000


@pytest.mark.parametrize("arguments", [(), ("--all", "budget:a:0:80"), ("none",)])
def test_what_was_seen_has_to_be_said_and_to_be_there(home: Path, arguments: tuple[str, ...]) -> None:
    keep(home, "budget:a:0:80")
    done = run(environment(home), "alerts", "seen", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(listed(home)) == 1


def test_a_test_goes_to_every_channel_and_says_what_came_of_it(home: Path, receiver: Provider) -> None:
    with mail_server() as server:
        mail = {"OWNKEY_SMTP_URL": f"smtp://127.0.0.1:{server.port}", "OWNKEY_ALERT_EMAIL_TO": "me@example.com"}
        env = environment(home, **hooked(receiver, server.port), **mail)
        done = run(env, "alerts", "test")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"webhook to http://127.0.0.1:{receiver.port}: sent\ne-mail to me@example.com: sent\n"
        assert json.loads(receiver.requests[0].body)["kind"] == "test"
        assert "test of Ownkey" in server.letters[0].text
        receiver.begin({HOOK: answer(b"", 500)})
        done = run(env, "alerts", "test")
        assert done.returncode == 1
        assert "answered 500" in done.stdout
        assert "e-mail to me@example.com: sent" in done.stdout
    assert listed(home, "--all") == []


def test_without_a_channel_a_test_says_how_to_set_one(home: Path) -> None:
    done = run(environment(home), "alerts", "test")
    assert done.returncode == 6
    assert "OWNKEY_ALERT_WEBHOOK_URL" in done.stderr


def test_what_waits_can_be_sent_where_no_gateway_runs(home: Path, receiver: Provider) -> None:
    with library(home) as ownkey:
        ownkey.house.store.alerts.raise_(alert(at_ms=time.time_ns() // 1_000_000))
    env = environment(home, **hooked(receiver))
    assert run(env, "alerts", "send").stdout == "1 alert sent.\n"
    assert run(env, "alerts", "send").stdout == "0 alerts sent.\n"
    assert len(receiver.requests) == 1


def on_a_terminal(home: Path, *arguments: str) -> str:
    """Standard error of `ownkey` where that is a terminal."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [*COMMAND, *arguments], env=environment(home), stdout=subprocess.DEVNULL, stderr=theirs, timeout=60
        )
        os.set_blocking(ours, False)
        try:
            return os.read(ours, 65_536).decode()
        except BlockingIOError:
            return ""
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("arguments", [("usage",), ("chat", "--model", "demo", "Hello")])
def test_usage_and_chat_say_in_one_line_that_there_are_alerts(home: Path, arguments: tuple[str, ...]) -> None:
    assert "ownkey alerts" not in on_a_terminal(home, *arguments)
    keep(home, "budget:a:0:80", "budget:b:0:80")
    said = on_a_terminal(home, *arguments)
    assert said.count("2 alerts that you have not seen: ownkey alerts") == 1
    assert "ownkey alerts" not in run(environment(home), *arguments).stderr
    assert "ownkey alerts" not in on_a_terminal(home, "models")
