"""Tests for those who bring a wire or a provider: pytest classes to inherit from. It needs pytest and nothing else.

class TestAcme(WireConformance):
    wire = "acme"
    replies = [Path("whole.json").read_bytes()]
    streams = [Path("stream.txt").read_bytes()]
    refusals = [(401, b'{"error": "bad key"}', InvalidCredentials)]

class TestAcmeAtItsAddress(ProviderConformance):
    manifest = Path("acme.toml")
    wires = ["acme"]
    key = os.environ["ACME_API_KEY"]

class TestThisSystemsKeychain(KeychainConformance):
    pass
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from ownkey.app.conformance import Conformance, Finding
from ownkey.app.ownkey import Ownkey
from ownkey.catalog.manifest import Quirks
from ownkey.catalog.read import Problem, read_manifest
from ownkey.talk.chat import Chat, Message, Text, Tool, ToolCall, ToolResult, system, user
from ownkey.talk.errors import OwnkeyError, ProviderError
from ownkey.talk.reply import Event, Reply, collect
from ownkey.vault.keychain import Backend, Keychain, backend
from ownkey.wires.wire import Wire, wire, wire_names

_TOOL = Tool("look", "Looks something up.", {"type": "object", "properties": {"what": {"type": "string"}}})
_CALL = ToolCall("call_1", "look", '{"what":"it"}')
_CHATS: dict[str, Chat] = {
    "text": Chat((user("Hello. Ünïcode ✓."),)),
    "instructions": Chat((system("Be brief."), user("Hello."))),
    "turns": Chat((user("One."), Message("assistant", (Text("Two."),)), user("Three."))),
    "tools": Chat((user("Look it up."),), tools=(_TOOL,)),
    "a tool's result": Chat(
        (
            user("Look it up."),
            Message("assistant", (_CALL,)),
            Message("tool", (ToolResult("call_1", (Text("found"),), "look"),)),
        ),
        tools=(_TOOL,),
    ),
}


class WireConformance:
    """What every wire keeps. `replies` and `streams` are whole bodies as the provider sends them, `refusals` its
    errors: status, body, and the class that it has to become."""

    wire: ClassVar[str]
    replies: ClassVar[Sequence[bytes]] = ()
    streams: ClassVar[Sequence[bytes]] = ()
    refusals: ClassVar[Sequence[tuple[int, bytes, type[ProviderError]]]] = ()
    quirks: ClassVar[Quirks] = Quirks()

    @property
    def spoken(self) -> Wire:
        return wire(self.wire)

    def test_it_has_its_name_and_the_paths_that_every_wire_has(self) -> None:
        assert self.spoken.name == self.wire
        assert {"chat", "stream", "models"} <= self.spoken.paths.keys()

    @pytest.mark.parametrize("name", _CHATS)
    def test_a_chat_becomes_a_body_in_json(self, name: str) -> None:
        for stream in (False, True):
            written = self.spoken.write_request(
                _CHATS[name], "model-1", stream=stream, max_output=100, quirks=self.quirks
            )
            assert isinstance(msgspec.json.decode(written.body), dict)

    def test_every_whole_answer_is_read(self) -> None:
        for body in self.replies:
            reply = self.spoken.read_reply(body)
            assert reply.parts, "an answer without anything in it"
            assert reply.finish.raw is not None, "an answer without a reason to finish"

    def test_a_stream_cut_anywhere_gives_the_same_answer(self) -> None:
        for body in self.streams:
            whole = self._read([body])
            assert whole.parts, "a stream without anything in it"
            for at in range(1, len(body)):
                assert self._read([body[:at], body[at:]]) == whole, f"cut after {at} bytes"
            assert self._read([body[at : at + 1] for at in range(len(body))]) == whole, "byte by byte"

    def test_a_stream_that_breaks_off_never_looks_whole(self) -> None:
        for body in self.streams:
            with pytest.raises(ProviderError):
                self._read([body[: len(body) // 2]])

    def test_what_is_no_answer_is_an_error_of_the_providers(self) -> None:
        for body in (b"", b"<html></html>", b"[]", b"{", b"null", b"\xff"):
            with pytest.raises(ProviderError):
                self.spoken.read_reply(body)

    def test_every_refusal_is_the_error_that_it_is(self) -> None:
        for status, body, expected in (*self.refusals, (500, b"<html>", ProviderError), (429, b"", ProviderError)):
            error = self.spoken.read_error(status, {}, body)
            assert isinstance(error, expected), f"status {status} became {type(error).__name__}"
            assert error.message
            assert error.hint

    def _read(self, pieces: Sequence[bytes]) -> Reply:
        reader = self.spoken.reader()
        events: list[Event] = []
        for piece in pieces:
            events += reader.feed(piece)
        return collect([*events, *reader.close()])


class ProviderConformance:
    """`ownkey providers check` as tests: a provider's file against its real address.

    `key` is kept nowhere; `wires` names the wires of other packages that the file needs; `model` is the provider's
    default where none is named. Where the price of the model is not known, `price_accepted` says that it may be asked
    all the same.
    """

    manifest: ClassVar[Path]
    key: ClassVar[str | None] = None
    wires: ClassVar[Sequence[str]] = ()
    model: ClassVar[str | None] = None
    price_accepted: ClassVar[bool] = False

    def test_the_key_is_taken(self) -> None:
        self._check("key")

    def test_models_are_listed(self) -> None:
        self._check("models")

    def test_a_chat_is_answered(self) -> None:
        self._check("chat")

    def test_a_stream_comes_in_pieces_and_ends(self) -> None:
        self._check("stream")

    def test_tokens_are_told(self) -> None:
        self._check("usage")

    def test_a_tool_is_called_and_its_result_is_answered(self) -> None:
        self._check("tools")

    def test_json_keeps_to_its_schema(self) -> None:
        self._check("json")

    def test_a_model_that_does_not_exist_is_a_clear_error(self) -> None:
        self._check("errors")

    def _check(self, name: str) -> None:
        finding = asyncio.run(self._find(name))
        if finding.state == "left out":
            pytest.skip(finding.says)
        assert finding.state == "ok", finding.says

    async def _find(self, name: str) -> Finding:
        data = self.manifest.read_bytes()
        found = read_manifest(data, self.manifest.name, wires=wire_names(self.wires))
        assert not isinstance(found, Problem), str(found)
        with tempfile.TemporaryDirectory(prefix="ownkey-conformance-") as home:
            async with Ownkey(
                home, keychain=False, database_url=f"sqlite:///{home}/ownkey.db", wires=self.wires
            ) as ownkey:
                ownkey.providers.add(data, self.manifest.name)
                if self.key is not None:
                    ownkey.keys.set(found.id, self.key)
                try:
                    return await Conformance(ownkey, found.id, self.model, price_accepted=self.price_accepted).check(
                        name
                    )
                except OwnkeyError as error:
                    return Finding(name, "failed", str(error))


class KeychainConformance:
    """What a keychain keeps to whose care a root key is given; Ownkey's own run on a system that has it.

    What is written is removed again.
    """

    def choose(self) -> Backend | None:
        """A backend of keyring's form: without one of your own, the one that Ownkey takes on this system."""
        return backend()

    @pytest.fixture
    def chain(self) -> Keychain:
        chain = Keychain(self.choose)
        if not chain.there:
            pytest.skip("this system has no keychain that can be used")
        return chain

    @pytest.fixture
    def name(self, chain: Keychain) -> Iterator[str]:
        name = f"root/conformance/{secrets.token_hex(8)}"
        yield name
        if chain.read(name) is not None:
            chain.remove(name)

    def test_a_root_key_comes_out_as_it_went_in(self, chain: Keychain, name: str) -> None:
        for raw in (bytes(32), bytes(range(32)), bytes(range(224, 256)), b"\xff" * 32, secrets.token_bytes(32)):
            chain.write(name, raw)
            assert Keychain(self.choose).read(name) == raw

    def test_what_was_removed_is_gone_and_what_never_was_is_nothing(self, chain: Keychain, name: str) -> None:
        assert chain.read(name) is None
        chain.write(name, bytes(range(32)))
        chain.remove(name)
        assert chain.read(name) is None

    def test_entries_beside_each_other_do_not_touch(self, chain: Keychain, name: str) -> None:
        other = f"{name}0"
        chain.write(name, b"1" * 32)
        chain.write(other, b"2" * 32)
        assert (chain.read(name), chain.read(other)) == (b"1" * 32, b"2" * 32)
        chain.remove(other)
        assert chain.read(name) == b"1" * 32

    def test_it_is_one_that_encrypts_what_it_keeps(self, chain: Keychain) -> None:
        kind = type(self.choose())
        assert not kind.__module__.startswith(("keyring.backends.null", "keyring.backends.fail"))
        assert not kind.__module__.startswith(("keyring.backends.chainer", "keyrings.alt"))
