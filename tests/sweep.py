"""Nothing that a run of tests leaves, hears or prints holds one of its canaries.

What a test received, what its processes and loggers wrote, what the errors it waited for say, and every file of its
folder are searched when it ends: while its fixtures still run, for what is gone once they have, and after. Files of
the whole run are searched at the last test. A test that leaves a canary somewhere fails, with the place; ALLOWED says
where one has to be.
"""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Iterable
from fnmatch import fnmatch
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from canaries import find


class Allowed(NamedTuple):
    """`test` and `where` are patterns as a shell knows them."""

    test: str
    where: str
    reason: str


ALLOWED = (
    Allowed(
        "tests/test_settings.py::test_O13_no_mistake_in_the_file_quotes_what_may_be_a_key*",
        "*/config.toml",
        "the file in which the test makes the mistake",
    ),
    Allowed(
        "tests/test_canaries.py::test_O01_the_sweep_finds_what_leaks_once_one_redaction_is_gone*",
        "*/base/*",
        "what the broken source leaked",
    ),
    Allowed(
        "tests/export/test_import_killed.py::*",
        "*/text",
        "what the exported file holds, opened by the test",
    ),
    Allowed(
        "tests/foreign/test_foreign_command.py::*",
        "*/config.yaml",
        "another program's file, with a key in it",
    ),
    Allowed("tests/foreign/test_foreign_command.py::*", "*/keys.json", "another program's file, with a key in it"),
    Allowed("tests/foreign/test_foreign_command.py::*", "*/one-api.db", "another program's file, with a key in it"),
    Allowed("tests/foreign/test_foreign_command.py::*", "*/.env", "another program's file, with a key in it"),
    Allowed(
        "tests/store/test_store_power_loss.py::*",
        "standard output of strace*",
        "a process of the test reads the key that it is to store from its arguments",
    ),
    Allowed(
        "tests/gateway/test_fuzzed_requests.py::*",
        "the answer to POST *",
        "the demo says back what was asked, and the test asks with a key",
    ),
    Allowed(
        "tests/vault/test_transit.py::test_a_token_in_a_file_is_read_anew_for_each_request",
        "*/token",
        "the file in which the test gives the token",
    ),
    Allowed(
        "tests/alerts/test_alert_delivery.py::test_an_email_says_what_happened_in_plain_text_and_holds_no_key",
        "*/ownkey.db*",
        "the alert that the test stores quotes a key, which the e-mail then leaves out",
    ),
)

# Larger files that are the same in many homes, as the list of prices is, are read once.
_LARGE = 64 * 1024


class Found(NamedTuple):
    where: str
    what: str


class Sweep:
    """A plugin of pytest. `searched` in bytes."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.searched = 0
        self._clean: set[bytes] = set()
        self._folders: set[Path] = set()

    def note(self, where: str, data: bytes | str) -> None:
        """Search what a test received or a process wrote."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.searched += len(raw)
        self.found += [Found(where, f"{hit.name!r}, {hit.form}, at byte {hit.at}") for hit in find(raw)]

    def folder(self, folder: Path) -> None:
        for path in _files(folder):
            try:
                data = path.read_bytes()
            except OSError:  # removed meanwhile, or not ours to read
                continue
            self.note("the name of a file", path.name)
            if len(data) < _LARGE:
                self.note(str(path), data)
            elif (digest := blake2b(data).digest()) not in self._clean:
                before = len(self.found)
                self.note(str(path), data)
                if len(self.found) == before:
                    self._clean.add(digest)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
        folders = self._of(item, last=nextitem is None)
        for folder in folders:
            self.folder(folder)
        try:
            return (yield)
        finally:
            for folder in folders:
                self.folder(folder)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "teardown":
            for name, text in report.sections:
                self.note(name, text)
            if leaks := self._leaks(item.nodeid):
                report.outcome = "failed"
                report.longrepr = "Canaries where none may be:\n" + "\n".join(leaks)
        return report

    def _leaks(self, test: str) -> list[str]:
        """What was found since the last time, each once, without what is allowed."""
        found, self.found = dict.fromkeys(self.found), []
        return [f"  {where}: {what}" for where, what in found if not _allowed(test, where)]

    def _of(self, item: pytest.Item, *, last: bool) -> list[Path]:
        """The test's own folder; at the last test, those too that no test had for itself."""
        funcargs: dict[str, Any] = getattr(item, "funcargs", {})
        own = [funcargs["tmp_path"]] if "tmp_path" in funcargs else []
        self._folders.update(own)
        if not last:
            return own
        base: Path = item.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        return own + [path for path in base.iterdir() if path not in self._folders and not path.is_symlink()]


def _allowed(test: str, where: str) -> bool:
    return any(fnmatch(test, one.test) and fnmatch(where, one.where) for one in ALLOWED)


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


SWEEP = Sweep()
note = SWEEP.note


def listen_to_children() -> None:
    """What any process that a test starts and waits for has written is noted."""
    communicate = subprocess.Popen.communicate

    def noting(process: subprocess.Popen[Any], *arguments: Any, **more: Any) -> tuple[Any, Any]:
        said = communicate(process, *arguments, **more)
        for name, text in zip(("standard output", "standard error"), said, strict=True):
            if text:
                note(f"{name} of {_called(process.args)}", text)
        return said

    subprocess.Popen.communicate = noting  # type: ignore[method-assign]


def _called(arguments: Any) -> str:
    """The program and the words that follow it, as far as they are short."""
    words = [arguments] if isinstance(arguments, str | bytes | Path) else list(arguments)
    return " ".join(Path(str(words[0])).name if at == 0 else str(word)[:20] for at, word in enumerate(words[:5]))
