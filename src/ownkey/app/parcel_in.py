"""A file of another Ownkey, taken in: looked at first, and then all of it in one transaction, or nothing."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ownkey.app.parcel_file import File, Head, Row, Written, said
from ownkey.app.parcel_home import drop, fault, lock, put_in_place, stage, there
from ownkey.app.parcel_rows import Compared, alike, check_row, compared, named
from ownkey.settings import CONFIG, load
from ownkey.settings.written import TRAVELS, rewritten, travelling
from ownkey.store.keys import KeyRow
from ownkey.store.lock import alone
from ownkey.store.parcel import PAGE, PARTS, Part, Step, Values, differs
from ownkey.talk.errors import BadConfiguration, Conflict, InvalidRequest, KeyUnreadable
from ownkey.talk.secret import Secret, clean

if TYPE_CHECKING:
    from ownkey.app.house import House

OVER_THE_API = ("choices", "prices", "budgets", "keys")
"""What comes in over the API: what whoever asks may change there anyway."""

MOST_TOLD = 20

Pieces = Callable[[], Iterable[bytes]]
"""What the file holds, opened; read twice where there are runs in it."""


class Told(Struct, frozen=True):
    """Of one kind: how many come, are here already, and take the place of others."""

    what: str
    new: int
    same: int
    replaced: int


class Preview(Struct, frozen=True):
    """`conflicts`: what is here and says something else, for which nothing is taken. `left`: what is in the file and
    does not come in this way."""

    made_at_ms: int
    ownkey: str
    with_keys: bool
    parts: list[Told]
    conflicts: list[str]
    left: list[str]


class Incoming:
    """Raises InvalidRequest where the file cannot be read to its end."""

    def __init__(
        self, house: House, owner: str, pieces: Pieces, *, only: str | None = None, replace: bool = False
    ) -> None:
        self._house = house
        self._owner = owner
        self._pieces = pieces
        self._only = only
        self._replace = replace
        self._left: Counter[str] = Counter()
        self._files: list[File] = []
        self._settings: dict[str, Any] = {}
        self._runs = Told("run", 0, 0, 0)
        self._known_runs: set[str] = set()
        self._conflicts: list[str] = []
        self._told: list[Told] = []
        self._head, rows = self._read()
        self._seen = {table: house.store.parcel.every(PARTS[table]) for table in rows}
        self._tables = {table: self._compared(PARTS[table], found) for table, found in rows.items()}
        self._staged = self._compared_files()
        self.preview = self._preview()

    def take(self) -> Preview:
        """All of it, in one transaction with its record.

        Raises Conflict where something here says something else, or was changed meanwhile, and StorageUnavailable,
        VaultSealed, AuditUnavailable, BadConfiguration: nothing was changed then.
        """
        if self.preview.conflicts:
            first = ", ".join(self.preview.conflicts[:5])
            more = f" and {len(self.preview.conflicts) - 5} more" if len(self.preview.conflicts) > 5 else ""
            raise Conflict(
                f"What is here says something else than the file: {first}{more}. Nothing was imported.",
                "To take what the file says: `--replace`.",
            )
        house, id = self._house, f"par_{token_hex(8)}"
        steps, under = self._steps()
        told = {"made_at_ms": self._head.made_at_ms, "came": {one.what: one.new for one in self.preview.parts}}
        told |= {"replaced": sum(one.replaced for one in self.preview.parts)}
        home = house.settings.home
        with alone(lock(home)) if self._staged else nullcontext():
            if self._staged:
                self._stage(id)
            try:
                with house.audit.within("parcel.imported", id, owner=self._owner, detail=told):
                    house.store.parcel.take(steps, self._seen, self._past(), under)
            except BaseException:
                if not house.store.parcel.was_taken(id):
                    drop(home, id)
                raise
            if self._staged:
                put_in_place(home, id)
        house.vault.look_anew()
        house.tokens.forget()
        house.catalogue.refresh()
        house.store.bring(house.prices)
        return self.preview

    def _read(self) -> tuple[Head, dict[str, list[Values]]]:
        head: Head | None = None
        rows: dict[str, list[Values]] = {}
        runs: list[Values] = []
        for found in said(self._pieces()):
            if isinstance(found, Head):
                head = found
            elif self._is_left(found):
                continue
            elif isinstance(found, Row):
                check_row(found.part, found.values)
                if found.part.table != "book":
                    rows.setdefault(found.part.table, []).append(found.values)
                    continue
                runs.append(found.values)
                if len(runs) == PAGE:
                    self._compare_runs(runs)
                    runs = []
            elif isinstance(found, File):
                self._files.append(found)
            else:
                self._settings |= found.settings
        self._compare_runs(runs)
        assert head is not None
        return head, rows

    def _is_left(self, found: Head | Row | File | Written) -> bool:
        """Over the API most does not come in."""
        if self._only is None or isinstance(found, Head):
            return False
        if isinstance(found, Row):
            table = found.part.table
            if table in OVER_THE_API and (table != "keys" or found.values["owner"] == self._only):
                return False
            self._left["key of somebody else" if table == "keys" else found.part.what] += 1
        elif isinstance(found, File):
            self._left["provider's file"] += 1
        else:
            self._left["setting of config.toml"] += len(found.settings)
        return True

    def _compare_runs(self, runs: list[Values]) -> None:
        """What is in the book is not rewritten, whatever is asked for."""
        if not runs:
            return
        part = PARTS["book"]
        here = self._house.store.parcel.there([row["id"] for row in runs])
        wrong = [row for row in runs if row["id"] in here and differs(part, row, here[row["id"]])]
        self._conflicts += [named(part, row) for row in wrong[: MOST_TOLD - len(self._conflicts)]]
        self._known_runs |= here.keys()
        self._runs = Told("run", self._runs.new + len(runs) - len(here), self._runs.same + len(here) - len(wrong), 0)

    def _compared(self, part: Part, rows: list[Values]) -> Compared:
        same = self._same_key if part.table == "keys" else alike
        found = compared(part, rows, self._seen[part.table], same, replace=self._replace, only=self._only)
        self._conflicts += found.conflicts
        return found

    def _same_key(self, part: Part, row: Values, there: Values) -> bool:
        if differs(part, row | {"sealed": b""}, there | {"sealed": b""}):
            return False
        try:
            return hmac.compare_digest(self._house.vault.give_out(KeyRow(**there)).reveal(), row["sealed"])
        except KeyUnreadable:
            return False

    def _compared_files(self) -> dict[str, bytes]:
        """Those of the data folder that are to be written."""
        home, staged = self._house.settings.home, dict[str, bytes]()
        count = Counter[str]()
        for file in self._files:
            if (why := fault(file)) is not None or self._house.catalogue.is_shipped(file.name[10:-5]):
                why = why or "this provider comes with Ownkey"
                raise InvalidRequest(f"{clean(file.name, limit=80)} cannot be taken: {why}.", param="file")
            self._sort(count, f"file {file.name}", file.text.encode(), there(home, file.name))
            if there(home, file.name) != file.text.encode():
                staged[file.name] = file.text.encode()
        self._told.append(Told("provider's file", count["new"], count["same"], count["replaced"]))
        here, count = travelling(home), Counter[str]()
        for name, value in self._settings.items():
            if name not in TRAVELS:
                raise InvalidRequest(f"The setting {clean(name, limit=60)} does not travel.", param="file")
            self._sort(count, f"setting {name}", value, here.get(name))
        self._told.append(Told("setting of config.toml", count["new"], count["same"], count["replaced"]))
        changed = {name: value for name, value in self._settings.items() if here.get(name) != value}
        return staged | ({CONFIG: rewritten(home, changed)} if changed else {})

    def _sort(self, count: Counter[str], name: str, value: object, here: object) -> None:
        if here is None or here == value:
            count["new" if here is None else "same"] += 1
        elif self._replace:
            count["replaced"] += 1
        else:
            self._conflicts.append(clean(name, limit=120))

    def _preview(self) -> Preview:
        tables = [Told(each.part.what, each.new, each.same, each.replaced) for each in self._tables.values()]
        told = [one for one in (*tables, self._runs, *self._told) if one.new or one.same or one.replaced]
        left = [f"{count} × {what}" for what, count in self._left.items()]
        return Preview(
            self._head.made_at_ms, self._head.ownkey, self._head.with_keys, told, self._conflicts[:MOST_TOLD], left
        )

    def _steps(self) -> tuple[list[Step], bytes | None]:
        steps = [each.step for table, each in self._tables.items() if table != "keys"]
        found = self._tables.get("keys")
        if found is None or not (found.added or found.changed):
            return steps, None
        versions: Mapping[str, int] = {row["id"]: row["version"] for row in self._seen["keys"]}
        rows: list[Values] = [*found.added, *(key | values for key, values in found.changed)]
        keys: list[tuple[KeyRow, Secret]] = []
        for row in rows:
            version = max(row["version"], versions.get(row["id"], 0) + 1)
            values: Values = {**row, "sealed": b"", "version": version}
            keys.append((KeyRow(**values), Secret(row["sealed"])))
        fresh, under = self._house.vault.take_in(keys)
        # What takes the place of another is a new row: it is counted among those that the root key has sealed.
        gone = [*found.gone, *(key for key, _ in found.changed)]
        added = [{name: getattr(row, name) for name in KeyRow.__struct_fields__} for row in fresh]
        return [*steps, Step(found.part, gone, (), added)], under

    def _past(self) -> Iterator[Values]:
        """The runs, read once more: a book may be larger than the memory."""
        if not self._runs.new:
            return
        for found in said(self._pieces()):
            if isinstance(found, Row) and found.part.table == "book" and found.values["id"] not in self._known_runs:
                yield found.values

    def _stage(self, id: str) -> None:
        home = self._house.settings.home
        folder = stage(home, id, self._staged)
        if CONFIG not in self._staged:
            return
        try:
            # Ownkey has to start with them.
            load(home=folder)
        except BadConfiguration as error:
            drop(home, id)
            error.message = f"The settings of this file cannot be taken here: {error.message}"
            raise
