"""Alerts as tests need them, and settings that send them to a receiver on a real port."""

from __future__ import annotations

from typing import Any

from answering import Provider
from canaries import canary
from ownkey.store.posting import Alert

SECRET = canary("webhook", "only two know ")
HOOK = "/hook"
AT_MS = 1_790_000_000_000


def alert(id: str = "budget:b1:0:80", **differs: Any) -> Alert:
    values = {"kind": "budget_threshold", "owner": None, "budget_id": "b1", "message": "80 % are spent."}
    facts = '{"limit":20000000000,"spent":16000000000,"unit":"usd","start_ms":1789999200000,"name":"all"}'
    return Alert(**{"id": id, "facts": facts, "at_ms": AT_MS, **values, **differs})


def hooked(receiver: Provider, **more: Any) -> dict[str, Any]:
    """Settings that send alerts to that receiver."""
    return {
        "alert_webhook_url": f"{receiver.url}{HOOK}",
        "alert_webhook_secret": SECRET,
        "allow_private_hosts": frozenset({("127.0.0.1", receiver.port)}),
        **more,
    }
