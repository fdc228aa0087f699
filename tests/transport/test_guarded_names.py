"""What the guard says of a name, how often it asks for its addresses, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from ownkey.talk.errors import EndpointNotAllowed, NetworkError
from ownkey.transport.guard import Guard
from standing_clock import StandingClock, on_clock

PUBLIC = "93.184.215.14"
PUBLIC_V6 = "2606:4700::1111"


class Names:
    """A resolver that counts."""

    def __init__(self, *answers: str) -> None:
        self.answers = answers
        self.asked: Counter[tuple[str, int]] = Counter()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked[host, port] += 1
        return self.answers


def test_E08_a_name_is_looked_up_anew_after_20_seconds_and_not_before() -> None:
    names = Names(PUBLIC)

    async def main(clock: StandingClock) -> None:
        guard = Guard(resolve=names)
        for _ in range(3):
            assert await guard.addresses("a.test", 443, tls=True) == (PUBLIC,)
        await clock.leap(19.5)
        assert await guard.addresses("a.test", 443, tls=True) == (PUBLIC,)
        assert names.asked["a.test", 443] == 1
        await clock.leap(0.5)
        assert await guard.addresses("a.test", 443, tls=True) == (PUBLIC,)
        assert names.asked["a.test", 443] == 2

    on_clock(main)


def test_E08_what_is_known_of_a_name_is_checked_at_each_question() -> None:
    allowed = [("box.lan", 80)]
    names = Names("10.0.0.1")

    async def main() -> None:
        guard = Guard(allowed, names)
        assert await guard.addresses("box.lan", 80, tls=False) == ("10.0.0.1",)
        allowed.clear()
        for tls in (True, False):
            with pytest.raises(EndpointNotAllowed):
                await guard.addresses("box.lan", 80, tls=tls)

    asyncio.run(main())


def test_a_place_of_which_no_address_answered_is_looked_up_anew_and_another_is_not() -> None:
    names = Names(PUBLIC)

    async def main() -> None:
        guard = Guard(resolve=names)
        for port in (443, 8443):
            await guard.addresses("a.test", port, tls=True)
        guard.forget("a.test", 443)
        guard.forget("never-asked.test", 443)
        for port in (443, 8443):
            await guard.addresses("a.test", port, tls=True)
        assert names.asked == {("a.test", 443): 2, ("a.test", 8443): 1}

    asyncio.run(main())


def test_1024_names_are_remembered_and_no_more() -> None:
    """Whoever thinks up names gets no memory for them."""
    names = Names(PUBLIC)

    async def main(clock: StandingClock) -> None:
        guard = Guard(resolve=names)
        for number in range(1024):
            await guard.addresses(f"{number}.test", 443, tls=True)
        for number in (0, 1023):
            await guard.addresses(f"{number}.test", 443, tls=True)
        assert set(names.asked.values()) == {1}
        await guard.addresses("one-more.test", 443, tls=True)
        await guard.addresses("one-more.test", 443, tls=True)
        await guard.addresses("0.test", 443, tls=True)
        assert names.asked["one-more.test", 443] == 1
        assert names.asked["0.test", 443] == 2

    on_clock(main)


def test_E07_a_name_has_at_most_64_addresses() -> None:
    many = [f"93.184.215.{number}" for number in range(65)]
    assert asyncio.run(Guard(resolve=Names(*many[:64])).addresses("a.test", 443, tls=True)) == tuple(many[:64])
    with pytest.raises(NetworkError, match="too many addresses"):
        asyncio.run(Guard(resolve=Names(*many)).addresses("a.test", 443, tls=True))


@pytest.mark.parametrize("error", [OSError("no"), UnicodeError("no"), None])
def test_a_name_that_is_not_found_is_told(error: Exception | None) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if error is not None:
            raise error
        return ()

    with pytest.raises(NetworkError, match=r"a\.test was not found"):
        asyncio.run(Guard(resolve=resolve).addresses("a.test", 443, tls=True))


def test_a_resolver_that_is_too_slow_is_not_a_name_that_is_not_found() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        asyncio.run(Guard(resolve=resolve).addresses("a.test", 443, tls=True))


def test_an_address_is_not_looked_up() -> None:
    names = Names("10.0.0.1")
    for host in (PUBLIC, PUBLIC_V6):
        assert asyncio.run(Guard(resolve=names).addresses(host, 443, tls=True)) == (host,)
    assert not names.asked


def test_E11_a_place_is_allowed_in_whatever_case_it_was_written_and_only_with_its_port() -> None:
    guard = Guard([("Box.LAN", 80), ("other.lan", 81)])
    assert guard.allows("box.lan", 80)
    assert guard.allows("other.lan", 81)
    assert not guard.allows("box.lan", 81)
    assert not guard.allows("other.lan", 80)
    assert not Guard().allows("box.lan", 80)


@pytest.mark.parametrize(
    ("host", "place"), [("10.0.0.1", "10.0.0.1:8443"), ("::1", "[::1]:8443"), ("a.test", "a.test:8443")]
)
def test_E05_what_is_refused_says_what_to_add_to_the_settings(host: str, place: str) -> None:
    guard = Guard(resolve=Names("10.0.0.1"))
    for tls in (True, False):
        with pytest.raises(EndpointNotAllowed) as caught:
            asyncio.run(guard.addresses(host, 8443, tls=tls))
        assert caught.value.hint == f"If it is yours, add {place} to OWNKEY_ALLOW_PRIVATE_HOSTS."
        assert ("without TLS" in caught.value.message) is not tls


def test_without_tls_nothing_goes_to_the_public_internet_even_where_the_place_was_named() -> None:
    for answers in ((PUBLIC,), ("10.0.0.1", PUBLIC)):
        guard = Guard([("a.test", 80)], Names(*answers))
        with pytest.raises(EndpointNotAllowed, match="public internet"):
            asyncio.run(guard.addresses("a.test", 80, tls=False))
        assert asyncio.run(guard.addresses("a.test", 80, tls=True)) == answers


def test_E05_a_place_that_was_not_named_is_not_even_looked_up_without_tls() -> None:
    names = Names("10.0.0.1")
    with pytest.raises(EndpointNotAllowed):
        asyncio.run(Guard(resolve=names).addresses("a.test", 80, tls=False))
    assert not names.asked


def test_E07_one_metadata_address_among_others_refuses_a_name_that_was_named() -> None:
    guard = Guard([("box.lan", 80), ("169.254.169.254", 80)], Names("10.0.0.1", "169.254.169.254"))
    with pytest.raises(EndpointNotAllowed, match="metadata"):
        asyncio.run(guard.addresses("box.lan", 80, tls=False))
    assert asyncio.run(guard.addresses("169.254.169.254", 80, tls=False)) == ("169.254.169.254",)
