"""The house tests itself: sizes, names, and what may not stand in any file."""

from __future__ import annotations

import ast
import re
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Kind
from ownkey.spending.catalogue import Prices
from ownkey.wires.wire import TABLE
from tree import ROOT, files, parsed

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
MEDIAN_LINES = 200
CODE = ("src", "bench", "tools")
WORDS = re.compile(r"(?<![a-z])(utils?|helpers?|managers?|commons?|misc)(?![a-z])")
PROVIDERS = {path.stem for path in files(".toml", under="src")} - set(get_args(Kind))
REGISTRIES = ("pypi.", "pythonhosted.", "npmjs.", "crates.", "rubygems.")


def test_no_file_outgrows_its_screens() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for folder in CODE for path in files(under=folder)}
    assert {str(path): lines for path, lines in lengths.items() if lines > MOST_LINES} == {}
    assert statistics.median(lengths.values()) <= MEDIAN_LINES


def test_no_function_outgrows_its_screen() -> None:
    lengths = {
        f"{path}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in parsed(*CODE)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_FUNCTION_LINES} == {}


def test_nothing_has_a_name_that_says_nothing() -> None:
    names = [str(path.relative_to(ROOT)) for folder in CODE for path in files(under=folder)]
    for _, tree in parsed(*CODE):
        named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        names += [node.name for node in ast.walk(tree) if isinstance(node, named)]
    assert [name for name in names if WORDS.search(_words(name))] == []


def test_no_pattern_is_possessive() -> None:
    """Before Python 3.11.5 such a pattern may match what it does not describe (gh-106052); Debian 12 has 3.11.2."""
    possessive = re.compile(r"(?<!\\)[*+?}]\+|\(\?>")
    found: list[str] = []
    for path, tree in parsed("src"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
                strings = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                patterns = [
                    text if isinstance(text, str) else text.decode()
                    for text in strings
                    if text.__class__ in (str, bytes)
                ]
                found += [
                    f"{path}:{node.lineno}" for text in patterns if possessive.search(re.sub(r"\[[^\]]*\]", "", text))
                ]
    assert found == []


def test_no_provider_is_told_apart_by_its_name() -> None:
    found: list[str] = []
    for path, tree in parsed("src"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare | ast.pattern):
                strings = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                found += [f"{path}:{node.lineno}: {value}" for value in strings if value in PROVIDERS]
    assert found == []


def test_errors_come_from_the_one_tree_only() -> None:
    """Another class of errors would have no HTTP status, no exit code and no page."""
    own = [
        f"{path}: {node.name}"
        for path, tree in parsed("src")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Exception", "Error")) for base in node.bases)
    ]
    assert [name for name in own if "errors.py: " not in name and ": _" not in name] == []


PICTURES = (".png",)


def test_nothing_is_left_undone() -> None:
    undone = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|NotImplemented" r"Error)\b")
    assert _found(undone) == []


def test_no_file_names_a_package_registry_or_a_place_on_one_machine() -> None:
    registry = re.compile("|".join(re.escape(host) + "(org|com|io)" for host in REGISTRIES))
    assert _found(registry) == []
    assert _found(re.compile(r"(?<![\w.}/])/(?:home|root|Users|work)/\w")) == []


def test_every_price_of_a_shipped_model_says_where_it_is_from(tmp_path: Path) -> None:
    prices, now = Prices.load(tmp_path), datetime.now(UTC)
    for provider in Catalogue(wires=frozenset(TABLE)).all():
        for model in provider.models:
            # A price written into a shipped file would go out of date unseen: it has no date.
            assert model.price is None
            rates = prices.rates(provider, model.id, now)
            assert rates is None or re.fullmatch(r"free|genai-prices [\d.]+: \S+", rates.source), model.id


def _words(name: str) -> str:
    """`RateLimitManager` as `_rate_limit_manager`."""
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        if path.suffix not in PICTURES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
