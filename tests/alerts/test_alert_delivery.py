"""Alerts reach their receivers: signed, once, later where they were not taken, and nowhere they may not go."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from alerting import AT_MS, HOOK, SECRET, alert, hooked
from answering import Provider, json_answer
from canaries import canary
from house import library
from mail_server import mail_server
from ownkey import Ownkey
from ownkey.store.alerts import FIRST_WAIT_MS
from ownkey.store.db import Store
from scripted import Request, answer
from tree import ROOT
from watched import begin, environment, processes

MINUTE_MS = FIRST_WAIT_MS

_DELIVERING = f"""
import asyncio, json, sys
from pathlib import Path
from ownkey import Ownkey

url, home, hook, port = sys.argv[1:]
ownkey = Ownkey(
    Path(home), keychain=False, database_url=url, alert_webhook_url=hook, alert_webhook_secret="{SECRET}",
    allow_private_hosts=frozenset({{("127.0.0.1", int(port))}}),
)

async def main():
    async with ownkey:
        ownkey.alerts.channels
        print("ready", flush=True)
        sys.stdin.readline()
        return await ownkey.alerts.deliver_once({AT_MS})

print(json.dumps(asyncio.run(main())), flush=True)
"""


def delivered(home: Path, at_ms: int = AT_MS, **settings: Any) -> int:
    async def main() -> int:
        async with Ownkey(home, keychain=False, **settings) as ownkey:
            return await ownkey.alerts.deliver_once(at_ms)

    return asyncio.run(main())


def keep(home: Path, *ids: str, **differs: Any) -> None:
    with library(home) as ownkey:
        for id in ids or (alert().id,):
            ownkey.house.store.alerts.raise_(alert(id, **differs))


def row(home: Path, id: str = alert().id) -> Any:
    with library(home) as ownkey:
        return next(one for one in ownkey.alerts.listed(seen=True) if one.id == id)


def assert_signed(request: Request, key: bytes) -> None:
    id, at_s = request.header("webhook-id"), request.header("webhook-timestamp")
    assert id is not None
    assert at_s is not None
    assert abs(int(at_s) - time.time()) < 60
    said, _, signature = (request.header("webhook-signature") or "").partition(",")
    assert said == "v1"
    expected = hmac.new(key, f"{id}.{at_s}.".encode() + request.body, sha256).digest()
    assert hmac.compare_digest(b64decode(signature), expected)


def documented() -> Callable[[dict[str, str], bytes, bytes], bool]:
    """The check of signatures that the docs give to receivers."""
    page = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    made: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], made)
    return made["is_ours"]


@pytest.mark.row("C12")
def test_B35_a_webhook_is_signed_and_says_what_happened(home: Path, receiver: Provider) -> None:
    keep(home)
    assert delivered(home, **hooked(receiver)) == 1
    (request,) = receiver.heard(HOOK)
    assert (request.method, request.header("content-type")) == ("POST", "application/json")
    assert_signed(request, SECRET.encode())
    is_ours = documented()
    headers = {name.lower(): value for name, value in request.headers}
    assert is_ours(headers, request.body, SECRET.encode())
    assert not is_ours(headers, request.body + b" ", SECRET.encode())
    assert not is_ours(headers | {"webhook-timestamp": "1"}, request.body, SECRET.encode())
    said = json.loads(request.body)
    assert said["facts"] == json.loads(alert().facts)
    assert (said["id"], said["kind"], said["message"]) == (alert().id, "budget_threshold", "80 % are spent.")
    assert said["at"] == "2026-09-21T14:13:20.000+00:00"
    assert row(home).sent_at_ms == AT_MS
    assert delivered(home, AT_MS + MINUTE_MS, **hooked(receiver)) == 0
    assert len(receiver.requests) == 1


def test_a_secret_in_base64_is_read_as_the_standard_has_it(home: Path, receiver: Provider) -> None:
    key = bytes(range(200, 232))
    keep(home, "budget:Täglich 100 %\r\n:0:80")
    secret = "whsec_" + b64encode(key).decode()
    assert delivered(home, **hooked(receiver, alert_webhook_secret=secret)) == 1
    (request,) = receiver.requests
    assert_signed(request, key)
    assert (request.header("webhook-id") or "").isascii()
    assert json.loads(request.body)["id"] == "budget:Täglich 100 %\r\n:0:80"


def test_a_receiver_that_fails_gets_it_later_and_once(home: Path, receiver: Provider) -> None:
    keep(home)
    receiver.begin({HOOK: [answer(b"", 500), answer(b"", 503), json_answer(b"{}")]})
    assert delivered(home, **hooked(receiver)) == 0
    assert delivered(home, AT_MS + MINUTE_MS - 1, **hooked(receiver)) == 0
    assert len(receiver.requests) == 1
    assert delivered(home, AT_MS + MINUTE_MS, **hooked(receiver)) == 0
    assert delivered(home, AT_MS + 3 * MINUTE_MS, **hooked(receiver)) == 1
    assert [request.header("webhook-id") for request in receiver.requests] == [alert().id] * 3
    with library(home) as ownkey:
        (delivery,) = ownkey.alerts.deliveries([alert()])
    assert (delivery.sent_at_ms, delivery.error, delivery.tries) == (AT_MS + 3 * MINUTE_MS, None, 3)
    assert delivered(home, AT_MS + 100 * MINUTE_MS, **hooked(receiver)) == 0


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_two_processes_that_deliver_at_once_send_each_alert_once(
    url: str, store: Store, home: Path, receiver: Provider
) -> None:
    ids = sorted(f"budget:b{number}:0:80" for number in range(25))
    for id in ids:
        store.alerts.raise_(alert(id))
    each = [url, str(home), f"{receiver.url}{HOOK}", str(receiver.port)]
    with processes(_DELIVERING, each, each, env=environment()) as running:
        for process in running:
            begin(process)
        counts = [int(process.stdout.readline()) for process in running if process.stdout is not None]
    assert sum(counts) == len(ids)
    assert sorted(json.loads(request.body)["id"] for request in receiver.requests) == ids


def test_one_that_died_while_it_sent_leaves_it_to_be_sent_a_minute_later(home: Path, receiver: Provider) -> None:
    keep(home)
    with library(home) as ownkey:
        assert ownkey.house.store.alerts.claim("one that died", AT_MS)
    assert delivered(home, AT_MS + MINUTE_MS - 1, **hooked(receiver)) == 0
    assert delivered(home, AT_MS + MINUTE_MS, **hooked(receiver)) == 1
    assert len(receiver.requests) == 1


def test_a_channel_that_took_it_is_not_asked_again_because_another_did_not(home: Path, receiver: Provider) -> None:
    keep(home)
    with mail_server(DATA="451 later") as server:
        mailed = hooked(
            receiver,
            smtp_url=f"smtp://127.0.0.1:{server.port}",
            alert_email_to="a@example.com,b@example.com",
            allow_private_hosts=frozenset({("127.0.0.1", receiver.port), ("127.0.0.1", server.port)}),
        )
        assert delivered(home, **mailed) == 0
        assert (len(receiver.requests), server.letters) == (1, [])
        server.says.clear()
        assert delivered(home, AT_MS + MINUTE_MS, **mailed) == 1
        assert len(receiver.requests) == 1
        assert sorted(letter.recipients for letter in server.letters) == [["a@example.com"], ["b@example.com"]]


def test_an_email_says_what_happened_in_plain_text_and_holds_no_key(home: Path) -> None:
    key = canary("alerts")
    keep(home, message=f"The budget {key}\r\nBcc: x@example.com\r\n is used up.")
    with mail_server() as server:
        place = ("127.0.0.1", server.port)
        settings = {"smtp_url": f"smtp://127.0.0.1:{server.port}", "alert_email_to": "me@example.com"}
        assert delivered(home, **settings, allow_private_hosts=frozenset({place})) == 1
        (letter,) = server.letters
    assert key.encode() not in letter.raw
    assert letter.recipients == ["me@example.com"]
    assert letter.message.get_content_type() == "text/plain"
    assert "Bcc" not in letter.message
    assert letter.message["From"] == letter.message["To"] == "me@example.com"
    assert letter.message["Subject"].startswith("Ownkey: The budget REDACTED Bcc: x@example.com is used up.")
    assert "Limit: $20.00\nSpent: $16.00\nStart: 2026-09-21 14:00 UTC" in letter.text


def test_redirects_are_not_followed(home: Path, receiver: Provider) -> None:
    keep(home)
    moved = answer(b"", 307, f"location: {receiver.url}/elsewhere")
    receiver.begin({HOOK: moved, "/elsewhere": json_answer(b"{}")})
    assert delivered(home, **hooked(receiver)) == 0
    assert receiver.heard("/elsewhere") == []
    with library(home) as ownkey:
        (delivery,) = ownkey.alerts.deliveries([alert()])
    assert "redirects are not followed" in (delivery.error or "")


def test_a_private_address_gets_nothing_unless_the_settings_name_it(home: Path, receiver: Provider) -> None:
    keep(home)
    assert delivered(home, **hooked(receiver, allow_private_hosts=frozenset())) == 0
    assert receiver.requests == []
    with library(home) as ownkey:
        (delivery,) = ownkey.alerts.deliveries([alert()])
    assert "OWNKEY_ALLOW_PRIVATE_HOSTS" in (delivery.error or "")


def test_path_and_query_of_a_webhook_are_sent_as_they_are_written_and_told_nobody(
    home: Path, receiver: Provider
) -> None:
    keep(home)
    receiver.begin({"/services/T0/": answer(b"no", 404)})
    settings = hooked(receiver, alert_webhook_url=f"{receiver.url}/services/T0/?sig=a%2Fb&sv=1.0")
    assert delivered(home, **settings) == 0
    (request,) = receiver.requests
    assert request.target == "/services/T0/?sig=a%2Fb&sv=1.0"
    with library(home) as ownkey:
        (delivery,) = ownkey.alerts.deliveries([alert()])
    assert delivery.error is not None
    assert "404" in delivery.error
    assert "services" not in delivery.error


def test_without_a_channel_alerts_wait_to_be_read(home: Path) -> None:
    keep(home)
    assert delivered(home) == 0
    assert (row(home).tries, row(home).sent_at_ms) == (0, None)


def test_a_receiver_that_never_answers_is_given_up_after_ten_seconds(home: Path, receiver: Provider) -> None:
    keep(home)
    receiver.begin({HOOK: b"HTTP/1.1 200 OK\r\n"})
    began_s = time.monotonic()
    assert delivered(home, **hooked(receiver)) == 0
    assert 9 < time.monotonic() - began_s < 13
