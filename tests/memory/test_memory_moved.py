"""What is kept goes along to another installation with the keys that open it, and stays here without them."""

from __future__ import annotations

from pathlib import Path

from house import Simulator, library, write_provider
from moving import chat, exported, plain, taken

SAID = "Hello"


def test_kept_chats_open_where_they_came_to_beside_those_that_were_there(tmp_path: Path, simulator: Simulator) -> None:
    with library(tmp_path / "one") as one, library(tmp_path / "two") as two:
        for ownkey in (one, two):
            ownkey.history.on(30)
            model = f"{write_provider(ownkey.settings.home, simulator)}/gpt-4o"
            ownkey.house.catalogue.refresh()
            chat(ownkey, model)
        (there,) = one.history.page().entries
        (here,) = two.history.page().entries
        text = plain(exported(one))
        assert SAID.encode() not in text.replace(b'"Hello"', b"")
        taken(two, text, replace=True)
        assert {kept.id: kept.entry for kept in two.history.page().entries} == {
            there.id: there.entry,
            here.id: here.entry,
        }
        assert two.history.get(there.id).cost_nano == there.cost_nano
        assert len(two.history.search(SAID).entries) == 2
        taken(two, text, replace=True)
        assert two.history.count() == 2


def test_without_the_keys_no_chat_goes_along(tmp_path: Path, simulator: Simulator) -> None:
    with library(tmp_path / "one") as one, library(tmp_path / "two") as two:
        one.history.on()
        model = f"{write_provider(one.settings.home, simulator)}/gpt-4o"
        one.house.catalogue.refresh()
        chat(one, model)
        assert one.history.count() == 1
        taken(two, plain(exported(one, keys=False)), replace=True)
        assert two.history.count() == 0
        assert two.history.terms == one.history.terms
