"""Whether a statement asks for the rows of its caller alone. What is not understood counts as not doing so.

Understood are SELECT, UPDATE and DELETE whose WHERE names the owner, and INSERT whose rows do. `tenants.toml` says
which tables have owners, and which statements may look at everybody's, each with its reason.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA: dict[str, Any] = tomllib.loads((Path(__file__).parent / "tenants.toml").read_text())
TABLES: dict[str, dict[str, Any]] = DATA["tables"]
JOINS = frozenset(DATA["joins"]["on"])
SHORT = 100
"""The longest list of columns that is told whole."""

_LITERAL = re.compile(r"[xX]?'(?:[^']|'')*'|(?<![\w.$])-?\d+(?:\.\d+)?(?![\w.])")
_WORD = re.compile(r"\b[a-z_]+\b")
_CLAUSE = re.compile(
    r"\b(?:WITH|SELECT|UPDATE|DELETE FROM|SET|FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|RETURNING"
    r"|UNION|EXCEPT|INTERSECT)\b"
)
_ATOM = re.compile(r"(?:(\w+)\.)?(\w+) (?:= (\$\d+)|IN \((\$\d+(?:, \$\d+)*)\)|(IS NULL))")
_INSERT = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\) VALUES (\(.*?\))(?: ON CONFLICT .*)?")
_COLUMNS = re.compile(r"(?:SELECT|INSERT INTO \w+|UPDATE \w+ SET) ((?:(?!\(SELECT).)*?)(?: FROM | VALUES | SELECT )")
_ROW = re.compile(r"\(((?:\$\d+|NULL)(?:, (?:\$\d+|NULL))*)\)")


@dataclass(frozen=True)
class Statement:
    """`text` without its values, which stand in it as `$` and their number."""

    text: str
    values: tuple[str, ...]

    @property
    def normal(self) -> str:
        """The same for all values, however many there are."""
        text = re.sub(r"\$\d+", "?", self.text)
        text = re.sub(r"\(\?(?:, \?)*\)", "(?…)", text)
        if (columns := _COLUMNS.match(text)) and len(columns[1]) > SHORT:
            text = f"{text[: columns.start(1)]}…{text[columns.end(1) :]}"
        return text


@dataclass
class Caller:
    """`owners`: whose rows are meant; None where everybody's. `owner_of`: of (table, id), as far as it has one."""

    owners: frozenset[str] | None
    owner_of: Mapping[tuple[str, str], str | None] = field(default_factory=dict[tuple[str, str], "str | None"])

    def is_one(self, owner: str | None, shared: bool) -> bool:
        return shared if owner is None else self.owners is None or owner in self.owners

    def has(self, table: str, id: str, shared: bool) -> bool:
        return (table, id) in self.owner_of and self.is_one(self.owner_of[table, id], shared)


def read(sql: str) -> Statement:
    values: list[str] = []

    def put(found: re.Match[str]) -> str:
        values.append(found[0][1:-1].replace("''", "'") if found[0].startswith("'") else found[0])
        return f"${len(values) - 1}"

    return Statement(" ".join(_LITERAL.sub(put, sql).split()), tuple(values))


def asks_for_its_own(statement: Statement, caller: Caller) -> bool:
    return all(_one(part, statement.values, caller) for part in _parts(statement.text))


def _one(text: str, values: tuple[str, ...], caller: Caller) -> bool:
    tables = [name for name in dict.fromkeys(_WORD.findall(text)) if name in TABLES and _is_table(name, text)]
    if not tables:
        return "?" not in text
    if text.startswith("INSERT"):
        return _inserts(text, values, caller)
    clauses = _clauses(text)
    if clauses is None or "WHERE" not in clauses:
        return False
    first = clauses.get("DELETE FROM") or clauses.get("UPDATE") or clauses.get("FROM", "")
    where = clauses["WHERE"]
    if "UPDATE" in clauses and "FROM" in clauses:
        where = _with_rows(where, clauses["FROM"])
    from_, *joined = re.split(r" (?:LEFT OUTER )?JOIN ", first)
    ons = [one.partition(" ON ")[2] for one in joined]
    if not re.fullmatch(r"\w+", from_) or not JOINS.issuperset(ons):
        return False
    return _holds(where, lambda atom: _names_owner(atom, tables, values, caller))


def _with_rows(where: str, given: str) -> str:
    """The condition of an UPDATE that takes its values from rows, with what stands first in each of them."""
    found = re.fullmatch(r"\(VALUES (.*)\) AS (\w+)", given)
    rows = [row.split(", ") for row in _ROW.findall(found[1])] if found else []
    if not found or not rows or _ROW.sub("", found[1]).strip(", "):
        return ""
    return where.replace(f"= {found[2]}.column1", f"IN ({', '.join(row[0] for row in rows)})")


def _is_table(name: str, text: str) -> bool:
    """Columns may have the name of a table: such stand behind a dot."""
    return re.search(rf"(?<![.\w]){name}\b", text) is not None


def _names_owner(atom: str, tables: list[str], values: tuple[str, ...], caller: Caller) -> bool:
    found = _ATOM.fullmatch(atom)
    if found is None or (found[1] is None and len(tables) > 1):
        return False
    table, column = found[1] or tables[0], found[2]
    if table not in TABLES:
        return False
    given = [values[int(one[1:])] for one in (found[3] or found[4] or "").split(", ") if one]
    return _is_own(table, column, given or [None], caller)


def _is_own(table: str, column: str, given: list[str] | list[None], caller: Caller) -> bool:
    facts = TABLES[table]
    shared: bool = facts.get("shared", False)
    if column == facts.get("owner"):
        return all(caller.is_one(one, shared) for one in given)
    if column in facts.get("ids", ()):
        return all(one is not None and caller.has(facts["ids"][column], one, shared) for one in given)
    return column in facts.get("secret", ()) and None not in given


def _inserts(text: str, values: tuple[str, ...], caller: Caller) -> bool:
    found = _INSERT.fullmatch(text)
    if found is None:
        return False
    table, columns = found[1], found[2].split(", ")
    facts = TABLES[table]
    wanted = [facts["owner"]] if "owner" in facts else [*facts.get("ids", ()), *facts.get("secret", ())]
    rows = [row.split(", ") for row in _ROW.findall(found[3])]
    if not rows or any(len(row) != len(columns) for row in rows) or _ROW.sub("", found[3]).strip(", "):
        return False
    for row in rows:
        for column, place in zip(columns, row, strict=True):
            given = None if place == "NULL" else values[int(place[1:])]
            if column in wanted and not _is_own(table, column, [given], caller):  # pyright: ignore
                return False
    return set(wanted) <= set(columns)


def _parts(text: str) -> Iterator[str]:
    """A statement and those that stand in brackets in it, each without the others."""
    while (begin := text.rfind("(SELECT ")) >= 0:
        end = _closing(text, begin)
        yield text[begin + 1 : end]
        text = f"{text[:begin]}(…){text[end + 1 :]}"
    yield text


def _closing(text: str, begin: int) -> int:
    depth = 0
    for place in range(begin, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if depth == 0:
            return place
    return len(text)


def _outside(text: str) -> str:
    """What stands in no brackets; what does is blotted out, so that places stay the same."""
    depth, seen = 0, list[str]()
    for letter in text:
        depth -= letter == ")"
        seen.append(letter if depth == 0 else "·")
        depth += letter == "("
    return "".join(seen)


def _clauses(text: str) -> dict[str, str] | None:
    """What follows each keyword; None where one comes twice, or where sets are put together."""
    places = list(_CLAUSE.finditer(_outside(text)))
    ends = [*(one.start() for one in places[1:]), len(text)]
    names = [one[0] for one in places]
    if len(set(names)) < len(names) or not places or places[0].start() or {"WITH", "UNION", "EXCEPT"} & set(names):
        return None
    found = {one[0]: text[one.end() : end].strip() for one, end in zip(places, ends, strict=True)}
    return None if "INTERSECT" in found else found


def _holds(condition: str, is_met: Callable[[str], bool]) -> bool:
    """Whether every row that fits the condition meets what is asked of one of its parts."""
    while condition.startswith("(") and _closing(condition, 0) == len(condition) - 1:
        condition = condition[1:-1]
    for word, enough in ((" OR ", all), (" AND ", any)):
        if len(parts := _split(condition, word)) > 1:
            return enough(_holds(part, is_met) for part in parts)
    return is_met(condition)


def _split(condition: str, word: str) -> list[str]:
    places = [found.start() for found in re.finditer(word, _outside(condition))]
    begins = [0, *(place + len(word) for place in places)]
    return [condition[begin:end] for begin, end in zip(begins, [*places, len(condition)], strict=True)]
