"""Prices of models at a time: the owner's own, then those of the price catalogue."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from os import pathsep
from pathlib import Path

import msgspec

from ownkey.catalog.check import nano_usd_per_mtok
from ownkey.catalog.manifest import Price, Provider
from ownkey.spending.listed import FORMAT, Amount, Clause, Dated, File, Listed, Seller
from ownkey.spending.price import Rates, Tier
from ownkey.talk.errors import BadConfiguration

KNOWN_AT_MOST = 10_000
COMPILE_TIMEOUT_S = 60

_FOREVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
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

Known = tuple[Provider, datetime, datetime, Rates | None]


class Prices:
    """What models cost. Answers are remembered for as long as they hold."""

    def __init__(self, file: File) -> None:
        self._source = f"genai-prices {file.version}"
        self._packed = file.sellers
        self._sellers: dict[str, Seller] = {}
        self._known: dict[tuple[str, str, frozenset[tuple[str, str]]], Known] = {}

    @classmethod
    def load(cls, cache: Path) -> Prices:
        """The price catalogue of the installed genai-prices, compiled into the folder `cache` when it is not there.

        Raises BadConfiguration where it can be neither read nor made.
        """
        version = _installed_version()
        path = cache / f"prices-{version}.msgpack"
        file = _read(path, version)
        if file is None:
            _compile(path)
            file = _read(path, version)
        if file is None:
            raise BadConfiguration("The price catalogue cannot be read.", f"Remove {path.name} from the cache folder.")
        return cls(file)

    def rates(
        self, provider: Provider, model: str, at: datetime, asked: Mapping[str, str] | None = None
    ) -> Rates | None:
        """The rates at `at` (aware); None where nobody knows them.

        The owner's price in the manifest goes first, then 0 where the provider is free or local, then the catalogue.
        `asked` are fields of the request that change its price: `service_tier`, `speed`.
        """
        key = (provider.id, model, frozenset(asked.items()) if asked else _PLAIN)
        known = self._known.get(key)
        if known is not None and known[0] is provider and known[1] <= at < known[2]:
            return known[3]
        since, until, rates = self._find(provider, model, at.astimezone(UTC), asked or {})
        if len(self._known) >= KNOWN_AT_MOST:
            self._known.clear()
        self._known[key] = (provider, since, until, rates)
        return rates

    def context(self, provider: Provider, model: str) -> int | None:
        """The context window that the catalogue gives, in tokens."""
        found = self._listed(provider.prices, _priced_name(provider, model))
        return found[0].context if found else None

    def _find(
        self, provider: Provider, model: str, at: datetime, asked: Mapping[str, str]
    ) -> tuple[datetime, datetime, Rates | None]:
        said = provider.model(model)
        if said is not None and said.price is not None:
            return (*_FOREVER, owner_rates(said.price))
        if provider.free or provider.kind != "cloud":
            return (*_FOREVER, Rates(input=0, output=0, source="free"))
        found = self._listed(provider.prices, _priced_name(provider, model))
        if found is None:
            return (*_FOREVER, None)
        listed, own = found
        # A variant is the seller's own; one who resells another's model does not offer it.
        variants = listed.variants if own else ()
        since, until = _validity((*listed.dated, *variants), at)
        standard = next((entry for entry in reversed(listed.dated) if _holds(entry, at)), listed.dated[0])
        prices = dict(standard.prices)
        taken: set[str] = set()
        for variant in variants:
            if asked and _holds(variant, at) and variant.when.items() <= asked.items():
                prices |= {name: amount for name, amount in variant.prices.items() if name not in taken}
                taken |= variant.prices.keys()
        return since, until, _rates(prices, source=f"{self._source}: {listed.id}", dated=standard.start)

    def _listed(self, seller: str | None, name: str) -> tuple[Listed, bool] | None:
        """The first model that the name matches, and whether the seller lists it itself."""
        first = self._seller(seller)
        if first is None:
            return None
        name = name.lower()
        plain = _COMPACT_DATE.sub(_spread_date, name)
        for spelling in (name, plain) if plain != name else (name,):
            for place in (seller, *first.fallback):
                found = self._seller(place)
                for listed in found.models if found else ():
                    if _matches(listed.match, spelling):
                        return listed, place == seller
        return None

    def _seller(self, name: str | None) -> Seller | None:
        if name is None or name not in self._packed:
            return None
        if name not in self._sellers:
            self._sellers[name] = msgspec.msgpack.decode(self._packed[name], type=Seller)
        return self._sellers[name]


_PLAIN: frozenset[tuple[str, str]] = frozenset()


def owner_rates(price: Price) -> Rates:
    """The rates of a price that its owner wrote. Raises ValueError where it cannot be kept exactly."""
    return Rates(
        input=nano_usd_per_mtok(price.input),
        output=nano_usd_per_mtok(price.output),
        cached=None if price.cached is None else nano_usd_per_mtok(price.cached),
        cache_write=None if price.cache_write is None else nano_usd_per_mtok(price.cache_write),
        source="owner",
    )


def _priced_name(provider: Provider, model: str) -> str:
    said = provider.model(model)
    return model if said is None else said.priced_as or said.id


def _matches(clause: Clause, name: str) -> bool:
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
            return any(_matches(part, name) for part in clause.of)
        case "and":
            return all(_matches(part, name) for part in clause.of)


def _spread_date(found: re.Match[str]) -> str:
    """`-20251211` as `-2025-12-11`, where that is a date: resellers write the one, the catalogue the other."""
    year, month, day = found.groups()
    try:
        return f"-{date(int(year), int(month), int(day)).isoformat()}"
    except ValueError:
        return found.group()


def _holds(entry: Dated, at: datetime) -> bool:
    if entry.start is not None:
        return at.date().isoformat() >= entry.start
    if entry.from_s is None or entry.until_s is None:
        return True
    second = at.hour * 3600 + at.minute * 60 + at.second
    if entry.until_s < entry.from_s:
        return second >= entry.from_s or second < entry.until_s
    return entry.from_s <= second < entry.until_s


def _validity(entries: tuple[Dated, ...], at: datetime) -> tuple[datetime, datetime]:
    """The span around `at` in which the same entries hold."""
    since, until = _FOREVER
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


def _rates(prices: Mapping[str, Amount], *, source: str, dated: str | None) -> Rates | None:
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


def _installed_version() -> str:
    """From the name of its folder of metadata: importlib.metadata takes longer than loading the prices."""
    spec = find_spec("genai_prices")
    if spec is None or spec.origin is None:
        raise BadConfiguration("The package genai-prices is not installed.", "Install Ownkey again.")
    for metadata in Path(spec.origin).parents[1].glob("genai_prices-*.dist-info"):
        return metadata.name.removeprefix("genai_prices-").removesuffix(".dist-info")
    raise BadConfiguration("The package genai-prices is not installed whole.", "Install Ownkey again.")


def _read(path: Path, version: str) -> File | None:
    try:
        file = msgspec.msgpack.decode(path.read_bytes(), type=File)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    except OSError as error:
        raise BadConfiguration(f"The price catalogue cannot be read: {error.strerror}.") from None
    return file if file.format == FORMAT and file.version == version else None


def _compile(path: Path) -> None:
    command = [sys.executable, "-P", "-m", "ownkey.spending.compile", str(path.absolute())]
    # It sees the packages that this process sees, and nothing else of its environment.
    environment = {"PYTHONPATH": pathsep.join(entry for entry in sys.path if entry)}
    try:
        done = subprocess.run(  # noqa: S603
            command, env=environment, capture_output=True, timeout=COMPILE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadConfiguration(f"The price catalogue cannot be made: {type(error).__name__}.") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        raise BadConfiguration(f"The price catalogue cannot be made: {said}", "Install Ownkey again.")
