"""Where alerts are sent to, read from the settings. No error quotes them: both URLs may hold secrets."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from ownkey.talk.errors import BadConfiguration, EndpointNotAllowed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret

LEAST_SECRET_BYTES = 16

# What standardwebhooks.com puts before a signing secret that is in base64.
_BASE64 = b"whsec_"

_MAIL_URL = re.compile(
    r"(?P<tls>smtps?)://(?:(?P<user>[^\s:/?#@\x00-\x1f\x7f]+(?:@[^\s:/?#@]+)?)@)?"
    r"(?:\[(?P<v6>[0-9a-fA-F:.]{2,45})\]|(?P<host>[A-Za-z0-9_.-]{1,253}))(?::(?P<port>[1-9][0-9]{0,4}))?/?",
    re.ASCII,
)
# RFC 5321 without quoted names, which nothing but an attack has.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}", re.ASCII)
_PORTS = {"smtp": 587, "smtps": 465}


class MailServer(Struct, frozen=True):
    """`tls`: from the first byte; else it has to be begun by STARTTLS."""

    host: str
    port: int
    tls: bool
    user: str | None


def is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None


def mail_server(url: str) -> MailServer:
    """Raises BadConfiguration."""
    found = _MAIL_URL.fullmatch(url)
    user = unquote(found["user"]) if found and found["user"] else None
    port = int(found["port"] or _PORTS[found["tls"]]) if found else 0
    if found is None or not 1 <= port <= 65_535 or (user is not None and not user.isprintable()):
        raise BadConfiguration(
            "OWNKEY_SMTP_URL cannot be used.",
            "Write it like smtps://user@mail.example.com:465; the password goes into OWNKEY_SMTP_PASSWORD.",
            param="smtp_url",
        )
    return MailServer((found["v6"] or found["host"]).lower(), port, found["tls"] == "smtps", user)


def webhook(url: str) -> tuple[Origin, str]:
    """Its origin, and path with query. Raises BadConfiguration."""
    plain, mark, query = url.partition("?")
    try:
        origin, path = Origin.parse(plain)
    except EndpointNotAllowed as error:
        raise _webhook(error.message.replace("This base URL", "OWNKEY_ALERT_WEBHOOK_URL")) from None
    if origin.scheme == "inside" or re.search(r"[^!-~]|#", query):
        raise _webhook("OWNKEY_ALERT_WEBHOOK_URL cannot be used.")
    path += "/" if plain.endswith("/") or not path else ""
    return origin, path + mark + query


def signing_key(secret: Secret) -> bytes:
    """The bytes that webhooks are signed with. Raises BadConfiguration where they are too few."""
    key = secret.reveal()
    if key.startswith(_BASE64):
        try:
            key = b64decode(key.removeprefix(_BASE64), validate=True)
        except binascii.Error:
            key = b""
    if len(key) < LEAST_SECRET_BYTES:
        raise BadConfiguration(
            "OWNKEY_ALERT_WEBHOOK_SECRET is too short, or is not the base64 that it says it is.",
            f"Take {LEAST_SECRET_BYTES} characters or more that nobody can guess.",
            param="alert_webhook_secret",
        )
    return key


def check(values: Mapping[str, Any]) -> None:
    """Whether what is set for alerts goes together. Raises BadConfiguration: nothing starts with half of it."""
    if (url := values["alert_webhook_url"]) is not None:
        webhook(url)
        if values["alert_webhook_secret"] is None:
            raise BadConfiguration(
                "OWNKEY_ALERT_WEBHOOK_URL is set without OWNKEY_ALERT_WEBHOOK_SECRET: no webhook goes unsigned.",
                "Set the secret that the receiver checks the signature with.",
                param="alert_webhook_secret",
            )
    if values["alert_webhook_secret"] is not None:
        signing_key(values["alert_webhook_secret"])
    server = None if values["smtp_url"] is None else mail_server(values["smtp_url"])
    if (server is None) != (not values["alert_email_to"]):
        raise BadConfiguration(
            "E-mails need both OWNKEY_SMTP_URL and OWNKEY_ALERT_EMAIL_TO.", "Set both, or neither.", param="smtp_url"
        )
    if server is not None and (server.user is None) != (values["smtp_password"] is None):
        raise BadConfiguration(
            "A mail server that wants a password wants a user too.",
            "Write the user into OWNKEY_SMTP_URL, smtps://user@mail.example.com, and OWNKEY_SMTP_PASSWORD beside it.",
            param="smtp_password",
        )
    if values["alert_email_from"] is not None and not is_address(values["alert_email_from"]):
        raise BadConfiguration("OWNKEY_ALERT_EMAIL_FROM is not an e-mail address.", param="alert_email_from")


def _webhook(message: str) -> BadConfiguration:
    return BadConfiguration(message, "Write it like https://example.com/hook.", param="alert_webhook_url")
