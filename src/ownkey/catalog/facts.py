"""What is known of a model, put together from all who know something."""

from __future__ import annotations

from msgspec.structs import replace

from ownkey.catalog.manifest import Model, Provider, Quirks, ThinkingRules


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
    )


def quirks_of(provider: Provider, model: Model) -> Quirks:
    """The provider's quirks with the rules of this model's thinking: its own, else its family's.

    A deployment with a name of its owner's is of the family of the model that it is priced as.
    """
    rules = model.thinking or _family_rules(provider, model.priced_as or model.id)
    return provider.quirks if rules is None else replace(provider.quirks, thinking=rules)


def _family_rules(provider: Provider, name: str) -> ThinkingRules | None:
    # Some names are paths: `publishers/google/models/gemini-2.5-pro`.
    names = (name, name.rpartition("/")[2])
    fits = [
        (len(begin), one)
        for one in provider.families
        for begin in one.begins
        if any(spelling.startswith(begin) for spelling in names)
    ]
    return max(fits, key=lambda fit: fit[0])[1].thinking if fits else None
