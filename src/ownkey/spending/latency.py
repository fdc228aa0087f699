"""How long answers took, as counts in fixed buckets, which can be added up, unlike quantiles. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BOUNDS_MS = (
    *(25, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500),
    *(2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000),
)
"""The upper ends of the buckets, in milliseconds; what took longer is in one more."""

BUCKETS = len(BOUNDS_MS) + 1


def bucket(ms: int) -> int:
    """The place of the bucket, from 0."""
    return bisect_left(BOUNDS_MS, ms)


def quantile(counts: Sequence[int], share: float) -> int | None:
    """The time, in milliseconds, within which that share (0 to 1) of the answers came, evenly spread in its bucket.

    None where there are none. What is in the open bucket is told as its lower end.
    """
    wanted = share * sum(counts)
    if not any(counts):
        return None
    below = 0
    for place, count in enumerate(counts):
        if count and below + count >= wanted:
            low = BOUNDS_MS[place - 1] if place else 0
            if place == len(BOUNDS_MS):
                return low
            return round(low + (BOUNDS_MS[place] - low) * max(0.0, wanted - below) / count)
        below += count
    return BOUNDS_MS[-1]
