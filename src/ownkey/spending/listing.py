"""What the records of the price catalogue say: which model a name means, what holds at a time, at which rates. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from ownkey.spending.listed import Amount, Clause, Dated
from ownkey.spending.price import Rates, Tier

FOREVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

_COMPACT_DATE = re.compile(r"-(20\d{2})(\d{2})(\d{2})(?=[-:]|$)")

# A part whose tokens nobody reports apart is charged at the dearest rate it may have.
_RATES = {
    "input": ("input_mtok", "input_image_mtok", "input_video_mtok"),
    "output": ("output_mtok", "output_image_mtok", "output_video_mtok", "output_citation_mtok"),
    "cached": ("cache_read_mtok", "cache_image_read_mtok"),
    "cache_write": ("cache_write_mtok",),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "input_audio": ("input_audio_mtok",),
    "cached_audio": ("cache_audio_read_mtok",),
    "output_audio": ("output_audio_mtok",),
    "reasoning": ("output_reasoning_mtok",),
}
_REQUESTS = "requests_kcount"


def matches(clause: Clause, name: str) -> bool:
    match clause.op:
        case "equals":
            return name == clause.text
        case "starts_with":
            return name.startswith(clause.text)
        case "ends_with":
            return name.endswith(clause.text)
        case "contains":
            return clause.text in name
        case "regex":
            return re.search(clause.text, name) is not None
        case "or":
            return any(matches(part, name) for part in clause.of)
        case "and":
            return all(matches(part, name) for part in clause.of)


def spellings(name: str) -> tuple[str, ...]:
    """The name as it is compared, and after it the spelling of its date that the catalogue uses, where it has one."""
    name = name.lower()
    plain = _COMPACT_DATE.sub(_spread_date, name)
    return (name,) if plain == name else (name, plain)


def _spread_date(found: re.Match[str]) -> str:
    """`-20251211` as `-2025-12-11`, where that is a date: resellers write the one, the catalogue the other."""
    year, month, day = found.groups()
    try:
        return f"-{date(int(year), int(month), int(day)).isoformat()}"
    except ValueError:
        return found.group()


def holds(entry: Dated, at: datetime) -> bool:
    if entry.start is not None:
        return at.date().isoformat() >= entry.start
    if entry.from_s is None or entry.until_s is None:
        return True
    second = at.hour * 3600 + at.minute * 60 + at.second
    if entry.until_s < entry.from_s:
        return second >= entry.from_s or second < entry.until_s
    return entry.from_s <= second < entry.until_s


def validity(entries: tuple[Dated, ...], at: datetime) -> tuple[datetime, datetime]:
    """The span around `at` in which the same entries hold."""
    since, until = FOREVER
    midnight = datetime.combine(at.date(), time(), UTC)
    edges: list[datetime] = []
    for entry in entries:
        if entry.start is not None:
            edges.append(datetime.combine(date.fromisoformat(entry.start), time(), UTC))
        elif entry.from_s is not None and entry.until_s is not None:
            days = (midnight, midnight + timedelta(days=1))
            edges += [day + timedelta(seconds=second) for day in days for second in (0, entry.from_s, entry.until_s)]
    for edge in edges:
        if edge <= at:
            since = max(since, edge)
        else:
            until = min(until, edge)
    return since, until


def rates_of(prices: Mapping[str, Amount], *, source: str, dated: str | None) -> Rates | None:
    """None where what is charged for is not tokens."""
    if "input_mtok" not in prices:
        return None
    used = [name for names in _RATES.values() for name in names if name in prices]
    edges = sorted({edge for name in used for edge in prices[name][1::2]})
    return Rates(
        **_line(prices, None),
        tiers=tuple(Tier(**_line(prices, edge), over=edge) for edge in edges),
        per_request=-(-prices.get(_REQUESTS, (0,))[0] // 1000),
        source=source,
        dated=dated,
    )


def _line(prices: Mapping[str, Amount], over: int | None) -> dict[str, int]:
    line: dict[str, int] = {}
    for field, names in _RATES.items():
        amounts = [_at(prices[name], over) for name in names if name in prices]
        if amounts:
            line[field] = max(amounts)
    # Models for embeddings have no price of output; nor has a model that charges alike for both.
    line.setdefault("output", line["input"])
    return line


def _at(amount: Amount, over: int | None) -> int:
    rate = amount[0]
    for edge, dearer in zip(amount[1::2], amount[2::2], strict=True):
        if over is not None and over >= edge:
            rate = dearer
    return rate
