"""Pictures, sounds, moderations and rankings pass through the gateway: bytes as they came, money as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from answering import Provider, answering, json_answer, write_manifest
from canaries import MARK, canary
from house import Answer, Gateway
from scripted import answer as whole

KEY = canary("media")
SOUND = bytes(range(256)) * 40
SPEECH = whole(SOUND, 200, "content-type: audio/mpeg")
IMAGE = json_answer(
    b'{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":50,"output_tokens":4160,"total_tokens":4210}}'
)
HEARD = json_answer(
    b'{"text":"Hello.","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,'
    b'"audio_tokens":10},"output_tokens":45,"total_tokens":59}}'
)
MANIFEST = """
    wire = "openai-chat"
    base_url = "{url}/v1"
    free_operations = ["moderations"]
    [paths]
    images = "/images/generations"
    image_edits = "/images/edits"
    speech = "/audio/speech"
    transcriptions = "/audio/transcriptions"
    translations = "/audio/translations"
    moderations = "/moderations"
    rerank = "/rerank"
"""
PRICED = """
    [[models]]
    id = "painter"
    max_output = 8000
    context = 32_000
    price = { input = "5.00", output = "40.00" }
"""
HEALTHY = {
    "/v1/images/generations": IMAGE,
    "/v1/images/edits": IMAGE,
    "/v1/audio/speech": SPEECH,
    "/v1/audio/transcriptions": HEARD,
    "/v1/audio/translations": json_answer(b'{"text":"Hello."}'),
    "/v1/moderations": json_answer(b'{"id":"m","results":[{"flagged":false}]}'),
    "/v1/rerank": json_answer(b'{"data":[{"index":0,"relevance_score":0.5}],"usage":{"total_tokens":43}}'),
}


@pytest.fixture(scope="session")
def running(served: Gateway) -> Iterator[Provider]:
    with answering(HEALTHY) as made:
        write_manifest(served.home, "media-own", made, MANIFEST, KEY)
        write_manifest(served.home, "media-paid", made, MANIFEST + PRICED, KEY)
        write_manifest(served.home, "media-none", made, 'wire = "openai-chat"\nbase_url = "{url}/v1"\n')
        yield made


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.begin(HEALTHY)
    return running


@pytest.fixture
def client(served: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=served.url, api_key=served.token, max_retries=0) as made:
        yield made


def ask(served: Gateway, path: str, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    return served.send("POST", path, json.dumps(body).encode(), served.own | (headers or {}))


def form(*parts: tuple[str, bytes], boundary: str = "xX--Yy", head: str = "") -> bytes:
    lines = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (boundary.encode(), name.encode(), head.encode() if name == "file" else b"", value)
        for name, value in parts
    ]
    return b"".join(lines) + b"--%b--\r\n" % boundary.encode()


def send_form(served: Gateway, path: str, body: bytes, kind: str = "multipart/form-data; boundary=xX--Yy") -> Answer:
    return served.send("POST", path, body, served.own | {"Content-Type": kind})


def test_a_picture_is_charged_by_the_tokens_that_are_told(served: Gateway, provider: Provider) -> None:
    answer = ask(served, "/v1/images/generations", model="media-paid/painter", prompt="A key.", n=2)
    assert answer.status == 200
    assert answer.body == IMAGE.partition(b"\r\n\r\n")[2]
    assert answer.headers["x-ownkey-cost-usd"] == "0.16665"
    row = served.rows("media-paid")[-1]
    assert (row.state, row.wire, row.cost_nano) == ("exact", "images", 50 * 5_000 + 4160 * 40_000)
    assert row.held_nano >= 2 * 8000 * 40_000
    (sent,) = provider.requests
    assert json.loads(sent.body) == {"model": "painter", "prompt": "A key.", "n": 2}
    assert sent.header("authorization") == f"Bearer {KEY}"


def test_a_picture_that_grows_is_charged_by_its_last_event(served: Gateway, provider: Provider) -> None:
    big = b'data: {"type":"image_generation.partial_image","b64_json":"' + b"A" * (3 << 20) + b'"}\n\n'
    last = b'data: {"type":"image_generation.completed","usage":{"input_tokens":10,"output_tokens":20}}\n\n'
    provider.says["/v1/images/generations"] = whole(big + last, 200, "content-type: text/event-stream")
    answer = ask(served, "/v1/images/generations", model="media-paid/painter", prompt="A key.", stream=True)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.body == big + last
    assert served.rows("media-paid")[-1].cost_nano == 10 * 5_000 + 20 * 40_000


def test_the_official_client_hears_a_sound_byte_for_byte(served: Gateway, provider: Provider, client: OpenAI) -> None:
    said = client.audio.speech.create(model="media-own/tts", voice="alloy", input="Hello.")
    assert said.content == SOUND
    assert said.response.headers["content-type"] == "audio/mpeg"
    row = served.rows("media-own")[-1]
    assert (row.state, row.wire, row.cost_nano, row.input_tokens) == ("exact", "speech", 0, None)


# The client calls its own translations deprecated.
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
@pytest.mark.parametrize("path", ["transcriptions", "translations"])
def test_the_official_client_sends_a_file(served: Gateway, provider: Provider, client: OpenAI, path: str) -> None:
    at = getattr(client.audio, path)
    assert at.create(model="media-own/whisper", file=("a.wav", SOUND, "audio/wav")).text == "Hello."
    (sent,) = provider.requests
    assert sent.target == f"/v1/audio/{path}"
    assert SOUND in sent.body
    assert b"media-own" not in sent.body
    assert b"\r\n\r\nwhisper\r\n" in sent.body
    assert (sent.header("content-type") or "").startswith("multipart/form-data; boundary=")
    assert served.rows("media-own")[-1].wire == path


def test_every_byte_of_a_form_passes_but_the_model(served: Gateway, provider: Provider) -> None:
    tricky = b"--xX--Y\r\n--xX\r\n\r\n--\r\nmodel\x00\xff"
    parts = [("file", tricky), ("model", b"media-paid/painter"), ("prompt", "Schlüssel".encode()), ("image[]", b"1")]
    answer = send_form(served, "/v1/images/edits", form(*parts, head='; filename="a\\".png"'))
    assert answer.status == 200
    (sent,) = provider.requests
    parts[1] = ("model", b"painter")
    assert sent.body == form(*parts, head='; filename="a\\".png"')
    assert sent.header("content-type") == 'multipart/form-data; boundary="xX--Yy"'


def test_a_transcript_in_json_is_charged_exactly_and_in_another_form_asks_first(
    served: Gateway, provider: Provider
) -> None:
    parts = [("file", SOUND), ("model", b"media-paid/painter")]
    answer = send_form(served, "/v1/audio/transcriptions", form(*parts, head='; filename="a.wav"'))
    assert answer.status == 200
    row = served.rows("media-paid")[-1]
    assert (row.state, row.cost_nano) == ("exact", 14 * 5_000 + 45 * 40_000)
    refused = send_form(served, "/v1/audio/transcriptions", form(*parts, ("response_format", b"srt")))
    assert (refused.status, refused.error["code"], refused.error["param"]) == (
        409,
        "consent_required",
        "response_format",
    )
    assert len(provider.requests) == 1


def test_speech_at_a_price_for_tokens_asks_first_and_is_then_booked_without_a_price(
    served: Gateway, provider: Provider
) -> None:
    asked = {"model": "media-paid/painter", "input": "Hello.", "voice": "alloy"}
    assert ask(served, "/v1/audio/speech", **asked).status == 409
    answer = ask(served, "/v1/audio/speech", {"x-ownkey-accept-unknown-price": "yes"}, **asked)
    assert (answer.status, answer.body) == (200, SOUND)
    assert "x-ownkey-cost-usd" not in answer.headers
    row = served.rows("media-paid")[-1]
    assert (row.priced, row.held_nano, row.cost_nano) == (False, 0, 0)


def test_what_is_free_costs_nothing_and_is_in_the_book(served: Gateway, provider: Provider, client: OpenAI) -> None:
    made = client.moderations.create(model="media-paid/painter", input="Hello.")
    assert made.results[0].flagged is False
    row = served.rows("media-paid")[-1]
    assert (row.wire, row.priced, row.held_nano, row.cost_nano) == ("moderations", True, 0, 0)


def test_a_ranking_is_charged_by_its_total(served: Gateway, provider: Provider) -> None:
    answer = ask(served, "/v1/rerank", model="media-paid/painter", query="a", documents=["b"])
    assert answer.status == 200
    row = served.rows("media-paid")[-1]
    assert (row.state, row.input_tokens, row.cost_nano) == ("exact", 43, 43 * 5_000)


def test_an_answer_that_nobody_counted_costs_what_was_held(served: Gateway, provider: Provider) -> None:
    provider.says["/v1/images/generations"] = json_answer(b'{"created":1,"data":[{"url":"https://x.test"}]}')
    assert ask(served, "/v1/images/generations", model="media-paid/painter", prompt="A key.").status == 200
    row = served.rows("media-paid")[-1]
    assert row.state == "assumed"
    assert row.cost_nano == row.held_nano > 0


def test_the_next_target_that_has_it_answers(served: Gateway, provider: Provider) -> None:
    asked = {"prompt": "A key."}
    answer = ask(served, "/v1/images/generations", model="media-none/x,media-paid/painter", **asked)
    assert (answer.status, answer.headers["x-ownkey-provider"]) == (200, "media-paid")
    none = ask(served, "/v1/images/generations", model="media-none/x", **asked)
    assert (none.status, none.error["code"]) == (422, "unsupported")
    assert "no images" in none.error["message"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (whole(b"<html>Log in</html>", 200, "content-type: text/html"), "upstream_invalid"),
        (whole(b"", 200, "content-type: audio/mpeg"), "upstream_invalid"),
        (json_answer(b'{"error":{"message":"key %b","type":"server_error"}}' % KEY.encode()), "upstream_unavailable"),
        (json_answer(b'{"error":{"message":"key %b"}}' % KEY.encode(), 401), "upstream_auth"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 99999\r\n\r\nabc", "upstream_timeout"),
    ],
    ids=["a page", "nothing", "an error in a 200", "a refusal", "half a sound"],
)
def test_what_is_no_answer_is_one_error(served: Gateway, provider: Provider, said: bytes, code: str) -> None:
    provider.says["/v1/audio/speech"] = said
    answer = ask(served, "/v1/audio/speech", model="media-own/tts", input="Hello.", voice="alloy")
    assert answer.status >= 500
    assert answer.error["code"] == code
    assert MARK not in answer.body.decode()


def test_what_a_browser_would_run_is_shown_as_bytes(served: Gateway, provider: Provider) -> None:
    for kind in ("image/svg+xml", "text/javascript", "application/xml", "audio/mpeg\tx", "x"):
        provider.says["/v1/audio/speech"] = whole(b"<svg>", 200, f"content-type: {kind}")
        answer = ask(served, "/v1/audio/speech", model="media-own/tts", input="Hello.", voice="alloy")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"


FILE = ("file", b"abc")
MODEL = ("model", b"media-own/whisper")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (form(FILE, MODEL, MODEL), None),
        (form(FILE), None),
        (form(FILE, ("model", b"\xff")), None),
        (form(FILE, ("model", b"a\r\nb")), None),
        (form(FILE, MODEL, ("api_base", b"http://evil.test")), None),
        (form(FILE, MODEL, ("extra_body[x]", b"1")), None),
        (form(FILE, MODEL)[:-8], None),
        (form(FILE, MODEL).replace(b'name="model"', b'name="model"; name="file"'), None),
        (form(FILE, MODEL).replace(b"form-data", b"attachment"), None),
        (form(*[FILE] * 300, MODEL), None),
        (form(FILE, MODEL), "multipart/form-data"),
        (form(FILE, MODEL), "multipart/form-data; boundary=xX--Yy; boundary=other"),
        (form(FILE, MODEL), "multipart/form-data; boundary=other"),
        (form(FILE, MODEL), "text/plain"),
        (b"", None),
        (b"--xX--Yy--", None),
    ],
)
def test_a_form_that_two_could_read_differently_is_refused(
    served: Gateway, provider: Provider, body: bytes, kind: str | None
) -> None:
    answer = send_form(served, "/v1/audio/transcriptions", body, kind or "multipart/form-data; boundary=xX--Yy")
    assert answer.status == (415 if kind == "text/plain" else 422)
    assert answer.error["type"] == "invalid_request_error"
    assert provider.requests == []


def test_sounds_may_be_larger_than_other_bodies(served: Gateway, provider: Provider) -> None:
    sound = b"\x00" * (25 << 20)
    answer = send_form(served, "/v1/audio/transcriptions", form(("file", sound), MODEL))
    assert answer.status == 200
    assert sound in provider.requests[0].body
    too_large = form(("file", b"\x00" * (27 << 20)), MODEL)
    for path, body in (("/v1/audio/transcriptions", too_large), ("/v1/images/edits", too_large[-(11 << 20) :])):
        refused = send_form(served, path, body)
        assert (refused.status, refused.error["code"]) == (413, "request_too_large")


def test_without_a_token_nothing_passes(served: Gateway, provider: Provider) -> None:
    for path in ("/v1/images/generations", "/v1/audio/speech", "/v1/moderations", "/v1/rerank"):
        body = json.dumps({"model": "media-own/x"}).encode()
        assert served.send("POST", path, body, {"Content-Type": "application/json"}).status == 401
        assert served.send("GET", path, None, served.own).status == 405
    assert provider.requests == []
