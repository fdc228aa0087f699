"""Shows each target of `tests/fuzz/targets.py` what atheris, a fuzzer that follows coverage, thinks up.

    python tools/run_fuzz.py --seconds 300 sse origin

What breaks a target is kept in `.fuzz/TARGET/`, and so is the corpus: the next run goes on from it. atheris has wheels
for Linux only, so it is no dependency: where it is missing, it is installed into the environment that runs this.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".fuzz"
ATHERIS = "atheris>=3,<4"


def main() -> int:
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="all of them where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", ATHERIS], check=True)
    if arguments.in_this_process:
        _fuzz(arguments.targets[0], arguments.seconds)
    names = arguments.targets or _targets()
    again = [sys.executable, __file__, "--in-this-process", "--seconds", str(arguments.seconds)]
    return max(subprocess.run([*again, name]).returncode for name in names)


def _targets() -> list[str]:
    from fuzz.targets import TARGETS

    return list(TARGETS)


def _fuzz(name: str, seconds: int) -> None:
    """Ends the process, as libFuzzer does."""
    import atheris

    with atheris.instrument_imports(include=["ownkey", "tomllib", "ipaddress", "urllib"]):
        from fuzz.targets import CORPUS, TARGETS

    corpus, found = KEPT / name / "corpus", KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(CORPUS[name]):
        (corpus / f"begun-{number}").write_bytes(data)
    longest = max(4096, *(len(data) for data in CORPUS[name]))
    flags = [f"-max_total_time={seconds}", f"-max_len={longest}", f"-artifact_prefix={found}/", "-timeout=10"]
    atheris.Setup([sys.argv[0], *flags, "-print_final_stats=1", "-verbosity=0", str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
