"""The arithmetic of the audit trail: what a record's hash covers, what seals the head, and where a chain breaks.

A record's hash is SHA-256 over all its columns, of which one is the hash of the record before. The head, how many
records there are and the hash of the last, carries a seal: HMAC-SHA-256 with a key that the root key gives. Who can
write the database and has no root key can make hashes, but no seal.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct

BEGINNING = bytes(32)
"""What stands before the first record."""

Kind = Literal["edited", "missing", "unlinked", "cut", "unsealed", "forged", "older", "differs", "unproven"]

KINDS: Mapping[Kind, str] = {
    "edited": "a record says something else than was written",
    "missing": "records were taken out",
    "unlinked": "a record follows another one than it did",
    "cut": "the last records were taken away",
    "unsealed": "records were added at the end, or were written while the vault was sealed; the next record takes "
    "those in, marked by `audit.adopted`",
    "forged": "hashes were made anew, or the head or the anchor was written by somebody else",
    "older": "an older copy of the database was put in its place: the data folder remembers the head, in "
    "`audit-….anchor`",
    "differs": "the file (`OWNKEY_AUDIT_FILE`) has something else",
    "unproven": "the vault is sealed, so that the seal cannot be checked",
}
"""How a trail can be broken."""


class Row(Struct, frozen=True):
    """A record as it is kept. `detail` is JSON."""

    seq: int
    at_ms: int
    actor_kind: str
    actor: str
    action: str
    target_kind: str
    target: str
    outcome: str
    request_id: str | None
    detail: str
    previous: bytes
    hash: bytes


class Head(Struct, frozen=True):
    """So many records, the last of this hash, sealed under the root key of that id."""

    count: int = 0
    hash: bytes = BEGINNING
    kek_id: bytes = b""
    seal: bytes = b""

    @property
    def is_first(self) -> bool:
        """Nothing was ever sealed."""
        return self == Head()


class AuditKey:
    """What heads of one install are sealed with; `kek_id` names the root key that it comes from."""

    __slots__ = ("_install_id", "_raw", "kek_id")

    def __init__(self, install_id: str, kek_id: bytes, raw: bytes) -> None:
        self.kek_id = kek_id
        self._install_id = install_id.encode()
        self._raw = raw

    def sealed(self, count: int, hash: bytes) -> Head:
        told = b"ownkey audit head v1\0" + len(self._install_id).to_bytes(4, "big") + self._install_id
        seal = hmac.digest(self._raw, told + count.to_bytes(8, "big") + hash, "sha256")
        return Head(count, hash, self.kek_id, seal)


class Break(Struct, frozen=True):
    """Where the trail is not what was written, and how: `seq` is the first record that is affected."""

    seq: int
    kind: Kind
    says: str


def proven(head: Head, keys: Sequence[AuditKey]) -> bool:
    """Whether one of these keys has sealed this head."""
    return any(
        hmac.compare_digest(key.sealed(head.count, head.hash).seal, head.seal)
        for key in keys
        if key.kek_id == head.kek_id
    )


def hash_of(row: Row) -> bytes:
    columns = [getattr(row, name) for name in Row.__struct_fields__[:-2]]
    return sha256(b"ownkey audit v1\0" + msgspec.json.encode([*columns, row.previous.hex()])).digest()


class Walk:
    """Give it each record in its order; it says where the chain breaks. `last` is the hash of the one before."""

    def __init__(self, seq: int = 0, last: bytes = BEGINNING) -> None:
        self.seq: int = seq
        self.last: bytes = last

    def next(self, row: Row) -> Break | None:
        expected = self.seq + 1
        if row.seq != expected:
            said = f"record {expected} is missing" if row.seq > expected else f"record {row.seq} stands out of order"
            return Break(min(expected, row.seq), "missing", said)
        if hash_of(row) != row.hash:
            return Break(row.seq, "edited", f"record {row.seq} is not what was written")
        if row.previous != self.last:
            return Break(row.seq, "unlinked", f"record {row.seq} does not follow record {row.seq - 1}")
        self.seq, self.last = row.seq, row.hash
        return None

    def end(self, head: Head) -> Break | None:
        """What the head says of a chain that is whole as far as it goes."""
        if self.seq < head.count:
            lost = f"record {head.count} is" if self.seq + 1 == head.count else f"records to {head.count} are"
            return Break(self.seq + 1, "cut", f"after record {self.seq} the trail is cut off: {lost} missing")
        if self.seq > head.count:
            return Break(
                head.count + 1,
                "unsealed",
                f"record {head.count + 1} and what follows has no seal: it was written while the vault was sealed, "
                "or by somebody else",
            )
        if self.last != head.hash:
            return Break(self.seq, "forged", f"record {self.seq} is not the one that was sealed")
        return None
