"""Providers' files of one's own: looked at, put into the folder, read, taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.catalog.read import Problem, line_of, read_file, read_manifest
from ownkey.catalog.write import write_manifest
from ownkey.store import files
from ownkey.talk.errors import BadConfiguration, Conflict, InvalidRequest

if TYPE_CHECKING:
    from ownkey.app.house import House


class Form(Struct, frozen=True, kw_only=True):
    """The least that makes a provider. `key_header` carries the key: `authorization` after the word Bearer, any other
    by itself. An address with http is a server of one's own, and so is one that needs no key."""

    id: str
    name: str
    base_url: str
    wire: str = "openai-chat"
    needs_key: bool = True
    key_header: str = "authorization"
    key_page: str | None = None
    key_looks_like: str | None = None
    models: tuple[str, ...] = ()


PLACES = {"auth.header": "key_header", "keys.page": "key_page", "keys.looks_like": "key_looks_like"}
"""Under which names a form has what stands elsewhere in a file."""


def written(form: Form) -> bytes:
    """The file that says the same."""
    cloud = form.needs_key and not form.base_url.startswith("http://")
    keys: dict[str, Any] = {"page": form.key_page, "looks_like": form.key_looks_like}
    scheme = "Bearer" if form.key_header.lower() == "authorization" else ""
    return write_manifest(
        {
            "id": form.id,
            "name": form.name,
            "kind": "cloud" if cloud else "local",
            "wire": form.wire,
            "base_url": form.base_url,
            "auth": {"header": form.key_header, "scheme": scheme} if form.needs_key else None,
            "keys": {name: value for name, value in keys.items() if value} | {"required": form.needs_key},
            "free": True if not cloud else None,
            "models": [{"id": model} for model in form.models],
        }
    )


def from_form(house: House, form: Form) -> bytes:
    """The file of it, if it could be put into the folder. Raises InvalidRequest, naming the field as the form does."""
    manifest = written(form)
    found = read_manifest(manifest, "the form", wires=house.wires)
    if isinstance(found, Problem):
        key = (found.key or "id").partition("[")[0]
        field = PLACES.get(key, key)
        raise InvalidRequest(f"{field} {found.message}.", "Nothing was added.", param=f"form.{field}")
    try:
        house.catalogue.place(found.id)
    except InvalidRequest as error:
        raise InvalidRequest(error.message, error.hint, param="form.id") from None
    return manifest


def checked(house: House, manifest: bytes, file: str) -> Provider:
    """What the file describes, if it could be put into the folder. `file` is what it is called in an error.

    Raises InvalidRequest, naming line and key.
    """
    found = read_manifest(manifest, file, wires=house.wires)
    if isinstance(found, Problem):
        raise InvalidRequest(
            str(found), "Nothing was added. docs/providers.md has every key.", param=found.key, line=found.line
        )
    try:
        house.catalogue.place(found.id)
    except InvalidRequest as error:
        error.line = line_of(manifest.decode(), "id")
        raise
    return found


def put(house: House, owner: str, manifest: bytes, file: str) -> Provider:
    """Put it into the folder, in place of one of the same id; it is there at the next request."""
    found = checked(house, manifest, file)
    place = house.catalogue.file_of(found.id) or house.catalogue.place(found.id)
    with house.audit.around("provider.added", found.id, owner=owner, detail={"base_url": found.base_url}):
        try:
            place.parent.mkdir(mode=0o700, exist_ok=True)
            files.put(place, [manifest])
        except OSError as error:
            raise BadConfiguration(f"{place} cannot be written: {error.strerror}.") from None
    house.catalogue.refresh()
    house.targets.forget()
    return found


def check_new(house: House, provider: str) -> None:
    """Raises Conflict where a file of one's own describes one of that id already."""
    if house.catalogue.file_of(provider) is not None:
        raise Conflict(f"There is a provider {provider} already.", "Change it, or choose another id.", param="id")


def text_of(house: House, provider: str) -> str | None:
    """What stands in the file of one's own; None where there is none."""
    place = house.catalogue.file_of(provider)
    data = None if place is None else read_file(place, place.name)
    if isinstance(data, Problem):
        raise BadConfiguration(f"{data}.")
    return None if data is None else data.decode("utf-8", "replace")


def take_out(house: House, owner: str, provider: str) -> None:
    """Raises InvalidRequest for a provider that comes with Ownkey, or one that is not there."""
    usual = house.catalogue.place(provider)
    place = house.catalogue.file_of(provider) or usual
    if not place.exists():
        raise InvalidRequest(
            f"There is no file {usual.name} in {usual.parent}.", "`ownkey providers list` shows what there is."
        )
    with house.audit.around("provider.removed", provider, owner=owner):
        try:
            files.remove(place)
        except OSError as error:
            raise BadConfiguration(f"{place} cannot be removed: {error.strerror}.") from None
    house.catalogue.refresh()
    house.targets.forget()
