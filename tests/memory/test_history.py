"""Chats are kept only where somebody wants that, sealed, and as they were: to be found, taken along and deleted."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from house import Simulator, environment, run, until
from matrix import IN, PNG
from ownkey.app.history import Kept
from ownkey.engine.said import MOST_CHARACTERS
from ownkey.talk.errors import InvalidRequest, NotFound, VaultSealed
from ownkey.vault.rotate import Turn
from remembering import Remembering, remembering

SECRET = "xylophone parliament"


@pytest.fixture
def house(simulator: Simulator, tmp_path: Path) -> Iterator[Remembering]:
    with remembering(tmp_path / "home", simulator) as made:
        yield made


@pytest.fixture(scope="module")
def keeping(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    """Ann keeps her chats, Ben does not."""
    with remembering(tmp_path_factory.mktemp("history") / "home", simulator) as made:
        made.of("a").history.on()
        yield made


def newest(house: Remembering, who: str = "a") -> Kept:
    """Once nothing is under way any more."""
    house.here.settle(idle=True)
    return house.of(who).history.page(limit=1).entries[0]


def test_nothing_is_kept_by_default(house: Remembering) -> None:
    house.texts("a", "openai-chat", {"say": SECRET})
    assert house.of("a").history.count() == 0
    with house.sql() as sql:
        assert sql.execute("SELECT count(*) FROM history").fetchone() == (0,)
        assert sql.execute("SELECT count(*) FROM keys WHERE owner LIKE 'memory:%'").fetchone() == (0,)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("wire", IN)
def test_what_was_asked_and_what_the_client_got_are_kept(keeping: Remembering, wire: str, streamed: bool) -> None:
    answer, told = keeping.texts("a", wire, {"say": f"Say 7 words of {SECRET}", "system": "Be.", "stream": streamed})
    kept = newest(keeping)
    assert kept.id == answer.headers["x-request-id"]
    entry = kept.entry
    assert entry is not None
    assert (entry.text, entry.provider, entry.model) == (told.text, keeping.provider, "gpt-4o")
    assert [said.text for said in entry.messages if said.role == "user"] == [f"Say 7 words of {SECRET}"]
    assert (entry.asked, entry.whole, entry.cached, entry.error, entry.finish) == (
        keeping.model,
        True,
        False,
        None,
        "stop",
    )
    assert abs(kept.at_ms - time.time() * 1000) < 60_000
    keeping.here.settle()
    (row,) = [row for row in keeping.ownkey.house.store.book.rows(limit=1000) if row.request_id == kept.id]
    assert keeping.of("a").history.get(kept.id).cost_nano == row.cost_nano > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_of_tools_and_their_results_are_kept(keeping: Remembering, streamed: bool) -> None:
    keeping.texts("a", "openai-chat", {"say": "use tool get_weather", "tools": ["get_weather"], "stream": streamed})
    entry = newest(keeping).entry
    assert entry is not None
    assert [(piece.kind, piece.name) for piece in entry.answer if piece.kind == "tool_call"] == [
        ("tool_call", "get_weather")
    ]
    keeping.texts("a", "openai-chat", {"tools": ["get_weather"], "result": "It rains."})
    entry = newest(keeping).entry
    assert entry is not None
    kinds = {piece.kind: piece.text for said in entry.messages for piece in said.pieces}
    assert kinds["tool_result"] == "It rains."


def test_of_pictures_and_files_is_kept_which_they_were_and_not_they_themselves(keeping: Remembering) -> None:
    keeping.texts("a", "anthropic-messages", {"image": PNG})
    entry = newest(keeping).entry
    assert entry is not None
    (picture,) = [piece for said in entry.messages for piece in said.pieces if piece.kind == "image"]
    assert (picture.media_type, picture.bytes, len(picture.sha256 or "")) == ("image/png", 70, 64)
    assert PNG[20:40] not in msgspec.json.encode(entry).decode()


def test_a_chat_that_is_too_long_loses_its_oldest_messages_and_says_so(keeping: Remembering) -> None:
    long = "lorem ipsum " * (MOST_CHARACTERS // 12 + 1)
    keeping.texts("a", "openai-chat", {"system": "the very first", "say": long})
    entry = newest(keeping).entry
    assert entry is not None
    assert entry.left_out == 1
    assert sum(piece.cut for said in entry.messages for piece in said.pieces) > 0
    assert sum(len(piece.text) for said in entry.messages for piece in said.pieces) <= MOST_CHARACTERS


def test_a_request_in_words_that_only_the_clients_wire_knows_is_kept_too(keeping: Remembering) -> None:
    keeping.texts("a", "openai-chat", {"say": "with probabilities", "logprobs": True})
    assert len(keeping.of("a").history.search("with probabilities").entries) == 1


def test_an_answer_from_the_cache_is_kept_as_such(keeping: Remembering) -> None:
    asked = {"say": "Say 3 words, and then again"}
    keeping.texts("a", "openai-chat", asked, cache="on")
    _, told = keeping.texts("a", "openai-chat", asked, cache="on")
    again, first = keeping.of("a").history.page(limit=2).entries
    assert first.entry is not None
    assert again.entry is not None
    assert (first.entry.cached, again.entry.cached) == (False, True)
    assert (again.cost_nano, again.entry.text) == (0, told.text)


def test_an_answer_that_broke_off_is_kept_as_far_as_it_came(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator, fault="cut=6", retries=0) as house:
        house.of("a").history.on()
        house.ask("a", "openai-chat", {"say": "Say 50 words", "stream": True})
        entry = newest(house).entry
        assert entry is not None
        assert (entry.whole, entry.error) == (False, "upstream_cut")
        assert entry.text
        assert house.ask("a", "openai-chat", {"say": "Say 50 words"}).status >= 500
        house.here.settle(idle=True)
        assert house.of("a").history.count() == 1


def test_a_client_that_hangs_up_has_what_it_got_in_its_history(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator, fault="chunk-delay=0.05") as house:
        house.of("a").history.on()
        house.leave("a", {"say": "Say 50 words", "stream": True}, {})
        kept = until(lambda: house.of("a").history.page().entries)[0]
        assert kept.entry is not None
        assert (kept.entry.whole, kept.entry.error) == (False, None)
        assert 0 < len(kept.entry.text.split()) < 50


def test_the_library_keeps_what_it_asked(keeping: Remembering) -> None:
    mine = keeping.of("a")

    async def ask() -> str:
        reply = await mine.chat("Say 4 words for the library", keeping.model)
        async for _ in mine.stream("Say 4 words for the stream", keeping.model):
            pass
        return reply.text

    text = keeping.here.run(ask())
    streamed, whole = mine.history.page(limit=2).entries
    assert whole.entry is not None
    assert streamed.entry is not None
    assert whole.entry.text == text
    assert streamed.entry.messages[0].text == "Say 4 words for the stream"


def test_A05_nobody_sees_what_somebody_else_keeps(keeping: Remembering) -> None:
    keeping.texts("a", "openai-chat", {"say": f"for nobody else {SECRET}"})
    mine, theirs = keeping.of("a").history, keeping.of("b").history
    kept = newest(keeping)
    assert mine.get(kept.id) == kept
    assert (theirs.count(), theirs.page().entries, theirs.search(SECRET).entries) == (0, [], [])
    assert list(theirs.export()) == []
    for do in (theirs.get, theirs.delete):
        with pytest.raises(NotFound):
            do(kept.id)
    assert theirs.clear() == 0
    assert mine.get(kept.id) == kept


def test_switched_off_it_stops_at_once_also_for_what_is_under_way(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator, fault="chunk-delay=0.1") as house:
        mine = house.of("a").history
        mine.on()

        async def ask() -> None:
            stream = house.of("a").stream("Say 5 words", house.model)
            await anext(stream)
            mine.off()
            async for _ in stream:
                pass

        house.here.run(ask())
        assert mine.count() == 0
        house.texts("a", "openai-chat", {"say": "Say 2 words"})
        assert mine.count() == 0


def test_a_text_is_found_whatever_its_case_in_questions_answers_and_tools(house: Remembering) -> None:
    mine = house.of("a").history
    mine.on()
    house.texts("a", "openai-chat", {"say": "Wie groß ist STRASSBURG?"})
    house.texts("a", "openai-chat", {"say": "use tool get_weather", "tools": ["get_weather"]})
    _, told = house.texts("a", "openai-chat", {"say": "Say 9 words"})
    word = told.text.split()[-1]

    def found(text: str) -> int:
        return len(mine.search(text).entries)

    assert [found(text) for text in ("straßburg", "Strassb", "groß ist", "GET_WEATHER", "nothing of that")] == [
        1,
        1,
        1,
        1,
        0,
    ]
    assert found(word) >= 1
    for wrong in ("", "  ", "x" * 201):
        with pytest.raises(InvalidRequest):
            mine.search(wrong)


def test_pages_lead_from_the_newest_to_the_oldest_and_leave_nothing_out(house: Remembering) -> None:
    mine = house.of("a").history
    mine.on()
    for number in range(7):
        house.texts("a", "openai-chat", {"say": f"Say 2 words, number {number}{' even' if number % 2 == 0 else ''}"})
    for text in (None, "number"):
        ids: list[str] = []
        before: str | None = None
        while True:
            page = mine.page(before, 3) if text is None else mine.search(text, before, 3)
            ids += [kept.id for kept in page.entries]
            before = page.next
            if before is None:
                break
        assert len(ids) == len(set(ids)) == 7
        assert ids == sorted(ids, reverse=True)
    assert len(mine.search("even").entries) == 4
    for wrong in ("", "x", "1", "1.2.3/4"):
        with pytest.raises(InvalidRequest):
            mine.page(wrong)


def test_one_is_deleted_the_old_ones_or_all(house: Remembering) -> None:
    mine = house.of("a").history
    mine.on()
    for number in range(4):
        house.texts("a", "openai-chat", {"say": f"Say 2 words, number {number}"})
    first = mine.page().entries[0]
    mine.delete(first.id)
    with pytest.raises(NotFound):
        mine.get(first.id)
    with house.sql() as sql:
        day_ago = int(time.time() * 1000) - 86_400_000
        sql.execute("UPDATE history SET at_ms = ? WHERE id = ?", (day_ago - 60_000, mine.page().entries[0].id))
    assert (mine.clear(1), mine.count()) == (1, 2)
    assert (mine.clear(), mine.count()) == (2, 0)


def test_what_is_over_its_days_is_not_shown_and_goes(house: Remembering) -> None:
    mine = house.of("a").history
    mine.on(30)
    for number in range(2):
        house.texts("a", "openai-chat", {"say": f"Say 2 words, number {number}"})
    house.here.settle(idle=True)
    new, old = mine.page().entries
    with house.sql() as sql:
        sql.execute("UPDATE history SET at_ms = at_ms - 31 * 86400000 WHERE id = ?", (old.id,))
        assert [kept.id for kept in mine.page().entries] == [new.id]
        assert mine.search("number").entries == [new]
        with pytest.raises(NotFound):
            mine.get(old.id)
        house.ownkey.house.open()
        assert sql.execute("SELECT count(*) FROM history").fetchone() == (1,)


def test_V02_an_entry_that_was_altered_or_put_in_anothers_place_is_said_to_be_so(house: Remembering) -> None:
    mine = house.of("a").history
    mine.on()
    for number in range(2):
        house.texts("a", "openai-chat", {"say": f"Say 2 words, number {number}"})
    one, two = mine.page().entries
    with house.sql() as sql:
        sql.execute(
            "UPDATE history SET sealed = (SELECT sealed FROM history WHERE id = ?) WHERE id = ?", (one.id, two.id)
        )
        sql.execute("UPDATE history SET sealed = zeroblob(300) WHERE id = ?", (one.id,))
    for kept in mine.page().entries:
        assert (kept.entry, kept.lost) == (None, "key_unreadable")
    assert mine.search("number").entries == []


def test_while_the_vault_is_sealed_nothing_is_shown_and_it_is_said_why(house: Remembering) -> None:
    mine = house.of("a").history
    mine.on()
    house.texts("a", "openai-chat", {"say": "Say 2 words"})
    house.ownkey.vault.seal()
    try:
        for do in (mine.page, lambda: mine.search("words"), lambda: list(mine.export())):
            with pytest.raises(VaultSealed):
                do()
        mine.off()
        assert mine.clear() == 1
    finally:
        house.ownkey.vault.unseal()


def test_what_finds_the_vault_sealed_says_that_it_could_not_be_kept(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator, fault="chunk-delay=0.1") as house:
        mine = house.of("a").history
        mine.on()

        async def ask() -> None:
            stream = house.of("a").stream("Say 5 words", house.model)
            await anext(stream)
            await asyncio.to_thread(house.ownkey.vault.seal)
            async for _ in stream:
                pass

        house.here.run(ask())
        house.ownkey.house.memory.settle()
        house.ownkey.vault.unseal()
        (kept,) = mine.page().entries
        assert (kept.entry, kept.lost) == (None, "vault_sealed")


def test_another_root_key_takes_over_and_everything_still_opens(house: Remembering) -> None:
    mine = house.of("a")
    mine.history.on()
    house.texts("a", "openai-chat", {"say": SECRET}, cache="on")
    house.here.settle(idle=True)
    before = mine.history.page().entries
    vault = house.ownkey.house.vault
    for _ in Turn(house.ownkey.house.store, house.ownkey.settings, vault.latch, shared_s=0.0).run():
        pass
    assert mine.history.page().entries == before
    assert house.texts("a", "openai-chat", {"say": SECRET}, cache="on")[0].headers["x-ownkey-cache"] == "hit"
    assert len(mine.history.search(SECRET).entries) == 2


def test_with_a_person_goes_all_that_is_remembered_and_what_opens_it(house: Remembering) -> None:
    for who in ("a", "b"):
        house.of(who).history.on()
        house.texts(who, "openai-chat", {"say": SECRET}, cache="on")
        assert house.of(who).history.count() == 1
        assert house.digests(who)
    house.ownkey.people.remove(house.ids["a"])
    with house.sql() as sql:
        for table in ("history", "cached", "memory_terms", "keys"):
            rows = {row[0] for row in sql.execute(f"SELECT owner FROM {table}")}
            assert not any(house.ids["a"] in owner for owner in rows), table
            assert any(house.ids["b"] in owner for owner in rows), table
    assert house.of("b").history.count() == 1


def test_what_was_under_way_when_a_person_went_is_not_kept(simulator: Simulator, tmp_path: Path) -> None:
    with remembering(tmp_path / "home", simulator, fault="chunk-delay=0.1") as house:
        mine = house.of("a")
        mine.history.on()

        async def ask() -> None:
            stream = mine.stream("Say 5 words", house.model, cache=True)
            await anext(stream)
            await asyncio.to_thread(house.ownkey.people.remove, house.ids["a"])
            async for _ in stream:
                pass

        house.here.run(ask())
        house.ownkey.house.memory.settle()
        with house.sql() as sql:
            for table in ("history", "cached"):
                assert sql.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_nothing_of_it_stands_on_the_disk_in_the_clear(house: Remembering) -> None:
    house.of("a").history.on()
    for streamed in (False, True):
        _, told = house.texts("a", "openai-chat", {"say": f"Say 30 words, {SECRET}", "stream": streamed}, cache="on")
    assert house.of("a").history.search(SECRET).entries
    assert len(house.digests("a")) == 1
    house.here.settle()
    files = [path for path in house.ownkey.settings.home.rglob("*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    looked_for = [SECRET, told.text[:40], SECRET.split()[0], json.dumps(SECRET)[1:-1]]
    for path in files:
        content = path.read_bytes()
        for text in looked_for:
            assert text.encode() not in content, path
            assert text.encode("utf-16-le") not in content, path


def test_a_file_of_everything_is_readable_and_whole(house: Remembering, tmp_path: Path) -> None:
    mine = house.of("a").history
    mine.on()
    for number in range(3):
        house.texts("a", "openai-chat", {"say": f"Say 2 words, number {number}"})
    told: list[dict[str, Any]] = [json.loads(msgspec.json.encode(kept)) for kept in mine.export()]
    assert [one["entry"]["messages"][0]["pieces"][0]["text"][-1] for one in told] == ["2", "1", "0"]


@pytest.fixture
def env(house: Remembering) -> dict[str, str]:
    private = f"127.0.0.1:{house.here.gateway.simulator.port}"
    return environment(house.ownkey.settings.home, OWNKEY_ALLOW_PRIVATE_HOSTS=private)


def told(env: dict[str, str], *arguments: str) -> str:
    done = run(env, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.row("C4")
def test_the_command_keeps_finds_shows_and_deletes(house: Remembering, env: dict[str, str], tmp_path: Path) -> None:
    assert "90 days" in told(env, "history", "on", "--days", "90")
    told(env, "chat", f"Say 3 words of {SECRET}", "--model", house.model)
    (kept,) = json.loads(told(env, "history", "list", "--json"))
    assert kept["id"] in told(env, "history", "search", SECRET.upper())
    assert SECRET in told(env, "history", "show", kept["id"])
    file = tmp_path / "history.jsonl"
    assert "1 chats" in told(env, "history", "export", str(file))
    assert json.loads(file.read_text())["id"] == kept["id"]
    assert file.stat().st_mode & 0o077 == 0
    told(env, "history", "delete", kept["id"])
    assert told(env, "history", "off") == "Nothing is kept from now on.\n"


@pytest.mark.row("C14")
def test_the_command_gives_answers_again_and_counts_them(house: Remembering, env: dict[str, str]) -> None:
    assert "60 s" in told(env, "cache", "on", "--ttl", "60")
    for _ in range(2):
        told(env, "chat", "Say 3 words", "--model", house.model)
    stats = json.loads(told(env, "cache", "stats", "--json"))
    assert (stats["ttl_s"], stats["held"]["answers"], stats["saved"]["hits"]) == (60, 1, 1)
    assert "The cache gave 1 answer again" in told(env, "usage")
    assert "1 answers" in told(env, "cache", "clear")
