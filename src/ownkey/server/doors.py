"""Who asks the management API: a browser by its session's cookie, or a program by its token."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct

from ownkey.app.house import OWNER, House
from ownkey.app.oidc import Oidc
from ownkey.app.signing import LONGEST_MS, Browser, SignIn, check_fresh
from ownkey.routing.scope import Scope
from ownkey.server.embedded import is_for_pages
from ownkey.server.exchange import Exchange, Header
from ownkey.server.guard import CSRF, LOOPBACK, USER, Head, caller_of
from ownkey.store.audit_trail import Actor
from ownkey.store.people import Role, User
from ownkey.store.sessions import Session
from ownkey.talk.errors import InvalidToken, NotFound, PermissionDenied
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.page_tokens import BEGINS as PAGE_TOKEN
from ownkey.vault.tokens import Caller

SAFE_METHODS = frozenset({"GET", "HEAD"})

API_HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
"""What every answer of the API carries: it is data, and no page of anybody's."""


class Principal(Struct, frozen=True):
    """Whoever asks, and may go on. `owner` is whose things are meant; `name` what paths call that person.

    `session` and `user` are those of a browser. A token asks; it changes nothing but, where it is of the kind for
    applications, what is their users' own; and so does what such an application lets a page of its own ask. `scope`
    is what the token is limited to.
    """

    owner: str
    name: str
    role: Role
    by: Literal["session", "token", "service", "page"]
    session: Session | None = None
    user: User | None = None
    token_id: str | None = None
    scope: Scope | None = None

    @property
    def actor(self) -> Actor:
        """Who the audit trail says it was."""
        if self.token_id is not None:
            return Actor("token", self.token_id)
        return Actor("owner" if self.owner == OWNER else "user", self.owner)

    @property
    def keeper(self) -> bool:
        """Whether they keep what is everybody's."""
        return self.by == "session" and self.role in ("owner", "admin")

    @property
    def sees_all(self) -> bool:
        return self.keeper or (self.by == "session" and self.role == "viewer")

    @property
    def house_wide(self) -> str | None:
        """Whose usage and budgets they see: nobody's in particular where they see all."""
        return None if self.sees_all else self.owner

    def changes(self) -> Principal:
        """Raises PermissionDenied where they may change nothing of their own."""
        if self.by == "token":
            raise PermissionDenied("A token changes nothing here.", "Sign in, or use the `ownkey` command.")
        if self.role == "viewer":
            raise PermissionDenied("A viewer changes nothing.", "Ask an admin to make you a member.")
        return self

    def asks(self) -> Principal:
        """Raises PermissionDenied where they may ask no model."""
        if self.role == "viewer":
            raise PermissionDenied("A viewer asks no model.", "Ask an admin to make you a member.")
        return self

    def keeps(self) -> Principal:
        if not self.keeper:
            raise PermissionDenied("This is for who keeps this Ownkey.", "Ask an owner or an admin.")
        return self

    def serves(self) -> Principal:
        if self.by != "service" or self.token_id is None:
            raise PermissionDenied("This is for tokens of applications.", "Make one: `ownkey tokens create --service`.")
        return self

    def sees(self) -> Principal:
        if not self.sees_all:
            raise PermissionDenied("This is for who sees what is everybody's.", "Ask an owner or an admin.")
        return self

    def signed_in(self) -> tuple[Session, User]:
        if self.session is None or self.user is None:
            raise PermissionDenied("This is for people who have signed in, not for tokens.", "Sign in.")
        return self.session, self.user

    def fresh(self) -> Principal:
        """Raises ProofRequired where a person has to show again who they are."""
        if self.session is not None and self.user is not None:
            check_fresh(self.session, self.user)
        return self

    def is_named(self, name: str) -> None:
        """Raises NotFound where a path names somebody else: whether there is such a person is not told."""
        if name.encode() != self.name.encode():
            raise nothing_here()


class Doors:
    """`public` is where browsers find this Ownkey, where that is not this machine."""

    def __init__(self, house: House, public: Origin | None = None) -> None:
        self._house = house
        self._public = public
        self.sign_in = SignIn(house)
        self.oidc = Oidc(house.settings, house.transport)
        self.secure = public is not None and public.scheme == "https"
        # A browser keeps a cookie of this prefix only for this very host, over TLS (RFC 6265bis section 4.1.3.2).
        self._cookie = b"__Host-ownkey" if self.secure else b"ownkey"

    @property
    def hosts(self) -> frozenset[bytes]:
        """The names in Host headers that are this server's."""
        return LOOPBACK if self._public is None else LOOPBACK | {self._public.bracketed.encode("ascii")}

    def known(self, exchange: Exchange, head: Head) -> Principal:
        """Raises InvalidToken where nobody is shown, and PermissionDenied where whoever it is may not come in so."""
        if head.token is not None:
            by_page = head.token.startswith(PAGE_TOKEN)
            return self._by_page(exchange, head) if by_page else self._by_token(exchange, head)
        cookie = self.cookie(head)
        found = None if cookie is None else self.sign_in.who(cookie)
        if found is None or cookie is None:
            raise InvalidToken("You are not signed in.", "Sign in, or send a token.")
        self.check_from_here(head, said=exchange.method not in SAFE_METHODS)
        if exchange.method not in SAFE_METHODS and not hmac.compare_digest(head.csrf or b"", csrf(cookie)):
            raise PermissionDenied("This request does not come from Ownkey's own page.", f"Send {CSRF.decode()}.")
        session, user = found
        return Principal(user.id, user.id, user.role, "session", session, user)

    def signs_in(self, exchange: Exchange, head: Head, *, asks: bool = True) -> None:
        """Has the head say who is signed in in the browser that asks. Raises what `known` raises, and PermissionDenied
        for a viewer that `asks` a model."""
        principal = self.known(exchange, head)
        if head.user is not None:
            raise PermissionDenied("Who has signed in asks for nobody else.", f"Leave {USER.decode()} out.")
        head.caller = Caller((principal.asks() if asks else principal).owner, None)
        head.session = principal.signed_in()

    def is_browser(self, head: Head) -> bool:
        """Whether a session is to say who asks: a cookie of ours came, good or not, and no token."""
        return head.token is None and bool(self._cookies(head, self._cookie))

    def check_from_here(self, head: Head, *, said: bool) -> None:
        """Raises PermissionDenied where a browser says that another site asks; `said`: or where it does not say."""
        if head.fetch_site is not None and head.fetch_site not in (b"same-origin", b"none"):
            raise _elsewhere()
        if head.origin is None:
            if said and head.fetch_site is None:
                raise _elsewhere()
        elif head.origin != self.origin(head):
            raise _elsewhere()

    def cookie(self, head: Head) -> bytes | None:
        """The session's, where one came, and one only."""
        return self.cookie_named(head, self._cookie)

    def cookie_named(self, head: Head, wanted: bytes) -> bytes | None:
        found = self._cookies(head, wanted)
        return found[0] if len(found) == 1 else None

    def _cookies(self, head: Head, wanted: bytes) -> list[bytes]:
        parts = (part.partition(b"=") for part in (head.cookie or b"").split(b";"))
        return [value.strip() for name, _, value in parts if name.strip() == wanted]

    def browser(self, exchange: Exchange, head: Head) -> Browser:
        agent = next((value for name, value in exchange.headers if name == b"user-agent"), b"")
        # What ends TLS is who asks, where it is not known to say for whom.
        known = self._public is None or self._house.settings.trusted_proxies
        return Browser(agent.decode("latin-1"), exchange.peer if known else "", self.cookie(head))

    def origin(self, head: Head) -> bytes:
        """What a page of ours says that it is from, at the host that it was asked at."""
        host = (head.host or b"").lower()
        public = self._public
        if public is not None and host.rpartition(b":")[0] not in LOOPBACK and host not in LOOPBACK:
            return public.as_browsers_say.encode("ascii")
        return b"http://" + host

    def set_cookie(self, cookie: Secret) -> Header:
        return self._set(cookie.reveal(), LONGEST_MS // 1000)

    def clear_cookie(self) -> Header:
        return self._set(b"", 0)

    def _set(self, value: bytes, age_s: int) -> Header:
        secure = b"; Secure" if self.secure else b""
        flags = b"Path=/; HttpOnly; SameSite=Strict%b" % secure
        return b"set-cookie", b"%b=%b; Max-Age=%d; %b" % (self._cookie, value, age_s, flags)

    def _by_token(self, exchange: Exchange, head: Head) -> Principal:
        caller = caller_of(exchange, head, self._house.tokens)
        assert caller is not None
        if caller.service:
            name = caller.owner.partition("/")[2]
            return Principal(caller.owner, name, "member", "service", token_id=caller.token_id, scope=caller.scope)
        return Principal(caller.owner, caller.owner, "member", "token", token_id=caller.token_id, scope=caller.scope)

    def _by_page(self, exchange: Exchange, head: Head) -> Principal:
        caller = self._house.page_tokens.caller(head.token or b"")
        if caller is None:
            raise InvalidToken("This page's token is not good any more.", "Ask the application for a new one.")
        if head.user is not None or not is_for_pages(exchange.method, unquote(exchange.path)):
            raise PermissionDenied("A page's token is not for this.", "Ask from the application's own server.")
        known = (self.origin(head), *(one.encode("ascii") for one in self._house.settings.page_origins))
        if head.origin is not None and head.origin not in known:
            raise _elsewhere()
        name = caller.owner.partition("/")[2]
        return Principal(caller.owner, name, "member", "page", token_id=caller.token_id, scope=caller.scope)


def csrf(cookie: bytes) -> bytes:
    """What a page shows to prove that it can read what only a page of ours can."""
    return urlsafe_b64encode(sha256(b"csrf " + cookie).digest()).rstrip(b"=")


def nothing_here() -> NotFound:
    """Said of what is somebody else's, and of what is not there: the same, byte for byte."""
    return NotFound("There is no such thing here.", "The list shows what there is.")


def _elsewhere() -> PermissionDenied:
    return PermissionDenied("Another site asks for this in your name.", "Use Ownkey's own page, or a token.")
