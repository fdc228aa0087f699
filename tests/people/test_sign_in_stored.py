"""What signing in keeps, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from browsing import PASSWORD
from house import KEYS, library
from ownkey.app.keys import KeyRing
from ownkey.app.signing import Browser, Entered, SignIn
from ownkey.store.passkeys import Passkey
from ownkey.talk.errors import InvalidToken, NotFound, PermissionDenied
from ownkey.vault.login import digest


def test_signing_in_is_the_same_on_every_database(url: str, tmp_path: Path) -> None:
    with library(tmp_path / "home", database_url=url) as ownkey:
        store, sign_in = ownkey.house.store, SignIn(ownkey.house)
        ann = ownkey.people.add("Ann", "ann@example.com")
        entered = sign_in.accept(
            ownkey.people.invite(ann.id).reveal().decode(), PASSWORD, Browser("Browser " * 50, "::1")
        )
        assert isinstance(entered, Entered)
        found = sign_in.who(entered.cookie.reveal())
        assert found is not None
        assert (found[1].id, len(found[0].agent)) == (ann.id, 200)
        again = sign_in.by_password("ANN@example.com", PASSWORD, Browser(cookie=entered.cookie.reveal()))
        assert isinstance(again, Entered)
        assert sign_in.who(entered.cookie.reveal()) is None
        with pytest.raises(InvalidToken):
            sign_in.by_password("ann@example.com", "not it", Browser())
        link = sign_in.link(ann.id).reveal().decode()
        assert sign_in.by_link(link, Browser()).user.id == ann.id
        with pytest.raises(NotFound):
            sign_in.by_link(link, Browser())
        assert sign_in.by_issuer("https://issuer", "1", "Ann@Example.com", Browser()).user.id == ann.id
        assert sign_in.by_issuer("https://issuer", "1", None, Browser()).user.id == ann.id
        with pytest.raises(PermissionDenied):
            sign_in.by_issuer("https://issuer", "2", None, Browser())
        now_ms = time.time_ns() // 1_000_000
        assert len(store.sessions.of(ann.id, now_ms)) == 4
        assert store.sessions.end_all(ann.id, but=again.session.id) == 3
        KeyRing(ownkey.house, f"{ann.id}/customer").set("openai", KEYS["openai"])
        assert store.passkeys.add(Passkey("id", ann.id, b"key", 0, "Phone", now_ms))
        ownkey.people.remove(ann.id)
        assert sign_in.who(again.cookie.reveal()) is None
        assert store.people.known_as("https://issuer", "1") is None
        assert (store.passkeys.get("id"), store.keys.all(f"{ann.id}/customer")) == (None, [])


def test_a_passkeys_count_rises_or_stays_at_nothing(url: str, tmp_path: Path) -> None:
    with library(tmp_path / "home", database_url=url) as ownkey:
        passkeys = ownkey.house.store.passkeys
        for id in ("counts", "counts not"):
            assert passkeys.add(Passkey(id, "owner", b"key", 0, "Phone", 1))
            assert not passkeys.add(Passkey(id, "owner", b"other", 0, "Phone", 1))
        assert [passkeys.used("counts not", 0, 2) for _ in range(2)] == [True, True]
        assert [passkeys.used("counts", count, 2) for count in (3, 3, 2, 0, 4)] == [True, False, False, False, True]


def test_tries_are_counted_and_forgotten_after_a_while(url: str, tmp_path: Path) -> None:
    with library(tmp_path / "home", database_url=url) as ownkey:
        tries, who = ownkey.house.store.sign_ins, digest(b"somebody")
        assert [tries.try_({who: 2}, 1_000, at_ms) for at_ms in (10, 20, 30, 1_009)] == [0, 0, 980, 1]
        assert tries.try_({digest(b"another"): 2}, 1_000, 30) == 0
        assert tries.try_({who: 2}, 1_000, 1_010) == 0
        tries.succeeded(who)
        assert [tries.try_({who: 2}, 1_000, 1_020) for _ in range(3)] == [0, 0, 1_000]
