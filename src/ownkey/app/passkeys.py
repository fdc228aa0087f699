"""Signing in by a passkey (Web Authentication, level 3): what a person has, and unlocks with a finger or a PIN.

A challenge is good once, for minutes: its digest is kept as a ticket, and it comes back in what was signed.
"""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from ownkey.app.signing import Browser, Entered, SignIn, check_fresh
from ownkey.store.passkeys import Passkey
from ownkey.store.people import User
from ownkey.store.sessions import Session, Ticket
from ownkey.talk.errors import Conflict, InvalidRequest, InvalidToken
from ownkey.vault.login import digest

if TYPE_CHECKING:
    from ownkey.app.house import House

GOOD_MS = 5 * 60_000
MOST = 20
ADDING, ENTERING = "passkey-add", "passkey-in"

Options = dict[str, Any]


class PasskeyRing:
    """`origin` is that of the page, as the browser says it: its host is what a passkey is bound to."""

    def __init__(self, house: House, sign_in: SignIn, origin: str) -> None:
        self._store = house.store
        self._sign_in = sign_in
        self._origin = origin
        self._host = urlsplit(origin).hostname or ""

    def begin_adding(self, session: Session, user: User) -> Options:
        """What a browser's `navigator.credentials.create` is asked."""
        check_fresh(session, user)
        there = self._store.passkeys.of(user.id)
        if len(there) >= MOST:
            raise Conflict(f"You have {MOST} passkeys already.", "Remove one first.")
        options = webauthn.generate_registration_options(
            rp_id=self._named(),
            rp_name="Ownkey",
            user_id=user.id.encode(),
            user_name=user.email or user.name,
            user_display_name=user.name,
            challenge=self._challenge(ADDING, user.id),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.id)) for one in there],
        )
        return msgspec.json.decode(webauthn.options_to_json(options))

    def add(self, session: Session, user: User, credential: Options, name: str) -> Passkey:
        """Raises InvalidToken where it is not what was asked for, Conflict where it is there already."""
        check_fresh(session, user)
        if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
            raise InvalidRequest("A passkey's name is 1 to 100 printable characters.", param="name")
        challenge, ticket = self._used(credential, ADDING)
        if ticket.user_id != user.id:
            raise _not_good()
        try:
            found = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._named(),
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise _not_good() from None
        made = Passkey(
            bytes_to_base64url(found.credential_id),
            user.id,
            found.credential_public_key,
            found.sign_count,
            name.strip(),
            _now_ms(),
        )
        if not self._store.passkeys.add(made):
            raise Conflict("This passkey is here already.")
        return made

    def begin(self) -> Options:
        """What `navigator.credentials.get` is asked: the same for everybody, whoever they are."""
        options = webauthn.generate_authentication_options(
            rp_id=self._named(),
            challenge=self._challenge(ENTERING, None),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return msgspec.json.decode(webauthn.options_to_json(options))

    def enter(self, credential: Options, browser: Browser) -> Entered:
        """Raises InvalidToken, and PermissionDenied for who is suspended."""
        challenge, _ = self._used(credential, ENTERING)
        id = credential.get("id")
        known = self._store.passkeys.get(id) if isinstance(id, str) and len(id) <= 1400 else None
        if known is None:
            raise _not_good()
        try:
            found = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._named(),
                expected_origin=self._origin,
                credential_public_key=known.public_key,
                credential_current_sign_count=known.signs,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise _not_good() from None
        if not self._store.passkeys.used(known.id, found.new_sign_count, _now_ms()):
            raise _not_good()
        return self._sign_in.as_user(known.user_id, browser)

    def _challenge(self, purpose: str, user_id: str | None) -> bytes:
        challenge, now_ms = secrets.token_bytes(32), _now_ms()
        self._store.tickets.add(Ticket(digest(challenge), purpose, user_id, "{}", now_ms, now_ms + GOOD_MS))
        return challenge

    def _used(self, credential: Options, purpose: str) -> tuple[bytes, Ticket]:
        """The challenge that was signed, which is good no more."""
        try:
            client = credential["response"]["clientDataJSON"]
            said: Options = msgspec.json.decode(_decoded(client), type=dict[str, Any])
            challenge = _decoded(said["challenge"])
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
            raise _not_good() from None
        ticket = self._store.tickets.use(digest(challenge), purpose, _now_ms())
        if ticket is None:
            raise _not_good()
        return challenge, ticket

    def _named(self) -> str:
        """Browsers take names of hosts, and no addresses (section 5.1.2 of the standard)."""
        if self._host.replace(".", "").isdecimal() or ":" in self._host:
            raise Conflict(
                "A passkey is for a host with a name.", "Open Ownkey as http://localhost, or by its own name."
            )
        return self._host


def _decoded(text: str) -> bytes:
    if len(text) > 8192:
        raise ValueError
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _not_good() -> InvalidToken:
    return InvalidToken("This passkey is not good here.", "Try again, or sign in otherwise.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
