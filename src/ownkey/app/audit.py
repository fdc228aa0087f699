"""The audit trail, as the faces see it: listed, verified, exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from ownkey.store.audit_chain import Row
from ownkey.store.audit_file import Line
from ownkey.store.audit_sentences import Names
from ownkey.store.audit_trail import Looked
from ownkey.store.audit_verify import Progress, Verdict, verify
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import ending

if TYPE_CHECKING:
    from ownkey.app.house import House


class AuditTrail:
    def __init__(self, house: House, owner: str) -> None:
        self._house = house
        self._owner = owner

    def listed(
        self,
        *,
        limit: int = 100,
        since_ms: int | None = None,
        actor: str | None = None,
        action: str | None = None,
    ) -> list[Row]:
        """The newest, newest first. `actor` is an id or a kind (`owner`, `user`, `token`, `system`); `action` a
        name, or what stands before its dot."""
        return self._house.audit.trail.listed(Looked(since_ms, None, actor, action), limit=limit)

    def page(self, wanted: Looked, names: Names, limit: int, before: int | None = None) -> tuple[list[Row], int | None]:
        """A page, newest first, and the `before` of the next; None where this is the last. What is looked for by text
        is found by `names` too."""
        if wanted.text is not None:
            wanted = structs.replace(wanted, like=names.like(wanted.text))
        found = self._house.audit.trail.listed(wanted, limit=limit + 1, before=before)
        return found[:limit], found[limit - 1].seq if len(found) > limit else None

    def names(self, *, everybody: bool) -> Names:
        """What this person may know of who and what the records name; of keys, the endings of
        their own alone, and only of those that were never replaced."""
        house, owner = self._house, self._owner
        user = house.store.people.get(owner)
        people = house.store.people.all() if everybody else [user] if user is not None else []
        keys = house.vault.listed(owner)
        return Names(
            endings={row.id: last for row in keys if row.version == 1 and (last := ending(row.masked))},
            providers={provider.id: provider.name for provider in house.catalogue.all()},
            people={one.id: one.name for one in people},
            tokens={row.id: row.name for row in house.tokens.listed(None if everybody else owner)},
        )

    def verify(self, progress: Progress | None = None, *, log: Path | None = None) -> Verdict:
        """Whether every record is there and is what was written; the first that is not, and how. `log` is a file that
        the system's log, or an export, has written: what stands there is compared too."""
        return verify(self._house.audit, progress, log=log)

    def accept(self) -> Verdict:
        """Let the trail go on where it is broken: what is there stays as it is, and a record says that it was so.

        What was found, which from now on is told as accepted. Raises InvalidRequest where nothing is broken.
        """
        audit = self._house.audit
        keys = audit.keys()
        found = self.verify()
        if found.whole:
            raise InvalidRequest("The audit trail is whole: there is nothing to accept.")
        audit.accept(found.digest, [f"{one.kind}: {one.says}" for one in found.breaks], keys, owner=self._owner)
        return found

    def export(self, path: Path, progress: Progress | None = None) -> int:
        """All of it as JSON lines, each with its hash, to a file that is there whole or not at all; how many."""
        head = self._house.audit.trail.head()
        fresh = path.with_name(f".{path.name}.new")
        count = 0
        try:
            with fresh.open("xb") as file:
                fresh.chmod(0o600)
                for count, line in enumerate(self.lines(), 1):
                    file.write(line)
                    if progress is not None and count % 500 == 0:
                        progress(count, max(count, head.count))
            fresh.replace(path)
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written: {error.strerror}.") from None
        finally:
            fresh.unlink(missing_ok=True)
        return count

    def lines(self) -> Iterator[bytes]:
        """All of it, oldest first, each a line of JSON with its hash. Raises AuditUnavailable, VaultSealed."""
        count = self._house.audit.trail.head().count
        self._house.audit.record("audit.exported", "", owner=self._owner, detail={"count": count})
        return (msgspec.json.encode(Line.of(row)) + b"\n" for row in self._house.audit.trail.every())


def plain(row: Row) -> dict[str, Any]:
    """For JSON."""
    return msgspec.json.decode(msgspec.json.encode(Line.of(row)))
