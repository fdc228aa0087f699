"""Keys that another program has encrypted with Fernet, brought into the vault: opened, checked, and sealed anew."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from msgspec import Struct

from ownkey.engine.target import locate
from ownkey.store.keys import KeyRow
from ownkey.talk.errors import InvalidRequest, OwnkeyError
from ownkey.talk.secret import REDACTED, Secret, clean, ending

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_BYTES = 8 * 1024 * 1024
_USER = ("user", "user_id", "owner", "owner_id")
_PROVIDER = ("provider", "provider_id", "service", "service_name")
_VALUE = ("value", "token", "encrypted", "encrypted_key", "encrypted_api_key", "api_key_encrypted", "key", "api_key")
_LABEL = ("label", "key_name")


class Value(Struct, frozen=True):
    """One row of the file. `place` names it for people; `user` is None where the file names none."""

    place: str
    user: str | None
    provider: str
    label: str
    token: bytes


class Bad(Struct, frozen=True):
    """What was not imported, and why."""

    place: str
    why: str


class Imported(Struct, frozen=True):
    """`left`: values for which there is a key already; that stayed as it is."""

    kept: list[KeyRow]
    left: list[str]
    bad: list[Bad]


def read_keys(content: bytes) -> MultiFernet:
    """Fernet keys, one to a line, whichever of them a value was written with. Raises InvalidRequest."""
    try:
        found = [Fernet(line) for line in content.split()]
    except ValueError:
        found = []
    if not found:
        raise InvalidRequest(
            "This file holds no Fernet key.", "One to a line: 32 bytes in URL-safe base64, 44 characters."
        )
    return MultiFernet(found)


def read_values(content: bytes) -> list[Value]:
    """The rows of a file: JSON or CSV.

    JSON is `{"openai": "gAAAA…"}`, the same for each user, `{"ann": {"openai": "gAAAA…"}}`, or a list of objects. These
    have fields, and CSV has columns, called provider or service, value or encrypted_key, and perhaps user_id and label.
    Raises InvalidRequest where it is neither.
    """
    if len(content) > MOST_BYTES:
        raise InvalidRequest("This file is larger than 8 MiB.", "Nothing was imported.")
    try:
        text = content.decode("utf-8-sig")
        rows = list(_json(text) if text.lstrip()[:1] in ("{", "[") else _csv(text))
    except (UnicodeDecodeError, msgspec.DecodeError, csv.Error, RecursionError):
        raise _unknown() from None
    if not rows:
        raise _unknown()
    return rows


def import_fernet(
    house: House, values: list[Value], keys: MultiFernet, owners: Mapping[str | None, str], *, replace: bool = False
) -> Imported:
    """Seal each value for its owner; `owners` says who that is for each user of the file, and others are left out.

    Raises VaultSealed before anything is stored. What cannot be opened, or is no key, is named, and the rest imported.
    """
    house.vault.latch.ring()
    wanted = [value for value in values if value.user in owners]
    twice = Counter((value.user, value.provider, value.label) for value in wanted)
    opened: list[tuple[Value, Secret]] = []
    bad: list[Bad] = []
    for value in wanted:
        if twice[value.user, value.provider, value.label] > 1:
            bad.append(Bad(value.place, "stands in the file more than once"))
            continue
        try:
            opened.append((value, Secret(keys.decrypt(value.token).strip())))
        except (InvalidToken, TypeError):
            bad.append(Bad(value.place, "does not open with this Fernet key, or was altered"))
        except ValueError:
            bad.append(Bad(value.place, "opens, but holds no key"))
    kept: list[KeyRow] = []
    left: list[str] = []
    for value, secret in opened:
        owner = owners[value.user]
        try:
            row = _store(house, owner, value, secret, replace=replace)
        except OwnkeyError as error:
            bad.append(Bad(value.place, error.message))
        else:
            if row is None:
                left.append(value.place)
            else:
                kept.append(row)
    return Imported(kept, left, bad)


def _store(house: House, owner: str, value: Value, secret: Secret, *, replace: bool) -> KeyRow | None:
    manifest = house.catalogue.get(value.provider)
    there = any(row.label == value.label for row in house.store.keys.of(owner, manifest.id))
    if there and not replace:
        return None
    if manifest.kind == "demo":
        raise InvalidRequest(f"{manifest.name} takes no key.")
    origin, _ = locate(manifest, "models", house.store.choices.get(manifest.id))
    told = {"provider": manifest.id, "origin": str(origin), "label": value.label, "key": REDACTED}
    told |= {"ending": ending(secret.masked())}
    action = "key.replaced" if there else "key.added"
    with house.audit.within(action, f"{manifest.id}/{value.label}", owner=owner, detail=told):
        return house.vault.put(owner, manifest.id, origin, secret, value.label)


def _json(text: str) -> Iterator[Value]:
    found: Any = msgspec.json.decode(text)
    if isinstance(found, dict):
        for name, inner in cast("dict[str, Any]", found).items():
            if isinstance(inner, dict):
                for provider, token in cast("dict[str, Any]", inner).items():
                    yield _value(f"{name}: {provider}", name, provider, "default", token)
            else:
                yield _value(name, None, name, "default", inner)
        return
    for number, row in enumerate(cast("list[Any]", found), 1):
        if not isinstance(row, dict):
            raise _unknown()
        yield _of_fields(f"entry {number}", cast("dict[str, Any]", row))


def _csv(text: str) -> Iterator[Value]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    for row in reader:
        yield _of_fields(f"line {reader.line_num}", cast("dict[str, Any]", row))


def _of_fields(place: str, row: Mapping[str, Any]) -> Value:
    fields = {str(name).strip().lower(): value for name, value in row.items()}

    def first(names: tuple[str, ...]) -> Any:
        return next((fields[name] for name in names if fields.get(name) not in (None, "")), None)

    provider, token, user = first(_PROVIDER), first(_VALUE), first(_USER)
    if provider is None or token is None:
        raise _unknown()
    return _value(f"{place}, {provider}", None if user is None else str(user), provider, first(_LABEL), token)


def _value(place: str, user: str | None, provider: Any, label: Any, token: Any) -> Value:
    if not isinstance(token, str) or not isinstance(provider, str):
        raise _unknown()
    named = provider.strip().lower()
    return Value(clean(place, limit=100), user, named, str(label or "default"), token.strip().encode())


def _unknown() -> InvalidRequest:
    return InvalidRequest(
        "This is no file of keys written by Fernet that can be read. Nothing was imported.",
        'JSON such as {"openai": "gAAAA…"}, or CSV with columns such as provider and encrypted_key.',
    )
