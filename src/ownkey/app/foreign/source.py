"""Which program wrote a file, and what it says: told by what stands in it, not by its name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from msgspec import Struct, field

from ownkey.app.foreign.dotenv import is_env, read_env, variables
from ownkey.app.foreign.finding import BESIDE, FORMS, MOST_BYTES, Finding, Form, Names, text_of, unreadable
from ownkey.app.foreign.librechat import is_librechat, read_librechat
from ownkey.app.foreign.litellm import is_litellm, read_litellm
from ownkey.app.foreign.llm_keys import read_llm
from ownkey.app.foreign.one_api import MAGIC, read_one_api
from ownkey.app.foreign.plain_yaml import read_yaml
from ownkey.talk.errors import InvalidRequest

_REFERRING: frozenset[Form] = frozenset(("litellm", "librechat"))


class Source(Struct, frozen=True):
    """`beside`: the variables of the `.env` that lies next to a file of LiteLLM's or LibreChat's."""

    form: Form
    findings: tuple[Finding, ...]
    beside: dict[str, str] = field(default_factory=dict[str, str])


def read_path(path: Path, form: str | None, known: Names) -> Source:
    """Read a file and, where its format refers to one, the `.env` beside it. Raises InvalidRequest."""
    data = _bytes(path, most=MOST_BYTES)
    if form == "one-api" or data.startswith(MAGIC):
        _check(form, "one-api")
        if not data.startswith(MAGIC):
            raise unreadable("This file is no SQLite database, as One API's is.")
        return Source("one-api", read_one_api(path, known))
    source = read_text(data, form, known)
    beside = path.parent / BESIDE
    if source.form in _REFERRING and beside.is_file():
        return Source(source.form, source.findings, variables(text_of(_bytes(beside, most=MOST_BYTES))))
    return source


def read_text(data: bytes, form: str | None, known: Names) -> Source:
    """What is no database. Raises InvalidRequest."""
    text = text_of(data)
    if form == "llm" or (form is None and text.lstrip().startswith("{")):
        return Source("llm", read_llm(text, known))
    if form == "env" or (form is None and is_env(text)):
        return Source("env", read_env(text, known))
    document = read_yaml(text)
    if is_litellm(document):
        _check(form, "litellm")
        return Source("litellm", read_litellm(document, known))
    if is_librechat(document):
        _check(form, "librechat")
        return Source("librechat", read_librechat(document, known))
    raise InvalidRequest(
        "This is no file of keys that can be read: it has neither model_list nor endpoints, as YAML has them.",
        f"Files of these can: {', '.join(FORMS)}. Nothing was imported.",
        param="file",
    )


def _check(asked: str | None, found: Form) -> None:
    if asked not in (None, found):
        raise unreadable(f"This file is of {found}, not of {asked}.")


def _bytes(path: Path, *, most: int) -> bytes:
    """A plain file, not what a link leads to; of a database only how it begins."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        raise unreadable(f"{path.name!r} is a link: name the file that it leads to.")
    try:
        handle = os.open(path, flags)
        with open(handle, "rb") as opened:
            info = os.fstat(handle)
            if not stat.S_ISREG(info.st_mode):
                raise unreadable(f"{path.name!r} is not a file.")
            begins = opened.read(len(MAGIC))
            if begins == MAGIC:
                return begins
            if info.st_size > most:
                raise unreadable(f"{path.name!r} is larger than {most >> 20} MiB.")
            return begins + opened.read(most + 1)
    except OSError as error:
        raise unreadable(f"{path.name!r} cannot be read: {error.strerror}.") from None
