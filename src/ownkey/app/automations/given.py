"""What a run is given: texts and files, told apart by what they hold."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from msgspec import Struct

from ownkey.app.automations.document import Document, FileKind, Variable, unknown_variable
from ownkey.app.automations.tables import Table, as_csv, read_csv, read_xlsx
from ownkey.talk.chat import File, Image, Part
from ownkey.talk.errors import InvalidRequest, TooLarge

MOST_FILE_BYTES = 16 << 20
MOST_TEXT_CHARS = 2_000_000

_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_TABLES = (".csv", ".tsv", ".tab")
_FENCES = re.compile(r"`{3,}")


class GivenFile(Struct, frozen=True):
    name: str
    data: bytes


class Read(Struct, frozen=True):
    """A file that was read: as text, and a table besides, or as a part that goes to the model as it is."""

    name: str
    kind: FileKind
    text: str = ""
    table: Table | None = None
    part: Part | None = None


class Given(Struct, frozen=True):
    """Everything that a run is given, by the names of variables. Texts hold the defaults too."""

    texts: dict[str, str]
    files: dict[str, Read]


def given(document: Document, values: Mapping[str, str], files: Mapping[str, GivenFile]) -> Given:
    """Raises InvalidRequest for what is unknown, wanting, or of another kind than the variable takes; TooLarge."""
    for name in (*values, *files):
        if name not in document.variables:
            raise unknown_variable(name, document.variables)
    texts: dict[str, str] = {}
    found: dict[str, Read] = {}
    for name, variable in document.variables.items():
        if name in files:
            found[name] = _taken(name, variable, files[name])
        elif variable.kind == "text" and (name in values or variable.default is not None):
            texts[name] = values.get(name, variable.default or "")
        elif variable.kind == "file" and name in values:
            # A short text may be typed where a file of text is taken.
            found[name] = _taken(name, variable, GivenFile(name, values[name].encode("utf-8", "replace")))
        elif variable.kind == "text" or variable.default is None:
            raise _wanting(name, variable)
    if sum(map(len, texts.values())) > MOST_TEXT_CHARS:
        raise TooLarge("What is given is too long.", f"{MOST_TEXT_CHARS:,} characters at most.")
    return Given(texts, found)


def fenced(read: Read) -> str:
    """A file's text in a block that nothing in it can end."""
    text = as_csv(read.table) if read.table is not None else read.text
    longest = max((len(found) for found in _FENCES.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def read_file(file: GivenFile) -> Read:
    """Raises InvalidRequest where it is neither text nor one of the kinds that are known."""
    name, data = file.name.rpartition("/")[2][:200] or "file", file.data
    if len(data) > MOST_FILE_BYTES:
        raise TooLarge(f"{name} is over {MOST_FILE_BYTES >> 20} MiB.", "Take a part of it.")
    for magic, media_type in _IMAGES.items():
        if data.startswith(magic):
            return Read(name, "image", part=Image(data=_base64(data), media_type=media_type))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Read(name, "image", part=Image(data=_base64(data), media_type="image/webp"))
    if data.startswith(b"%PDF-"):
        return Read(name, "pdf", part=File(data=_base64(data), media_type="application/pdf", name=name))
    if data.startswith(b"PK\x03\x04"):
        table = read_xlsx(data)
        return Read(name, "xlsx", as_csv(table), table)
    text = _text(name, data)
    if name.lower().endswith(_TABLES):
        return Read(name, "csv", text, read_csv(text))
    return Read(name, "text", text)


def _taken(name: str, variable: Variable, file: GivenFile) -> Read:
    if variable.kind != "file":
        text = _text(file.name, file.data)
        return Read(file.name, "text", text)
    read = read_file(file)
    if variable.takes and read.kind not in variable.takes:
        if read.kind == "text" and "csv" in variable.takes:
            return Read(read.name, "csv", read.text, read_csv(read.text))
        if read.kind == "csv" and "text" in variable.takes:
            return Read(read.name, "text", read.text)
        kinds = ", ".join(variable.takes)
        raise InvalidRequest(
            f"{name} takes {kinds}; {read.name} is {read.kind}.", "Save it as one of these.", param=name
        )
    return read


def _text(name: str, data: bytes) -> str:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise InvalidRequest(
            f"{name} is neither text in UTF-8, nor CSV, XLSX, PDF or a picture.", "Save it as one of these."
        ) from None
    if "\0" in text:
        raise InvalidRequest(f"{name} is not text.", "Save it as text in UTF-8, CSV, XLSX, PDF or a picture.")
    if len(text) > MOST_TEXT_CHARS:
        raise TooLarge(f"{name} has over {MOST_TEXT_CHARS:,} characters.", "Take a part of it.")
    return text


def _wanting(name: str, variable: Variable) -> InvalidRequest:
    told = f" ({variable.description})" if variable.description else ""
    how = f"--file {name}=PATH" if variable.kind == "file" else f"--var {name}=VALUE"
    return InvalidRequest(f"{name}{told} is not given.", f"Give it: {how}.", param=name)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
