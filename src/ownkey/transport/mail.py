"""One e-mail to a mail server, under TLS whose certificate is checked."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP

from msgspec import Struct

from ownkey.settings.alerts import MailServer
from ownkey.talk.errors import EndpointNotAllowed, NetworkError, OwnkeyError, ProviderTimeout, UnexpectedResponse
from ownkey.talk.secret import Secret, clean
from ownkey.transport.addresses import is_global, parse
from ownkey.transport.guard import Guard
from ownkey.transport.tls import make_context

STEP_S = 10
"""For each answer of the server."""

TOTAL_S = 30

_MOST_TRIES = 6
_OWN_NAME = "[127.0.0.1]"


class Mail(Struct, frozen=True, kw_only=True):
    """`sender` and `recipient` are addresses; `subject` is one line. `id` and `date` are the header's own values."""

    sender: str
    recipient: str
    subject: str
    text: str
    id: str
    date: str


async def send_mail(
    server: MailServer,
    mail: Mail,
    *,
    guard: Guard,
    password: Secret | None = None,
    context: ssl.SSLContext | None = None,
) -> None:
    """Returns when the server has taken it. `guard` says where it may be. Only to a private address that was named does
    a mail go without TLS, where none is offered.

    Raises NetworkError, ProviderTimeout, EndpointNotAllowed, UnexpectedResponse.
    """
    message = written(mail)
    sending: _Sending | None = None
    try:
        async with asyncio.timeout(TOTAL_S):
            addresses = await guard.addresses(server.host, server.port, tls=True)
            clear = guard.allows(server.host, server.port) and not any(map(is_global, addresses))
            sending = _Sending(server, addresses[:_MOST_TRIES], password, clear, context)
            await asyncio.to_thread(sending.send, message)
    except TimeoutError:
        raise ProviderTimeout(f"The mail server {server.host} took longer than {TOTAL_S} s.") from None
    finally:
        if sending is not None:
            sending.stop()


def written(mail: Mail) -> EmailMessage:
    """Raises ValueError where a header would hold a line break."""
    if not all(value.isprintable() for value in (mail.sender, mail.recipient, mail.subject, mail.id, mail.date)):
        raise ValueError("a header of an e-mail is one line")
    message = EmailMessage(SMTP)
    message["From"] = mail.sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = mail.date
    message["Message-ID"] = mail.id
    # RFC 3834: nobody's absence is answered to it.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte="quoted-printable")
    return message


class _Pinned(smtplib.SMTP):
    """Connects to the addresses that were checked, one after the other, under the server's own name."""

    def __init__(self) -> None:
        # By default the machine's own name would be told.
        super().__init__(local_hostname=_OWN_NAME, timeout=STEP_S)
        self._addresses: tuple[str, ...] = ()

    def reach(self, server: MailServer, addresses: tuple[str, ...]) -> None:
        """Raises OSError or SMTPException."""
        # What the certificate has to name.
        self._host = server.host
        self._addresses = addresses
        code, said = self.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        trouble = OSError("no address")
        for address in self._addresses:
            try:
                return _connected_to(address, port, timeout / len(self._addresses))
            except OSError as error:
                trouble = error
        raise trouble


class _PinnedTls(smtplib.SMTP_SSL, _Pinned):
    """The same, in TLS from the first byte."""

    def __init__(self, context: ssl.SSLContext) -> None:
        smtplib.SMTP_SSL.__init__(self, local_hostname=_OWN_NAME, timeout=STEP_S, context=context)


def _connected_to(address: str, port: int, timeout_s: float) -> socket.socket:
    """Raises OSError."""
    connection = socket.create_connection((address, port), timeout_s)
    peer = str(connection.getpeername()[0])
    if parse(peer.partition("%")[0]) != parse(address.partition("%")[0]):
        connection.close()
        raise OSError("another address")
    connection.settimeout(STEP_S)
    return connection


class _Sending:
    """One conversation on a thread; `stop` ends it from outside."""

    def __init__(
        self,
        server: MailServer,
        addresses: tuple[str, ...],
        password: Secret | None,
        in_the_clear: bool,
        context: ssl.SSLContext | None,
    ) -> None:
        self._server = server
        self._addresses = addresses
        self._password = password
        self._in_the_clear = in_the_clear
        self._context = context
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        host = self._server.host
        try:
            smtp = self._smtp = self._connected()
            if self._server.user is not None and self._password is not None:
                smtp.login(self._server.user, self._password.reveal().decode())
            smtp.send_message(message, str(message["From"]), [str(message["To"])])
        except smtplib.SMTPServerDisconnected:
            raise NetworkError(f"The mail server {host} closed the connection.") from None
        except smtplib.SMTPRecipientsRefused as refused:
            code, said = next(iter(refused.recipients.values()))
            raise self._refused(code, said) from None
        except smtplib.SMTPResponseException as refused:
            raise self._refused(refused.smtp_code, refused.smtp_error) from None
        except smtplib.SMTPException as error:
            raise self._refused(0, str(error)) from None
        except ssl.SSLError as error:
            why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "the handshake failed"
            raise NetworkError(f"TLS with the mail server {host} failed: {why}. Nothing was sent.") from None
        except TimeoutError:
            raise ProviderTimeout(f"The mail server {host} did not answer for {STEP_S} s.") from None
        except OSError:
            raise NetworkError(f"The mail server {host}:{self._server.port} could not be reached.") from None
        # It has the mail; how it says goodbye does not matter.
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()

    def stop(self) -> None:
        smtp = self._smtp
        if smtp is not None and smtp.sock is not None:
            with suppress(OSError):
                smtp.sock.shutdown(socket.SHUT_RDWR)
            smtp.close()

    def _connected(self) -> smtplib.SMTP:
        server, context = self._server, self._context or _context()
        smtp = self._smtp = _PinnedTls(context) if server.tls else _Pinned()
        smtp.reach(server, self._addresses)
        if server.tls:
            return smtp
        smtp.ehlo_or_helo_if_needed()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=context)
        elif not self._in_the_clear:
            raise EndpointNotAllowed(
                f"The mail server {server.host}:{server.port} offers no TLS. Nothing was sent.",
                f"Use smtps://, or, on a private network, add {server.host}:{server.port} to "
                "OWNKEY_ALLOW_PRIVATE_HOSTS.",
            )
        return smtp

    def _refused(self, code: int, said: bytes | str) -> OwnkeyError:
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        shown = clean(f"{code or ''} {text}", self._password, limit=200)
        return UnexpectedResponse(f"The mail server {self._server.host} refused: {shown}", status=code or None)


def _context() -> ssl.SSLContext:
    """Some mail servers refuse a client that says it speaks HTTP."""
    context = make_context()
    context.set_alpn_protocols([])
    return context
