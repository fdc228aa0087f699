"""The tests, collected once, and run for each mutant in a fork of this process."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import itertools
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
import types
from collections import Counter
from pathlib import Path
from typing import Any

import mutation_gateway
import pytest
from mutations import Mutant

MOST_S = 12.0
"""For all the tests of a mutant: one that takes longer has been noticed, or is not noticed by quick tests."""
BASE_S = 900.0

Base = dict[str, tuple[float, dict[str, list[int]]]]
"""Of each test its seconds, and of each file the lines that it went to."""


class Runner:
    """A plugin of pytest, in place of its own loop."""

    def __init__(
        self, root: Path, kept: Path, group: str, files: list[str], tests: list[str], todo: list[Mutant], minutes: float
    ) -> None:
        self.root, self.kept, self.group, self.tests, self.todo = root, kept, group, tests, todo
        self.minutes = minutes
        self.targets = {str(path) for pattern in files for path in root.glob(pattern)}
        self.results: list[tuple[Mutant, str]] = []
        self._failed: str | None = None
        self._began = 0.0
        self._kills: Counter[tuple[str, str]] = Counter()

    def run(self) -> None:
        quiet = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "--timeout", "8"]
        pytest.main([*quiet, "--rootdir", str(self.root), *self.tests], plugins=[self])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Every mutant is shown the same examples, and none is looked into when it fails."""
        from hypothesis import Phase, settings

        quick = {"phases": (Phase.explicit, Phase.generate), "database": None, "derandomize": True}
        settings.register_profile("mutation", settings.get_profile("ownkey"), **quick)
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        mutation_gateway.put_in()
        items = {item.nodeid: item for item in session.items if _is_quick(item)}
        base = self._base(session, list(items.values()))
        until = time.monotonic() + self.minutes * 60
        for number, mutant in enumerate(self.todo):
            if time.monotonic() > until:
                break
            tests = [items[name] for name in self._going_there(mutant, base) if name in items]
            if not any(str(mutant.file) in gone for _, gone in base.values()):
                # Its tests go there in a fork of their own, which nobody sees.
                tests = [item for item in items.values() if item.path.name == f"test_{mutant.file.name}"]
            result = self._tried(session, mutant, tests) if tests else "survived"
            if result != "no program":
                self.results.append((mutant, result))
            if result == "survived":
                _say(f"{number} survived {len(tests)} tests: {mutant.file.name}:{mutant.first} {mutant.name}")
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid

    def _going_there(self, mutant: Mutant, base: Base) -> list[str]:
        """Those that noticed other changes here first, then those that go where few do, as long as there is time."""
        file = str(mutant.file)
        found = [name for name, (_, gone) in base.items() if not mutant.lines.isdisjoint(gone.get(file, ()))]
        near = {name: set(mutant.around).intersection(base[name][1][file]) for name in found}
        often = Counter(line for each in near.values() for line in each)
        rare = {name: min((often[line] for line in each), default=len(found)) for name, each in near.items()}
        found.sort(key=lambda name: (-self._kills[file, name], rare[name], base[name][0]))
        left, quick = MOST_S, []
        for name in found:
            left -= base[name][0]
            if left > 0 or len(quick) < 3:
                quick.append(name)
        return quick

    def _base(self, session: pytest.Session, items: list[pytest.Item]) -> Base:
        """A file of tests is measured anew where it has changed, or what is changed here has."""
        kept = self.kept / f"{self.group}.json"
        known: dict[str, Base] = json.loads(kept.read_text()) if kept.exists() else {}
        changed = hashlib.sha256(b"".join(Path(path).read_bytes() for path in sorted(self.targets)))
        base: Base = {}
        for path, each in itertools.groupby(items, lambda item: item.path):
            tests = list(each)
            name = f"{path.name} {changed.hexdigest()[:12]} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
            if name not in known:
                found = self.kept / "found"
                found.unlink(missing_ok=True)
                self._fork(session, BASE_S, lambda tests=tests, found=found: self._measure(tests, found))
                known[name] = json.loads(found.read_text())
                kept.write_text(json.dumps(known))
            base |= known[name]
        return base

    def _measure(self, items: list[pytest.Item], kept: Path) -> int:
        base: Base = {}
        gone: dict[str, set[int]] = {}

        def line(frame: types.FrameType, event: str, _: Any) -> Any:
            if event == "line":
                gone.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
            return line

        def call(frame: types.FrameType, event: str, _: Any) -> Any:
            return line if frame.f_code.co_filename in self.targets else None

        threading.settrace(call)
        for item, after in zip(items, [*items[1:], None], strict=True):
            gone.clear()
            self._failed = None
            began = time.monotonic()
            sys.settrace(call)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            sys.settrace(None)
            if self._failed:
                _say(f"fails unchanged, or takes too long: {item.nodeid}")
            elif gone:
                lines = {file: sorted(found) for file, found in gone.items()}
                base[item.nodeid] = (time.monotonic() - began, lines)
        kept.write_text(json.dumps(base))
        return 0

    def _tried(self, session: pytest.Session, mutant: Mutant, tests: list[pytest.Item]) -> str:
        note = self.kept / "killer"
        note.unlink(missing_ok=True)

        def child() -> int:
            try:
                put_in(mutant)
            except Exception:  # noqa: BLE001  a module that cannot be read is no program
                return 3
            for item, after in zip(tests, [*tests[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
                if self._failed:
                    note.write_text(self._failed)
                    return 1
            return 0

        self._failed = None
        code = self._fork(session, MOST_S * 2.5, child)
        if code == 1 and note.exists():
            self._kills[str(mutant.file), note.read_text()] += 1
        return {0: "survived", 3: "no program", -1: "too slow"}.get(code, "noticed")

    def _fork(self, session: pytest.Session, most_s: float, work: Any) -> int:
        """The exit code of `work` in a fork, which is ended with all that it began; -1 where it took too long."""
        place = self.kept / "tmp"
        shutil.rmtree(place, ignore_errors=True)
        child = os.fork()
        if child == 0:
            code = 2
            try:
                os.setsid()
                if most_s != BASE_S:
                    silent = os.open(os.devnull, os.O_RDWR)
                    os.dup2(silent, 1)
                    os.dup2(silent, 2)
                session.config._tmp_path_factory._given_basetemp = place  # type: ignore[attr-defined]
                code = work()
            except BaseException:  # noqa: BLE001  its process ends here
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(code)
        until = time.monotonic() + most_s
        code = -1
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                break
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if code == -1:
            os.waitpid(child, 0)
        return code


def _is_quick(item: pytest.Item) -> bool:
    return "postgresql" not in item.nodeid and item.get_closest_marker("soak") is None


def put_in(mutant: Mutant) -> None:
    """Wherever in this process the true function or value is, the changed one is from now on."""
    code = mutant.code()
    module = next(one for one in list(sys.modules.values()) if getattr(one, "__file__", None) == str(mutant.file))
    if mutant.in_function:
        changed = dict(_functions(code, ""))
        for each in gc.get_objects():
            if isinstance(each, types.FunctionType) and each.__code__.co_filename == str(mutant.file):
                other = changed.get(each.__code__.co_qualname)
                if other is not None and other.co_freevars == each.__code__.co_freevars:
                    each.__code__ = other
    else:
        fresh = types.ModuleType(module.__name__)
        fresh.__file__ = module.__file__
        exec(code, fresh.__dict__)
        for name, old in list(vars(module).items()):
            new = vars(fresh).get(name)
            if isinstance(old, type | types.FunctionType | types.ModuleType) or name.startswith("__") or old == new:
                continue
            for other in list(sys.modules.values()):
                if getattr(other, name, None) is old:
                    setattr(other, name, new)
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper):
            each.cache_clear()


def _functions(code: types.CodeType, within: str) -> list[tuple[str, types.CodeType]]:
    found = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return [(one.co_qualname, one) for one in found] + [each for one in found for each in _functions(one, within)]


def _say(text: str) -> None:
    print(text, file=sys.__stderr__, flush=True)
