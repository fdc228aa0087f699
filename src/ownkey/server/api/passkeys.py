"""Passkeys: added by who has signed in, and signed in with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Response

from ownkey.server.api.forms import Anybody, Came, Form, Removed, Shape, SignedIn, TheHouse
from ownkey.server.api.sessions import TheRequest
from ownkey.server.api.sign_in import EnteredShape, Given, enter
from ownkey.server.doors import nothing_here

if TYPE_CHECKING:
    from ownkey.app.passkeys import PasskeyRing

router = APIRouter(prefix="/api/byok", tags=["passkeys"])

OWN = "/sessions/current/passkeys"


class CredentialForm(Form):
    """`credential` is what the browser gave, by its `toJSON()`."""

    credential: dict[str, Any]


class NewPasskeyForm(CredentialForm):
    name: Given


class DescriptorShape(Shape):
    id: str
    type: Literal["public-key"]


class GetOptionsShape(Shape):
    """`PublicKeyCredentialRequestOptionsJSON` of Web Authentication, level 3, section 5.1.9; bytes are base64url."""

    challenge: str
    timeout: int
    rpId: str
    allowCredentials: list[DescriptorShape]
    userVerification: str


class PartyShape(Shape):
    name: str
    id: str


class PersonShape(Shape):
    id: str
    name: str
    displayName: str


class AlgorithmShape(Shape):
    type: Literal["public-key"]
    alg: int


class SelectionShape(Shape):
    residentKey: str
    requireResidentKey: bool
    userVerification: str


class CreateOptionsShape(Shape):
    """`PublicKeyCredentialCreationOptionsJSON` of the same, section 5.1.8."""

    rp: PartyShape
    user: PersonShape
    challenge: str
    pubKeyCredParams: list[AlgorithmShape]
    timeout: int
    excludeCredentials: list[DescriptorShape]
    authenticatorSelection: SelectionShape
    attestation: str


class PasskeyShape(Shape):
    id: str
    name: str
    created_at_ms: int
    used_at_ms: int | None


class PasskeysShape(Shape):
    passkeys: list[PasskeyShape]


@router.post("/sign-in/passkey/options", response_model_exclude_unset=True)
def options(came: Anybody) -> GetOptionsShape:
    """For `navigator.credentials.get`."""
    return GetOptionsShape.model_validate(_ring(came).begin())


@router.post("/sign-in/passkey")
def by_passkey(form: CredentialForm, came: Anybody, response: Response) -> EnteredShape:
    entered = _ring(came).enter(form.credential, came.doors.browser(came.exchange, came.head))
    return enter(entered, came, response)


@router.get(OWN)
def list_passkeys(principal: SignedIn, house: TheHouse) -> PasskeysShape:
    _, user = principal.signed_in()
    names = PasskeyShape.model_fields
    found = [PasskeyShape(**{name: getattr(one, name) for name in names}) for one in house.store.passkeys.of(user.id)]
    return PasskeysShape(passkeys=found)


@router.post(f"{OWN}/options", response_model_exclude_unset=True)
def options_to_add(principal: SignedIn, request: TheRequest) -> CreateOptionsShape:
    """For `navigator.credentials.create`."""
    return CreateOptionsShape.model_validate(_ring(request).begin_adding(*principal.signed_in()))


@router.post(OWN, status_code=201)
def add_passkey(form: NewPasskeyForm, principal: SignedIn, request: TheRequest) -> PasskeyShape:
    made = _ring(request).add(*principal.signed_in(), form.credential, form.name)
    return PasskeyShape(**{name: getattr(made, name) for name in PasskeyShape.model_fields})


@router.delete(f"{OWN}/{{id}}")
def remove_passkey(id: Annotated[str, Path(max_length=1400)], principal: SignedIn, house: TheHouse) -> Removed:
    principal.fresh()
    _, user = principal.signed_in()
    if not house.store.passkeys.remove(user.id, id):
        raise nothing_here()
    return Removed(removed=1)


def _ring(came: Came) -> PasskeyRing:
    from ownkey.app.passkeys import PasskeyRing

    return PasskeyRing(came.house, came.doors.sign_in, came.doors.origin(came.head).decode("ascii"))
