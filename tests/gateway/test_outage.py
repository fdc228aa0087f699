"""A provider that goes away under load and comes back, on real sockets, with the waits that a gateway has by itself."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from house import Answer, Gateway, Simulator, gateway
from ownkey.simulate.server import Seen

BEFORE_S = 3.0
AFTER_S = 12.0
IN_USE_AGAIN_S = 10.0
KNOWN_AFTER_S = 5.0
"""From silence it is known by then; who came before did not ask in order to probe."""


@pytest.mark.row("A6")
@pytest.mark.row("B15")
@pytest.mark.parametrize("fault", ["status=503", "reset"])
def test_an_outage_loses_no_answer_and_ends_when_it_ends(tmp_path: Path, simulator: Simulator, fault: str) -> None:
    lived_through(tmp_path, simulator, fault, lasts_s=5, calls_per_s=15)


@pytest.mark.soak
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", ["status=503", "reset", "silence"])
def test_a_minutes_outage_under_fifty_calls_a_second(tmp_path: Path, simulator: Simulator, fault: str) -> None:
    calls, asked = lived_through(tmp_path, simulator, fault, lasts_s=60, calls_per_s=50)
    probes = [after_s for after_s in asked if after_s > KNOWN_AFTER_S]
    print(
        f"{fault}: {calls} calls during the outage; {len(asked)} asked the one that was gone, {len(probes)} to probe it"
    )
    assert len(probes) < calls / 100


def lived_through(
    folder: Path, simulator: Simulator, fault: str, *, lasts_s: float, calls_per_s: int
) -> tuple[int, list[float]]:
    """How many calls came during the outage, and when the one that was gone was asked, from its beginning."""
    with gateway(folder / "home", simulator) as running, ThreadPoolExecutor(256) as pool:
        first, second = running.provider(f"{fault};after={BEFORE_S};lasts={lasts_s}"), running.provider()
        answers: list[Future[Answer]] = []
        began_s = time.monotonic()
        for number in range(int((BEFORE_S + lasts_s + AFTER_S) * calls_per_s)):
            time.sleep(max(0.0, began_s + number / calls_per_s - time.monotonic()))
            answers.append(pool.submit(running.ask, f"{first}/gpt-4o,{second}/gpt-4o", stream=number % 2 == 0))
        assert {future.result().status for future in answers} == {200}
        seen = simulator.seen(first)
        gone_s = seen[0].at_s + BEFORE_S
        back_s = gone_s + lasts_s
        during = [one.at_s - gone_s for one in seen if gone_s <= one.at_s < back_s]
        assert in_use_again(running, seen, back_s, second) < IN_USE_AGAIN_S
        return int(lasts_s * calls_per_s), during


def in_use_again(running: Gateway, seen: list[Seen], back_s: float, second: str) -> float:
    """How long after its return the first one answered everything again."""
    others = [one.at_s for one in running.simulator.seen(second)]
    after = [one.at_s for one in seen if one.at_s >= back_s]
    assert after, "it was never asked again"
    return max(max(others) - back_s, after[0] - back_s)
