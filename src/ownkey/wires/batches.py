"""Providers' own batch endpoints: cheaper, within a day. Pure: what is sent, and what the answers say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Literal, Protocol, cast

from msgspec import Struct

from ownkey.talk.errors import ProviderError
from ownkey.talk.ready import make_ready
from ownkey.wires.wire import Headers


class Question(Struct, frozen=True):
    """One request, at a path under the provider's base URL."""

    method: Literal["GET", "POST"]
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    query: Mapping[str, str] = {}


class Standing(Struct, frozen=True):
    """How a batch stands at its provider. `under_way`: it may still give results. `mark` was put into it when it was
    made; `created_s` is since 1970. `ending`: it is being cancelled. `code` and `why` are for lines that it has no
    result for, once it is over. `results`: where they are. `total` counts its lines."""

    id: str
    under_way: bool
    created_s: int
    mark: str | None = None
    ending: bool = False
    code: str = "batch_failed"
    why: str | None = None
    results: tuple[str, ...] = ()
    total: int = 0


class Page(Struct, frozen=True):
    """Batches, newest first; `next` asks for those before them, None at the end."""

    batches: tuple[Standing, ...]
    next: Mapping[str, str] | None


class Result(Struct, frozen=True):
    """What came of one line. `status` and `body` are those of a plain request; without, it was not answered, and
    `code` and `message` say why."""

    custom_id: str
    status: int | None
    body: bytes = b""
    code: str = ""
    message: str = ""


class BatchWire(Protocol):
    """`urls`: for each wire of a line that is taken, the path that its requests are for. `uploads`: the lines have to
    be there before the batch is made; else they go with it. `marks`: a batch carries a mark; else it is known by the
    ids of its lines, once it has ended."""

    name: str
    urls: Mapping[str, str]
    most_lines: int
    most_bytes: int
    uploads: bool
    marks: bool

    def write_line(self, custom_id: str, url: str, body: bytes) -> bytes: ...

    def upload(self, mark: str, lines: Iterable[bytes]) -> Question:
        """The lines, to be there before the batch is."""
        ...

    def read_upload(self, body: bytes) -> str:
        """Its id. Raises UnexpectedResponse, as all that read do."""
        ...

    def create(self, mark: str, url: str, upload: str, lines: Iterable[bytes]) -> Question: ...

    def look(self, id: str) -> Question: ...

    def cancel(self, id: str) -> Question: ...

    def read_standing(self, body: bytes) -> Standing: ...

    def every(self, query: Mapping[str, str] | None = None) -> Question:
        """All batches of whoever has the key, page by page."""
        ...

    def read_page(self, body: bytes) -> Page: ...

    def fetch(self, results: str) -> Question: ...

    def read_results(self, body: bytes) -> Iterator[Result]: ...

    def read_error(self, status: int, headers: Headers, body: bytes) -> ProviderError:
        """The error for an answer that is not a success."""
        ...


TABLE: Mapping[str, str] = {
    "openai-batches": "ownkey.wires.openai_batches:OpenAIBatches",
    "anthropic-batches": "ownkey.wires.anthropic_batches:AnthropicBatches",
}

_loaded: dict[str, BatchWire] = {}


def batch_wire(name: str) -> BatchWire:
    """One of `TABLE`, loaded when it is first asked for."""
    if name not in _loaded:
        module, _, attribute = TABLE[name].partition(":")
        loaded = cast("BatchWire", getattr(import_module(module), attribute)())
        make_ready()
        _loaded[name] = loaded
    return _loaded[name]
