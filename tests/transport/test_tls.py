"""Who a provider proves to be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from asking import KEY, asking
from certificates import Authority
from ownkey.talk.errors import BadConfiguration, NetworkError, StreamCut
from ownkey.transport import Incoming, Transport
from ownkey.transport.tls import checked, make_context, no_handshake
from scripted import Peer, Script, Server, always, answer, serve

NAME = "api.provider.test"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def here(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def get(
    tls: ssl.SSLContext | None, trust: ssl.SSLContext | None, host: str = NAME, script: Script = always
) -> tuple[Server, Incoming, bytes]:
    async with serve(script, tls=tls) as server:
        transport = Transport(allow_private=[(host, server.port)], resolve=here, ssl_context=trust)
        try:
            incoming = await transport.send(asking(server.port, host=host, scheme="https"))
            return server, incoming, await incoming.read(1 << 24)
        finally:
            assert [request.header("host") for request in server.requests] in ([], [f"{host}:{server.port}"])
            await transport.aclose()


def test_a_provider_with_a_good_certificate_is_answered(run, authority: Authority) -> None:
    _, incoming, body = run(get(authority.server(NAME), authority.client()))
    assert (incoming.status, body) == (200, b"ok")
    _, _, body = run(get(authority.server("127.0.0.1"), authority.client(), "127.0.0.1"))
    assert body == b"ok"


def test_large_bodies_and_kept_connections_work_over_TLS(run, authority: Authority) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            await always(peer, answer(bytes(3_000_000), 200, f"x-peer: {peer.number}"))

        async with serve(script, tls=authority.server(NAME)) as server:
            transport = Transport(allow_private=[(NAME, server.port)], resolve=here, ssl_context=authority.client())
            for _ in range(3):
                incoming = await transport.send(
                    asking(server.port, host=NAME, scheme="https", body=bytes(2_000_000), headers=[])
                )
                assert incoming.headers[b"x-peer"] == b"0"
                assert await incoming.read(4_000_000) == bytes(3_000_000)
            await transport.aclose()

    run(main())


@pytest.mark.parametrize(
    ("names", "options", "why"),
    [
        ([NAME], {"valid": (-9, -2)}, "it has expired"),
        ([NAME], {"valid": (2, 9)}, "it is not valid yet"),
        (["other.test"], {}, "it is for another name"),
        (["*.test"], {}, "it is for another name"),
        (["10.0.0.1"], {}, "it is for another name"),
        ([NAME], {"own": True}, "it is signed by itself"),
    ],
)
def test_E14_a_certificate_that_does_not_hold_is_refused_and_nothing_is_sent(
    run, authority: Authority, names: list[str], options: dict[str, object], why: str
) -> None:
    async def main() -> None:
        with pytest.raises(NetworkError, match=why) as caught:
            await get(authority.server(*names, **options), authority.client(), script=told)
        assert "certificate" in caught.value.message
        assert KEY.decode() not in str(caught.value)

    heard: list[Peer] = []

    async def told(peer: Peer) -> None:
        heard.append(peer)
        await always(peer)

    run(main())
    assert not any(peer.requests for peer in heard)


def test_E14_an_authority_that_this_machine_does_not_know_is_refused(run, authority: Authority) -> None:
    with pytest.raises(NetworkError, match="not signed by an authority"):
        run(get(authority.server(NAME), None))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_E14_TLS_1_1_is_refused(run, authority: Authority) -> None:
    old = authority.server(NAME)
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1_1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    lenient = authority.client()
    lenient.set_ciphers("DEFAULT@SECLEVEL=0")
    lenient.minimum_version = ssl.TLSVersion.TLSv1_1

    async def main() -> None:
        async with serve(always, tls=old) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=lenient, server_hostname=NAME)
            assert writer.get_extra_info("ssl_object").version() == "TLSv1.1"
            writer.transport.abort()

    run(main())
    with pytest.raises(NetworkError, match=r"TLS with api.provider.test failed"):
        run(get(old, authority.client()))
    with pytest.raises(BadConfiguration):
        Transport(ssl_context=lenient)


def test_U01_a_port_without_TLS_and_a_reset_in_its_handshake_are_told(run, authority: Authority) -> None:
    async def talk(peer: Peer) -> None:
        await peer.send(b"220 hello\r\n")
        await peer.until_gone()

    async def reset(peer: Peer) -> None:
        await peer.reader.read(10)
        peer.reset()

    with pytest.raises(NetworkError, match="TLS with"):
        run(get(None, authority.client(), script=talk))
    with pytest.raises(NetworkError):
        run(get(None, authority.client(), script=reset))


def test_a_context_that_checks_nothing_is_refused(authority: Authority, tmp_path: Path) -> None:
    blind = authority.client()
    blind.check_hostname = False
    logging = authority.client()
    logging.keylog_filename = str(tmp_path / "keys.log")
    for context in (blind, logging):
        with pytest.raises(BadConfiguration):
            Transport(ssl_context=context)


def test_V27_the_environment_neither_logs_the_session_keys_nor_names_the_authorities(
    run, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    monkeypatch.setenv("SSL_CERT_DIR", str(authority.folder))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(NetworkError, match="not signed by an authority"):
        run(get(authority.server(NAME), None))
    assert not log.exists()
    ssl.create_default_context().keylog_filename = None
    assert log.exists()


def test_a_TLS_connection_that_breaks_in_the_body_is_StreamCut(run, authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        peer.writer.transport.abort()

    with pytest.raises(StreamCut):
        run(get(authority.server(NAME), authority.client(), script=script))


def test_a_body_without_length_ends_with_its_TLS_connection(run, authority: Authority) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nwhole")

    _, _, body = run(get(authority.server(NAME), authority.client(), script=script))
    assert body == b"whole"


def test_U22_a_cancelled_handshake_closes_its_connection(run, authority: Authority) -> None:
    async def main() -> None:
        met = asyncio.Event()

        async def silent(peer: Peer) -> None:
            met.set()
            await peer.until_gone()

        async with serve(silent) as server:
            transport = Transport(allow_private=[(NAME, server.port)], resolve=here, ssl_context=authority.client())
            task = asyncio.create_task(transport.send(asking(server.port, host=NAME, scheme="https")))
            await met.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.peers[0].gone.wait()

    run(main())


@pytest.mark.parametrize(
    ("number", "why"),
    # From OpenSSL's x509_vfy.h.
    [
        (9, "it is not valid yet"),
        (10, "it has expired"),
        (18, "it is signed by itself"),
        (19, "it is not signed by an authority that this machine trusts"),
        (20, "it is not signed by an authority that this machine trusts"),
        (62, "it is for another name"),
        (64, "it is for another address"),
        *((number, "it is not valid") for number in (8, 11, 17, 21, 61, 63, 65)),
    ],
)
def test_E14_what_openssl_says_of_a_certificate_is_said_in_words(number: int, why: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = number
    said = no_handshake("a.test", error)
    assert said.message == f"The TLS certificate of a.test was refused: {why}. Nothing was sent."


def test_E14_what_is_not_told_of_a_certificate_is_a_handshake_that_failed() -> None:
    for error in (ssl.SSLError(1, "wrong version number"), ConnectionResetError()):
        assert no_handshake("a.test", error).message == "TLS with a.test failed. Nothing was sent."


def test_E14_a_context_of_ones_own_is_strict_or_is_refused(authority: Authority) -> None:
    optional = authority.client()
    optional.check_hostname = False
    optional.verify_mode = ssl.CERT_OPTIONAL
    optional.check_hostname = True
    blind = authority.client()
    blind.check_hostname = False
    none = authority.client()
    none.check_hostname = False
    none.verify_mode = ssl.CERT_NONE
    for context in (optional, blind, none):
        with pytest.raises(BadConfiguration):
            checked(context)
    oldest = authority.client()
    oldest.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    assert checked(oldest).minimum_version == ssl.TLSVersion.TLSv1_2
    newest = authority.client()
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    assert checked(newest) is newest
    assert newest.minimum_version == ssl.TLSVersion.TLSv1_3


def test_E14_providers_are_spoken_to_with_the_authorities_of_this_machine_in_tls_1_2_or_later_and_http_1_1(
    authority: Authority,
) -> None:
    context = make_context()
    assert context.get_ca_certs()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert checked(context) is context
    context.load_verify_locations(authority.path)
    tls = authority.server(NAME)
    tls.set_alpn_protocols(["h2", "http/1.1"])

    async def main() -> str | None:
        async with serve(always, tls=tls) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname=NAME)
            spoken = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            writer.transport.abort()
            return spoken

    assert asyncio.run(main()) == "http/1.1"


@pytest.mark.parametrize("where", ["file", "folder"])
def test_E14_the_authorities_are_found_where_openssl_was_built_to_look(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """`DefaultVerifyPaths` is what `ssl` knows of how OpenSSL was built."""
    built = ssl.get_default_verify_paths()
    file = str(authority.path) if where == "file" else str(tmp_path / "nothing")
    folder = str(tmp_path) if where == "folder" else str(tmp_path / "nothing")
    here = built._replace(openssl_cafile=file, openssl_capath=folder)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: here)
    subjects = [one["subject"] for one in make_context().get_ca_certs()]
    assert (((("commonName", "Test Authority"),),) in subjects) == (where == "file")
    assert subjects
