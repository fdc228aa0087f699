"""The whole of it as one service: ask, validate a key, list a user's keys, see what was used."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from house import BAD, KEYS, MASKED, Simulator, make_home
from ownkey import Ownkey
from ownkey.talk.errors import InvalidCredentials


@pytest.mark.row("C5")
@pytest.mark.row("C6")
def test_one_object_asks_validates_lists_keys_and_tracks_usage(simulator: Simulator, tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)

    async def main() -> None:
        host = f"127.0.0.1:{simulator.port}"
        async with Ownkey(home, keychain=False, allow_private_hosts=host, owner="somebody") as ownkey:
            ownkey.providers.set("openai", endpoint=f"{simulator.url}/fault/name=one/v1")
            with pytest.raises(InvalidCredentials):
                await ownkey.keys.check("openai", BAD, force=True)
            assert (await ownkey.keys.check("openai", KEYS["openai"])).models
            ownkey.keys.set("openai", KEYS["openai"])
            assert [(row.provider, row.masked) for row in ownkey.house.vault.listed("somebody")] == [("openai", MASKED)]
            messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
            began_ms = time.time_ns() // 1_000_000
            reply = await ownkey.chat(messages, "openai/gpt-4o", max_output_tokens=40, temperature=0.5)
            assert reply.text
            sent = json.loads(simulator.seen("one")[-1].body)
            assert (sent["temperature"], sent["max_completion_tokens"], sent["model"]) == (0.5, 40, "gpt-4o")
            await ownkey.house.store.book.drain()
            (row,) = ownkey.house.store.book.rows(owner="somebody")
            assert (row.owner, row.provider, row.model, row.error) == ("somebody", "openai", "gpt-4o", None)
            assert (row.input_tokens, row.output_tokens) == (reply.usage.input_tokens, reply.usage.output_tokens)
            assert reply.receipt is not None
            assert reply.receipt.cost is not None
            assert row.cost_nano == reply.receipt.cost.nano_usd > 0
            assert row.total_ms is not None
            assert began_ms <= row.started_at_ms <= row.started_at_ms + row.total_ms <= time.time_ns() // 1_000_000 + 1
            (total,) = ownkey.usage.totals(("owner", "provider", "model"))
            assert total.group == {"owner": "somebody", "provider": "openai", "model": "gpt-4o"}
            assert (total.calls, total.failed, total.cost_nano) == (1, 0, row.cost_nano)
            (told,) = [one for one in ownkey.condition.listed() if one.provider == "openai"]
            assert (told.state, told.targets[0].success) == ("well", 1.0)

    asyncio.run(main())
