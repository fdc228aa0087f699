"""The vault as the faces see it: how it stands, sealed and opened, and another root key taking over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ownkey.app.house import OWNER
from ownkey.store.rotation import Step
from ownkey.talk.errors import VaultSealed
from ownkey.vault.root import kind
from ownkey.vault.rotate import Progress, Target, Turn

if TYPE_CHECKING:
    from ownkey.app.house import House

SOURCES = {
    "file": "the file that OWNKEY_MASTER_KEY_FILE names",
    "password": "the password in the environment",
    "transit": "the transit engine at OWNKEY_TRANSIT_URL",
    "keychain": "the system's keychain",
    "home": "root.key in the home folder",
}

_SET = {
    "file": "Set OWNKEY_MASTER_KEY_FILE to {path} wherever Ownkey runs.",
    "password": "Set BYOK_ENCRYPTION_PASSWORD and BYOK_ENCRYPTION_SALT to the new ones wherever Ownkey runs.",
    "transit": "Set OWNKEY_TRANSIT_URL and what goes with it wherever Ownkey runs.",
}
_DESTROY = {"file": "Destroy the old file once backups that need it are gone.", "password": ""}
_UNSET = {
    "file": f"Unset OWNKEY_MASTER_KEY_FILE. {_DESTROY['file']}",
    "password": "Unset BYOK_ENCRYPTION_PASSWORD and BYOK_ENCRYPTION_SALT.",
}


class UnderRoot(Struct, frozen=True):
    """So many keys are sealed under the root key of that id. `current` and `coming` where the vault is open."""

    kek_id: str
    keys: int
    role: Literal["current", "coming", "unknown"]


class Turning(Struct, frozen=True):
    """A root key that takes over: how far it has come, and its file where it is kept in one."""

    step: Step
    from_source: str
    to_source: str
    to_path: str | None
    started_at_ms: int


class SafeStatus(Struct, frozen=True):
    """`reason` and `hint` where it is sealed. `wraps`: how many keys this root key has sealed, in all its time."""

    state: Literal["open", "sealed"]
    reason: str | None
    hint: str | None
    source: str
    kek_id: str | None
    since_ms: int | None
    sealed_at_ms: int | None
    wraps: int
    keys: list[UnderRoot]
    rotation: Turning | None


class Safe:
    def __init__(self, house: House) -> None:
        self._house = house

    def status(self) -> SafeStatus:
        """Opens no key, and answers while sealed."""
        sealed, ring = None, None
        try:
            ring = self._house.vault.latch.ring()
        except VaultSealed as error:
            sealed = error
        noted, rotation = self._house.store.install.get(), self._house.store.rotations.get()
        current = "" if ring is None else ring.current.kek_id.hex()
        coming = "" if ring is None or ring.coming is None else ring.coming.kek_id.hex()
        under = [
            UnderRoot(
                id.hex(), keys, "current" if id.hex() == current else "coming" if id.hex() == coming else "unknown"
            )
            for id, keys in sorted(self._house.store.rotations.under().items())
        ]
        turning = None
        if rotation is not None:
            places = (kind(rotation.from_source), kind(rotation.to_source), rotation.to_place)
            turning = Turning(rotation.step, *places, rotation.started_at_ms)
        return SafeStatus(
            state="open" if sealed is None else "sealed",
            reason=None if sealed is None else sealed.message,
            hint=None if sealed is None else sealed.hint,
            source=kind(noted.root_source),
            kek_id=current or None,
            since_ms=noted.root_since_ms,
            sealed_at_ms=noted.sealed_at_ms,
            wraps=noted.root_wraps or 0,
            keys=under,
            rotation=turning,
        )

    def seal(self) -> None:
        """No process gives a key from a second later on, until `unseal`."""
        with self._house.audit.within("vault.sealed", "vault", owner=OWNER):
            self._house.vault.seal()

    def unseal(self) -> None:
        """Raises BadConfiguration or VaultSealed where the root key cannot be had."""
        with self._house.audit.within("vault.unsealed", "vault", owner=OWNER):
            self._house.vault.unseal()

    def rotate(self, target: Target | None = None) -> Iterator[Progress]:
        """Another root key takes over, as `Turn.run` says; go through it to its end."""
        house = self._house
        return Turn(house.store, house.settings, house.vault.latch, audit=house.audit).run(target)

    def to_do(self, was: str, path: str | None) -> list[str]:
        """What a person has to do once another root key took over from the one kept at `was`; `path`: its file."""
        now, known = kind(self._house.store.install.get().root_source), self._house.settings.master_key_file
        moved = now != was or now == "password" or (now == "file" and Path(path or "") != known)
        steps = [_SET[now].format(path=path)] if moved and now in _SET else []
        if moved and was in _UNSET:
            steps.append(_UNSET[was] if now != was else _DESTROY[was])
        return [step for step in steps if step]
