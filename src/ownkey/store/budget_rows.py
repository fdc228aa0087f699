"""Budgets as rows of their table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ownkey.spending.budget import Budget
from ownkey.spending.window import Window

COLUMNS = (
    *("id", "name", "owner", "provider", "model", "key_id", "token_id", "automation", "unit", "most"),
    *("period", "zone", "anchor_day", "exhausted", "alert_percent"),
    *("run_soft", "run_soft_nano", "run_hard_nano", "run_soft_tokens", "run_hard_tokens"),
    *("share_percent", "created_at_ms"),
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM budgets ORDER BY id"  # noqa: S608
VERSION = "SELECT version FROM budget_state"
STATE = "SELECT version, closed_ms FROM budget_state"


def budget_of(row: Sequence[Any]) -> Budget:
    values = dict(zip(COLUMNS, row, strict=True))
    window = Window(values.pop("period"), values.pop("zone"), values.pop("anchor_day"))
    return Budget(limit=values.pop("most"), window=window, **values)


def row_of(budget: Budget) -> dict[str, Any]:
    window = budget.window
    own = {"most": budget.limit, "period": window.period, "zone": window.zone, "anchor_day": window.anchor_day}
    return {name: own[name] if name in own else getattr(budget, name) for name in COLUMNS}
