"""The system's resolver, which nothing waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from house import until
from ownkey.talk.errors import NetworkError
from ownkey.transport.lookup import MOST_AT_ONCE, system_resolver
from watch import Watch, watching


class Slow:
    """A DNS that answers when it is told to."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.go = threading.Event()

    def __call__(self, name: str) -> Sequence[str]:
        self.go.wait(20)
        return self.answers


def ended() -> bool:
    return not any(thread.name == "ownkey-dns" for thread in threading.enumerate())


async def all_asked(watch: Watch, count: int) -> None:
    await asyncio.to_thread(until, lambda: len(watch.asked) >= count)


def test_this_machines_own_name_is_found() -> None:
    found = asyncio.run(system_resolver("localhost", 80))
    assert "127.0.0.1" in found
    assert len(set(found)) == len(found)


def test_addresses_keep_their_order_and_come_once() -> None:
    with watching(lambda _: ["10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1"]):
        assert asyncio.run(system_resolver("a.test", 80)) == ["10.0.0.2", "10.0.0.1", "fd00::1"]


def test_a_name_that_is_not_there_or_is_none_is_an_OSError() -> None:
    with watching(lambda _: []), pytest.raises(OSError):
        asyncio.run(system_resolver("a.test", 80))
    for name in ("a" * 70 + ".test", ".."):
        with pytest.raises(OSError):
            asyncio.run(system_resolver(name, 80))


def test_those_who_ask_for_one_name_at_once_share_one_question_on_a_thread_that_holds_up_no_end() -> None:
    dns = Slow("10.0.0.1")

    async def main(watch: Watch) -> None:
        asking = [asyncio.create_task(system_resolver("a.test", 80)) for _ in range(5)]
        await all_asked(watch, 1)
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "ownkey-dns"]
        assert thread.daemon
        dns.go.set()
        assert await asyncio.gather(*asking) == [["10.0.0.1"]] * 5
        assert watch.asked == ["a.test"]
        assert await system_resolver("a.test", 80) == ["10.0.0.1"]
        assert watch.asked == ["a.test"] * 2

    with watching(dns) as watch:
        asyncio.run(main(watch))
    until(ended)


def test_a_dns_that_does_not_answer_holds_64_names_and_no_more() -> None:
    dns = Slow("10.0.0.1")

    async def main(watch: Watch) -> None:
        asking = [asyncio.create_task(system_resolver(f"{number}.test", 80)) for number in range(64)]
        await all_asked(watch, 64)
        with pytest.raises(NetworkError, match=r"more\.test is not looked up"):
            await system_resolver("more.test", 80)
        asking.append(asyncio.create_task(system_resolver("0.test", 80)))
        await asyncio.sleep(0)
        dns.go.set()
        assert await asyncio.gather(*asking) == [["10.0.0.1"]] * 65
        assert await system_resolver("more.test", 80) == ["10.0.0.1"]

    assert MOST_AT_ONCE == 64
    with watching(dns) as watch:
        asyncio.run(main(watch))
    until(ended)


def test_an_answer_for_one_who_no_longer_waits_troubles_nobody() -> None:
    dns = Slow("10.0.0.1")
    troubles: list[object] = []

    async def main(watch: Watch) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        gone, waits = [asyncio.create_task(system_resolver("a.test", 80)) for _ in range(2)]
        await all_asked(watch, 1)
        gone.cancel()
        await asyncio.sleep(0)
        dns.go.set()
        assert await waits == ["10.0.0.1"]
        with pytest.raises(asyncio.CancelledError):
            await gone

    with watching(dns) as watch:
        asyncio.run(main(watch))
    assert troubles == []
    until(ended)


def test_an_answer_after_its_loop_was_closed_troubles_nobody() -> None:
    dns = Slow("10.0.0.1")
    troubles: list[object] = []
    before, threading.excepthook = threading.excepthook, troubles.append

    async def main(watch: Watch) -> None:
        asyncio.create_task(system_resolver("a.test", 80)).add_done_callback(lambda _: None)
        await all_asked(watch, 1)

    try:
        with watching(dns) as watch:
            asyncio.run(main(watch))
            dns.go.set()
            until(ended)
            assert asyncio.run(system_resolver("a.test", 80)) == ["10.0.0.1"]
    finally:
        threading.excepthook = before
    assert troubles == []
