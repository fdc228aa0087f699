"""`ownkey serve` as other programs start it: at a free port, and until their end of its input is closed."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from house import COMMAND, environment, make_home, run


def test_it_stops_in_good_order_when_its_input_ends_and_takes_a_free_port_for_a_taken_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = environment(home, OWNKEY_PORT=str(port))
        refused = run(given, "serve", "--stop-at-eof")
        assert refused.returncode == 6
        assert f"Nothing can listen at 127.0.0.1:{port}" in refused.stderr
        process = subprocess.Popen(
            [*COMMAND, "serve", "--or-any-port", "--stop-at-eof"],
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        other = int(process.stdout.readline().rpartition(":")[2].partition("/")[0])
        assert other != port
    with socket.create_connection(("127.0.0.1", other), timeout=5):
        pass
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


def test_without_being_told_so_it_goes_on_when_its_input_ends(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()
