"""What is kept here as an encrypted file, and such a file taken in: for who keeps this Ownkey.

Nobody else's keys go out or come in, nor anything by which anybody signs in: that is for who has the terminal.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from io import BytesIO
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from ownkey.app.parcels import Parcels
from ownkey.server.api.forms import Form, Keeper, Shape, SureKeeper, TheHouse
from ownkey.settings import Password
from ownkey.talk.errors import InvalidRequest

router = APIRouter(prefix="/api/byok", tags=["export and import"])

MOST_BYTES = 64 << 20
"""Of a file that is made here: it is in memory."""

Passphrase = Annotated[str, Field(min_length=1, max_length=1000)]


class ExportForm(Form):
    """`keys`: one's own too, for which one has to have shown lately who one is."""

    passphrase: Passphrase
    keys: bool = False
    usage: bool = True


class ImportForm(Form):
    """`file` is base64. With `preview` nothing is changed; with `replace` what says something else gives way."""

    file: str
    passphrase: Passphrase
    preview: bool = True
    replace: bool = False


class CameShape(Shape):
    what: str
    new: int
    same: int
    replaced: int


class ImportedShape(Shape):
    """`conflicts`: for these nothing is taken. `left`: what is in the file and does not come in over the API."""

    imported: bool
    made_at_ms: int
    ownkey: str
    with_keys: bool
    parts: list[CameShape]
    conflicts: list[str]
    left: list[str]


@router.post("/export", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}})
def export(form: ExportForm, principal: Keeper, house: TheHouse) -> Response:
    """A file in the format of age. Everything that is everybody's, and with `keys` one's own keys and nobody else's."""
    if form.keys:
        principal.fresh()
    parcels = Parcels(house, principal.owner, only=principal.owner)
    data = parcels.packed(Password(form.passphrase), keys=form.keys, usage=form.usage, most_bytes=MOST_BYTES)
    named = {"content-disposition": 'attachment; filename="ownkey.age"'}
    return Response(data, media_type="application/octet-stream", headers=named)


@router.post("/import")
def import_(form: ImportForm, principal: SureKeeper, house: TheHouse) -> ImportedShape:
    """All of it or nothing, of what can be changed here: settings of providers, prices, budgets, one's own keys."""
    try:
        data = b64decode(form.file, validate=True)
    except (NotBase64, ValueError):
        raise InvalidRequest("The file is not base64.", param="file") from None
    parcels = Parcels(house, principal.owner, only=principal.owner)
    incoming = parcels.open(BytesIO(data), Password(form.passphrase), replace=form.replace)
    told = incoming.preview if form.preview else incoming.take()
    return ImportedShape(
        imported=not form.preview,
        made_at_ms=told.made_at_ms,
        ownkey=told.ownkey,
        with_keys=told.with_keys,
        parts=[CameShape(what=one.what, new=one.new, same=one.same, replaced=one.replaced) for one in told.parts],
        conflicts=told.conflicts,
        left=told.left,
    )
