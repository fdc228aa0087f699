"""From the name of a model to the ordered list of who can answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from msgspec import Struct

from ownkey.catalog.manifest import Provider
from ownkey.talk.errors import KeyMissing, OwnkeyError, UnknownModel

AUTO = "auto"
EVERY = "auto:every"
"""Every model that a provider's file lists, of the providers that `auto` has."""


class Candidate(Struct, frozen=True):
    """A provider as one caller sees it.

    `usable`: enabled, and there is a key for it or none is needed. `models`: every id known of it, from its manifest
    or discovered. `stand_in`: a model for chats, of a local provider that has no default.
    """

    provider: Provider
    usable: bool
    enabled: bool
    default: str | None
    models: frozenset[str]
    stand_in: str | None = None

    def has(self, name: str) -> bool:
        return name in self.models or self.provider.model(name) is not None


class Pick(Struct, frozen=True):
    provider: str
    model: str

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


def route(
    asked: str,
    candidates: Mapping[str, Candidate],
    *,
    order: Sequence[str],
    fallback: Sequence[str],
    lead: Sequence[str] = (),
) -> tuple[Pick, ...]:
    """Who shall be asked, first to last.

    `asked` is `provider/model`, a provider (its default model), a bare model, `auto`, or several with commas between.
    `auto` takes what is usable of the models and providers that `lead` names, then the usable providers as `order` has
    them, then what runs on the owner's own machine: it answers where the network does not. `fallback` comes after what
    was asked for by name, but not
    after the demo, which nobody pays for and everybody may ask.
    Raises UnknownModel, or KeyMissing where only a key is wanting.
    """

    def auto() -> list[Pick]:
        first = [pick for name in lead for pick in _known(name, candidates) if candidates[pick.provider].usable]
        return [*first, *_auto(candidates, order)]

    picks: list[Pick] = []
    for name in filter(None, (part.strip() for part in asked.split(","))):
        picks += auto() if name == AUTO else [_named(name, candidates)]
    if not picks:
        picks += auto()
    if any(candidates[pick.provider].provider.kind != "demo" for pick in picks):
        for name in fallback:
            picks += _known(name, candidates)
    return tuple(dict.fromkeys(picks))


def _known(name: str, candidates: Mapping[str, Candidate]) -> list[Pick]:
    try:
        return [_named(name, candidates)]
    except OwnkeyError:
        return []


def pool(name: str, candidates: Mapping[str, Candidate], order: Sequence[str]) -> list[Pick]:
    """What one target of a route stands for: a model, or those of `auto` or `auto:every`. Raises as `route` does."""
    if name == AUTO:
        return _auto(candidates, order)
    if name == EVERY:
        return _every(candidates, order)
    pick = _named(name, candidates)
    candidate = candidates[pick.provider]
    if not candidate.usable:
        raise key_missing(candidate.provider)
    return [pick]


def is_spare(candidate: Candidate) -> bool:
    """Whether `auto` asks it only after all others."""
    return candidate.provider.kind == "local"


def _auto(candidates: Mapping[str, Candidate], order: Sequence[str]) -> list[Pick]:
    usable = _usable(candidates, order)
    return [_pick(one, model) for one in usable if (model := one.default or one.stand_in)]


def _every(candidates: Mapping[str, Candidate], order: Sequence[str]) -> list[Pick]:
    """In the order of their providers, of each its default first."""
    picks: list[Pick] = []
    for one in _usable(candidates, order):
        if model := one.default or one.stand_in:
            picks.append(_pick(one, model))
        if one.provider.kind == "cloud":
            chats = [model for model in one.provider.models if "chat" in model.does and not model.retired]
            picks += [_pick(one, model.id) for model in chats]
    return picks


def _usable(candidates: Mapping[str, Candidate], order: Sequence[str]) -> list[Candidate]:
    """Cloud providers, then local ones; the demo where there is neither."""
    rank = {provider: place for place, provider in enumerate(order)}
    usable = [one for one in candidates.values() if one.usable and (one.default or one.stand_in)]
    usable.sort(key=lambda one: (is_spare(one), rank.get(one.provider.id, len(rank))))
    return [one for one in usable if one.provider.kind != "demo"] or usable


def _named(name: str, candidates: Mapping[str, Candidate]) -> Pick:
    provider, slash, model = name.partition("/")
    if slash and provider in candidates:
        return _at(candidates[provider], model)
    if name in candidates:
        return _default(candidates[name])
    return _bare(name, candidates)


def _at(candidate: Candidate, model: str) -> Pick:
    _check_enabled(candidate)
    return _pick(candidate, model) if model else _default(candidate)


def _default(candidate: Candidate) -> Pick:
    _check_enabled(candidate)
    provider = candidate.provider
    if not candidate.default:
        raise UnknownModel(
            f"{provider.name} has no default model.",
            f"Name one as {provider.id}/MODEL; `ownkey models {provider.id} --refresh` lists them.",
            param="model",
        )
    return _pick(candidate, candidate.default)


def _pick(candidate: Candidate, model: str) -> Pick:
    """Every pick is made here: a model has one name, whichever it was called by."""
    return Pick(candidate.provider.id, candidate.provider.id_of(model))


def _check_enabled(candidate: Candidate) -> None:
    if not candidate.enabled:
        provider = candidate.provider
        raise UnknownModel(
            f"{provider.name} is switched off.", f"`ownkey providers set {provider.id} --enable`.", param="model"
        )


def _bare(name: str, candidates: Mapping[str, Candidate]) -> Pick:
    having = [one for one in candidates.values() if one.enabled and one.has(name)]
    usable = [one for one in having if one.usable]
    if len(usable) == 1:
        return _at(usable[0], name)
    if usable:
        names = _either(f"{one.provider.id}/{name}" for one in usable)
        raise UnknownModel(f"More than one provider has a model {name!r}.", f"Say which: {names}.", param="model")
    if having:
        raise key_missing(having[0].provider)
    raise _unknown(name, candidates)


def key_missing(provider: Provider) -> KeyMissing:
    """The error for a provider whose key is not there."""
    page = f" (made at {provider.keys.page})" if provider.keys.page else ""
    return KeyMissing(
        f"There is no key for {provider.name}.", f"Store one{page} with `ownkey keys set {provider.id}`.", param="model"
    )


def _unknown(name: str, candidates: Mapping[str, Candidate]) -> UnknownModel:
    known = {model for one in candidates.values() if one.enabled for model in one.models}
    close = get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    meant = f"Did you mean {_either(close)}? " if close else ""
    return UnknownModel(
        f"No provider here has a model {name[:80]!r}.",
        f"{meant}`ownkey models` lists all; a model not listed is asked for as PROVIDER/MODEL.",
        param="model",
    )


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
