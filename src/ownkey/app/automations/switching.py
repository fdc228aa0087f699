"""Another model for an automation: what it costs more per run, before anything is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from ownkey.app.automations.asking import Asker
from ownkey.app.automations.given import given
from ownkey.app.automations.running import DAY_MS, now_ms, plan
from ownkey.app.providers import Providers
from ownkey.app.quoting import quotes
from ownkey.app.starters import example
from ownkey.engine.request import new_id
from ownkey.engine.target import Target
from ownkey.routing.route import AUTO
from ownkey.spending.price import Rates, cost
from ownkey.spending.quote import USUAL_OUTPUT_TOKENS, Quote, about
from ownkey.talk.errors import OwnkeyError
from ownkey.talk.money import Money
from ownkey.talk.reply import Usage

if TYPE_CHECKING:
    from ownkey.app.automations.book import Automation
    from ownkey.app.house import House

PAST_DAYS = 30


class Change(Struct, frozen=True):
    """From one model to another, as `provider/model` where they are known. `difference` is per run, None where a price
    is not known; `basis` says what a run is taken to be."""

    automation: str
    before: str
    after: str
    difference: Money | None
    says: str
    basis: str
    changed: bool = False


class Choice(Struct, frozen=True):
    """A model that could be asked, with what a run costs there, and more than now."""

    provider: str
    model: str
    current: bool
    per_run: Money | None
    difference: Money | None
    says: str


class Usual(Struct, frozen=True):
    """What one run takes, and where that is known from."""

    input_tokens: int
    output_tokens: int
    basis: str


def change(house: House, owner: str, there: Automation, model: str) -> Change:
    """Raises what is in the way of asking the new model."""
    after = house.targets.find(owner, model)[0]
    before = _first(house, owner, there.model)
    usual = usual_run(house, owner, there)
    new = _cost(_rates(house, after), usual)
    old = None if before is None else _cost(_rates(house, before), usual)
    difference = None if new is None or old is None else Money(new.nano_usd - old.nano_usd)
    return Change(
        there.name, before.name if before else there.model, after.name, difference, _says(difference), usual.basis
    )


def choices(house: House, owner: str, there: Automation) -> list[Choice]:
    """Those that can be asked now, by provider."""
    ready = [view.provider.id for view in Providers(house, owner).listed() if view.lack is None]
    current = _first(house, owner, there.model)
    usual = usual_run(house, owner, there)
    now = None if current is None else _cost(_rates(house, current), usual)
    found: list[Choice] = []
    for view in Providers(house, owner).models():
        if view.provider not in ready or (view.model.does and "chat" not in view.model.does):
            continue
        per_run = _cost(view.rates, usual)
        more = None if per_run is None or now is None else Money(per_run.nano_usd - now.nano_usd)
        is_current = f"{view.provider}/{view.model.id}" == (current.name if current else "")
        says = "the current model" if is_current else _says(more)
        found.append(Choice(view.provider, view.model.id, is_current, per_run, more, says))
    return sorted(found, key=lambda one: (ready.index(one.provider), one.model))


def usual_run(house: House, owner: str, there: Automation) -> Usual:
    """The average of its own runs of the last month; else what its prompt takes, with the starter's example in it."""
    now = now_ms()
    past = [
        one
        for one in house.store.automations.costs(owner, there.name, now - PAST_DAYS * DAY_MS, now).values()
        if one.input_tokens and one.output_tokens
    ]
    if past:
        runs = "run" if len(past) == 1 else "runs"
        each = [-(-sum(getattr(one, name) for one in past) // len(past)) for name in ("input_tokens", "output_tokens")]
        return Usual(each[0], each[1], f"its {len(past)} {runs} of the last {PAST_DAYS} days")
    return _of_the_prompt(house, owner, there)


def _of_the_prompt(house: House, owner: str, there: Automation) -> Usual:
    document = there.document
    texts, files = example(document.starter)
    texts = {name: text for name, text in texts.items() if name in document.variables}
    files = {name: file for name, file in files.items() if name in document.variables}
    for name, variable in document.variables.items():
        if name not in texts and name not in files and variable.default is None:
            texts[name] = ""
    asker = Asker(owner, there.name, price_accepted=True)
    input_tokens = output_tokens = 0
    try:
        for ask in plan(house, asker, document, given(document, texts, files), there.model).asks:
            request = asker.request(new_id(), ask.model, ask.chat)
            (one, *_) = quotes(house, request, [ask.model]).each
            if isinstance(one, Quote):
                input_tokens += one.input_tokens.expected
                output_tokens += one.output_expected
    except OwnkeyError:
        # Who is asked now cannot be asked any more, or the prompt needs what nobody has given yet.
        input_tokens = output_tokens = 0
    if not input_tokens:
        chars = len(document.prompt) + len(document.instruction)
        return Usual(chars // 4 + 1, min(USUAL_OUTPUT_TOKENS, document.max_output_tokens or 500), "the prompt alone")
    return Usual(input_tokens, output_tokens, "its prompt with an example" if files or texts else "its prompt")


def _first(house: House, owner: str, model: str) -> Target | None:
    for asked in (model, AUTO):
        try:
            return house.targets.find(owner, asked)[0]
        except OwnkeyError:
            continue
    return None


def _rates(house: House, target: Target) -> Rates | None:
    return house.prices.rates(target.provider, target.model, datetime.now(UTC))


def _cost(rates: Rates | None, usual: Usual) -> Money | None:
    return None if rates is None else Money(cost(rates, Usage(usual.input_tokens, usual.output_tokens)))


def _says(difference: Money | None) -> str:
    if difference is None:
        return "what it costs beside the current model is not known"
    if difference.nano_usd == 0:
        return "costs the same per run"
    word = "more" if difference.nano_usd > 0 else "less"
    return f"about {about(abs(difference.nano_usd))} {word} per run"
