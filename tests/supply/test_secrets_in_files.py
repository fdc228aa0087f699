"""No key stands in any file of the project: what looks like one is a key of the tests, and says so itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ownkey.catalog.load import Catalogue
from ownkey.wires.wire import WIRE_NAMES
from tree import ROOT, files, tracked

# Forms of keys that begin like nothing else. Beside these, every form that a provider's file tells of itself.
FORMS = (
    r"sk-(?:proj-|ant-|or-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}",
    r"AIza[A-Za-z0-9_-]{30,}",
    r"ok-[A-Za-z0-9_-]{40,}",
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{30,}",
    r"glpat-[A-Za-z0-9_-]{20,}",
    r"xox[abprs]-[A-Za-z0-9-]{20,}",
    r"hv[sb]\.[A-Za-z0-9_-]{24,}",
    r"eyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{20,}",
)
# What a key of the tests has in it, so that everybody sees that it is none.
MARKS = ("canary", "Canary", "AAAAAA", "0123456789", "abcdefghijkl", "000000", "0fVq8ZtYw3LmXe71vX2Q")


def forms() -> re.Pattern[str]:
    """Every form of a key that begins with letters of its own, as one pattern."""
    told = {
        provider.keys.looks_like.removeprefix("^").removesuffix("$")
        for catalogue in [Catalogue(wires=WIRE_NAMES)]
        for provider in (*catalogue.all(), *catalogue.gallery())
        if provider.keys.looks_like
    }
    plain = {form for form in told if re.match(r"[A-Za-z]{2,}[-_]|[A-Za-z]{4,}", form)}
    longer = {re.sub(r"\{\d+,\}$", "{20,}", form) for form in plain}
    return re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join([*FORMS, *sorted(longer)])})")


def keys(text: str, pattern: re.Pattern[str]) -> list[str]:
    """What looks like a true key in a text."""
    return [found for found in pattern.findall(text) if not _harmless(found)]


def _harmless(found: str) -> bool:
    """A word, such as `sk-and-so-on-and-so-on`, is as harmless as a mark: no key is without capitals and digits."""
    return any(mark in found for mark in MARKS) or (found.islower() and not re.search(r"\d", found))


@pytest.fixture(scope="module")
def pattern() -> re.Pattern[str]:
    return forms()


def test_P13_no_file_of_the_project_holds_a_key(pattern: re.Pattern[str]) -> None:
    """The wheel holds the same files and no others (P02)."""
    found = {
        str(path.relative_to(ROOT)): held
        for path in {*tracked(), *files()}
        if (held := keys(path.read_text("utf-8", "replace"), pattern))
    }
    assert found == {}


TRUE = (
    "sk-" + "proj-Zk3vQ9mXw7Rb2TnLc8YdHf5JgKpS4uVeA1iO6xWz",
    "sk-" + "ant-api03-Zk3vQ9mXw7Rb2TnLc8YdHf5JgKpS4uVeA1i",
    "AI" + "zaSyZk3vQ9mXw7Rb2TnLc8YdHf5JgKpS4uVe",
    "gsk" + "_Zk3vQ9mXw7Rb2TnLc8YdHf5JgKpS4uVe",
    "xai" + "-Zk3vQ9mXw7Rb2TnLc8YdHf5JgKpS4uVe",
    "nvapi" + "-Zk3vQ9mXw7Rb2TnLc8YdHf5JgKpS4uVe",
    "hf" + "_Zk3vQ9mXwRbTnLcYdHfJgKpSuVeAiOxWz",
    "AKIA" + "Z3VQ9MXW7RB2TNLC",
    "ghp" + "_Zk3vQ9mXw7Rb2TnLc8YdHf5JgKpS4uVe",
)


@pytest.mark.parametrize("key", TRUE)
@pytest.mark.parametrize("around", ["key = '{}'", "Authorization: Bearer {}\n", '{{"key":"{}"}}', "?key={}&a=b"])
def test_P13_a_key_in_a_file_would_be_found(pattern: re.Pattern[str], key: str, around: str) -> None:
    assert keys(around.format(key), pattern) == [key]


@pytest.mark.parametrize("name", [".env", "credentials.json", "id_rsa", "key.pem", "ownkey.db", "root.key", ".netrc"])
def test_P13_no_file_is_one_that_holds_secrets(name: str) -> None:
    ends = (".pem", ".key", ".p12", ".pfx", ".db", ".sqlite", ".sqlite3", ".kdbx")
    named = {path.name for path in tracked()}
    assert name not in named
    assert [found for found in named if Path(found).suffix in ends] == []


def test_P15_nothing_here_is_run_by_a_host_of_code() -> None:
    """No workflow that what somebody writes into a title could get into, and no action named by a tag that moves."""
    places = (
        ".github",
        ".gitlab-ci.yml",
        ".circleci",
        ".travis.yml",
        "azure-pipelines.yml",
        ".drone.yml",
        "Jenkinsfile",
    )
    assert [name for name in (*places, ".pre-commit-config.yaml", ".woodpecker") if (ROOT / name).exists()] == []
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")][1:] == ['cd "$(dirname "$0")/.."', "make test"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert list(scripts) == ["ownkey"]
