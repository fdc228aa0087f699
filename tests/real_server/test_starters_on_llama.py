"""Starters at a real server whose model knows nothing: it fills in the schema with letters by chance. What Ownkey
computes is there all the same, and none of the letters pass for checked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llama import MODEL
from ownkey import Ownkey
from ownkey.app.automations.book import Run
from ownkey.app.automations.given import GivenFile
from ownkey.talk.errors import UnexpectedResponse

GIVEN = {
    "financial-analysis": {"figures": "Month,Fees\nJanuary,10.10\nFebruary,20.20\n"},
    "meeting-insights": {
        "transcript": "Chair: We agreed to meet again.\nTreasurer: I will send the figures by Friday."
    },
    "code-review": {"code": "def half(a):\n    return a / 3\n"},
    "translation": {"text": "Dear {{name}}, it costs 12 euros."},
}


def ran(home: Path, name: str) -> Run | None:
    """None where a chance answer does not end in time, which is told as one error."""

    async def main() -> Run | None:
        async with Ownkey(home, keychain=False, retries=0) as ownkey:
            ownkey.automations.add_starter(name, model=f"llamacpp/{MODEL}")
            files = {key: GivenFile(f"{key}.txt", text.encode()) for key, text in GIVEN[name].items()}
            texts = {"language": "German"} if name == "translation" else {}
            try:
                return await ownkey.automations.run(name, texts, files)
            except UnexpectedResponse:
                return None

    return asyncio.run(main())


@pytest.mark.row("C10")
@pytest.mark.row("C11")
@pytest.mark.parametrize("name", GIVEN)
def test_letters_by_chance_never_pass_for_checked_and_what_is_computed_is_there(home: Path, name: str) -> None:
    run = ran(home, name)
    if run is None:
        return
    assert run.result is not None
    result: dict[str, Any] = run.result
    assert run.cost.nano_usd == 0
    if name == "financial-analysis":
        assert "sum of 2 rows: 30.3" in [one["says"] for one in result["figures"]]
        assert not any(one["checked"] for one in result["findings"])
    if name == "meeting-insights":
        assert result["decisions"] + result["actions"] + result["questions"] == []
        assert [one["line"] for one in result["look_at"]] == [1, 2]
    if name == "code-review":
        assert result["findings"] == []
    if name == "translation":
        assert result["checked"] is False
