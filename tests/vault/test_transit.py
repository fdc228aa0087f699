"""A root key that stays in a transit engine: what it wraps opens here, and without it nothing does."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from canaries import canary
from certificates import Authority
from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, KeyUnreadable, OwnkeyError, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.envelope import Root
from ownkey.vault.ring import bound
from ownkey.vault.rotate import Target, Turn
from ownkey.vault.transit import Place, Server, Transit, received
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
    # It waits for four seconds, and a busy machine may do something else for as long; the server says more after 20.
    assert time.monotonic() - began < 8


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


def place(server: TransitServer, **changes: str) -> Place:
    return Place(server.settings["OWNKEY_TRANSIT_URL"], "ownkey", token=TOKEN, **changes)


def test_what_is_asked_is_what_the_engines_api_has(server: TransitServer) -> None:
    there = Server(place(server, namespace="team/a"))
    wrapped = there.encrypt(b"plain", b"tied")
    assert there.decrypt(wrapped, b"tied") == b"plain"
    there.rotate()
    assert server.asked == [
        f"/v1/transit/{rest}" for rest in ("encrypt/ownkey", "decrypt/ownkey", "keys/ownkey/rotate")
    ]
    assert [json.loads(body) for body in server.bodies] == [
        {"plaintext": "cGxhaW4=", "associated_data": "dGllZA=="},
        {"ciphertext": wrapped.decode(), "associated_data": "dGllZA=="},
        {},
    ]
    for headers in server.headers:
        said = {"x-vault-token": TOKEN, "x-vault-namespace": "team/a", "x-vault-request": "true"}
        said |= {"content-type": "application/json", "user-agent": "ownkey"}
        assert said.items() <= headers.items()
    Server(place(server)).rotate()
    assert "x-vault-namespace" not in server.headers[-1]


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({}, "does not say what it has encrypted"),
        ({"ciphertext": "x" * 15}, "does not say what it has encrypted"),
        ({"ciphertext": "x" * 4097}, "does not say what it has encrypted"),
        ({"ciphertext": "\u00e9" * 20}, "does not say what it has encrypted"),
        ({"ciphertext": 17}, "does not say what it has encrypted"),
        (["x"], "does not answer as a transit engine"),
        ((404, {}), "has no such key or mount"),
        ((429, {}), "is on standby"),
        ((403, {}), "refuses the token"),
        ((400, {}), "answered 400"),
        ((500, {}), "answered 500"),
        ((204, {}), "does not say what it has encrypted"),
    ],
)
def test_V15_an_answer_that_is_none_is_told_as_what_it_is(server: TransitServer, says: object, why: str) -> None:
    server.says["encrypt"] = says
    with pytest.raises(VaultSealed, match=f"The transit server that keeps the root key {why}") as refused:
        Server(place(server)).encrypt(b"plain", b"tied")
    assert "OWNKEY_TRANSIT_TOKEN_FILE" in refused.value.hint


def test_what_it_has_encrypted_has_16_to_4096_characters(server: TransitServer) -> None:
    for length in (16, 4096):
        server.says["encrypt"] = {"ciphertext": "x" * length}
        assert Server(place(server)).encrypt(b"plain", b"tied") == b"x" * length


@pytest.mark.parametrize("says", [{"plaintext": "?"}, {"plaintext": 7}, {"plaintext": "YQ"}, {"plaintext": ["YQ=="]}])
def test_V15_a_plaintext_that_is_no_base64_is_told(server: TransitServer, says: object) -> None:
    server.says["decrypt"] = says
    with pytest.raises(VaultSealed, match="does not say what it has decrypted"):
        Server(place(server)).decrypt(b"vault:v1:abcd", b"tied")


def test_V01_a_wrapped_key_that_is_no_text_is_refused_without_asking(server: TransitServer) -> None:
    with pytest.raises(InvalidTag):
        Server(place(server)).decrypt(b"\xff\xfe", b"tied")
    assert server.asked == []
    with pytest.raises(InvalidTag):
        Server(place(server)).decrypt(b"vault:v1:abcd", b"tied")


def test_a_server_that_gives_back_something_else_is_refused(server: TransitServer) -> None:
    server.says["decrypt"] = {"plaintext": "YWJj"}
    with pytest.raises(VaultSealed, match="does not give back what it has encrypted"):
        Transit.make(Server(place(server)), "i1")


def test_a_token_file_that_cannot_be_read_is_named(home: Path, server: TransitServer) -> None:
    bad = home / "token"
    for content in (None, b"", b"\xff\xfe\n"):
        if content is not None:
            bad.write_bytes(content)
        there = Server(Place(server.settings["OWNKEY_TRANSIT_URL"], "ownkey", token_file=str(bad)))
        with pytest.raises(VaultSealed, match="token for the transit server cannot be read"):
            there.encrypt(b"plain", b"tied")
    assert server.asked == []


def test_V18_a_root_key_that_is_kept_there_is_not_pickled_and_its_place_does_not_show_the_token(
    server: TransitServer,
) -> None:
    made = Transit.make(Server(place(server)), "i1")
    with pytest.raises(TypeError):
        pickle.dumps(made)
    assert repr(place(server)) == "Place(transit/ownkey)"
    again = received(made.handover(), made.probe, "i1")
    assert (again.kek_id, again.check("i1"), again.audit_key()) == (made.kek_id, made.check("i1"), made.audit_key())
    assert len(made.audit_key()) == 32
    assert not isinstance(made, Root)


def test_the_trail_is_sealed_with_it_and_keys_are_opened_without_keeping_the_loop(
    store: Store, with_transit: Settings, openai: Origin
) -> None:
    vault = stored(store, with_transit, openai)
    (key,) = vault.audit_keys()
    assert key.kek_id == vault.latch.ring().current.kek_id

    async def main() -> bytes:
        return (await vault.opened("local", "openai", openai))[1].reveal()

    assert asyncio.run(main()) == KEY.encode()


def test_a_process_that_is_open_takes_up_a_root_key_that_a_server_keeps(
    home: Path, store: Store, settings: Settings, with_transit: Settings, server: TransitServer, openai: Origin
) -> None:
    running = stored(store, settings, openai)
    end = running.latch.watch()
    steps = Turn(store, with_transit, Vault(store, with_transit).latch, shared_s=0.7).run(Target("transit"))
    try:
        for _ in steps:
            assert running.open("local", "openai", openai)[1].reveal() == KEY.encode()
    finally:
        end()
    assert running.open("local", "openai", openai)[1].reveal() == KEY.encode()
    assert store.install.get().root_source == "transit transit/ownkey"
    assert server.asked


def test_a_ca_file_that_holds_no_certificate_is_named(home: Path, server: TransitServer) -> None:
    bad = home / "ca.pem"
    bad.write_text("nothing")
    for path in (bad, home / "none.pem"):
        with pytest.raises(BadConfiguration, match="holds no certificates in PEM"):
            Server(place(server, ca_file=str(path))).encrypt(b"plain", b"tied")
