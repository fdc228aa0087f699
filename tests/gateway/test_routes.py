"""Routes as a client meets them: a name in place of a model, who is chosen for it, and the header that says why."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from browsing import signed_in
from canaries import canary
from house import KEYS, Answer, Gateway, Simulator, book_rows, gateway, library, until
from ownkey.routing.scope import scope_of

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = f"data:image/png;base64,{PIXEL}"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
ANY = '"chat", "stream", "tools", "json", "vision"'

_numbers = itertools.count(1)


@dataclass
class Routed:
    """A gateway with routes of one's own. What is set is seen within a second: names are never used twice."""

    gateway: Gateway

    def provider(
        self, fault: str = "", *, price: str = "1", does: str = ANY, context: int = 128_000, regions: str = "[]"
    ) -> str:
        """Write one at the simulator, with a model `m` of that price for a million tokens. Its name."""
        name = f"shop-{next(_numbers)}"
        fault = ";".join(filter(None, (fault, f"name={name}")))
        text = f"""
            id = "{name}"
            name = "{name}"
            kind = "local"
            wire = "openai-chat"
            base_url = "{self.gateway.simulator.url}/fault/{fault}/v1"
            default = "m"
            regions = {regions}
            [[models]]
            id = "m"
            context = {context}
            max_output = 4_096
            does = [{does}]
            price = {{ input = "{price}", output = "{price}" }}
        """
        (self.gateway.home / "providers" / f"{name}.toml").write_text(text)
        with library(self.gateway.home) as ownkey:
            ownkey.keys.set(name, KEYS["openai"])
        return name

    def route(self, *targets: str, **given: Any) -> str:
        name = f"route-{next(_numbers)}"
        with library(self.gateway.home) as ownkey:
            ownkey.routes.set(name, targets=[f"{one}/m" for one in targets], **given)
        return name

    def ask(self, model: str, say: str = "Hello", **fields: Any) -> Answer:
        return self.gateway.ask(model, say, **fields)

    def seen(self, provider: str) -> int:
        return len(self.gateway.simulator.seen(provider))


def who(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.headers["x-ownkey-provider"]


@pytest.fixture(scope="module")
def routed(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routed]:
    home = tmp_path_factory.mktemp("routes") / "home"
    with library(home):
        (home / "providers").mkdir()
    quick = {"OWNKEY_RETRY_DELAY_S": "0.01"}
    with gateway(home, simulator, **quick) as running:
        yield Routed(running)


@pytest.mark.row("D4")
@pytest.mark.row("A3")
@pytest.mark.parametrize("stream", [False, True])
def test_the_cheapest_is_asked_first_and_dearer_ones_when_it_fails(routed: Routed, stream: bool) -> None:
    dear, cheap, middle = (
        routed.provider(price="9"),
        routed.provider("status=503", price="1"),
        routed.provider(price="3"),
    )
    answer = routed.ask(routed.route(dear, cheap, middle, choose="cheapest"), stream=stream)
    assert who(answer) == middle
    assert (routed.seen(cheap), routed.seen(dear)) == (3, 0)
    assert f"; cheapest; {cheap}/m: $0.0005" in answer.headers["x-ownkey-route"]
    assert answer.headers["x-ownkey-route"].endswith("; 3 of 3 can")


@pytest.mark.row("A4")
@pytest.mark.parametrize(
    ("asked", "does"),
    [
        ({"tools": [TOOL]}, '"chat", "stream", "vision", "json"'),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}]},
            '"chat", "stream", "tools", "json"',
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}},
            '"chat", "stream", "tools", "vision"',
        ),
    ],
    ids=["tools", "pictures", "json"],
)
@pytest.mark.parametrize("choose", ["listed", "cheapest"])
def test_who_cannot_carry_the_request_is_not_asked(
    routed: Routed, asked: dict[str, Any], does: str, choose: str
) -> None:
    unable, able = routed.provider(price="1", does=does), routed.provider(price="5")
    route = routed.route(unable, able, choose=choose)
    assert who(routed.ask(route, **asked)) == able
    assert who(routed.ask(route)) == unable
    assert routed.seen(unable) == 1
    alone = routed.ask(routed.route(unable, choose=choose), **asked)
    assert (alone.status, alone.error["code"]) == (422, "unsupported")
    assert f"{unable}/m" in alone.error["message"]


def test_a_provider_that_was_just_added_stands_in_a_route_at_once(routed: Routed) -> None:
    there = routed.provider(price="5")
    assert who(routed.ask(routed.route(there))) == there
    added = routed.provider(price="1")
    assert who(routed.ask(routed.route(there, added, choose="cheapest"))) == added


def test_what_is_too_long_for_one_goes_to_one_that_takes_it(routed: Routed) -> None:
    small, large = routed.provider(price="1", context=2_000), routed.provider(price="5")
    route = routed.route(small, large, choose="cheapest")
    assert who(routed.ask(route, "word " * 5_000)) == large
    assert who(routed.ask(route, "word")) == small


@pytest.mark.row("C13")
def test_the_fastest_is_asked_once_it_was_measured(routed: Routed) -> None:
    slow, quick = routed.provider("first-token=1.5"), routed.provider("first-token=0.01")
    for _ in range(3):
        for name in (slow, quick):
            assert who(routed.ask(f"{name}/m", stream=True)) == name
    asked = [routed.ask(routed.route(slow, quick, choose="fastest"), stream=True) for _ in range(3)]
    assert [who(answer) for answer in asked] == [quick] * 3
    assert "first token " in asked[0].headers["x-ownkey-route"]


def test_what_a_route_excludes_is_asked_by_no_fallback_either(routed: Routed) -> None:
    down, there = routed.provider("status=503"), routed.provider()
    answer = routed.ask(routed.route(down, there, exclude=[there]))
    assert answer.status == 502
    assert routed.seen(there) == 0


def test_without_fallback_nobody_else_is_asked(routed: Routed) -> None:
    down, there = routed.provider("status=503"), routed.provider()
    assert routed.ask(routed.route(down, there, fallback=False, retries=1)).status == 502
    assert (routed.seen(down), routed.seen(there)) == (2, 0)


@pytest.mark.row("B15")
def test_a_route_has_its_own_number_of_tries_and_its_own_time(routed: Routed) -> None:
    down = routed.provider("status=503")
    assert routed.ask(routed.route(down, retries=0)).status == 502
    assert routed.seen(down) == 1
    silent, there = routed.provider("silence"), routed.provider()
    begun_s = time.monotonic()
    assert who(routed.ask(routed.route(silent, there, first_token_timeout_s=0.3), stream=True)) == there
    alone = routed.ask(routed.route(silent, total_s=0.5), stream=True)
    assert (alone.status, alone.error["code"]) == (504, "upstream_timeout")
    assert time.monotonic() - begun_s < 8


@pytest.mark.parametrize(("said", "carried"), [(None, True), ("yes", True), ("no", False)], ids=["unsaid", "yes", "no"])
def test_a_route_says_whether_a_broken_answer_goes_on_unless_who_asks_does(
    routed: Routed, said: str | None, carried: bool
) -> None:
    route = routed.route(routed.provider("cut=40"), routed.provider(), carry_on=True)
    headers = None if said is None else {"x-ownkey-carry-on": said}
    answer = routed.gateway.ask(route, "Say 60 words", headers=headers, stream=True)
    assert (b"[DONE]" in answer.body) is carried


def test_a_route_that_does_not_carry_on_can_be_asked_to(routed: Routed) -> None:
    route = routed.route(routed.provider("cut=40"), routed.provider(), carry_on=False)
    assert b"[DONE]" not in routed.gateway.ask(route, "Say 60 words", stream=True).body
    asked = routed.gateway.ask(route, "Say 60 words", headers={"x-ownkey-carry-on": "yes"}, stream=True)
    assert b"[DONE]" in asked.body


@pytest.mark.parametrize("asked", [{"n": 2}, {"logprobs": True}], ids=str)
def test_what_cannot_be_carried_on_is_not_and_goes_through_where_only_the_route_wants_it(
    routed: Routed, asked: dict[str, Any]
) -> None:
    well, cut, there = routed.provider(), routed.provider("cut=12"), routed.provider()
    goes, broken = (routed.route(first, there, carry_on=True) for first in (well, cut))
    answer = routed.gateway.ask(goes, stream=True, **asked)
    assert answer.status == 200, answer.body
    assert answer.events[-1] == "[DONE]"
    (sent,) = routed.gateway.simulator.seen(well)
    assert asked.items() <= json.loads(sent.body).items()
    assert b"[DONE]" not in routed.gateway.ask(broken, "Say 60 words", stream=True, **asked).body
    refused = routed.gateway.ask(broken, headers={"x-ownkey-carry-on": "yes"}, stream=True, **asked)
    assert (refused.status, refused.error["param"]) == (422, next(iter(asked)))
    assert routed.seen(there) == 0


def test_A24_a_route_leads_no_token_to_a_model_that_it_is_not_for(routed: Routed) -> None:
    cheap, allowed = routed.provider(price="1"), routed.provider("status=503", price="9")
    route = routed.route(cheap, allowed, choose="cheapest")
    with library(routed.gateway.home) as ownkey:
        for name, models in (("one", [f"{allowed}/m"]), ("none", ["nobody/else"])):
            scope = scope_of(models=models)
            _, token = ownkey.house.tokens.create(ownkey.owner, f"{name} {route}", scope=scope)
            own = {"Authorization": f"Bearer {token.reveal().decode()}"}
            for model in (route, "auto:cheap", "auto"):
                answer = routed.gateway.ask(model, headers=own)
                assert answer.status in (403, 502), answer.body
                if name == "none":
                    assert answer.error["code"] == "permission_denied"
    assert routed.seen(cheap) == 0


def test_a_route_has_a_name_on_every_wire(routed: Routed) -> None:
    there = routed.provider()
    route = routed.route(there)
    own = routed.gateway.own
    said = b'"max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]'
    message = b'{"model": "%b", %b}' % (route.encode(), said)
    anthropic = routed.gateway.send("POST", "/v1/messages", message, own)
    content = b'{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}'
    gemini = routed.gateway.send("POST", f"/v1beta/models/{route}:generateContent", content, own)
    assert [who(anthropic), who(gemini)] == [there, there]
    assert all(answer.headers["x-ownkey-route"].startswith(f"{route}; listed") for answer in (anthropic, gemini))


def test_a_route_is_asked_for_alone(routed: Routed) -> None:
    route = routed.route(routed.provider())
    answer = routed.ask(f"{route},demo")
    assert (answer.status, answer.error["param"]) == (422, "model")
    assert routed.ask("auto:nothing").status in (404, 422)


def test_what_is_learned_turns_from_one_that_fails_and_is_kept(routed: Routed) -> None:
    bad, good = routed.provider("status=503"), routed.provider()
    route = routed.route(bad, good, choose="learned", retries=0)
    answers = [routed.ask(route) for _ in range(30)]
    assert {who(answer) for answer in answers} == {good}
    assert routed.seen(bad) < 15
    assert "answers to short requests" in answers[-1].headers["x-ownkey-route"]
    thumb = f"/api/byok/usage/runs/{answers[-1].headers['x-request-id']}/thumb"
    said = signed_in(routed.gateway).post(thumb, {"up": True})
    assert (said.status, said.json) == (200, {"target": f"{good}/m", "up": True})


def test_learned_is_kept_over_a_new_start(simulator: Simulator, tmp_path: Any) -> None:
    home = tmp_path / "home"
    with library(home):
        (home / "providers").mkdir()
    with gateway(home, simulator) as running:
        first = Routed(running)
        good = first.provider()
        route = first.route(good, first.provider("status=503"), choose="learned", retries=0)
        for _ in range(5):
            assert who(first.ask(route)) == good
        running.stop()
    with library(home) as ownkey:
        known = ownkey.house.store.learned.of(ownkey.owner)
        assert known.kinds["short"][f"{good}/m"].weight > 4
        (row,) = [one for one in ownkey.routes.explain(route).candidates if one.name == f"{good}/m"]
        assert "over about 5 answers" in row.why


@pytest.mark.row("A5")
@pytest.mark.parametrize("stream", [False, True])
def test_where_the_network_is_gone_what_runs_here_answers(simulator: Simulator, tmp_path: Any, stream: bool) -> None:
    home = tmp_path / "home"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # it does not listen: whoever connects is refused
        port = nobody.getsockname()[1]
        with library(home) as ownkey:
            for name, version in (("openai", "v1"), ("gemini", "v1beta")):
                ownkey.providers.set(name, endpoint=f"http://127.0.0.1:{port}/{version}")
                ownkey.keys.set(name, KEYS[name])
        (home / "providers").mkdir()
        text = 'id = "here"\nname = "Here"\nkind = "local"\nwire = "ollama"\nfree = true\nkeys = { required = false }\n'
        text += f'base_url = "{simulator.url}/fault/name=here/api"\n[[models]]\nid = "small"\n'
        (home / "providers" / "here.toml").write_text(text)
        allowed = {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{port},127.0.0.1:{simulator.port}"}
        with gateway(home, simulator, **allowed, OWNKEY_RETRY_DELAY_S="0.01") as running:
            answer = running.ask("auto", stream=stream)
            assert who(answer) == "here"
            assert answer.headers["x-ownkey-route"] == "auto; listed; gemini/gemini-2.5-flash; 3 of 3 can"
            # From then on they rest, and nobody waits for them.
            begun_s = time.monotonic()
            assert who(running.ask("auto", stream=stream)) == "here"
            assert time.monotonic() - begun_s < 2
            assert running.ask("auto:local").headers["x-ownkey-attempts"] == "1"


@pytest.mark.row("A5")
@pytest.mark.parametrize("stream", [False, True])
def test_auto_asks_in_the_order_of_the_settings_and_ollama_at_once_while_the_network_is_gone(
    simulator: Simulator, tmp_path: Any, stream: bool
) -> None:
    home, clouds = tmp_path / "home", ["gemini", "deepseek", "openai", "anthropic"]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # it does not listen: whoever connects is refused
        port = nobody.getsockname()[1]
        with library(home) as ownkey:
            for name in clouds:
                ownkey.providers.set(name, endpoint=f"http://127.0.0.1:{port}/v1")
                ownkey.keys.set(name, KEYS.get(name) or canary(name, "sk-"))
            endpoint = f"{simulator.url}/fault/name=ollama/v1"
            ownkey.providers.set("ollama", endpoint=endpoint, default="llama3.2")
            ownkey.keys.set("ollama", KEYS["openai"])  # the simulator takes nothing without a key
        allowed = {"OWNKEY_ALLOW_PRIVATE_HOSTS": f"127.0.0.1:{port},127.0.0.1:{simulator.port}"}
        with gateway(home, simulator, **allowed, OWNKEY_RETRY_DELAY_S="0.01") as running:
            assert who(running.ask("auto", stream=stream)) == "ollama"
            running.rows("ollama")
            asked = [name for name, _ in itertools.groupby(row.provider for row in book_rows(home))]
            assert asked == [*clouds, "ollama"]
            # While all of them rest, nobody is asked before it.
            until(lambda: running.ask("auto", stream=stream).headers["x-ownkey-attempts"] == "1")


def test_for_vectors_a_route_is_asked_as_it_stands(routed: Routed) -> None:
    down, there = routed.provider("status=503"), routed.provider()
    own, body = routed.gateway.own, b'{"model": "%b", "input": "a"}'
    folder = routed.gateway.home / "providers"
    for name in (down, there):
        text = (folder / f"{name}.toml").read_text()
        (folder / f"{name}.toml").write_text(text.replace("[[models]]", "[speaks.openai-embeddings]\n[[models]]", 1))
    route = routed.route(down, there, choose="cheapest", retries=0)
    answer = routed.gateway.send("POST", "/v1/embeddings", body % route.encode(), own)
    assert (who(answer), answer.headers["x-ownkey-attempts"]) == (there, "2")
    alone = routed.gateway.send(
        "POST", "/v1/embeddings", body % routed.route(down, there, fallback=False, retries=0).encode(), own
    )
    assert (alone.status, routed.seen(there)) == (502, 1)
