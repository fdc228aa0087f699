"""docs/matrix.md, cell by cell: none is empty, and none is merely said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from house import Simulator
from matrix import FEATURES, IN, OUT, PAGE, Cell, Matrix, cells, page, running


@pytest.fixture(scope="module")
def matrix(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with running(tmp_path_factory.mktemp("matrix") / "home", simulator) as made:
        yield made


@pytest.fixture(scope="module")
def found(matrix: Matrix) -> dict[tuple[str, str, str], Cell]:
    return {(cell.feature, cell.inward, cell.outward): cell for cell in cells(matrix)}


@pytest.mark.row("C2")
@pytest.mark.row("E12")
@pytest.mark.parametrize("outward", OUT)
@pytest.mark.parametrize("inward", IN)
@pytest.mark.parametrize("feature", FEATURES)
def test_a_cell_is_carried_or_refused_by_name_and_never_dropped(
    found: dict[tuple[str, str, str], Cell], feature: str, inward: str, outward: str
) -> None:
    cell = found[feature, inward, outward]
    assert not cell.wrong, cell.wrong


def test_where_both_wires_are_the_same_everything_that_has_a_word_is_carried(
    found: dict[tuple[str, str, str], Cell],
) -> None:
    same = [cell for cell in found.values() if cell.inward == cell.outward]
    assert same
    assert all(cell.state in ("carried", "absent") for cell in same)


def test_the_page_shows_what_was_seen(found: dict[tuple[str, str, str], Cell]) -> None:
    assert PAGE.read_text("utf-8") == page(list(found.values())), "`make docs` writes it"


def test_a_cell_that_loses_something_is_found_out(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself: a feature that nobody carries is no cell that holds."""
    monkeypatch.setitem(FEATURES, "text", {"say": "Something else."})
    assert matrix.cell("text", "openai-chat", "gemini").wrong
