"""What is known of a model, put together from all who know something."""

from __future__ import annotations

from ownkey.catalog.manifest import Model, Provider


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
    )
