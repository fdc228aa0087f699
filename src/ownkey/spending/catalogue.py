"""Prices of models at a time: the owner's own, then those of the price catalogue."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from os import pathsep
from pathlib import Path

import msgspec
from msgspec import Struct

from ownkey.catalog.check import nano_usd_per_mtok
from ownkey.catalog.manifest import Price, Provider
from ownkey.spending.listed import FORMAT, File, Listed, Seller
from ownkey.spending.listing import FOREVER, holds, matches, rates_of, spellings, validity
from ownkey.spending.override import Overrides, applied
from ownkey.spending.price import Rates
from ownkey.talk.errors import BadConfiguration

KNOWN_AT_MOST = 10_000
COMPILE_TIMEOUT_S = 60


Known = dict[tuple[str, str, frozenset[tuple[str, str]]], tuple[Provider, datetime, datetime, Rates | None]]


class Listing:
    """A price catalogue. `source` is told with each of its prices; a provider is unpacked when it is asked for."""

    def __init__(self, file: File, source: str) -> None:
        self.source = source
        self._packed = file.sellers
        self._sellers: dict[str, Seller] = {}

    @property
    def sellers(self) -> list[str]:
        return list(self._packed)

    def seller(self, name: str | None) -> Seller | None:
        if name is None or name not in self._packed:
            return None
        if name not in self._sellers:
            self._sellers[name] = msgspec.msgpack.decode(self._packed[name], type=Seller)
        return self._sellers[name]

    def find(self, seller: str | None, name: str) -> tuple[Listed, bool] | None:
        """The first model that the name matches, and whether the seller lists it itself."""
        first = self.seller(seller)
        if first is None:
            return None
        for spelling in spellings(name):
            for place in (seller, *first.fallback):
                found = self.seller(place)
                for listed in found.models if found else ():
                    if matches(listed.match, spelling):
                        return listed, place == seller
        return None


class _State(Struct, frozen=True):
    """All that an answer depends on, put in place at once: threads read while another changes it."""

    listing: Listing
    overrides: Overrides
    known: Known


class Prices:
    """What models cost. Answers are remembered for as long as they hold.

    `edition` counts the changes of the catalogue that this one has seen, `problem` is why the shipped one stands in
    place of the one that was taken.
    """

    def __init__(self, shipped: Listing) -> None:
        self.shipped = shipped
        self.edition = 0
        self.problem: str | None = None
        self._state = _State(shipped, {}, {})

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
        return cls(Listing(file, f"genai-prices {file.version}"))

    @property
    def listing(self) -> Listing:
        """The catalogue in use."""
        return self._state.listing

    def override(self, overrides: Overrides) -> None:
        """From now on these are the owner's own prices."""
        if overrides != self._state.overrides:
            self._state = _State(self._state.listing, overrides, {})

    def use(self, listing: Listing | None, edition: int, problem: str | None = None) -> None:
        """From now on this is the catalogue; None is the one that was shipped."""
        self._state = _State(listing or self.shipped, self._state.overrides, {})
        self.edition, self.problem = edition, problem

    def with_listing(self, listing: Listing) -> Prices:
        """The same with another catalogue, to be compared."""
        other = Prices(self.shipped)
        other._state = _State(listing, self._state.overrides, {})
        return other

    def rates(
        self, provider: Provider, model: str, at: datetime, asked: Mapping[str, str] | None = None
    ) -> Rates | None:
        """The rates at `at` (aware); None where nobody knows them.

        The owner's own price goes first, then the one in the manifest, then 0 where the provider is free or local,
        then the catalogue.
        `asked` are fields of the request that change its price: `service_tier`, `speed`.
        """
        key = (provider.id, model, frozenset(asked.items()) if asked else _PLAIN)
        state = self._state
        known = state.known.get(key)
        if known is not None and known[0] is provider and known[1] <= at < known[2]:
            return known[3]
        since, until, rates = _find(state.listing, provider, model, at.astimezone(UTC), asked or {})
        if state.overrides:
            own = state.overrides.get((provider.id, model)) or state.overrides.get((provider.id, ""))
            rates = rates if own is None else applied(own, rates)
        if len(state.known) >= KNOWN_AT_MOST:
            state.known.clear()
        state.known[key] = (provider, since, until, rates)
        return rates

    def context(self, provider: Provider, model: str) -> int | None:
        """The context window that the catalogue gives, in tokens."""
        found = self.listing.find(provider.prices, priced_name(provider, model))
        return found[0].context if found else None


_PLAIN: frozenset[tuple[str, str]] = frozenset()


def _find(
    listing: Listing, provider: Provider, model: str, at: datetime, asked: Mapping[str, str]
) -> tuple[datetime, datetime, Rates | None]:
    said = provider.model(model)
    if said is not None and said.price is not None:
        return (*FOREVER, owner_rates(said.price))
    if provider.free or provider.kind != "cloud":
        return (*FOREVER, Rates(input=0, output=0, source="free"))
    found = listing.find(provider.prices, priced_name(provider, model))
    if found is None:
        return (*FOREVER, None)
    return rates_at(listing.source, *found, at, asked)


def rates_at(
    source: str, listed: Listed, own: bool, at: datetime, asked: Mapping[str, str]
) -> tuple[datetime, datetime, Rates | None]:
    """The rates of a model of the catalogue at `at` (UTC), and the span in which they hold.

    `own`: its seller lists it itself. A variant is the seller's own; one who resells another's model has none.
    """
    variants = listed.variants if own else ()
    since, until = validity((*listed.dated, *variants), at)
    standard = next((entry for entry in reversed(listed.dated) if holds(entry, at)), listed.dated[0])
    prices = dict(standard.prices)
    taken: set[str] = set()
    for variant in variants:
        if asked and holds(variant, at) and variant.when.items() <= asked.items():
            prices |= {name: amount for name, amount in variant.prices.items() if name not in taken}
            taken |= variant.prices.keys()
    return since, until, rates_of(prices, source=f"{source}: {listed.id}", dated=standard.start)


def owner_rates(price: Price) -> Rates:
    """The rates of a price that its owner wrote. Raises ValueError where it cannot be kept exactly."""
    return Rates(
        input=nano_usd_per_mtok(price.input),
        output=nano_usd_per_mtok(price.output),
        cached=None if price.cached is None else nano_usd_per_mtok(price.cached),
        cache_write=None if price.cache_write is None else nano_usd_per_mtok(price.cache_write),
        source="owner",
    )


def priced_name(provider: Provider, model: str) -> str:
    said = provider.model(model)
    return model if said is None else said.priced_as or said.id


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
