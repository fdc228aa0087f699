"""Is the audit trail what was written: walked from its first record to its head, beside anchor and file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from ownkey.store.audit import Audit
from ownkey.store.audit_actions import ACCEPTED
from ownkey.store.audit_chain import Break, Head, Row, Walk, hash_of, proven
from ownkey.store.audit_file import logged
from ownkey.talk.errors import InvalidRequest, VaultSealed

Progress = Callable[[int, int], None]
"""Told how many records were looked at, and of how many."""


class Verdict(Struct, frozen=True):
    """`breaks` are in the order of the records. `accepted`: those that the owner has seen and let go. `notes` are no
    harm done. `digest` stands for all that was read, as it was found."""

    count: int
    breaks: list[Break]
    accepted: list[Break]
    notes: list[str]
    digest: str

    @property
    def whole(self) -> bool:
        return not self.breaks


class _Looked:
    def __init__(self) -> None:
        self.breaks: list[Break] = []
        self.accepted: list[Break] = []
        self.digest = sha256()
        self.through = 0

    def found(self, broken: Break) -> None:
        """What follows from a break that was found already is not told again."""
        if broken.seq < self.through:
            self.accepted.append(broken)
            return
        if not any(one.kind == broken.kind for one in self.breaks):
            self.breaks.append(broken)

    def read(self, row: Row) -> None:
        self.digest.update(hash_of(row) + row.hash + row.previous)

    def accepts(self, row: Row) -> bool:
        """Whether this record lets go of what was found before it: it says what that looked like."""
        if row.action != ACCEPTED or hash_of(row) != row.hash:
            return False
        told = msgspec.json.decode(row.detail, type=dict[str, msgspec.Raw])
        return told.get("digest") == msgspec.Raw(msgspec.json.encode(self.digest.hexdigest()))

    def let_go(self, row: Row) -> None:
        self.accepted += self.breaks
        self.breaks = []
        self.through = row.seq


def verify(audit: Audit, progress: Progress | None = None, *, log: Path | None = None) -> Verdict:
    """Reads everything, and changes nothing. Others may append meanwhile. `log` is a file that the system's log has
    written: what is in it has to be in the trail. Raises StorageUnavailable, and InvalidRequest for the log."""
    looked = _Looked()
    notes: list[str] = []
    anchor = _anchor(audit, looked)
    beside = _Beside(audit, looked)
    walk, head = _walk(audit, looked, anchor, beside, progress)
    if not any(one.kind in ("edited", "missing", "unlinked") for one in looked.breaks):
        if (broken := walk.end(head)) is not None:
            looked.found(broken)
    elif head.count > walk.seq:
        looked.found(Break(walk.seq + 1, "cut", f"after record {walk.seq} the trail is cut off, before {head.count}"))
    _seal(audit, head, looked)
    if anchor is not None and anchor.count > walk.seq:
        looked.found(
            Break(
                walk.seq + 1,
                "older",
                f"the data folder remembers record {anchor.count}, and the trail ends with {walk.seq}: "
                "an older copy of the database was put in its place",
            )
        )
    notes += beside.end(walk.seq)
    if log is not None:
        notes.append(_compare(audit, looked, log))
    if audit.lag:
        notes.append(f"The last records are in the database alone: {audit.lag}.")
    breaks = sorted(looked.breaks, key=lambda one: one.seq)
    return Verdict(walk.seq, breaks, looked.accepted, notes, looked.digest.hexdigest())


def glance(audit: Audit) -> str | None:
    """What is wrong with the trail's end, without reading all of it; None where nothing is, or the vault is sealed.

    Raises StorageUnavailable.
    """
    looked = _Looked()
    anchor, head = _anchor(audit, looked), audit.trail.head()
    _seal(audit, head, looked)
    if anchor is not None and anchor.count > head.count:
        return (
            f"The audit trail ends with record {head.count}, and the data folder remembers record {anchor.count}: an "
            "older copy of the database was put in its place."
        )
    if anchor is not None and audit.trail.hash_at(anchor.count) != anchor.hash:
        return f"Record {anchor.count} of the audit trail is not the one that the data folder remembers."
    if head.count and audit.trail.hash_at(head.count) != head.hash:
        return f"Record {head.count} of the audit trail is not the one that was sealed."
    found = [one.says for one in looked.breaks if one.kind != "unproven"]
    return f"The audit trail was altered: {found[0]}." if found else None


def _walk(
    audit: Audit, looked: _Looked, anchor: Head | None, beside: _Beside, progress: Progress | None
) -> tuple[Walk, Head]:
    """To the end, however much is appended meanwhile."""
    walk, head = Walk(), audit.trail.head()
    while True:
        began = walk.seq
        for row in audit.trail.every(walk.seq):
            broken = walk.next(row)
            if broken is not None:
                if looked.accepts(row) and row.seq > walk.seq:
                    looked.let_go(row)
                else:
                    looked.found(broken)
                # Once it is broken, each record is looked at for itself.
                walk = Walk(row.seq, row.hash)
            elif looked.accepts(row):
                looked.let_go(row)
            looked.read(row)
            if anchor is not None and row.seq == anchor.count and row.hash != anchor.hash:
                looked.found(Break(row.seq, "older", f"record {row.seq} is not the one that the data folder remembers"))
            beside.next(row)
            if progress is not None and row.seq % 500 == 0:
                progress(row.seq, max(head.count, row.seq))
        head = audit.trail.head()
        if walk.seq >= head.count or walk.seq == began:
            return walk, head


def _anchor(audit: Audit, looked: _Looked) -> Head | None:
    try:
        anchor = audit.anchor.read()
        keys = audit.keys()
        if anchor is None or proven(anchor, keys):
            return anchor
        if anchor.kek_id not in [key.kek_id for key in keys]:
            # Another root key took over since. What it says is compared all the same.
            return anchor
    except VaultSealed:
        return None
    except ValueError:
        pass
    looked.found(Break(0, "forged", f"{audit.anchor.path.name} in the data folder is not what was written there"))
    return None


def _seal(audit: Audit, head: Head, looked: _Looked) -> None:
    try:
        if not head.is_first and not proven(head, audit.keys()):
            looked.found(Break(head.count, "forged", "the head of the trail carries no seal of this install's"))
    except VaultSealed as sealed:
        looked.found(Break(head.count, "unproven", f"without the root key nobody can check the seal. {sealed}"))


def _compare(audit: Audit, looked: _Looked, log: Path) -> str:
    """How many records the log has; it need not have all: it is told once, and keeps what it likes."""
    count = 0
    try:
        for row in logged(log):
            if row.seq == 0:
                continue
            count += 1
            if audit.trail.hash_at(row.seq) != row.hash or hash_of(row) != row.hash:
                looked.found(Break(row.seq, "differs", f"{log.name} has a record {row.seq} that the trail has not"))
    except OSError as error:
        raise InvalidRequest(f"{log} cannot be read: {error.strerror}.", param="beside") from None
    if not count:
        raise InvalidRequest(f"There is no record of the audit trail in {log}.", param="beside")
    return f"{log.name} has {count:,} records."


class _Beside:
    """The file's lines, read beside the records."""

    def __init__(self, audit: Audit, looked: _Looked) -> None:
        self._audit = audit
        self._looked = looked
        self._spares = 0
        self._last = 0
        self._unreadable: str | None = None
        self._lines = self._read()
        self._line = next(self._lines, None)

    def next(self, row: Row) -> None:
        while self._line is not None and self._line.seq < row.seq:
            self._unknown(self._line)
            self._line = next(self._lines, None)
        if self._line is not None and self._line.seq == row.seq:
            if self._line.hash != row.hash or hash_of(self._line) != hash_of(row):
                self._looked.found(Break(row.seq, "differs", f"record {row.seq} stands otherwise in the file"))
            self._line = next(self._lines, None)

    def end(self, last: int) -> list[str]:
        """What else there is to say, once all records were read."""
        while self._line is not None:
            if self._audit.trail.hash_at(self._line.seq) != self._line.hash:
                self._unknown(self._line)
            self._line = next(self._lines, None)
        notes = [self._unreadable] if self._unreadable else []
        if self._spares:
            notes.append(f"{self._spares} lines of the file were written while the database took none.")
        if self._audit.sinks.file is not None and self._last < last:
            notes.append(f"The file does not have the records after {self._last} yet; the next one brings them.")
        return notes

    def _unknown(self, line: Row) -> None:
        self._looked.found(Break(line.seq, "differs", f"the file has a record {line.seq} that the database has not"))

    def _read(self) -> Iterator[Row]:
        file = self._audit.sinks.file
        try:
            for row in () if file is None else file.lines():
                if row is None:
                    continue  # cut off when the disk was full; what stood there comes again
                if row.seq == 0:
                    self._spares += 1
                else:
                    self._last = max(self._last, row.seq)
                    yield row
        except OSError as error:
            self._unreadable = f"The file cannot be read: {error.strerror or type(error).__name__}."
