"""Whatever is wrong with a request or with the house: one clear error in OpenAI's form that says what to do next."""

from __future__ import annotations

import gzip
import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from canaries import MARK
from house import BAD, CHAT, KEYS, USER, Answer, Gateway, Simulator, gateway, library, nobody, write_provider


def chat(**fields: object) -> bytes:
    return json.dumps({"model": "openai/gpt-4o", "messages": USER, **fields}).encode()


def within(messages: str) -> bytes:
    return b'{"model":"openai/gpt-4o","messages":%b}' % messages.encode()


def clear(answer: Answer) -> str:
    """The message, where it is an error as it should be."""
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json) == {"error"}
    assert {"message", "type", "code", "param", "kind"} <= set(answer.error)
    message = answer.error["message"]
    assert len(message.split()) > 5 or answer.error["param"], "it says nothing of what to do"
    assert "\n" not in message
    for bad in ("Traceback", "msgspec", "NoneType", 'File "', MARK, "expected `"):
        assert bad not in answer.body.decode()
    assert answer.headers["x-request-id"]
    return message


MALFORMED = {
    "nothing": b"",
    "no JSON": b"model=gpt-4o",
    "half of it": chat()[:-9],
    "a list": b"[]",
    "null": b"null",
    "a string": b'"openai/gpt-4o"',
    "two objects": chat() + chat(),
    "UTF-16": chat().decode().encode("utf-16"),
    "a byte that is no UTF-8": chat().replace(b"Hello", b"\xff\xfe"),
    "NaN": chat(temperature=1).replace(b"1", b"NaN"),
    "Infinity": chat(top_p=1).replace(b'"top_p": 1', b'"top_p": -Infinity'),
    "a depth bomb": within("[" * 200_000 + "]" * 200_000),
    "an object bomb": within('{"a":' * 100_000 + "1" + "}" * 100_000),
    "no model": json.dumps({"messages": USER}).encode(),
    "model null": chat(model=None),
    "model a number": chat(model=5),
    "model empty": chat(model=""),
    "model of control characters": chat(model="openai/gpt\n4o"),
    "model of 10,000 characters": chat(model="openai/" + "a" * 10_000),
    "no messages": json.dumps({"model": "openai/gpt-4o"}).encode(),
    "messages empty": chat(messages=[]),
    "messages a text": chat(messages="Hello"),
    "messages an object": chat(messages={"role": "user"}),
    "stream a text": chat(stream="yes"),
    "stream a number": chat(stream=1),
    "max_tokens 0": chat(max_tokens=0),
    "max_tokens -1": chat(max_tokens=-1),
    "max_tokens 1.5": chat(max_tokens=1.5),
    "max_tokens a text": chat(max_tokens="10"),
    "max_tokens true": chat(max_tokens=True),
    "max_tokens 2**63": chat(max_tokens=2**63),
    "two different caps": chat(max_tokens=5, max_completion_tokens=6),
    "n 0": chat(n=0),
    "n 1000": chat(n=1000),
    "stream_options a list": chat(stream=True, stream_options=[1]),
    "include_usage a text": chat(stream=True, stream_options={"include_usage": "yes"}),
    "5,000 digits": chat(seed=1).replace(b'"seed": 1', b'"max_tokens": ' + b"9" * 5000),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_G03_a_malformed_body_is_refused_at_once_and_sent_to_nobody(served: Gateway, what: str) -> None:
    before = len(served.simulator.seen("openai"))
    began_s = served.processor_s
    answer = served.send("POST", CHAT, MALFORMED[what], served.own)
    assert served.processor_s - began_s < 0.5
    assert answer.status == 422
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["code"] == "invalid_request"
    assert answer.headers["x-should-retry"] == "false"
    clear(answer)
    assert len(served.simulator.seen("openai")) == before


TRANSLATED = {
    "content a number": within('[{"role":"user","content":5}]'),
    "a role that is none": within('[{"role":"king","content":"Hi"}]'),
    "a message that is a text": within('["Hi"]'),
    "a result of no call": within('[{"role":"tool","content":"x"}]'),
    "a part that is none": within('[{"role":"user","content":[{"type":"smell"}]}]'),
    "temperature a text": chat(temperature="hot"),
    "tools a text": chat(tools="all"),
    "a tool without a name": chat(tools=[{"type": "function", "function": {}}]),
    "a format that is none": chat(response_format={"type": "poem"}),
}


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"])
@pytest.mark.parametrize("what", TRANSLATED)
def test_G06_what_cannot_be_translated_is_named(served: Gateway, what: str, model: str) -> None:
    name = model.partition("/")[0]
    before = len(served.simulator.seen(name))
    body = TRANSLATED[what].replace(b"openai/gpt-4o", model.encode())
    answer = served.send("POST", CHAT, body, served.own)
    assert answer.status == 422
    clear(answer)
    assert answer.error["param"]
    assert len(served.simulator.seen(name)) == before


@pytest.mark.parametrize(
    "field", ["api_base", "base_url", "api_key", "extra_headers", "extra_body", "organization", "mock_response"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_E01_where_a_request_goes_is_not_the_requests_to_say(served: Gateway, field: str, stream: bool) -> None:
    before = len(served.simulator.seen("openai"))
    value = "http://127.0.0.1:9/v1"
    answer = served.send("POST", CHAT, chat(**{field: value, "stream": stream}), served.own)
    assert (answer.status, answer.error["param"]) == (422, field)
    assert value not in clear(answer)
    assert len(served.simulator.seen("openai")) == before


def test_G03_of_members_given_twice_one_holds_and_is_sent_alone(served: Gateway) -> None:
    twice = chat()[:-1] + b', "model": "openai/gpt-4o-mini", "temperature": 1, "temperature": 0}'
    answer = served.send("POST", CHAT, twice, served.own)
    sent = served.simulator.seen("openai")[-1].body
    assert (answer.status, answer.headers["x-ownkey-model"]) == (200, "gpt-4o-mini")
    assert sent.count(b'"model"') == sent.count(b'"temperature"') == 1
    assert b'"temperature":0' in sent.replace(b" ", b"")


def test_G09_a_field_that_nobody_here_knows_goes_through_as_it_is(served: Gateway) -> None:
    answer = served.send("POST", CHAT, chat(new_in_2031={"a": [1.50, "\u00e9"]}), served.own)
    assert answer.status == 200
    assert b'"new_in_2031":{"a": [1.5, "\\u00e9"]}' in served.simulator.seen("openai")[-1].body


def test_G01_a_body_of_eleven_mebibytes_is_413(served: Gateway) -> None:
    answer = served.send("POST", CHAT, chat(user="x" * (11 << 20)), served.own)
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert "10 MiB" in clear(answer)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (CHAT, {"error": {"type": "invalid_request_error"}}),
        ("/v1/messages", {"type": "error", "error": {}}),
        ("/v1beta/models/openai/gpt-4o:generateContent?alt=json", {"error": {"status": "INVALID_ARGUMENT"}}),
        ("/v1/models/openai/gpt-4o:streamGenerateContent", {"error": {"status": "INVALID_ARGUMENT"}}),
    ],
)
@pytest.mark.parametrize(
    ("status", "more"),
    [(413, {"Content-Length": "20000000"}), (431, {f"X-{number}": "y" for number in range(200)})],
)
def test_G01_what_is_refused_before_it_is_read_is_told_in_the_form_of_its_path(
    served: Gateway, path: str, form: dict[str, Any], status: int, more: dict[str, str]
) -> None:
    answer = served.send("POST", path, None, served.own | more)
    assert answer.status == status
    told = answer.json
    assert told.get("type") == form.get("type")
    assert form["error"].items() <= told["error"].items()
    assert ("request-id" in answer.headers) == (path == "/v1/messages")


@pytest.mark.parametrize(
    "header",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
    ],
)
def test_G05_only_plain_json_is_read(served: Gateway, header: dict[str, str]) -> None:
    body = gzip.compress(chat()) if header.get("Content-Encoding") == "gzip" else chat()
    answer = served.send("POST", CHAT, body, served.own | header)
    assert (answer.status, answer.error["code"]) == (415, "unsupported_media_type")
    assert answer.error["param"] in ("content-type", "content-encoding")
    clear(answer)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("gpt-4oo", "gpt-4o"),
        ("openai/missing-model", "missing-model"),
        ("claude-sonet-4-5", "claude-sonnet-4-5"),
        ("nobody/at-all", "PROVIDER/MODEL"),
        ("openai/gpt-4o,nobody/at-all", "nobody/at-all"),
    ],
)
def test_an_unknown_model_is_404_with_a_suggestion(served: Gateway, model: str, says: str) -> None:
    answer = served.ask(model, headers={"x-ownkey-accept-unknown-price": "yes"})
    assert answer.status == 404
    assert answer.error["code"] in ("model_not_found", "model_not_available")
    assert says in clear(answer)


def test_A01_a_missing_key_is_422_and_says_how_to_store_it(served: Gateway) -> None:
    answer = served.ask("deepseek/deepseek-chat")
    assert (answer.status, answer.error["code"]) == (422, "key_missing")
    assert "ownkey keys set deepseek" in clear(answer)


def test_B14_an_unknown_price_asks_first_and_is_never_nothing(served: Gateway) -> None:
    answer = served.ask("openai/brand-new-model")
    assert (answer.status, answer.error["code"]) == (409, "consent_required")
    assert "x-ownkey-accept-unknown-price: yes" in clear(answer)
    told = served.ask("openai/brand-new-model", headers={"x-ownkey-accept-unknown-price": "yes"})
    assert told.status == 200
    assert "x-ownkey-cost-usd" not in told.headers


def test_U01_a_provider_that_is_not_there_is_502(tmp_path: Path, simulator: Simulator) -> None:
    with nobody() as port:
        home, place = tmp_path / "home", f"127.0.0.1:{port}"
        with library(home) as ownkey:
            ownkey.providers.set("openai", endpoint=f"http://{place}/v1")
            ownkey.keys.set("openai", KEYS["openai"])
        with gateway(home, simulator, OWNKEY_ALLOW_PRIVATE_HOSTS=place, OWNKEY_RETRY_DELAY_S="0.01") as running:
            answer = running.ask("openai/gpt-4o")
            assert (answer.status, answer.error["code"]) == (502, "upstream_unreachable")
            assert "127.0.0.1" in clear(answer)
            assert [row.state for row in running.rows("openai")] == ["released"] * 3


def test_E02_a_key_does_not_follow_a_provider_to_another_address(served: Gateway) -> None:
    elsewhere = Simulator()
    try:
        name = served.provider()
        path = served.home / "providers" / f"{name}.toml"
        path.write_text(path.read_text().replace(served.simulator.url, elsewhere.url))
        time.sleep(1.1)  # a changed file is looked at once a second
        answer = served.ask(f"{name}/gpt-4o")
        assert (answer.status, answer.error["code"]) == (422, "key_unreadable")
        assert "again" in clear(answer)
        assert elsewhere.seen(name) == []
    finally:
        elsewhere.close()


def test_E06_a_private_address_that_nobody_allowed_is_not_spoken_to(tmp_path: Path, simulator: Simulator) -> None:
    home = tmp_path / "home"
    with library(home) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=private/v1")
        ownkey.keys.set("openai", KEYS["openai"])
    with gateway(home, simulator, OWNKEY_ALLOW_PRIVATE_HOSTS="127.0.0.1:9") as running:
        answer = running.ask("openai/gpt-4o")
    assert (answer.status, answer.error["code"]) == (422, "endpoint_not_allowed")
    assert "OWNKEY_ALLOW_PRIVATE_HOSTS" in clear(answer)
    assert simulator.seen("private") == []


def test_V06_with_another_root_key_the_vault_is_sealed_and_nothing_is_overwritten(
    tmp_path: Path, simulator: Simulator
) -> None:
    home, right, wrong = tmp_path / "home", tmp_path / "right", tmp_path / "wrong"
    home.mkdir(mode=0o700)
    for path in (right, wrong):
        path.write_text(secrets.token_hex(32))
        path.chmod(0o600)
    with library(home, master_key_file=right) as ownkey:
        ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=sealed/v1")
        ownkey.keys.set("openai", KEYS["openai"])
        token = ownkey.house.tokens.create("owner", "mine")[1].reveal().decode()
    with gateway(home, simulator, token=token, OWNKEY_MASTER_KEY_FILE=str(wrong)) as running:
        answer = running.ask("openai/gpt-4o")
        assert (answer.status, answer.error["code"]) == (503, "vault_sealed")
        assert "root key" in clear(answer)
        assert answer.headers["x-should-retry"] == "false"
        assert running.ask("demo").status == 200
        assert running.log.read_text() == ""
    assert simulator.seen("sealed") == []
    with gateway(home, simulator, token=token, OWNKEY_MASTER_KEY_FILE=str(right)) as running:
        assert running.ask("openai/gpt-4o").status == 200


def test_the_error_of_a_provider_names_it_and_not_its_key(served: Gateway) -> None:
    name = write_provider(served.home, served.simulator, key=BAD)
    answer = served.ask(f"{name}/gpt-4o")
    assert (answer.status, answer.error["code"]) == (502, "upstream_auth")
    clear(answer)


def test_nothing_of_all_this_is_logged_as_a_failure_of_ownkeys(served: Gateway) -> None:
    served.send("POST", CHAT, MALFORMED["a depth bomb"], served.own)
    served.ask(f"{served.provider('html')}/gpt-4o")
    assert served.log.read_text() == ""
