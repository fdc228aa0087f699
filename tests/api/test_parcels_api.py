"""Export and import over the API: of keys one's own, and nothing by which anybody signs in."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import Any

import pytest

from browsing import PASSWORD, Browser, signed_in
from house import KEYS, Gateway, library
from moving import PASSPHRASE, plain, sealed
from ownkey.app.keys import KeyRing
from ownkey.app.signing import FRESH_MS
from ownkey.store.columns import metadata
from ownkey.store.keys import KeyRow
from ownkey.store.parcel import PARTS
from ownkey.vault.login import hash_password

WORDS = PASSPHRASE.reveal().decode()
MINE, THEIRS = "sk-canary-mine-0fVq8ZtYw3LmXe71vX2Q", "sk-canary-theirs-0fVq8ZtYw3LmXe71vX2Q"


@pytest.fixture(scope="module")
def admin(served: Gateway) -> Browser:
    with library(served.home) as ownkey:
        admin, other = ownkey.people.add("Admin of files", role="admin"), ownkey.people.add("Other of files")
        KeyRing(ownkey.house, admin.id).set("openai", MINE)
        KeyRing(ownkey.house, other.id).set("openai", THEIRS)
        ownkey.house.store.people.change(other.id, password=hash_password(PASSWORD))
        return signed_in(served, admin.id)


def exported(admin: Browser, **form: Any) -> bytes:
    answer = admin.post("/api/byok/export", {"passphrase": WORDS, **form})
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "no-store"
    return answer.body


def test_A05_V22_an_admin_takes_out_no_key_but_their_own_and_no_way_in(admin: Browser) -> None:
    file = exported(admin, keys=True)
    text = plain(file)
    assert MINE.encode() in text
    assert MINE.encode() not in file
    for key in (THEIRS, *KEYS.values(), "argon2"):
        assert key.encode() not in text
    for table in ("tokens", "passkeys", "identities", "tickets"):
        assert f'"{table}"'.encode() not in text


def test_V22_without_keys_there_are_none(admin: Browser) -> None:
    text = plain(exported(admin))
    assert b"canary" not in text
    assert b'"keys"' not in text


def test_W11_keys_go_out_and_files_come_in_after_a_fresh_proof_only(served: Gateway) -> None:
    with library(served.home) as ownkey:
        user = ownkey.people.add("Stale of files", role="admin")
        ownkey.house.store.people.change(user.id, password=hash_password(PASSWORD))
        browser = signed_in(served, user.id)
        now_ms = time.time_ns() // 1_000_000
        session = ownkey.house.store.sessions.of(user.id, now_ms)[0]
        ownkey.house.store.sessions.proved(session.id, now_ms - FRESH_MS)
    file = b64encode(sealed(b"")).decode()
    for path, form in (("export", {"keys": True}), ("import", {"file": file})):
        answer = browser.post(f"/api/byok/{path}", {"passphrase": WORDS, **form})
        assert (answer.status, answer.error["code"]) == (403, "proof_required"), path
    exported(browser)


def test_V23_what_comes_in_is_shown_first_and_then_there(admin: Browser, served: Gateway) -> None:
    with library(served.home) as ownkey:
        ownkey.budgets.set("moving", limit="12")
        file = exported(admin, keys=True)
        ownkey.budgets.remove("moving")
        form = {"passphrase": WORDS, "file": b64encode(file).decode()}
        told = admin.post("/api/byok/import", form)
        assert told.status == 200, told.body
        assert told.json["imported"] is False
        assert {name: told.json["parts"][1][name] for name in ("what", "new")} == {"what": "budget", "new": 1}
        assert any(left.endswith(" person") for left in told.json["left"])
        assert "moving" not in [budget.name for budget in ownkey.budgets.all()]
        assert admin.post("/api/byok/import", {**form, "preview": False}).json["imported"] is True
        assert "moving" in [budget.name for budget in ownkey.budgets.all()]
        ownkey.budgets.remove("moving")


def test_A05_a_file_that_somebody_made_brings_nobody_and_no_key_of_anothers(admin: Browser, served: Gateway) -> None:
    """A person who keeps this Ownkey could else make themselves its owner, or ask with other people's keys."""
    with library(served.home) as ownkey:
        text = plain(_of_the_terminal(ownkey))
        for name in ("usr_0000000000000000", "key_0000000000000000", "tok_0000000000000000"):
            assert name.encode() not in text
        forged = text.replace(b'"Other of files"', b'"Forged"').replace(THEIRS.encode(), b"sk-forged-" + b"x" * 30)
        assert forged != text
        before = _people(ownkey)
        form = {"passphrase": WORDS, "file": b64encode(sealed(forged)).decode(), "preview": False, "replace": True}
        answer = admin.post("/api/byok/import", form)
        assert answer.status == 200, answer.body
        assert _people(ownkey) == before
        assert any("key of somebody else" in left for left in answer.json["left"])


def test_A05_no_file_takes_the_place_of_a_key_of_anothers(admin: Browser, served: Gateway) -> None:
    """Its row would be theirs who sent it, under the id of a key that somebody else has."""
    with library(served.home) as ownkey:
        keys = {row["owner"]: row for row in ownkey.house.store.parcel.every(PARTS["keys"])}
        own = next(user.id for user in ownkey.people.listed() if user.name == "Admin of files")
        other = next(user.id for user in ownkey.people.listed() if user.name == "Other of files")
        text = plain(exported(admin, keys=True))
        forged = text.replace(keys[own]["id"].encode(), keys[other]["id"].encode())
        assert forged != text
        before = _people(ownkey)
        form = {"passphrase": WORDS, "file": b64encode(sealed(forged)).decode(), "replace": True}
        assert admin.post("/api/byok/import", form).json["conflicts"] == ["key openai/default"]
        refused = admin.post("/api/byok/import", form | {"preview": False})
        assert (refused.status, refused.error["code"]) == (409, "conflict")
        assert _people(ownkey) == before
        assert ownkey.house.vault.give_out(KeyRow(**keys[other])).reveal() == THEIRS.encode()


def test_V23_what_is_no_file_is_an_error_that_says_so(admin: Browser) -> None:
    for file in ("", "***", b64encode(b"nothing").decode(), b64encode(sealed(b"nothing\n")).decode()):
        answer = admin.post("/api/byok/import", {"passphrase": WORDS, "file": file, "preview": False})
        assert answer.status == 422, answer.body
        assert answer.error["message"]
    answer = admin.post("/api/byok/export", {"passphrase": "short"})
    assert "12 characters" in answer.error["message"]


def _of_the_terminal(ownkey: Any) -> bytes:
    path = ownkey.settings.home.parent / "terminal.age"
    ownkey.parcels.export(path, PASSPHRASE, replace=True, usage=False)
    return path.read_bytes()


def _people(ownkey: Any) -> Any:
    tables = ("users", "tokens", "token_terms", "passkeys", "identities", "tickets", "keys")
    drifts = ("used_at_ms", "checked_at_ms", "refused", "signs")
    return {
        table: [
            {name: value for name, value in row.items() if name not in drifts}
            for row in ownkey.house.store.parcel.every(PARTS[table])
        ]
        for table in tables
        if table in metadata.tables
    }
