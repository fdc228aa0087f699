"""What is known of a model, put together from all who know something."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ownkey.catalog.manifest import Family, Model, Provider, Quirks, embeds


def facts(
    provider: Provider, model: str, *, discovered: Model | None = None, context_from_prices: int | None = None
) -> Model:
    """The model under its own id: what the manifest says, then what the provider itself told, then the price catalogue.

    None and an empty `does` mean that nobody knows.
    """
    said = provider.model(model)
    told = discovered or Model(said.id if said else model)
    if said is None:
        said = Model(told.id)
    return Model(
        id=said.id,
        name=said.name or told.name,
        context=said.context or told.context or context_from_prices,
        max_output=said.max_output or told.max_output,
        does=said.does or told.does,
        aliases=said.aliases or told.aliases,
        price=said.price,
        priced_as=said.priced_as,
        thinking=said.thinking,
        retired=said.retired,
    )


def wires_of(provider: Provider) -> tuple[str, ...]:
    """The wires that a provider speaks, its own first."""
    return (provider.wire, *(name for name in provider.speaks if name != provider.wire))


def wire_of(provider: Provider, model: Model, asked: str | None) -> str:
    """The wire for this model: the client's own (`asked`) where the provider speaks it, so that bytes pass through;
    else its family's, else the one that the provider prefers."""
    family = _family(provider, model, lambda one: one.wire is not None)
    best = (family.wire if family else None) or provider.prefers or provider.wire
    return best if asked is None or (family and family.only) or asked not in wires_of(provider) else asked


def embedding_wire_of(provider: Provider, asked: str | None) -> str | None:
    """The wire for embeddings: the client's own (`asked`) where the provider speaks it, so that bytes pass through;
    else the first that it speaks. None where it speaks none."""
    spoken = [name for name in wires_of(provider) if embeds(name)]
    return asked if asked in spoken else next(iter(spoken), None)


def quirks_of(provider: Provider, model: Model, wire: str | None = None) -> Quirks:
    """The provider's quirks in that wire (its own where none is named), with the rules of this model's thinking,
    its own, else its family's, and what its family says of answers that are begun.

    A deployment with a name of its owner's is of the family of the model that it is priced as.
    """
    speech = provider.speaks.get(wire) if wire else None
    quirks = (speech.quirks if speech else None) or provider.quirks
    family = _family(provider, model, lambda one: one.thinking is not None)
    rules = model.thinking or (family.thinking if family else None)
    quirks = quirks if rules is None else replace(quirks, thinking=rules)
    begun = _family(provider, model, lambda one: one.prefill is not None)
    return replace(quirks, prefill=begun.prefill) if begun and begun.prefill is not None else quirks


def _family(provider: Provider, model: Model, says: Callable[[Family], bool]) -> Family | None:
    """The family with the longest beginning that fits, of those that say something."""
    name = model.priced_as or model.id
    # Some names are paths: `publishers/google/models/gemini-2.5-pro`.
    names = (name, name.rpartition("/")[2])
    fits = [
        (len(begin), one)
        for one in provider.families
        if says(one)
        for begin in one.begins
        if any(spelling.startswith(begin) for spelling in names)
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None
