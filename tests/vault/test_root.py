"""Where the root key comes from; that it is made once, and never over old data."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from threading import Barrier, Thread

import pytest

from canaries import canary
from ownkey.settings import Settings, load
from ownkey.store.db import Store
from ownkey.talk.errors import BadConfiguration, VaultSealed
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault import keyfile
from ownkey.vault.envelope import Root
from ownkey.vault.keychain import Keychain
from ownkey.vault.root import find
from ownkey.vault.vault import Vault

RAW = sha256(b"a root key for tests").digest()
STRONG = {
    "BYOK_ENCRYPTION_PASSWORD": canary("root password", "vK9#mTq2 "),
    "BYOK_ENCRYPTION_SALT": canary("root salt", "8fJ2"),
}
KEY = Secret(canary("root"))


def with_file(home: Path, content: bytes, mode: int = 0o600) -> Settings:
    path = home.parent / "master.key"
    path.touch()
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(mode)
    return load({}, home=home, keychain=False, master_key_file=path)


def everything_in(home: Path) -> dict[str, bytes]:
    """The files that matter: all but the database's own."""
    return {path.name: path.read_bytes() for path in home.iterdir() if path.is_file() and "ownkey.db" not in path.name}


def no_keychain() -> Keychain:
    return Keychain(lambda: None)


@pytest.mark.row("A2")
def test_where_there_is_no_keychain_a_private_file_keeps_the_root_key(home: Path, store: Store) -> None:
    first = find(load({}, home=home), store.install, no_keychain)
    state = (home / "root.key").stat()
    assert stat.S_IMODE(state.st_mode) == 0o600
    assert find(load({}, home=home), store.install, no_keychain).kek_id == first.kek_id
    assert store.install.get().root_source == "home"
    assert [path.name for path in home.iterdir() if path.name.startswith("root")] == ["root.key"]


def test_O15_a_home_that_is_made_under_an_open_umask_is_private(tmp_path: Path, store: Store) -> None:
    before = os.umask(0)
    try:
        find(load({}, home=tmp_path / "new", keychain=False), store.install)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "root.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "content",
    [
        RAW,
        RAW.hex().encode(),
        RAW.hex().upper().encode() + b"\n",
        base64.b64encode(RAW) + b"\n",
        base64.urlsafe_b64encode(RAW).rstrip(b"="),
    ],
)
def test_a_master_key_file_is_read_as_bytes_hex_or_base64(home: Path, store: Store, content: bytes) -> None:
    assert find(with_file(home, content), store.install).kek_id == Root(RAW).kek_id
    assert not (home / "root.key").exists()


@pytest.mark.parametrize(
    "content", [b"", b"\n", bytes(32), b"x" * 32, RAW[:31], RAW + b"\n", RAW.hex().encode()[:32], b"0" * 64, RAW * 5]
)
def test_V06_a_short_or_zero_root_key_is_refused_and_nothing_is_made(home: Path, store: Store, content: bytes) -> None:
    vault = Vault(store, with_file(home, content))
    with pytest.raises(BadConfiguration, match=r"master\.key holds no root key"):
        vault.unlock()
    assert vault.status == "sealed"
    assert store.install.get().root_check is None
    assert everything_in(home) == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_S04_a_master_key_file_that_is_open_to_others_is_refused(home: Path, store: Store, mode: int) -> None:
    with pytest.raises(BadConfiguration, match="chmod 600"):
        find(with_file(home, RAW, mode), store.install)


def test_S04_a_link_a_folder_and_another_users_file_are_refused(home: Path, store: Store) -> None:
    settings = with_file(home, RAW)
    link = home.parent / "link"
    link.symlink_to(home.parent / "master.key")
    foreign = Path("/etc/passwd")
    if os.geteuid() == 0:
        foreign = settings.master_key_file or foreign
        os.chown(foreign, 65534, -1)
    for path, why in ((link, "symbolic link"), (home, "plain file"), (foreign, "another user")):
        with pytest.raises(BadConfiguration, match=why):
            find(load({}, home=home, keychain=False, master_key_file=path), store.install)
    with pytest.raises(BadConfiguration, match="is not there"):
        find(load({}, home=home, keychain=False, master_key_file=home / "none"), store.install)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_S04_a_data_folder_that_others_can_write_to_is_refused(home: Path, settings: Settings, mode: int) -> None:
    store = Store.open(settings.database_url)
    home.chmod(mode)
    with pytest.raises(BadConfiguration, match="chmod 700"):
        find(settings, store.install)
    store.close()


def test_S04_a_root_key_in_the_home_that_is_opened_to_others_is_refused(
    home: Path, store: Store, settings: Settings
) -> None:
    find(settings, store.install)
    (home / "root.key").chmod(0o644)
    with pytest.raises(BadConfiguration, match="chmod 600"):
        find(settings, store.install)


@pytest.mark.row("C7")
def test_password_and_salt_give_the_root_key(home: Path, store: Store) -> None:
    settings = load(STRONG, home=home, keychain=False)
    first = find(settings, store.install)
    assert find(settings, store.install).kek_id == first.kek_id
    assert store.install.get().root_source == "password argon2id m=65536 t=3 p=4"
    assert everything_in(home) == {}
    for other in (
        {"BYOK_ENCRYPTION_PASSWORD": canary("another root password", "vK9#mTq2 ")},
        {"BYOK_ENCRYPTION_SALT": canary("another root salt", "8fJ2")},
    ):
        with pytest.raises(VaultSealed, match="not the root key"):
            find(load(STRONG | other, home=home, keychain=False), store.install)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BYOK_ENCRYPTION_PASSWORD", "vK9#mTq2"),
        ("BYOK_ENCRYPTION_PASSWORD", "changeme-changeme"),
        ("BYOK_ENCRYPTION_PASSWORD", "your-secure-password-here"),
        ("BYOK_ENCRYPTION_PASSWORD", "Password1234567890"),
        ("BYOK_ENCRYPTION_PASSWORD", "aaaaaaaaaaaaaaaaaaaa"),
        ("BYOK_ENCRYPTION_PASSWORD", "byok-encryption-password"),
        ("BYOK_ENCRYPTION_SALT", STRONG["BYOK_ENCRYPTION_PASSWORD"]),
        ("BYOK_ENCRYPTION_SALT", "My salt"),
        ("BYOK_ENCRYPTION_SALT", "your-salt-here"),
        ("BYOK_ENCRYPTION_SALT", "12345678"),
    ],
)
def test_A19_a_short_or_well_known_secret_is_refused_by_name(
    home: Path, store: Store, variable: str, value: str
) -> None:
    with pytest.raises(BadConfiguration, match=variable) as refused:
        find(load(STRONG | {variable: value}, home=home, keychain=False), store.install)
    assert value not in str(refused.value)


@pytest.mark.parametrize("value", ["correct horse battery staple", "Zwölf Boxkämpfer jagen Eva", "4f1d9c07b2e65a83"])
def test_a_good_passphrase_is_taken(home: Path, store: Store, value: str) -> None:
    find(load(STRONG | {"BYOK_ENCRYPTION_PASSWORD": value}, home=home, keychain=False), store.install)


@pytest.mark.parametrize("missing", STRONG)
def test_A19_password_without_salt_and_salt_without_password_are_refused(
    home: Path, store: Store, missing: str
) -> None:
    with pytest.raises(BadConfiguration, match=f"{missing} is not set"):
        find(load({k: v for k, v in STRONG.items() if k != missing}, home=home, keychain=False), store.install)


@pytest.mark.parametrize("cost", ["m=67108864 t=3 p=4", "m=8 t=1 p=1", "m=65536 t=9999 p=4", "m=65536 t=3 p=0", "fast"])
def test_V13_recorded_costs_out_of_bounds_are_refused_before_they_are_used(home: Path, store: Store, cost: str) -> None:
    store.install.set_root(f"password argon2id {cost}", b"x" * 32)
    began = time.thread_time()
    with pytest.raises(VaultSealed, match="out of bounds"):
        find(load(STRONG, home=home, keychain=False), store.install)
    assert time.thread_time() - began < 0.05


def test_V06_a_wrong_or_missing_root_key_seals_the_vault_and_changes_nothing(
    home: Path, store: Store, settings: Settings, openai: Origin
) -> None:
    Vault(store, settings).put("local", "openai", openai, KEY)
    good = (home / "root.key").read_bytes()
    noted, rows = store.install.get(), store.keys.all("local")
    other = with_file(home, sha256(b"another").digest())
    for content, asked in ((good, other), (None, settings), (base64.b64encode(RAW), settings)):
        (home / "root.key").unlink()
        if content is not None:
            (home / "root.key").touch(0o600)
            (home / "root.key").write_bytes(content)
        before = everything_in(home)
        vault = Vault(store, asked)
        assert (vault.status, "root.key" in (vault.sealed_reason or "")) == ("sealed", True)
        with pytest.raises(VaultSealed):
            vault.open("local", "openai", openai)
        with pytest.raises(VaultSealed):
            vault.put("local", "openai", openai, KEY)
        assert (everything_in(home), store.install.get(), store.keys.all("local")) == (before, noted, rows)
        (home / "root.key").touch(0o600)
    (home / "root.key").write_bytes(good)
    assert Vault(store, settings).open("local", "openai", openai)[1].reveal() == KEY.reveal()


def test_V06_the_same_root_key_given_as_a_file_opens_what_the_home_sealed(
    home: Path, store: Store, settings: Settings
) -> None:
    first = find(settings, store.install)
    given = with_file(home, (home / "root.key").read_bytes())
    assert find(given, store.install).kek_id == first.kek_id


def test_a_root_key_left_by_a_start_that_was_cut_short_is_used(home: Path, settings: Settings) -> None:
    """The file is there and nothing is noted yet: then it is this one, and no other is made."""
    path = home / "root.key"
    path.touch(0o600)
    path.write_text(RAW.hex())
    store = Store.open(settings.database_url)
    find(settings, store.install)
    assert path.read_text() == RAW.hex()
    store.close()


WORKER = """
import sys
from ownkey.settings import load
from ownkey.store.db import Store
from ownkey.talk.origin import Origin
from ownkey.talk.secret import Secret
from ownkey.vault.vault import Vault
home, owner = sys.argv[1:]
sys.stdin.readline()
settings = load({}, home=home, keychain=False)
store = Store.open(settings.database_url)
Vault(store, settings).put(owner, "openai", Origin("https", "api.openai.com", 443), Secret(f"sk-test-of-{owner}"))
store.close()
"""


def test_S14_four_processes_that_start_at_once_agree_on_one_root_key(home: Path, openai: Origin) -> None:
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WORKER, str(home)]
    workers = [
        subprocess.Popen([*command, f"owner{n}"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)
        for n in range(4)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"go\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.communicate()[1] == b""
    settings = load({}, home=home, keychain=False)
    store = Store.open(settings.database_url)
    vault = Vault(store, settings)
    keys = [vault.open(f"owner{n}", "openai", openai)[1].reveal() for n in range(4)]
    assert keys == [f"sk-test-of-owner{n}".encode() for n in range(4)]
    assert [path.name for path in home.glob("root*")] == ["root.key"]
    store.close()


def test_S14_of_many_that_make_the_file_at_the_same_moment_all_hold_the_same_root_key(tmp_path: Path) -> None:
    for round_ in range(40):
        path = tmp_path / f"home{round_}" / "root.key"
        start, made = Barrier(6), list[bytes]()

        def make(path: Path, start: Barrier, made: list[bytes]) -> None:
            start.wait()
            made.append(keyfile.read_or_make(path).kek_id)

        threads = [Thread(target=make, args=(path, start, made)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [keyfile.read(path).kek_id] * 6
        assert os.listdir(path.parent) == ["root.key"]
