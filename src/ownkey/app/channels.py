"""Ways in which alerts reach people: a signed webhook, e-mails."""

from __future__ import annotations

import asyncio
import hmac
import time
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from ownkey.settings import Settings
from ownkey.settings.alerts import MailServer, mail_server, signing_key, webhook
from ownkey.spending.refusal import show
from ownkey.store.posting import Alert
from ownkey.talk.errors import ProviderTimeout, UnexpectedResponse
from ownkey.talk.money import say_usd
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret, clean
from ownkey.transport import Deadlines, Outgoing, Transport
from ownkey.transport.guard import Guard
from ownkey.transport.mail import Mail, send_mail

WEBHOOK_S = 10

_DEADLINES = Deadlines(connect_s=WEBHOOK_S, headers_s=WEBHOOK_S, idle_s=WEBHOOK_S, total_s=WEBHOOK_S)


class Channel(Protocol):
    """`name` is what deliveries are kept under; `shown` tells people which it is."""

    @property
    def name(self) -> str: ...

    @property
    def shown(self) -> str: ...

    async def send(self, alert: Alert) -> None:
        """Returns when the other side has taken it. Raises OwnkeyError."""
        ...


class Webhook:
    """A POST of JSON, signed as standardwebhooks.com has it: HMAC-SHA256 over `id.timestamp.body`."""

    name = "webhook"

    def __init__(self, origin: Origin, target: str, key: bytes, transport: Transport) -> None:
        self.shown = f"webhook to {origin}"
        self._origin = origin
        self._target = target.encode("ascii")
        self._key = key
        self._transport = transport

    async def send(self, alert: Alert) -> None:
        body = msgspec.json.encode(
            {
                "id": alert.id,
                "kind": alert.kind,
                "message": alert.message,
                "facts": msgspec.Raw(alert.facts.encode()),
                "at": _utc(alert.at_ms).isoformat(timespec="milliseconds"),
            }
        )
        out = Outgoing(b"POST", self._origin, self._target, self._headers(alert.id, body), body, "alerts")
        try:
            async with asyncio.timeout(WEBHOOK_S):
                answer = await self._transport.send(out, _DEADLINES)
        except TimeoutError:
            raise ProviderTimeout(f"The webhook at {self._origin} took longer than {WEBHOOK_S} s.") from None
        answer.close()
        if not 200 <= answer.status < 300:
            why = ": redirects are not followed" if 300 <= answer.status < 400 else ""
            raise UnexpectedResponse(
                f"The webhook at {self._origin} answered {answer.status}{why}.", status=answer.status
            )

    def _headers(self, id: str, body: bytes) -> tuple[tuple[bytes, bytes], ...]:
        # The name of a budget or a model may hold anything; a header may not.
        name, at_s = quote(id, safe=":/").encode("ascii"), b"%d" % time.time()
        signature = hmac.new(self._key, b"%b.%b.%b" % (name, at_s, body), sha256).digest()
        return (
            (b"content-type", b"application/json"),
            (b"user-agent", b"ownkey"),
            (b"webhook-id", name),
            (b"webhook-timestamp", at_s),
            (b"webhook-signature", b"v1," + b64encode(signature)),
        )


class Email:
    """A plain-text e-mail to one address. The same alert has the same Message-ID, whenever it is sent."""

    def __init__(
        self, server: MailServer, password: Secret | None, *, sender: str | None, to: str, guard: Guard
    ) -> None:
        self.name = f"email:{to}"
        self.shown = f"e-mail to {to}"
        self._server = server
        self._password = password
        self._sender = sender or to
        self._to = to
        self._guard = guard

    async def send(self, alert: Alert) -> None:
        digest, domain = sha256(alert.id.encode()).hexdigest()[:32], self._sender.rpartition("@")[2]
        mail = Mail(
            sender=self._sender,
            recipient=self._to,
            subject=f"Ownkey: {clean(alert.message, limit=150)}",
            text=letter(alert),
            id=f"<{digest}@{domain}>",
            date=format_datetime(_utc(alert.at_ms)),
        )
        await send_mail(self._server, mail, guard=self._guard, password=self._password)


def channels(settings: Settings, transport: Transport) -> list[Channel]:
    """Those that are set. Raises BadConfiguration."""
    found: list[Channel] = []
    if settings.alert_webhook_url is not None and settings.alert_webhook_secret is not None:
        origin, target = webhook(settings.alert_webhook_url)
        found.append(Webhook(origin, target, signing_key(settings.alert_webhook_secret), transport))
    if settings.smtp_url is not None:
        server = mail_server(settings.smtp_url)
        found += [
            Email(server, settings.smtp_password, sender=settings.alert_email_from, to=to, guard=transport.guard)
            for to in settings.alert_email_to
        ]
    return found


def letter(alert: Alert) -> str:
    """An alert as plain text: what happened, when, and what is known of it. Nothing shaped like a key stays in it."""
    facts: dict[str, Any] = msgspec.json.decode(alert.facts)
    lines = [clean(alert.message), "", f"When: {_utc(alert.at_ms):%Y-%m-%d %H:%M} UTC"]
    lines += [clean(f"{_name(name)}: {_value(name, value, facts)}") for name, value in facts.items() if name != "unit"]
    return "\n".join([*lines, "", "All alerts: ownkey alerts", ""])


def _name(name: str) -> str:
    return name.removesuffix("_ms").removesuffix("_nano").replace("_", " ").capitalize()


def _value(name: str, value: object, facts: dict[str, Any]) -> str:
    if isinstance(value, int) and name.endswith("_ms"):
        try:
            return f"{_utc(value):%Y-%m-%d %H:%M} UTC"
        except (OverflowError, ValueError):
            return "never"
    if isinstance(value, int) and name.endswith("_nano"):
        return say_usd(value)
    if isinstance(value, int) and name in ("limit", "spent", "pending"):
        return show(value, facts.get("unit", "requests"))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
