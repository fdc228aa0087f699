"""What is no chat, through the library: held before a byte leaves, settled exactly after, or refused before."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from canaries import canary
from ownkey import Ownkey
from ownkey.engine.call import Call
from ownkey.engine.media import MediaWork
from ownkey.engine.request import new_id
from ownkey.talk.errors import (
    InvalidRequest,
    KeyMissing,
    KeyProblem,
    PriceUnknown,
    ProviderTimeout,
    QuotaExceeded,
    Unsupported,
)
from ownkey.wires.media import read_media_ask
from scripted import Peer, Server, answer, serve

KEY = canary("calls")
VECTORS = [[0.5, -0.25], [1.0, 2.0]]
OPENAI = json.dumps(
    {"data": [{"embedding": one, "index": n} for n, one in enumerate(VECTORS)], "usage": {"prompt_tokens": 7}}
).encode()


async def says_openai(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(answer(OPENAI))


def ready(ownkey: Ownkey, server: Server, *providers: str) -> None:
    """The shipped providers, at the server of the test."""
    for name in providers:
        ownkey.providers.set(name, endpoint=f"http://127.0.0.1:{server.port}/v1")
        ownkey.keys.set(name, KEY, force=True)


def opened(home: Path, server: Server, **settings: Any) -> Ownkey:
    quick: dict[str, Any] = {"retries": 0, "headers_timeout_s": 0.3, "keychain": False}
    allowed = (("127.0.0.1", server.port),)
    return Ownkey(home, **(quick | {"allow_private_hosts": allowed} | settings))


@pytest.mark.row("C2")
def test_texts_become_vectors_at_the_price_of_the_catalogue(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(says_openai) as server, opened(tmp_path, server) as ownkey:
            ready(ownkey, server, "openai")
            made = await ownkey.embed(["one", "two"], "openai/text-embedding-3-small", dimensions=2)
            assert list(made.vectors) == VECTORS
            assert made.receipt is not None
            assert made.receipt.cost is not None
            assert made.receipt.cost.nano_usd == 7 * 20
            asked = json.loads(server.requests[0].body)
            assert asked == {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 2}
            await ownkey.house.store.book.drain()
            (row,) = ownkey.house.store.book.rows()
            assert (row.state, row.cost_nano, row.wire) == ("exact", 140, "openai-embeddings")

    asyncio.run(main())


def test_a_script_without_a_loop_gets_the_same(tmp_path: Path) -> None:
    """The server's loop is this one; the script runs on a thread."""

    async def main() -> None:
        async with serve(says_openai) as server:
            with Ownkey(tmp_path, keychain=False, allow_private_hosts=(("127.0.0.1", server.port),)).blocking() as own:
                await asyncio.to_thread(script, own, server)

    def script(own: Any, server: Server) -> None:
        own.providers.set("openai", endpoint=f"http://127.0.0.1:{server.port}/v1")
        own.keys.set("openai", KEY)
        assert list(own.embed(["a", "b"], "openai/text-embedding-3-small").vectors) == VECTORS

    asyncio.run(main())


def test_the_money_is_on_disk_before_the_provider_hears_anything(tmp_path: Path) -> None:
    async def main() -> None:
        seen: list[Any] = []

        async def script(peer: Peer) -> None:
            await peer.request()
            seen.extend(ownkey.house.store.book.rows())
            await peer.send(answer(OPENAI))

        async with serve(script) as server, opened(tmp_path, server) as ownkey:
            ready(ownkey, server, "openai")
            await ownkey.embed(["a", "b"], "openai/text-embedding-3-small")
            (held,) = seen
            assert held.state == "held"
            assert held.held_nano >= 140

    asyncio.run(main())


def test_an_unknown_price_asks_first_and_nothing_is_sent(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(says_openai) as server, opened(tmp_path, server) as ownkey:
            ready(ownkey, server, "openrouter")
            with pytest.raises(PriceUnknown):
                await ownkey.embed(["a", "b"], "openrouter/nobody/knows")
            assert server.requests == []
            made = await ownkey.embed(["a", "b"], "openrouter/nobody/knows", accept_unknown_price=True)
            assert made.receipt is not None
            assert made.receipt.cost is None
            await ownkey.house.store.book.drain()
            (row,) = ownkey.house.store.book.rows()
            assert (row.priced, row.held_nano, row.cost_nano, row.input_tokens) == (False, 0, 0, 7)

    asyncio.run(main())


def test_silence_costs_what_was_held_and_so_does_a_caller_that_leaves(tmp_path: Path) -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        heard.set()
        await peer.until_gone()

    async def main() -> None:
        async with serve(silent) as server, opened(tmp_path, server) as ownkey:
            ready(ownkey, server, "openai")
            with pytest.raises(ProviderTimeout):
                await ownkey.embed("a", "openai/text-embedding-3-small")
            heard.clear()
            left = asyncio.create_task(ownkey.embed("a", "openai/text-embedding-3-small"))
            await heard.wait()
            left.cancel()
            with pytest.raises(asyncio.CancelledError):
                await left
            await ownkey.house.store.book.drain()
            rows = ownkey.house.store.book.rows()
            assert [row.state for row in rows] == ["assumed", "assumed"]
            assert all(row.cost_nano == row.held_nano > 0 for row in rows)

    heard = asyncio.Event()
    asyncio.run(main())


def test_vectors_never_come_from_a_model_that_was_not_asked_for(tmp_path: Path) -> None:
    async def used_up(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(answer(b'{"error":{"message":"no credit","code":"insufficient_quota"}}', 429))

    async def main() -> None:
        fallback = ("openai/text-embedding-3-large", "openai/gpt-4o")
        async with serve(used_up) as server, opened(tmp_path, server, fallback=fallback) as ownkey:
            ready(ownkey, server, "openai")
            with pytest.raises(QuotaExceeded):
                await ownkey.embed("a", "openai/text-embedding-3-small")
            assert len(server.requests) == 1
            with pytest.raises(InvalidRequest):
                await ownkey.embed("a", "auto")

    asyncio.run(main())


def test_the_key_goes_to_its_own_origin_only(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(says_openai) as server, serve(says_openai) as other:
            allowed = (("127.0.0.1", server.port), ("127.0.0.1", other.port))
            async with opened(tmp_path, server, allow_private_hosts=allowed) as ownkey:
                with pytest.raises(KeyMissing):
                    await ownkey.embed("a", "openai/text-embedding-3-small")
                ready(ownkey, server, "openai")
                ownkey.providers.set("openai", endpoint=f"http://127.0.0.1:{other.port}/v1")
                with pytest.raises(KeyProblem):
                    await ownkey.embed("a", "openai/text-embedding-3-small")
                assert other.requests == server.requests == []

    asyncio.run(main())


def test_what_a_provider_lacks_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(says_openai) as server, opened(tmp_path, server) as ownkey:
            ready(ownkey, server, "anthropic")
            with pytest.raises(Unsupported, match="Anthropic has no embeddings"):
                await ownkey.embed("a", "anthropic/claude-sonnet-4-5")
            ask = read_media_ask("speech", b'{"model":"anthropic/claude-sonnet-4-5"}', b"application/json")
            call = Call(new_id(), ownkey.owner, ask.model, MediaWork(ask))
            with pytest.raises(Unsupported, match="Anthropic has no speech"):
                await ownkey.house.engine.call(call)
            assert server.requests == []

    asyncio.run(main())


def test_moderations_of_the_shipped_provider_are_free(tmp_path: Path) -> None:
    async def main() -> None:
        async def script(peer: Peer) -> None:
            request = await peer.request()
            assert request.target == "/v1/moderations"
            await peer.send(answer(b'{"results":[{"flagged":false}]}', 200, "content-type: application/json"))

        async with serve(script) as server, opened(tmp_path, server) as ownkey:
            ready(ownkey, server, "openai")
            body = b'{"model":"openai/omni-moderation-latest","input":"a"}'
            ask = read_media_ask("moderations", body, b"application/json")
            passed = await ownkey.house.engine.call(Call(new_id(), ownkey.owner, ask.model, MediaWork(ask)))
            assert passed.receipt.cost is not None
            assert passed.receipt.cost.nano_usd == 0

    asyncio.run(main())


def test_half_a_character_is_no_text(tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(says_openai) as server, opened(tmp_path, server) as ownkey:
            ready(ownkey, server, "openai")
            for texts, options in (("\ud800", {}), ([], {}), ("a", {"dimensions": 0})):
                with pytest.raises(InvalidRequest):
                    await ownkey.embed(texts, "openai/text-embedding-3-small", **options)
            assert server.requests == []

    asyncio.run(main())
