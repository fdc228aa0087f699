"""Attacks a server of its own as an outsider would, with what is installed of schemathesis, sqlmap and slowhttptest.

`python tools/attack.py [schemathesis] [sqlmap] [slowhttptest]`: all three where none is named. The server listens on
this machine alone, has a member and an owner signed in, and a provider that is simulated; it ends with this program.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from browsing import Browser, signed_in  # noqa: E402
from house import Gateway, Simulator, gateway, library  # noqa: E402

SLOW = {
    "slow headers": ["-H", "-u", "{base}/health"],
    "slow body": ["-B", "-s", "8192", "-t", "POST", "-f", "application/json", "-u", "{base}/v1/chat/completions"],
    "slow read": ["-X", "-n", "2", "-w", "1", "-y", "16", "-z", "5", "-k", "3", "-u", "{base}/v1/models"],
    "ranges": ["-R", "-t", "HEAD", "-a", "10", "-b", "3000", "-u", "{base}/v1/models"],
}
SAMPLES = {"string": "abc", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {"a": "b"}}


def main() -> None:
    wanted = sys.argv[1:] or list(TOOLS)
    with tempfile.TemporaryDirectory(prefix="ownkey-attack-") as folder:
        simulator, home = Simulator(), Path(folder) / "home"
        with gateway(home, simulator) as place:
            with library(home) as ownkey:
                member = signed_in(place, ownkey.people.add("Member").id)
            for name in wanted:
                program = shutil.which(name, path=f"{Path(sys.executable).parent}:{place.env['PATH']}")
                print(f"== {name}" if program else f"== {name} is not installed", flush=True)
                if program:
                    TOOLS[name](program, place, member)
            said = place.log.read_text()
            print("== the server's own log", said[-4_000:] or "is empty", sep="\n")
        simulator.close()


def base(place: Gateway) -> str:
    return f"http://127.0.0.1:{place.port}"


def by_schemathesis(program: str, place: Gateway, member: Browser) -> None:
    """At length, as everybody: the tests have servers of their own for it."""
    tests = ["-m", "soak", "--timeout", "600", "tests/api/test_openapi_fuzz.py"]
    run([sys.executable, "-m", "pytest", "-q", *tests], 3_600, lines=30)


def by_sqlmap(program: str, place: Gateway, member: Browser) -> None:
    document = member.get("/api/openapi.json").json
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parameters, sent = operation.get("parameters", []), operation.get("requestBody")
            if not parameters and not sent:
                continue
            query = "&".join(f"{one['name']}=abc*" for one in parameters if one["in"] == "query")
            command = [program, "-u", f"{base(place)}{re.sub('{[^}]*}', 'abc*', path)}?{query}".rstrip("?")]
            command += ["--method", method.upper(), "--batch", "--level", "3", "--risk", "2", "--threads", "1"]
            command += ["--ignore-code", "*", "--flush-session", "--output-dir", str(place.home / "sqlmap")]
            for name, value in member.headers().items():
                command += ["-H", f"{name}: {value}"]
            if sent:
                form = document["components"]["schemas"][next(iter(sent["content"].values()))["schema"]["$ref"][21:]]
                body = {name: SAMPLES.get(one.get("type", "string")) for name, one in form["properties"].items()}
                command += ["--data", json.dumps(body).replace('"abc"', '"abc*"')]
            print(f"-- {method.upper()} {path}", flush=True)
            run(command, 120, lines=3)


def by_slowhttptest(program: str, place: Gateway, member: Browser) -> None:
    for name, how in SLOW.items():
        print(f"-- {name}", flush=True)
        told = [part.format(base=base(place)) for part in how]
        run([program, "-c", "1000", "-r", "200", "-i", "5", "-l", "55", "-p", "2", "-v", "1", *told], 90, lines=12)
        assert place.ask("demo").status == 200


def run(command: list[str], within_s: int, *, lines: int) -> None:
    """Its closing lines."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=within_s, stdin=subprocess.DEVNULL, check=False
        )
        said = done.stdout
    except subprocess.TimeoutExpired as cut:
        said = f"{(cut.stdout or b'').decode(errors='replace')}\nit was ended after {within_s} s"
    print("\n".join([line for line in said.splitlines() if line.strip()][-lines:]), flush=True)


TOOLS: dict[str, Callable[[str, Gateway, Browser], None]] = {
    "schemathesis": by_schemathesis,
    "sqlmap": by_sqlmap,
    "slowhttptest": by_slowhttptest,
}


if __name__ == "__main__":
    main()
