"""Whose turn it is where there are limits: pure, times are monotonic seconds, given by whoever asks.

Who finds room in every meter that they fall under goes at once. The others stand in line, and nobody who comes later
takes the room that they wait for; who waits for other room than that is not held up by them. Where several people
share a line, their calls take turns.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from typing import Literal

from ownkey.routing.limits import Limit, Place
from ownkey.routing.window import Entry, Window

State = Literal["new", "waiting", "running", "ended"]

MOST_WAITING = 1_000
"""In one line. Who comes then is told to come again."""

_WEIGHT = 0.2
"""Of the newest in what is usual."""

USUAL_S, USUAL_OUTPUT_TOKENS = 5.0, 500.0
"""How long a call takes, and how long its answer is, before any was heard."""


class Meter:
    """Of what one limit counts. `elsewhere`: how many calls other processes have under way."""

    __slots__ = ("elsewhere", "line", "parallel", "place", "requests", "running", "tokens", "usual_output", "usual_s")

    def __init__(self, place: Place, limit: Limit) -> None:
        self.place = place
        self.running = self.elsewhere = 0
        self.line: list[Turn] = []
        self.usual_s, self.usual_output = USUAL_S, USUAL_OUTPUT_TOKENS
        self.requests: Window | None = None
        self.tokens: Window | None = None
        self.parallel: int | None = None
        self.change(limit)

    def change(self, limit: Limit) -> None:
        """Another limit for the same: what was counted stays."""
        self.parallel = limit.parallel
        self.requests = _window(self.requests, limit.requests_per_minute)
        self.tokens = _window(self.tokens, limit.tokens_per_minute)

    def lacks(self, tokens: int, now_s: float, ahead: int = 0, tokens_ahead: int = 0) -> tuple[float, str] | None:
        """For how long there is no room for so many tokens, after those who are ahead, and of what; None: there is.
        For how long others run is a guess."""
        lack: tuple[float, str] | None = None
        if self.requests is not None and (wait_s := self.requests.wait_s(1, now_s, ahead)) > 0:
            lack = wait_s, "requests"
        if self.tokens is not None and (wait_s := self.tokens.wait_s(tokens, now_s, tokens_ahead)) > 0:
            lack = max(lack or (0.0, ""), (wait_s, "tokens"))
        if self.parallel is not None and self.running + self.elsewhere + ahead >= self.parallel:
            ends = self.running + self.elsewhere + ahead + 1 - self.parallel
            lack = max(lack or (0.0, ""), (self.usual_s * ends / max(1, self.parallel), "parallel"))
        return lack

    def heard(self, tokens: int, at_s: float) -> None:
        """A call of another process."""
        if self.requests is not None:
            self.requests.take(1, at_s)
        if self.tokens is not None:
            self.tokens.take(tokens, at_s)

    def is_idle(self, now_s: float) -> bool:
        windows = [window for window in (self.requests, self.tokens) if window is not None]
        return not (self.running or self.line or any(window.total(now_s) for window in windows))


def _window(there: Window | None, most: int | None) -> Window | None:
    if not most:
        return None
    if there is None:
        return Window(most)
    there.most = most
    return there


class Turn:
    """Of one try. `tokens` is about how many it will take: those that go in, and as many as is usual out, `cap` at
    most."""

    __slots__ = ("_counted", "_requests", "at_s", "meters", "owner", "state", "tag", "tokens")

    def __init__(self, meters: tuple[Meter, ...], owner: str, input_tokens: int = 0, cap: int | None = None) -> None:
        self.meters = meters
        self.owner = owner
        usual = max((meter.usual_output for meter in meters if meter.tokens is not None), default=0.0)
        self.tokens = input_tokens + round(usual if cap is None else min(usual, cap))
        self.state: State = "new"
        self.tag: tuple[int, int] = (0, 0)
        self.at_s = 0.0
        self._requests: list[tuple[Window, Entry]] = []
        self._counted: list[tuple[Window, Entry]] = []

    def lacks(self, now_s: float) -> tuple[float, str, Meter] | None:
        """What it waits for longest: as things stand, counting those who are ahead of it."""
        worst: tuple[float, str, Meter] | None = None
        for meter in self.meters:
            ahead = _ahead(meter, self)
            lack = meter.lacks(self.tokens, now_s, len(ahead), sum(one.tokens for one in ahead))
            if lack is not None and (worst is None or lack[0] > worst[0]):
                worst = (*lack, meter)
        return worst

    def take(self, now_s: float) -> None:
        self.state, self.at_s = "running", now_s
        for meter in self.meters:
            meter.running += 1
            if meter.requests is not None:
                self._requests.append((meter.requests, meter.requests.take(1, now_s)))
            if meter.tokens is not None:
                self._counted.append((meter.tokens, meter.tokens.take(self.tokens, now_s, alone=True)))

    def end(self, now_s: float, used_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """It has ended: so many tokens were used, as far as that is known."""
        for meter in self.meters:
            meter.running -= 1
            meter.usual_s += _WEIGHT * (now_s - self.at_s - meter.usual_s)
            if output_tokens is not None:
                meter.usual_output += _WEIGHT * (output_tokens - meter.usual_output)
        if used_tokens is not None:
            for window, entry in self._counted:
                window.correct(entry, used_tokens - self.tokens)
        self.state = "ended"

    def undo(self) -> None:
        """Nothing was sent."""
        for meter in self.meters:
            meter.running -= 1
        for window, entry in self._requests:
            window.correct(entry, -1)
        for window, entry in self._counted:
            window.correct(entry, -self.tokens)
        self.state = "ended"


def _ahead(meter: Meter, turn: Turn) -> list[Turn]:
    """Those who wait for this meter before that turn; all, where it does not stand in line itself."""
    return [one for one in meter.line if turn.state == "new" or one.tag < turn.tag]


class Lines:
    """All who wait, and whose turn it is next."""

    def __init__(self) -> None:
        self._round = 0
        self._order = 0
        self._last: dict[str, tuple[int, int]] = {}

    def begin(self, turn: Turn, now_s: float) -> bool:
        """Whether it may go, and has gone: nobody waits for the room that it needs."""
        if not self._may(turn, now_s):
            return False
        turn.take(now_s)
        return True

    def stand(self, turn: Turn) -> bool:
        """In line, at its end; False where it is too long. Of each owner one is in each round."""
        if any(len(meter.line) >= MOST_WAITING for meter in turn.meters):
            return False
        last, waiting = self._last.get(turn.owner, (0, 0))
        mine = max(self._round, last) + 1
        self._last[turn.owner] = (mine, waiting + 1)
        self._order += 1
        turn.tag, turn.state = (mine, self._order), "waiting"
        for meter in turn.meters:
            insort(meter.line, turn, key=_tag)
        return True

    def leave(self, turn: Turn) -> None:
        """It waits no longer."""
        for meter in turn.meters:
            meter.line.remove(turn)
        last, waiting = self._last[turn.owner]
        if waiting > 1:
            self._last[turn.owner] = (last, waiting - 1)
        else:
            del self._last[turn.owner]
        turn.state = "new"

    def admit(self, meters: Iterable[Meter], now_s: float) -> list[Turn]:
        """Those who wait for these and may go now: they have gone."""
        gone: list[Turn] = []
        for meter in meters:
            for turn in tuple(meter.line):
                if self._may(turn, now_s):
                    self.leave(turn)
                    self._round = max(self._round, turn.tag[0] - 1)
                    turn.take(now_s)
                    gone.append(turn)
                elif meter.lacks(turn.tokens, now_s) is not None:
                    break
        return gone

    def _may(self, turn: Turn, now_s: float) -> bool:
        for meter in turn.meters:
            if meter.lacks(turn.tokens, now_s) is not None:
                return False
            # Of requests and of parallel calls there is as much room for everybody; not so of tokens.
            if meter.tokens is not None and any(
                meter.lacks(one.tokens, now_s) is not None for one in _ahead(meter, turn)
            ):
                return False
        return True


def _tag(turn: Turn) -> tuple[int, int]:
    return turn.tag
