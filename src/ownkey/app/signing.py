"""Signing in: by a link from the terminal, an invitation, or a password with a one-time code where one is set up."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from ownkey.app.attempts import Attempts, of_name, of_somebody, place_of
from ownkey.app.people import INVITATION, folded, nobody
from ownkey.store.audit_trail import Actor
from ownkey.store.people import User
from ownkey.store.sessions import Session, Ticket
from ownkey.talk.errors import (
    Conflict,
    InvalidRequest,
    InvalidToken,
    NotFound,
    PermissionDenied,
    ProofRequired,
)
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret, clean
from ownkey.vault.login import (
    digest,
    hash_password,
    is_password,
    new_recovery_codes,
    new_secret,
    new_totp,
    recovery_digest,
    totp_address,
    totp_step,
    turn,
)
from ownkey.vault.tokens import suspended

if TYPE_CHECKING:
    from ownkey.app.house import House

LINK_MS = 15 * 60_000
SECOND_MS = 5 * 60_000
IDLE_MS = 12 * 3_600_000
LONGEST_MS = 7 * 86_400_000
FRESH_MS = 15 * 60_000
SEEN_EVERY_MS = 60_000

LINK, SECOND, RECOVERY = "link", "second", "recovery"
_COOKIE = re.compile(rb"os-[A-Za-z0-9_-]{43}")
_FOREVER_MS = 2**53
# One-time codes' secrets lie in the vault like keys, under an owner that nobody is.
_TOTP = Origin("inside", "totp", 0)


class Browser(Struct, frozen=True):
    """`agent` is what it calls itself, `address` where it is; `cookie` that of a session which the new one replaces."""

    agent: str = ""
    address: str = ""
    cookie: bytes | None = None


class Entered(Struct, frozen=True):
    """`cookie` is shown to the browser now, and kept nowhere."""

    user: User
    session: Session
    cookie: Secret


class Half(Struct, frozen=True):
    """The password is right, and a code is wanted: `step` comes back with it, within five minutes."""

    step: Secret


class SignIn:
    """Every method may take a tenth of a second: none is for an event loop."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._store = house.store
        self._attempts = Attempts(house.store.sign_ins)

    def link(self, user_id: str = "owner") -> Secret:
        """Good once and for minutes: for who has the terminal."""
        return self._ticket("ol", LINK, user_id, LINK_MS)

    def first_link(self, user_id: str = "owner") -> Secret | None:
        """The same; None where they are signed in somewhere already, or may not come in."""
        user = self._store.people.get(user_id)
        if user is None or user.status != "active" or self._store.sessions.of(user_id, _now_ms()):
            return None
        return self.link(user_id)

    def by_link(self, link: str, browser: Browser) -> Entered:
        """Raises NotFound for one that is not good, or not any more."""
        return self._enter(self._used(link, LINK), browser)

    def by_password(self, email: str, password: str, browser: Browser) -> Entered | Half:
        """The same answer, after the same time, whether there is somebody of that address or not: InvalidToken.

        Raises TooManyAttempts, Overloaded, and PermissionDenied for who is suspended and knows the password.
        """
        name, place = folded(email)[:1000], place_of(browser.address)
        user = self._store.people.by_email(name)
        # Of nobody it is asked, too: that takes as long.
        sessions = self._store.sessions.of("" if user is None else user.id, _now_ms())
        at_home = place in {place_of(session.address) for session in sessions}
        limits = of_name(name.encode("utf-8", "surrogatepass"), place, at_home=at_home)
        # Before the line: who has tried too often keeps nobody else out of it.
        self._attempts.check(limits)
        with turn(), self._attempts.one(limits):
            if not is_password(user.password if user is not None else None, password) or user is None:
                raise InvalidToken("This e-mail address and this password do not belong together.", "Try again.")
        return self._after_password(user, browser)

    def by_code(self, step: str, code: str, browser: Browser) -> Entered:
        """`code` is a one-time code, or one of the recovery codes. Raises NotFound, InvalidToken, TooManyAttempts."""
        ticket = self._good(step, SECOND)
        user = self._user(ticket)
        if user.totp_step is not None:
            self._check_code(user, code)
        if self._store.tickets.use(ticket.digest, SECOND, _now_ms()) is None:
            raise _not_good()
        return self._enter(user, browser)

    def accept(self, invitation: str, password: str, browser: Browser) -> Entered | Half:
        """Choose the password. An invitation whose password is refused stays good."""
        ticket = self._good(invitation, INVITATION)
        hashed = hash_password(password)
        user = self._user(ticket)
        if self._store.tickets.use(ticket.digest, INVITATION, _now_ms()) is None:
            raise _not_good()
        self._store.sessions.end_all(user.id)
        return self._after_password(self._changed(user, password=hashed), browser)

    def by_issuer(self, issuer: str, subject: str, email: str | None, browser: Browser) -> Entered:
        """Whoever an issuer says it is. The first time they are found by `email`, which it has to have verified.

        Raises PermissionDenied for who is not here.
        """
        user = self._store.people.known_as(issuer, subject)
        if user is None and email is not None:
            user = self._store.people.by_email(folded(email))
            if user is not None:
                self._store.people.know_as(user.id, issuer, subject, _now_ms())
        if user is None:
            raise PermissionDenied("You have no account here.", "Ask an admin to add you, by your e-mail address.")
        return self._enter(user, browser)

    def as_user(self, user_id: str, browser: Browser) -> Entered:
        """Whoever has shown otherwise that it is they. Raises NotFound, PermissionDenied."""
        user = self._store.people.get(user_id)
        if user is None:
            raise _not_good()
        return self._enter(user, browser)

    def who(self, cookie: bytes) -> tuple[Session, User] | None:
        """Whose session this is; None where it is none, or is over. Raises PermissionDenied for who is suspended."""
        found = self._store.sessions.by_digest(digest(cookie)) if _COOKIE.fullmatch(cookie) else None
        if found is None:
            return None
        session, user = found
        now_ms = _now_ms()
        if now_ms >= min(session.until_ms, session.seen_at_ms + IDLE_MS):
            return None
        if user.status == "suspended":
            raise suspended()
        if now_ms - session.seen_at_ms > SEEN_EVERY_MS:
            self._store.sessions.seen(session.id, now_ms)
        return session, user

    def still(self, session: Session, user: User) -> bool:
        """Whether it is as good as it was, and theirs with the same role. A page that is only open keeps none alive."""
        found = self._store.sessions.by_digest(session.digest)
        if found is None:
            return False
        now, who = found
        over = _now_ms() >= min(now.until_ms, now.seen_at_ms + IDLE_MS)
        return not over and (who.status, who.role) == ("active", user.role)

    def prove(self, session: Session, user: User, password: str, code: str | None = None) -> None:
        """Show again who it is, for what asks for it. Raises InvalidToken, TooManyAttempts."""
        limits = of_somebody(b"prove", user.id)
        self._attempts.check(limits)
        with turn(), self._attempts.one(limits):
            if not is_password(user.password, password):
                raise InvalidToken("This is not the password.", "Try again.")
        if user.totp_step is not None:
            self._check_code(user, code or "")
        self._store.sessions.proved(session.id, _now_ms())

    def set_password(self, session: Session, user: User, password: str) -> None:
        """Every other session of theirs ends."""
        check_fresh(session, user)
        self._changed(user, password=hash_password(password))
        self._store.sessions.end_all(user.id, but=session.id)

    def begin_totp(self, session: Session, user: User) -> tuple[Secret, str]:
        """A new secret for an authenticator, and its address for a picture. It is asked for once it was confirmed."""
        check_fresh(session, user)
        if user.password is None or user.totp_step is not None:
            raise Conflict("A second factor comes after a password, and once.", "Set a password, or remove the other.")
        secret = new_totp()
        self._house.vault.put(f"totp:{user.id}", "totp", _TOTP, secret)
        return secret, totp_address(secret, user.email or user.name)

    def confirm_totp(self, session: Session, user: User, code: str) -> list[str]:
        """The recovery codes, shown now and never again. Raises InvalidToken where the code is not of the secret."""
        check_fresh(session, user)
        if user.totp_step is not None:
            raise Conflict("The second factor is there already.")
        with self._attempts.one(of_somebody(b"code", user.id)):
            step = totp_step(self._totp(user), code, 0)
            if step is None:
                raise _wrong_code()
        codes, now_ms = new_recovery_codes(), _now_ms()
        kept = [Ticket(recovery_digest(user.id, one), RECOVERY, user.id, "{}", now_ms, _FOREVER_MS) for one in codes]
        self._store.tickets.drop(user.id, RECOVERY)
        self._store.tickets.add(*kept)
        self._changed(user, totp_step=step)
        return codes

    def remove_totp(self, session: Session, user: User) -> None:
        check_fresh(session, user)
        self._changed(user, totp_step=None)
        self._house.vault.remove(f"totp:{user.id}", "totp")
        self._store.tickets.drop(user.id, RECOVERY)

    def _after_password(self, user: User, browser: Browser) -> Entered | Half:
        if user.status == "suspended":
            raise suspended()
        if user.totp_step is None:
            return self._enter(user, browser)
        return Half(self._ticket("o2", SECOND, user.id, SECOND_MS))

    def _enter(self, user: User, browser: Browser) -> Entered:
        if user.status == "suspended":
            raise suspended()
        cookie, now_ms = new_secret("os"), _now_ms()
        session = Session(
            id=f"ses_{secrets.token_hex(8)}",
            user_id=user.id,
            digest=digest(cookie.reveal()),
            created_at_ms=now_ms,
            seen_at_ms=now_ms,
            until_ms=now_ms + LONGEST_MS,
            proved_at_ms=now_ms,
            agent=clean(browser.agent, limit=200),
            address=browser.address[:64],
        )
        before = digest(browser.cookie) if browser.cookie is not None else None
        told = {"browser": browser.agent[:200], "address": browser.address}
        with self._house.audit.within("session.begun", user.id, actor=Actor("user", user.id), detail=told):
            self._store.sessions.add(session, instead_of=before)
        return Entered(user, session, cookie)

    def _ticket(self, kind: str, purpose: str, user_id: str, good_ms: int) -> Secret:
        secret, now_ms = new_secret(kind), _now_ms()
        self._store.tickets.add(Ticket(digest(secret.reveal()), purpose, user_id, "{}", now_ms, now_ms + good_ms))
        return secret

    def _good(self, secret: str, purpose: str) -> Ticket:
        ticket = self._store.tickets.look(_digest_of(secret), purpose, _now_ms())
        if ticket is None:
            raise _not_good()
        return ticket

    def _used(self, secret: str, purpose: str) -> User:
        ticket = self._store.tickets.use(_digest_of(secret), purpose, _now_ms())
        if ticket is None:
            raise _not_good()
        return self._user(ticket)

    def _user(self, ticket: Ticket) -> User:
        user = self._store.people.get(ticket.user_id or "")
        if user is None:
            raise _not_good()
        return user

    def _check_code(self, user: User, code: str) -> None:
        with self._attempts.one(of_somebody(b"code", user.id)):
            step = totp_step(self._totp(user), code, user.totp_step or 0)
            taken = step is not None and self._store.people.take_step(user.id, step)
            if not taken and self._store.tickets.use(recovery_digest(user.id, code), RECOVERY, _now_ms()) is None:
                raise _wrong_code()

    def _totp(self, user: User) -> Secret:
        return self._house.vault.open(f"totp:{user.id}", "totp", _TOTP)[1]

    def _changed(self, user: User, **columns: str | int | None) -> User:
        changed = self._store.people.change(user.id, **columns)
        if changed is None:
            raise nobody()
        return changed


def is_fresh(session: Session, user: User) -> bool:
    """Whether they showed lately who they are. Without a password there is nothing more to show than the link."""
    return user.password is None or _now_ms() - session.proved_at_ms < FRESH_MS


def check_fresh(session: Session, user: User) -> None:
    if not is_fresh(session, user):
        raise ProofRequired("This asks for your password again.", "Enter it, and try once more.")


def shown(session: Session) -> dict[str, object]:
    """What may be shown of it."""
    told = structs.asdict(session)
    return {name: told[name] for name in ("id", "created_at_ms", "seen_at_ms", "until_ms", "agent", "address")}


def _digest_of(secret: str) -> bytes:
    if not 1 <= len(secret) <= 100:
        raise InvalidRequest("This is not what was given out.", "Copy the whole of it.")
    return digest(secret.encode("utf-8", "surrogatepass"))


def _not_good() -> NotFound:
    return NotFound("This is good no more: it was used, or its time is over.", "Ask for a new one.")


def _wrong_code() -> InvalidToken:
    return InvalidToken("This code is not good, or was used before.", "Wait for the next one.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
