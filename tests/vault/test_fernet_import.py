"""Keys that another program has encrypted with Fernet come in; what cannot is named, and nothing is lost."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.fernet import Fernet, MultiFernet
from hypothesis import given
from hypothesis import strategies as st

from canaries import canary
from house import environment, library, run
from ownkey.app.fernet import read_keys, read_values
from ownkey.engine.target import locate
from ownkey.talk.errors import InvalidRequest, OwnkeyError

VECTORS = Path(cryptography_vectors.__file__).parent / "fernet"
KEYS = {"openai": canary("fernet openai", "sk-proj-"), "groq": canary("fernet groq", "gsk_")}


class Old:
    """The other program: its Fernet key, in a file."""

    def __init__(self, folder: Path) -> None:
        self.key = Fernet.generate_key()
        self.key_file = folder / "fernet.key"
        self.key_file.write_bytes(self.key + b"\n")
        self.file = folder / "values"
        self.home = folder / "home"
        self.env = environment(self.home)

    def token(self, value: str) -> str:
        return Fernet(self.key).encrypt(value.encode()).decode()

    def imported(self, content: str, *more: str) -> tuple[int, dict[str, list[object]]]:
        self.file.write_text(content)
        done = run(self.env, "keys", "import-fernet", str(self.file), "--key-file", str(self.key_file), "--json", *more)
        return done.returncode, json.loads(done.stdout) if done.stdout else {"said": [done.stderr]}

    def stored(self, owner: str = "owner") -> dict[str, str]:
        with library(self.home) as ownkey:
            found: dict[str, str] = {}
            for row in ownkey.house.vault.listed(owner):
                manifest = ownkey.house.catalogue.get(row.provider)
                origin, _ = locate(manifest, "models", ownkey.house.store.choices.get(row.provider))
                found[row.provider] = ownkey.house.vault.open(owner, row.provider, origin)[1].reveal().decode()
            return found


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path)


def as_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@pytest.mark.row("D1")
@pytest.mark.parametrize("form", ["object", "list", "csv", "users"])
def test_values_written_by_fernet_are_sealed_anew_and_open(old: Old, form: str) -> None:
    tokens = {name: old.token(value) for name, value in KEYS.items()}
    content = {
        "object": json.dumps(tokens),
        "users": json.dumps({"ann": tokens}),
        "list": json.dumps([{"service": name, "encrypted_key": token} for name, token in tokens.items()]),
        "csv": as_csv([{"user_id": "7", "provider": name, "value": token} for name, token in tokens.items()]),
    }[form]
    code, said = old.imported(content)
    assert (code, said["left"], said["bad"]) == (0, [], [])
    assert len(said["kept"]) == 2
    assert old.stored() == KEYS
    kept = b"".join(path.read_bytes() for path in old.home.rglob("*") if path.is_file())
    for secret in (*KEYS.values(), *tokens.values(), old.key.decode()):
        assert secret.encode() not in kept


@pytest.mark.row("D1")
def test_V12_a_bad_value_is_named_and_the_good_ones_come_in_and_the_file_stays(old: Old) -> None:
    good = old.token(KEYS["openai"])
    altered = good[:-6] + ("A" if good[-6] != "A" else "B") + good[-5:]
    values = {
        "openai": good,
        "groq": Fernet(Fernet.generate_key()).encrypt(b"under another key").decode(),
        "xai": altered,
        "deepseek": old.token("sh"),
        "anthropic": old.token("sk-...a190-masked"),
        "nobody-knows-this": old.token(KEYS["groq"]),
        "demo": old.token(KEYS["groq"]),
    }
    content = json.dumps(values)
    code, said = old.imported(content)
    assert code == 1
    assert {bad["place"] for bad in said["bad"]} == set(values) - {"openai"}  # type: ignore[index]
    assert old.stored() == {"openai": KEYS["openai"]}
    assert old.file.read_text() == content
    assert KEYS["groq"] not in json.dumps(said)


def test_a_key_that_is_there_stays_unless_it_is_to_be_replaced(old: Old) -> None:
    with library(old.home) as ownkey:
        ownkey.keys.set("openai", canary("here before", "sk-proj-"))
    content = json.dumps({name: old.token(value) for name, value in KEYS.items()})
    code, said = old.imported(content)
    assert (code, said["left"]) == (0, ["openai"])
    assert old.stored() == KEYS | {"openai": canary("here before", "sk-proj-")}
    assert old.imported(content, "--replace")[0] == 0
    assert old.stored() == KEYS


@pytest.mark.row("D1")
def test_the_keys_of_several_users_stay_apart(old: Old) -> None:
    content = json.dumps({user: {"openai": old.token(canary(f"of {user}", "sk-proj-"))} for user in ("ann", "bob")})
    code, said = old.imported(content)
    assert code != 0
    assert "2 users" in str(said)
    assert old.stored() == {}
    assert old.imported(content, "--user", "bob")[0] == 0
    assert old.stored() == {"openai": canary("of bob", "sk-proj-")}
    assert old.imported(content, "--each-user")[0] == 0
    for user in ("ann", "bob"):
        assert old.stored(user) == {"openai": canary(f"of {user}", "sk-proj-")}
    assert old.imported(content, "--user", "eve")[0] != 0


def test_a_value_that_stands_there_twice_is_not_guessed_at(old: Old) -> None:
    rows = [{"provider": "openai", "value": old.token(value)} for value in KEYS.values()]
    code, said = old.imported(json.dumps(rows))
    assert (code, len(said["bad"]), said["kept"]) == (1, 2, [])


def test_values_written_with_keys_that_were_changed_meanwhile_all_come_in(old: Old) -> None:
    earlier = old.token(KEYS["openai"])
    old.key, before = Fernet.generate_key(), old.key
    old.key_file.write_bytes(old.key + b"\n" + before)
    assert old.imported(json.dumps({"openai": earlier, "groq": old.token(KEYS["groq"])}))[0] == 0
    assert old.stored() == KEYS


def test_V06_nothing_is_read_into_a_sealed_vault(old: Old) -> None:
    with library(old.home) as ownkey:
        ownkey.vault.seal()
    code, said = old.imported(json.dumps({"openai": old.token(KEYS["openai"])}))
    assert code != 0
    assert "sealed by its owner" in str(said)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"[1]", b'{"openai": 7}', b'[{"provider": "openai"}]', b"a,b\n1,2\n", b"\xff\xfe\x00",
     b'{"openai": {"deeper": {"than": "that"}}}', b"[" * 100_000, b"x" * (8 * 1024 * 1024 + 1)],
    ids=range(12),
)  # fmt: skip
def test_V23_a_file_that_is_none_imports_nothing(content: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_values(content)
    assert "othing was imported" in str(refused.value)


@given(st.binary(max_size=300))
def test_V23_whatever_the_bytes_it_is_rows_or_one_clear_error(content: bytes) -> None:
    try:
        found = read_values(content)
    except OwnkeyError:
        return
    assert found


@pytest.mark.parametrize("content", [b"", b"\n", bytes(range(32)), b"not a key", b"A" * 43])
def test_a_file_without_a_fernet_key_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRequest, match="no Fernet key"):
        read_keys(content)


def test_the_published_vectors_of_fernet_agree() -> None:
    for vector in json.loads((VECTORS / "verify.json").read_text()):
        keys = read_keys(vector["secret"].encode())
        assert isinstance(keys, MultiFernet)
        assert keys.decrypt(vector["token"].encode()) == vector["src"].encode()
