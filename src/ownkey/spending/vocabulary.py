"""Vocabularies of OpenAI's models, and how many tokens of one a text is. Nothing is loaded until something is counted.

Source: tiktoken's table of models and its patterns of `cl100k_base` and `o200k_base`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from threading import Lock
from typing import Any, Protocol

# Which vocabulary a model's name stands for, the most particular first.
VOCABULARIES: tuple[tuple[str, str], ...] = (
    *((name, "o200k_base") for name in ("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "chatgpt-4o", "o1", "o3", "o4")),
    *((name, "cl100k_base") for name in ("gpt-4", "gpt-3.5", "text-embedding-3", "text-embedding-ada-002")),
)

PIECE = 65_536
"""Characters that are counted at once, about: no other thread runs meanwhile."""

LONGEST_PIECE = 131_072
"""What cannot be cut into pieces of this is not counted."""

# No token of either vocabulary reaches from a letter or a digit over one of these: their patterns begin anew there.
_CUT = re.compile(r"(?<=[^\W_])[\s,.;:!?()\u3001\u3002\uff0c]")

_BINDINGS = "bpe_openai._bindings"
_loaded: dict[str, Vocabulary] = {}
_loading = Lock()


class Vocabulary(Protocol):
    def count(self, text: str, /) -> int: ...


def vocabulary_of(model: str) -> str | None:
    """The name of the model's vocabulary; None where it is not known. A seller's prefix does not matter."""
    name = model.rpartition("/")[2].lower()
    for begins, vocabulary in VOCABULARIES:
        if name == begins or name.startswith((f"{begins}-", f"{begins}.", f"{begins}:")):
            return vocabulary
    return None


def count(text: str, name: str) -> int | None:
    """Tokens of the text in that vocabulary; None where it is half a surrogate pair, or endless without a break."""
    vocabulary, total = _load(name), 0
    try:
        for piece in pieces(text):
            if len(piece) > LONGEST_PIECE:
                return None
            total += vocabulary.count(piece)
    except UnicodeEncodeError:
        return None
    return total


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of which the tokens are those of the whole."""
    start = 0
    while len(text) - start > PIECE:
        cut = _CUT.search(text, start + PIECE, start + LONGEST_PIECE)
        if cut is None:
            break
        yield text[start : cut.start()]
        start = cut.start()
    yield text[start:]


def _load(name: str) -> Vocabulary:
    if (known := _loaded.get(name)) is None:
        with _loading:
            known = _loaded.setdefault(name, _bindings().tokenizer_for_encoding(name))
    return known


def _bindings() -> Any:
    """The compiled part of bpe-openai alone: its package reads every vocabulary anew when it is imported, which takes
    eight times as long, and what it adds counts no more than a million characters."""
    if (known := sys.modules.get(_BINDINGS)) is not None:
        return known
    package = find_spec("bpe_openai")
    found = PathFinder.find_spec(_BINDINGS, package and package.submodule_search_locations)
    if found is None or found.loader is None:
        raise ModuleNotFoundError("bpe-openai is not installed whole", name=_BINDINGS)
    module = module_from_spec(found)
    found.loader.exec_module(module)
    # It can be made once in a process: whoever imports the package gets this one.
    sys.modules[_BINDINGS] = module
    return module
