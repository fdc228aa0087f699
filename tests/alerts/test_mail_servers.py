"""What mail servers say and do that they should not, and where a mail goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from canaries import canary
from certificates import Authority
from mail_server import mail_server
from ownkey.settings import Password
from ownkey.settings import alerts as settings
from ownkey.talk.errors import EndpointNotAllowed, NetworkError, OwnkeyError, ProviderTimeout, UnexpectedResponse
from ownkey.transport.guard import Guard
from ownkey.transport.mail import Mail, send_mail, written
from scripted import Peer, Script, serve
from watch import watching

MAIL = Mail(
    sender="ownkey@example.com",
    recipient="me@example.com",
    subject="Ownkey: 80 %",
    text="The budget für Müller has 80 % spent.\n",
    id="<1@example.com>",
    date="Sat, 21 Nov 2026 06:00:00 +0000",
)
PASSWORD = canary("mail elsewhere", "correct-")
PUBLIC = "93.184.215.14"
NAME = "mail.lan"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def leading_to(*addresses: str, port: int, named: bool = True) -> Guard:
    async def resolve(host: str, _: int) -> Sequence[str]:
        return addresses

    return Guard([(NAME, port)] if named else [], resolve)


async def send(port: int, guard: Guard, *, scheme: str = "smtp", user: str = "", **given: object) -> None:
    place = settings.mail_server(f"{scheme}://{user}{NAME}:{port}")
    await send_mail(place, MAIL, guard=guard, **given)  # pyright: ignore[reportArgumentType]


def met(script: Script, scheme: str = "smtp", **given: object) -> OwnkeyError:
    """What is raised by a server that does this."""

    async def main() -> OwnkeyError:
        async with serve(script) as server:
            with pytest.raises(OwnkeyError) as caught:
                await send(server.port, leading_to("127.0.0.1", port=server.port), scheme=scheme, **given)
            return caught.value

    return asyncio.run(main())


def test_a_mail_has_the_headers_it_was_given_and_asks_for_no_answer() -> None:
    message = written(MAIL)
    assert dict(message.items()) == {
        "From": MAIL.sender,
        "To": MAIL.recipient,
        "Subject": MAIL.subject,
        "Date": MAIL.date,
        "Message-ID": MAIL.id,
        "Auto-Submitted": "auto-generated",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
        "MIME-Version": "1.0",
    }
    assert message.get_content() == MAIL.text


def test_no_id_takes_a_line_break() -> None:
    values = {field: getattr(MAIL, field) for field in MAIL.__struct_fields__}
    with pytest.raises(ValueError, match="one line"):
        written(Mail(**values | {"id": "<1@example.com>\r\nBcc: everyone@example.com"}))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_nothing_of_the_machine_is_told_to_a_server_with_tls(authority: Authority, scheme: str) -> None:
    with mail_server(tls=authority.server(NAME), from_start=scheme == "smtps") as server:
        guard = leading_to("127.0.0.1", port=server.port)
        asyncio.run(send(server.port, guard, scheme=scheme, context=authority.client()))
        names = [said for said in server.heard if said.lower().startswith(("ehlo", "helo"))]
        assert {name.lower() for name in names} == {"ehlo [127.0.0.1]"}
        assert server.letters[0].under_tls


def test_a_server_that_turns_everybody_away_is_quoted() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"554 not f\xc3\xbcr you \xff\r\n")
        await peer.until_gone()

    refused = met(script)
    assert isinstance(refused, UnexpectedResponse)
    assert refused.message == "The mail server mail.lan refused: 554 not für you \N{REPLACEMENT CHARACTER}"
    assert refused.status == 554


def test_a_server_that_hangs_up_is_told_so() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"220 hello\r\n")
        await peer.reader.readline()

    refused = met(script)
    assert isinstance(refused, NetworkError)
    assert "closed the connection" in refused.message


def test_a_server_that_takes_no_logins_is_told_so(authority: Authority) -> None:
    with mail_server(EHLO="250 plain") as server:
        guard = leading_to("127.0.0.1", port=server.port)
        with pytest.raises(UnexpectedResponse, match=r"refused: .*AUTH") as caught:
            asyncio.run(send(server.port, guard, user="me@", password=Password(PASSWORD)))
        assert caught.value.status is None
        assert "refused: 0" not in caught.value.message
        assert server.letters == []
        # A name alone is no login.
        asyncio.run(send(server.port, guard, user="me@"))
        assert len(server.letters) == 1


def test_E14_why_a_mail_servers_tls_was_refused_is_said(authority: Authority) -> None:
    async def no_tls(peer: Peer) -> None:
        await peer.send(b"220 hello\r\n")
        await peer.until_gone()

    assert "the handshake failed" in met(no_tls, "smtps", context=authority.client()).message
    for scheme in ("smtp", "smtps"):
        with mail_server(tls=authority.server("other.lan"), from_start=scheme == "smtps") as server:
            guard = leading_to("127.0.0.1", port=server.port)
            with pytest.raises(NetworkError, match="Hostname mismatch") as caught:
                asyncio.run(send(server.port, guard, scheme=scheme, context=authority.client()))
            assert "other.lan" not in caught.value.message
            assert server.letters == []


def test_E14_a_mail_server_is_checked_by_the_authorities_of_this_machine_and_told_of_no_http(
    authority: Authority,
) -> None:
    hello: list[bytes] = []

    async def listens(peer: Peer) -> None:
        hello.append(await peer.reader.read(4096))

    assert isinstance(met(listens, "smtps"), NetworkError)
    assert hello[0].startswith(b"\x16\x03")
    assert b"http/1.1" not in hello[0]
    with mail_server(tls=authority.server(NAME), from_start=True) as server:
        guard = leading_to("127.0.0.1", port=server.port)
        with pytest.raises(NetworkError, match="issuer certificate"):
            asyncio.run(send(server.port, guard, scheme="smtps"))


def test_a_name_that_is_not_looked_up_in_time_is_told() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise TimeoutError

    with pytest.raises(ProviderTimeout, match=r"mail\.lan took longer than 30 s"):
        asyncio.run(send(25, Guard(resolve=resolve)))


def test_six_addresses_of_a_mail_server_are_tried_and_no_more() -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 9)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with watching(lambda name: [name]) as watch, pytest.raises(NetworkError, match="could not be reached"):
        asyncio.run(send(port, leading_to(*addresses, port=port)))
    assert watch.connects == [(one, port) for one in addresses[:6]]


def test_E05_a_public_mail_server_is_gone_to_and_gets_nothing_without_tls_though_it_is_named() -> None:
    with mail_server() as server, watching(lambda name: [name]) as watch:
        for named in (True, False):
            with pytest.raises(NetworkError, match="could not be reached"):
                asyncio.run(send(server.port, leading_to(PUBLIC, port=server.port, named=named)))
        assert watch.connects == [(PUBLIC, server.port)] * 2
        with pytest.raises(EndpointNotAllowed, match="offers no TLS"):
            asyncio.run(send(server.port, leading_to(PUBLIC, "127.0.0.1", port=server.port)))
        assert server.letters == []


def test_E08_a_connection_to_another_address_than_the_one_checked_carries_no_mail() -> None:
    with mail_server() as server:
        with pytest.raises(NetworkError, match="could not be reached"):
            asyncio.run(send(server.port, leading_to("0.0.0.0", port=server.port)))
        assert server.heard == []
        asyncio.run(send(server.port, leading_to("0.0.0.0", "127.0.0.1", port=server.port)))
        assert len(server.letters) == 1


def test_an_address_that_does_not_answer_leaves_time_for_the_others_and_the_answers_have_all_of_theirs() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"220 hello\r\n")
        await peer.reader.readline()
        # Longer than the sixth of ten seconds that each address has.
        await peer.send(1.9, b"250 hello\r\n")
        await peer.reader.readline()
        await peer.send(b"421 no\r\n")
        await peer.until_gone()

    async def main() -> None:
        async with serve(script) as server:
            refusing = [f"127.0.0.{number}" for number in range(3, 7)]
            with socket.create_server(("127.0.0.2", server.port), backlog=0) as full:
                waiting = [socket.socket() for _ in range(4)]
                for each in waiting:
                    each.setblocking(False)
                    each.connect_ex(full.getsockname())
                guard = leading_to("127.0.0.2", *refusing, "127.0.0.1", port=server.port)
                try:
                    with pytest.raises(UnexpectedResponse, match="421 no"):
                        await asyncio.wait_for(send(server.port, guard), 6)
                finally:
                    for each in waiting:
                        each.close()

    asyncio.run(main())
