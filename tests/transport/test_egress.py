"""Where a request may go."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from asking import KEY, asking
from ownkey.talk.errors import EndpointNotAllowed, NetworkError
from ownkey.talk.origin import Origin
from ownkey.transport import Transport
from ownkey.transport.addresses import is_global
from scripted import always, serve

PRIVATE = (
    "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 "
    "127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 "
    "192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 "
    "239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:8.8.8.8 "
    "::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 "
    "2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1 "
    "3fff::1 5f00::1 4000::1 fc00::1 fd00:ec2::254 fe80::1 febf::1 fec0::1 feff::1 ff02::1 ff0e::1"
)
GLOBAL = (
    "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.32.0.1 168.63.129.17 2606:4700::6810:1 2a00:1450::1 2001:4860::8888"
)


def resolver(*answers: Sequence[str] | OSError):
    """Gives the answers in turn, the last one for ever; `calls` counts."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        answer = answers[min(len(calls), len(answers) - 1)]
        calls.append(host)
        if isinstance(answer, OSError):
            raise answer
        return answer

    calls: list[str] = []
    return resolve, calls


@pytest.mark.parametrize("address", PRIVATE.split())
def test_E06_an_address_that_is_not_of_the_public_internet_is_refused(run, address: str) -> None:
    async def main() -> None:
        resolve, _ = resolver([address])
        literal = asking(443, host=address, scheme="https")
        for transport, out in (
            (Transport(resolve=resolve), asking(443, host="api.example.com", scheme="https")),
            (Transport(), literal),
        ):
            with pytest.raises(EndpointNotAllowed, match="OWNKEY_ALLOW_PRIVATE_HOSTS") as caught:
                await transport.send(out)
            assert KEY.decode() not in str(caught.value)
            assert address not in str(caught.value) or out is literal

    run(main())


@pytest.mark.parametrize("address", GLOBAL.split())
def test_E06_an_address_of_the_public_internet_is_allowed(address: str) -> None:
    assert is_global(address)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.1", "0177.0.0.1", "0x7f000001", "2130706433", "8.8.8.8 ", "::%lo"]
)
def test_E06_what_is_no_address_is_not_global(text: str) -> None:
    assert not is_global(text)


@pytest.mark.parametrize(
    "answer",
    [["8.8.8.8", "127.0.0.1"], ["2606:4700::1", "8.8.8.8", "fd00::1"], ["8.8.8.8"] * 60 + ["10.0.0.1"], ["nonsense"]],
)
def test_E07_one_private_address_among_public_ones_refuses_them_all(run, answer: list[str]) -> None:
    async def main() -> None:
        resolve, _ = resolver(answer)
        with pytest.raises(EndpointNotAllowed):
            await Transport(resolve=resolve).send(asking(443, host="api.example.com", scheme="https"))

    run(main())


def test_E07_no_answer_and_a_thousand_answers_are_refused(run) -> None:
    async def main() -> None:
        for answer, why in (
            (socket.gaierror(socket.EAI_NONAME, "x"), "was not found"),
            ([], "was not found"),
            (["8.8.8.8"] * 1000, "too many addresses"),
        ):
            resolve, _ = resolver(answer)
            with pytest.raises(NetworkError, match=why):
                await Transport(resolve=resolve).send(asking(443, host="api.example.com", scheme="https"))

    run(main())


def test_E08_the_address_that_was_checked_is_the_one_connected_to(run) -> None:
    async def main() -> None:
        async with serve(always) as first, serve(always, host="127.0.0.2", port=first.port) as second:
            resolve, calls = resolver(["127.0.0.1"], ["127.0.0.2"])
            transport = Transport(allow_private=[("rebind.test", first.port)], resolve=resolve)
            for pool in ("a", "b", "c"):
                out = asking(first.port, host="rebind.test", pool=pool)
                assert await (await transport.send(out)).read(10) == b"ok"
            assert [request.header("host") for request in first.requests] == [f"rebind.test:{first.port}"] * 3
            assert second.peers == []
            assert calls == ["rebind.test"]
            await transport.aclose()

    run(main())


def test_E08_a_name_that_turns_private_is_refused_although_it_was_public_before(run) -> None:
    async def main() -> None:
        async with serve(always) as server:
            resolve, calls = resolver(socket.gaierror(socket.EAI_AGAIN, "x"), ["127.0.0.1"])
            transport = Transport(resolve=resolve)
            out = asking(server.port, host="rebind.test", scheme="https")
            with pytest.raises(NetworkError):
                await transport.send(out)
            with pytest.raises(EndpointNotAllowed):
                await transport.send(out)
            assert len(calls) == 2
            assert server.peers == []

    run(main())


def test_the_next_address_is_tried_when_one_does_not_answer(run) -> None:
    async def main() -> None:
        async with serve(always) as server:
            resolve, _ = resolver(["127.0.0.2", "127.0.0.1"])
            transport = Transport(allow_private=[("two.test", server.port)], resolve=resolve)
            assert await (await transport.send(asking(server.port, host="two.test"))).read(10) == b"ok"
            await transport.aclose()

    run(main())


def test_a_private_place_that_is_allowed_while_the_program_runs_is_reached_at_once(run) -> None:
    async def main() -> None:
        async with serve(always) as server:
            allowed: set[tuple[str, int]] = set()
            transport = Transport(allow_private=allowed)
            with pytest.raises(EndpointNotAllowed):
                await transport.send(asking(server.port))
            allowed.add(("127.0.0.1", server.port))
            assert (await transport.send(asking(server.port))).status == 200
            await transport.aclose()

    run(main())


def test_E11_a_private_place_is_allowed_by_its_exact_host_and_port_only(run) -> None:
    async def main() -> None:
        async with serve(always) as server, serve(always) as other:
            resolve, _ = resolver(["127.0.0.1"])
            transport = Transport(allow_private=[("Ollama.Test", server.port)], resolve=resolve)
            assert (await transport.send(asking(server.port, host="ollama.test"))).status == 200
            for host, port in (
                ("ollama.test", other.port),
                ("x.ollama.test", server.port),
                ("127.0.0.1", server.port),
                ("localhost", server.port),
            ):
                for scheme in ("http", "https"):
                    with pytest.raises(EndpointNotAllowed):
                        await transport.send(asking(port, host=host, scheme=scheme))
            assert other.peers == []
            await transport.aclose()

    run(main())


def test_a_key_never_goes_in_the_clear_over_the_public_internet(run) -> None:
    async def main() -> None:
        resolve, calls = resolver(["8.8.8.8"])
        out = asking(80, host="api.example.com")
        with pytest.raises(EndpointNotAllowed, match="without TLS"):
            await Transport(resolve=resolve).send(out)
        assert calls == []
        with pytest.raises(EndpointNotAllowed, match="without TLS"):
            await Transport(resolve=resolve, allow_private=[("api.example.com", 80)]).send(out)

    run(main())


def test_E18_a_closed_port_is_told_without_its_address(run) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        resolve, _ = resolver(["127.0.0.1"])
        with pytest.raises(NetworkError, match=f"two.test could not be reached on port {port}") as caught:
            await Transport(resolve=resolve, allow_private=[("two.test", port)]).send(asking(port, host="two.test"))
        assert "127.0.0.1" not in str(caught.value)
        assert caught.value.__suppress_context__

    run(main())


def test_an_IPv6_host_is_reached_and_named_in_brackets(run) -> None:
    async def main() -> None:
        async with serve(always, host="::1") as server:
            transport = Transport(allow_private=[("::1", server.port)])
            origin, _ = Origin.parse(f"http://[0:0::1]:{server.port}/v1")
            assert (await transport.send(asking(server.port, origin=origin))).status == 200
            assert server.requests[0].header("host") == f"[::1]:{server.port}"
            await transport.aclose()

    run(main())
