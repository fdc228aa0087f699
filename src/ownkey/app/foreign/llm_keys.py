"""`keys.json` of the command `llm`: llm.datasette.io/en/stable/setup.html#api-key-management.

One object of alias and key. Aliases are free; its plugins look for those of their provider. `// Note` is a remark.
"""

from __future__ import annotations

import json
from typing import Any

from ownkey.app.foreign import names
from ownkey.app.foreign.finding import MOST_FINDINGS, Finding, Names, is_mapping, mapping, shown, unreadable, with_key


def read_llm(text: str, known: Names) -> tuple[Finding, ...]:
    """Raises InvalidRequest, without a byte of the file."""
    try:
        document: Any = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise unreadable("This file is not JSON, or an alias stands in it twice.") from None
    if not is_mapping(document):
        raise unreadable("This file is no keys.json of llm: it is one object of aliases and keys.")
    entries = [(alias, key) for alias, key in mapping(document).items() if not alias.startswith("//")]
    return tuple(_finding(alias, key, known) for alias, key in entries[:MOST_FINDINGS])


def _finding(alias: str, key: object, known: Names) -> Finding:
    own = names.ours(alias.lower(), names.LLM, known)
    return with_key(Finding(shown(alias), shown(alias), own, label="llm"), key if isinstance(key, str) else None)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made
