"""Automations over the API: with a token's limits, in two steps where the model changes, with files in."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from browsing import Browser, signed_in
from house import Gateway, Simulator, gateway, library
from modelled import LARGE, SMALL, Modelled, modelled, streamed

PATH = "/api/automations"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Modelled]:
    with modelled(tmp_path_factory.mktemp("automations") / "home") as made:
        yield made


@pytest.fixture(scope="module")
def served(model: Modelled, simulator: Simulator) -> Iterator[Gateway]:
    with gateway(model.home, simulator, OWNKEY_RETRIES="0") as running:
        yield running


@pytest.fixture
def browser(served: Gateway) -> Browser:
    return signed_in(served)


@pytest.mark.row("B9")
def test_it_is_made_quoted_run_and_read_again(served: Gateway, model: Modelled, browser: Browser) -> None:
    model.says(streamed("Tidied."))
    prompt = {"name": "tidy it", "prompt": "Tidy: {{text}}", "model": SMALL, "limit": "0.05"}
    assert browser.ask("POST", PATH, prompt).status == 201
    there = f"{PATH}/tidy%20it"
    given = {"values": {"text": "a mess"}}
    quoted = browser.ask("POST", f"{there}/quote", given).json
    assert quoted["low_nano"] <= quoted["expected_nano"] <= quoted["most_nano"] <= 50_000_000
    assert quoted["models"] == [SMALL]
    assert model.asked == []
    ran = browser.ask("POST", f"{there}/run", given)
    assert ran.status == 200, ran.body
    assert (ran.json["result"], ran.json["cost_nano"], ran.json["calls"]) == ({"output": "Tidied."}, 1_200_000, 1)
    (listed,) = browser.get(f"{there}/runs").json["runs"]
    assert (listed["id"], listed["result"], listed["cost_nano"]) == (ran.json["id"], None, 1_200_000)
    assert browser.get(f"/api/automation-runs/{ran.json['id']}").json["result"] == {"output": "Tidied."}
    used = browser.get("/api/byok/usage?by=automation").json["totals"]
    assert [one["cost_nano"] for one in used if one["group"] == {"automation": "tidy it"}] == [1_200_000]
    assert browser.ask("DELETE", there).status == 200
    assert browser.get(there).status == 404


@pytest.mark.row("B10")
def test_another_model_is_told_of_before_it_is_changed(served: Gateway, model: Modelled, browser: Browser) -> None:
    model.says(streamed("Tidied.", (2_000, 1_000)))
    browser.ask("POST", PATH, {"name": "switched", "prompt": "Tidy.", "model": SMALL})
    there = f"{PATH}/switched"
    assert browser.ask("POST", f"{there}/run", {}).status == 200
    providers = {one["provider"]: one["models"] for one in browser.get(f"{there}/models").json["providers"]}
    assert [(one["model"], one["difference_nano"], one["current"]) for one in providers["modelled"]] == [
        ("large", 56_000_000, False),
        ("small", 0, True),
    ]
    told = browser.ask("PATCH", f"{there}/model", {"model": LARGE}).json
    assert (told["says"], told["difference_nano"], told["changed"]) == ("about $0.06 more per run", 56_000_000, False)
    assert browser.get(there).json["model"] == SMALL
    assert browser.ask("PATCH", there, {"model": LARGE}).status == 422
    assert browser.ask("PATCH", f"{there}/model", {"model": LARGE, "confirmed": True}).json["changed"] is True
    assert browser.ask("POST", f"{there}/run", {}).json["model"] == LARGE
    assert [one["model"] for one in model.asked] == ["small", "large"]


@pytest.mark.row("C10")
def test_a_starter_takes_a_file_of_more_than_a_form_may_hold(
    served: Gateway, model: Modelled, browser: Browser
) -> None:
    model.says({"summary": "s", "findings": [], "questions": []})
    found = {one["name"]: one for one in browser.get("/api/automation-starters").json["starters"]}
    example = found["financial-analysis"]["example"]["files"]["figures"]
    assert example["name"] == "association-2025.csv"
    assert base64.b64decode(example["data"]).startswith(b"Month,")
    assert all(one["example"]["files"] or one["example"]["values"] for one in found.values())
    made = browser.ask("POST", PATH, {"name": "figures", "starter": "financial-analysis", "model": SMALL})
    assert made.status == 201
    rows = "".join(f"{number},{number}.50,{'x' * 20}\n" for number in range(10_000))
    data = base64.b64encode(f"Nr,Amount,Note\n{rows}".encode()).decode()
    ran = browser.ask("POST", f"{PATH}/figures/run", {"files": {"figures": {"name": "a.csv", "data": data}}})
    assert ran.status == 200, ran.body
    sums = [one["value"] for one in ran.json["result"]["figures"] if one["says"].startswith("sum of 10000 rows")]
    assert sums == [f"{sum(range(10_000)) + 5_000}.00"]
    wrong = browser.ask("POST", f"{PATH}/figures/run", {"files": {"figures": {"name": "a.csv", "data": "no base64"}}})
    assert (wrong.status, wrong.error["param"]) == (422, "files.figures")


def test_a_token_runs_what_its_owner_saved_within_what_it_is_for_and_changes_nothing(
    served: Gateway, model: Modelled, browser: Browser
) -> None:
    model.says(streamed("Tidied."))
    browser.ask("POST", PATH, {"name": "of mine", "prompt": "Tidy.", "model": SMALL})
    with library(model.home) as ownkey:
        good = ownkey.tokens.create("for runs").secret.reveal().decode()
        narrow = ownkey.tokens.create("for large", models=[LARGE]).secret.reveal().decode()
    there = f"{PATH}/of%20mine"
    told = {}
    for name, token in (("good", good), ("narrow", narrow)):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        told[name] = [
            served.send("POST", f"{there}/run", b"{}", headers).status,
            served.send("PATCH", f"{there}/model", b'{"model": "demo", "confirmed": true}', headers).status,
            served.send("DELETE", there, None, headers).status,
        ]
    assert told == {"good": [200, 403, 403], "narrow": [403, 403, 403]}
    rows = [row for row in served.rows("modelled") if row.automation == "of mine"]
    assert [row.token_id is not None for row in rows] == [True]


def test_with_somebody_go_their_automations_and_what_those_gave(
    served: Gateway, model: Modelled, tmp_path: Path
) -> None:
    with library(model.home) as ownkey:
        id = ownkey.people.add("Leaving").id
        mine = signed_in(served, id)
        mine.ask("POST", PATH, {"name": "theirs", "prompt": "Say hello.", "model": "demo"})
        assert mine.ask("POST", f"{PATH}/theirs/run", {}).status == 200
        mine.ask("PUT", "/api/automation-default", {"model": "demo"})
        store, keys = ownkey.house.store.automations, ownkey.house.store.keys
        assert (len(store.all(id)), len(store.runs(id)), store.default(id)) == (1, 1, "demo")
        assert len(keys.all(f"runs:{id}")) == 1
        ownkey.people.remove(id)
        assert (store.all(id), store.runs(id), store.default(id), keys.all(f"runs:{id}")) == ([], [], None, [])
