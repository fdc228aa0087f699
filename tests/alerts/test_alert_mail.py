"""E-mails to a real mail server on a real port: under TLS that is checked, in plain text, one at a time."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from canaries import canary
from certificates import Authority
from house import until
from mail_server import MailServer, mail_server
from ownkey.settings import Password
from ownkey.settings import alerts as settings
from ownkey.talk.errors import EndpointNotAllowed, NetworkError, OwnkeyError, UnexpectedResponse
from ownkey.transport.guard import Guard
from ownkey.transport.mail import Mail, send_mail, written

MAIL = Mail(
    sender="ownkey@example.com",
    recipient="me@example.com",
    subject="Ownkey: 80 %",
    text="The budget für Müller has 80 % spent.\n.\nEnd\n",
    id="<1@example.com>",
    date="Sat, 21 Nov 2026 06:00:00 +0000",
)
PASSWORD = canary("mail", "correct-")
KEY = canary("of a mail")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def sent(
    server: MailServer, context: ssl.SSLContext | None, *, scheme: str = "smtp", user: str = "", named: bool = True
) -> None:
    """`named`: among the private hosts that are allowed."""
    place = settings.mail_server(f"{scheme}://{user}localhost:{server.port}")
    password = Password(PASSWORD) if user else None
    guard = Guard([("localhost", server.port)] if named else [])
    asyncio.run(send_mail(place, MAIL, guard=guard, password=password, context=context))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_goes_out_under_tls_with_a_login(authority: Authority, scheme: str) -> None:
    with mail_server(tls=authority.server("localhost"), from_start=scheme == "smtps") as server:
        sent(server, authority.client(), scheme=scheme, user="me%40example.com@")
        (letter,) = server.letters
        assert (letter.under_tls, letter.user, letter.password) == (True, "me@example.com", PASSWORD)
        assert (letter.sender, letter.recipients) == ("ownkey@example.com", ["me@example.com"])
        assert letter.text == MAIL.text
        assert letter.message["Subject"] == MAIL.subject
        assert letter.raw.isascii()


@pytest.mark.parametrize("own", [True, False])
def test_a_certificate_that_is_not_right_gets_nothing(authority: Authority, own: bool) -> None:
    tls = authority.server("localhost" if own else "elsewhere.example", own=own)
    with mail_server(tls=tls) as server:
        with pytest.raises(NetworkError, match="Nothing was sent"):
            sent(server, authority.client(), user="me@")
        assert server.letters == []
        assert not any(said.startswith(("AUTH", "MAIL")) for said in server.heard)


def test_a_server_without_tls_gets_nothing_unless_it_is_named_in_the_settings(authority: Authority) -> None:
    with mail_server() as server:
        for scheme in ("smtp", "smtps"):
            with pytest.raises(EndpointNotAllowed, match="private or reserved"):
                sent(server, authority.client(), scheme=scheme, user="me@", named=False)
        assert server.connections == 0
        sent(server, authority.client())
        assert [letter.under_tls for letter in server.letters] == [False]


class Abroad(Guard):
    """As if localhost were a place of the public internet."""

    async def addresses(self, host: str, port: int, *, tls: bool) -> tuple[str, ...]:
        return ("127.0.0.1",)


def test_a_public_server_that_offers_no_tls_gets_nothing() -> None:
    with mail_server() as server:
        place = settings.mail_server(f"smtp://me@localhost:{server.port}")
        with pytest.raises(EndpointNotAllowed, match="offers no TLS"):
            asyncio.run(send_mail(place, MAIL, guard=Abroad(), password=Password(PASSWORD)))
        assert not any(said.startswith(("AUTH", "MAIL")) for said in server.heard)


def test_what_the_server_refuses_is_said_without_the_password(authority: Authority) -> None:
    said = f"535 not with {PASSWORD} and {KEY}"
    with mail_server(tls=authority.server("localhost"), AUTH=said) as server:
        with pytest.raises(UnexpectedResponse) as refused:
            sent(server, authority.client(), user="me@")
        assert "535" in str(refused.value)
        assert PASSWORD not in str(refused.value)
        assert KEY not in str(refused.value)
    with mail_server(DATA="451 try later") as server, pytest.raises(UnexpectedResponse, match="451 try later"):
        sent(server, None)
    with mail_server(RCPT="550 nobody") as server, pytest.raises(UnexpectedResponse, match="550 nobody"):
        sent(server, None)


def test_a_bad_goodbye_after_the_mail_was_taken_is_no_failure() -> None:
    with mail_server(QUIT="421 tired") as server:
        sent(server, None)
        assert len(server.letters) == 1


def test_a_server_that_is_not_there_is_an_error_that_says_so() -> None:
    with mail_server() as server:
        pass
    with pytest.raises(NetworkError, match="could not be reached"):
        sent(server, None)


def test_cancelled_it_lets_go_of_a_server_that_says_nothing() -> None:
    async def main(server: MailServer) -> None:
        place = settings.mail_server(f"smtp://localhost:{server.port}")
        task = asyncio.create_task(send_mail(place, MAIL, guard=Guard([("localhost", server.port)])))
        await asyncio.to_thread(until, lambda: server.heard)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with mail_server(EHLO=None) as server:
        asyncio.run(asyncio.wait_for(main(server), 8))


@pytest.mark.parametrize("breaks", ["\r\nBcc: everyone@example.com", "\n\nbody", "\r"])
def test_no_header_takes_a_line_break(breaks: str) -> None:
    for name in ("subject", "sender", "recipient", "date"):
        values = {field: getattr(MAIL, field) for field in MAIL.__struct_fields__}
        with pytest.raises(ValueError):
            written(Mail(**values | {name: values[name] + breaks}))


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:password@host",
        "http://host",
        "smtp://",
        "smtp://host:0",
        "smtp://host:70000",
        "smtp://host/path",
        "smtp://a%0d%0ab@host",
        "smtps://ho st",
    ],
)
def test_a_mail_server_that_cannot_be_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(OwnkeyError) as refused:
        settings.mail_server(url)
    assert url not in str(refused.value)


def test_a_mail_server_is_read_with_its_usual_ports() -> None:
    assert settings.mail_server("smtp://Mail.Example.com") == settings.MailServer("mail.example.com", 587, False, None)
    assert settings.mail_server("smtps://a@b.c@mail.x/") == settings.MailServer("mail.x", 465, True, "a@b.c")
    assert settings.mail_server("smtp://[::1]:2525").host == "::1"


def test_nothing_of_the_machine_is_told(authority: Authority, tmp_path: Path) -> None:
    with mail_server() as server:
        sent(server, None)
        assert server.heard[0].lower() == "ehlo [127.0.0.1]"
