"""The audit trail, as the faces see it: listed, verified, exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ownkey.store.audit_chain import Row
from ownkey.store.audit_file import Line
from ownkey.store.audit_verify import Progress, Verdict, verify
from ownkey.talk.errors import InvalidRequest

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
        return self._house.audit.trail.listed(limit=limit, since_ms=since_ms, actor=actor, action=action)

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
        self._house.audit.record("audit.exported", "", owner=self._owner, detail={"count": head.count})
        fresh = path.with_name(f".{path.name}.new")
        count = 0
        try:
            with fresh.open("xb") as file:
                fresh.chmod(0o600)
                for count, row in enumerate(self._house.audit.trail.every(), 1):
                    file.write(msgspec.json.encode(Line.of(row)) + b"\n")
                    if progress is not None and count % 500 == 0:
                        progress(count, max(count, head.count))
            fresh.replace(path)
        except OSError as error:
            raise InvalidRequest(f"{path} cannot be written: {error.strerror}.") from None
        finally:
            fresh.unlink(missing_ok=True)
        return count


def plain(row: Row) -> dict[str, Any]:
    """For JSON."""
    return msgspec.json.decode(msgspec.json.encode(Line.of(row)))
