"""A root key that stays in a transit engine: what it wraps opens here, and without it nothing does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from canaries import canary
from certificates import Authority
from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, KeyUnreadable, OwnkeyError, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.ring import bound
from ownkey.vault.vault import Vault
from transit_server import TOKEN, TransitServer, transit_server

KEY = canary("transit key", "sk-proj-")


@pytest.fixture
def server() -> Iterator[TransitServer]:
    with transit_server() as running:
        yield running


@pytest.fixture
def with_transit(home: Path, server: TransitServer) -> Settings:
    return load(server.settings, home=home, keychain=False)


def stored(store: Store, settings: Settings, openai: Origin) -> Vault:
    vault = Vault(store, settings)
    vault.put("local", "openai", openai, Secret(KEY))
    return vault


@pytest.mark.row("A2")
def test_a_key_wrapped_by_the_transit_engine_opens_again_and_no_root_key_lies_here(
    home: Path, store: Store, with_transit: Settings, server: TransitServer, openai: Origin
) -> None:
    stored(store, with_transit, openai)
    assert Vault(store, with_transit).open("local", "openai", openai)[1].reveal() == KEY.encode()
    assert store.install.get().root_source == "transit transit/ownkey"
    assert not (home / "root.key").exists()
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for secret in (KEY.encode(), TOKEN.encode(), *server.versions["ownkey"]):
        assert secret not in kept
    for body in server.bodies:
        assert KEY.encode() not in body


def test_a_key_in_use_is_unwrapped_once_and_not_at_every_request(
    store: Store, with_transit: Settings, server: TransitServer, openai: Origin
) -> None:
    vault = stored(store, with_transit, openai)
    vault.open("local", "openai", openai)
    before = len(server.asked)
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        vault.open("local", "openai", openai)
    assert len(server.asked) == before


def test_V06_another_key_of_the_same_name_leaves_the_vault_sealed(
    store: Store, with_transit: Settings, server: TransitServer, openai: Origin
) -> None:
    stored(store, with_transit, openai)
    noted, mine = store.install.get(), server.versions["ownkey"]
    server.versions["ownkey"] = [os.urandom(32)]
    with pytest.raises(VaultSealed, match="another root key"):
        Vault(store, with_transit).unlock()
    assert store.install.get() == noted
    server.versions["ownkey"] = mine
    assert Vault(store, with_transit).open("local", "openai", openai)[1].reveal() == KEY.encode()


def test_a_new_version_of_the_key_in_the_engine_opens_what_the_one_before_wrapped(
    store: Store, with_transit: Settings, server: TransitServer, openai: Origin
) -> None:
    stored(store, with_transit, openai)
    server.versions["ownkey"].append(os.urandom(32))
    assert Vault(store, with_transit).open("local", "openai", openai)[1].reveal() == KEY.encode()


def test_V02_a_data_key_moved_to_another_record_is_refused_by_the_engine(
    store: Store, with_transit: Settings, openai: Origin
) -> None:
    vault = stored(store, with_transit, openai)
    mine = store.keys.of("local", "openai")[0]
    theirs = vault.put("local", "mistral", openai, Secret(KEY))
    ring = vault.latch.ring()
    with pytest.raises(KeyUnreadable):
        ring.unseal(bound(ring.install_id, theirs), mine.sealed)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("sealed", "is itself sealed"),
        ("garbage", "does not answer as a transit engine"),
        ("huge", "does not answer"),
        ("token", "refuses the token"),
    ],
)
def test_V15_a_server_that_does_not_serve_leaves_the_vault_sealed_and_nothing_noted(
    home: Path, store: Store, with_transit: Settings, server: TransitServer, fault: str, says: str
) -> None:
    server.fault = fault
    server.token = canary("another of the server", "hvs.") if fault == "token" else server.token
    vault = Vault(store, with_transit)
    with pytest.raises(VaultSealed, match=says) as refused:
        vault.unlock()
    assert TOKEN not in f"{refused.value} {refused.value!r} {vars(refused.value)}"
    assert store.install.get().root_check is None
    assert not (home / "root.key").exists()


def test_V15_a_server_that_hangs_is_left_within_five_seconds(
    store: Store, with_transit: Settings, server: TransitServer
) -> None:
    server.fault = "slow"
    began = time.monotonic()
    with pytest.raises(VaultSealed, match="does not answer"):
        Vault(store, with_transit).unlock()
    assert time.monotonic() - began < 5


def test_a_server_that_comes_back_is_asked_again_without_a_restart(
    store: Store, with_transit: Settings, server: TransitServer, openai: Origin
) -> None:
    stored(store, with_transit, openai)
    vault = Vault(store, with_transit)
    vault.unlock()
    server.fault = "sealed"
    with pytest.raises(VaultSealed):
        vault.open("local", "openai", openai)
    server.fault = ""
    assert vault.open("local", "openai", openai)[1].reveal() == KEY.encode()


def test_a_server_that_binds_nothing_to_associated_data_is_refused(
    store: Store, with_transit: Settings, server: TransitServer
) -> None:
    server.fault = "deaf"
    with pytest.raises(BadConfiguration, match="does not bind"):
        Vault(store, with_transit).unlock()
    assert store.install.get().root_check is None


def test_a_token_in_a_file_is_read_anew_for_each_request(
    home: Path, store: Store, server: TransitServer, openai: Origin
) -> None:
    file = home.parent / "token"
    file.write_text(f"{TOKEN}\n")
    environ = {name: value for name, value in server.settings.items() if name != "OWNKEY_TRANSIT_TOKEN"}
    settings = load(environ | {"OWNKEY_TRANSIT_TOKEN_FILE": str(file)}, home=home, keychain=False)
    vault = stored(store, settings, openai)
    server.token = canary("renewed by the agent", "hvs.")
    with pytest.raises(VaultSealed, match="refuses the token"):
        vault.put("local", "mistral", openai, Secret(KEY))
    file.write_text(server.token)
    vault.put("local", "mistral", openai, Secret(KEY))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"OWNKEY_TRANSIT_TOKEN": None}, "no token"),
        ({"OWNKEY_ALLOW_PRIVATE_HOSTS": None}, "in the clear"),
        ({"OWNKEY_TRANSIT_KEY": "../../sys/seal"}, "no name"),
        ({"OWNKEY_TRANSIT_MOUNT": "transit/../sys"}, "no name"),
        ({"OWNKEY_TRANSIT_URL": "https://user@vault.example"}, "cannot be used"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    home: Path, store: Store, server: TransitServer, changed: dict[str, str | None], says: str
) -> None:
    environ = {name: value for name, value in (server.settings | changed).items() if value is not None}
    with pytest.raises(BadConfiguration, match=says):
        Vault(store, load(environ, home=home, keychain=False)).unlock()
    assert server.asked == []


def test_the_servers_certificate_is_checked_against_the_authority_that_is_named(
    home: Path, store: Store, openai: Origin
) -> None:
    ours, theirs = home.parent / "ours", home.parent / "theirs"
    ours.mkdir()
    theirs.mkdir()
    authority, other = Authority(ours), Authority(theirs)
    with transit_server(authority.server("127.0.0.1")) as server:
        for trusted in (None, other.path):
            environ = server.settings | ({} if trusted is None else {"OWNKEY_TRANSIT_CA_FILE": str(trusted)})
            with pytest.raises(OwnkeyError, match="certificate"):
                Vault(store, load(environ, home=home, keychain=False)).unlock()
        environ = server.settings | {"OWNKEY_TRANSIT_CA_FILE": str(authority.path)}
        vault = stored(store, load(environ, home=home, keychain=False), openai)
        assert vault.open("local", "openai", openai)[1].reveal() == KEY.encode()
