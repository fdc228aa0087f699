"""What is known of a model, from several mouths."""

import pytest

from ownkey.catalog.facts import facts
from ownkey.catalog.manifest import Model, Price, Provider

PROVIDER = Provider(
    "acme",
    "Acme",
    "cloud",
    "openai-chat",
    "https://a.example",
    models=(Model("large", context=100, does=("chat",), aliases=("big",), price=Price("1", "2")),),
)


@pytest.mark.row("A4")
def test_the_manifest_goes_first_then_the_provider_then_the_price_catalogue() -> None:
    told = Model("large", name="Large", context=50, max_output=20, does=("chat", "tools"))
    found = facts(PROVIDER, "large", discovered=told, context_from_prices=30)
    assert (found.context, found.max_output, found.does, found.name) == (100, 20, ("chat",), "Large")
    assert found.price == Price("1", "2")


def test_a_model_that_only_the_provider_or_the_catalogue_knows_has_what_they_know() -> None:
    told = facts(PROVIDER, "new", discovered=Model("new", max_output=9), context_from_prices=30)
    assert (told.id, told.context, told.max_output) == ("new", 30, 9)
    assert facts(PROVIDER, "unheard") == Model("unheard")


def test_an_alias_leads_to_the_model_under_its_own_id() -> None:
    assert facts(PROVIDER, "big").id == "large"
