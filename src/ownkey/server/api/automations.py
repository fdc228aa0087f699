"""Automations: saved prompts, what a run of one will cost, what runs gave, and another model for one."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import Field

from ownkey.app.automations.book import Automation, AutomationBook, Run
from ownkey.app.automations.given import MOST_FILE_BYTES, GivenFile
from ownkey.app.automations.running import RunQuote
from ownkey.server.api.forms import Form, Known, Owner, Removed, Shape, TheHouse
from ownkey.server.doors import Principal
from ownkey.store.automations import RunStatus
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.money import Money

router = APIRouter(prefix="/api/automations", tags=["automations"])
runs_router = APIRouter(prefix="/api/automation-runs", tags=["automations"])

Name = Annotated[str, Path(min_length=1, max_length=100)]
RunId = Annotated[str, Path(min_length=1, max_length=64)]
MOST_RUNS = 1_000
Limit = Annotated[int, Query(ge=1, le=MOST_RUNS)]


class VariableForm(Form):
    """`kind` is `text` or `file`; `takes` are kinds of files: text, csv, xlsx, pdf, image."""

    description: Annotated[str, Field(max_length=500)] = ""
    kind: str = "text"
    default: str | None = None
    takes: list[str] = Field(default_factory=list[str])


class AutomationForm(Form):
    """What is given is set. `limit` is in dollars, as text; `output_schema` a JSON Schema."""

    prompt: str | None = None
    description: str | None = None
    instruction: str | None = None
    variables: dict[str, VariableForm] | None = None
    limit: str | None = None
    output_schema: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    keep_days: int | None = None


class NewAutomationForm(AutomationForm):
    """With a `starter`, what is given stands in place of the starter's own."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    starter: str | None = None
    model: str | None = None


class VariableShape(Shape):
    description: str
    kind: str
    default: str | None
    takes: list[str]


class DocumentShape(Shape):
    prompt: str
    description: str
    instruction: str
    variables: dict[str, VariableShape]
    model: str | None
    limit_nano: int | None
    output_schema: dict[str, Any] | None
    max_output_tokens: int | None
    starter: str | None
    keep_days: int


class AutomationShape(DocumentShape):
    """`model` is its own, null where it has none; `model_asked` who would be asked."""

    name: str
    model_asked: str
    created_at_ms: int
    changed_at_ms: int


class AutomationsShape(Shape):
    automations: list[AutomationShape]
    default_model: str


class FileForm(Form):
    """`data` is base64."""

    name: Annotated[str, Field(max_length=255)]
    data: str


class RunForm(Form):
    """`model`: for this run only."""

    values: dict[str, str] = Field(default_factory=dict[str, str])
    files: dict[str, FileForm] = Field(default_factory=dict[str, FileForm])
    model: str | None = None
    accept_unknown_price: bool = False
    accept_over_budget: bool = False


class RunQuoteShape(Shape):
    """In nano-USD; null where a price is not known. No run passes `most_nano`."""

    models: list[str]
    requests: int
    low_nano: int | None
    expected_nano: int | None
    most_nano: int | None
    limit_nano: int | None
    instead_of: str | None
    says: str


class AutomationRunShape(Shape):
    """`result` and `notes` are null where they are not kept any more, and in lists. Amounts in nano-USD, as the book
    has them."""

    id: str
    automation: str
    model: str
    status: RunStatus
    error: str | None
    at_ms: int
    ended_at_ms: int | None
    until_ms: int | None
    cost_nano: int
    pending_nano: int
    priced: bool
    calls: int
    input_tokens: int
    output_tokens: int
    result: dict[str, Any] | None
    notes: list[str] | None


class AutomationRunsShape(Shape):
    runs: list[AutomationRunShape]


class ModelForm(Form):
    """Without `confirmed` it is told what the model costs more per run, and nothing is changed. null: the default."""

    model: str | None
    confirmed: bool = False


class ChangeShape(Shape):
    automation: str
    before: str
    after: str
    difference_nano: int | None
    says: str
    basis: str
    changed: bool


class ChoiceShape(Shape):
    model: str
    current: bool
    per_run_nano: int | None
    difference_nano: int | None
    says: str


class ProviderChoicesShape(Shape):
    provider: str
    models: list[ChoiceShape]


class ChoicesShape(Shape):
    """The models that could be asked, by provider."""

    providers: list[ProviderChoicesShape]


@router.get("")
def list_automations(principal: Known, house: TheHouse) -> AutomationsShape:
    book = book_of(principal, house)
    return AutomationsShape(
        automations=[automation_shape(one) for one in book.all()], default_model=book.default_model()
    )


@router.post("", status_code=201)
def add_automation(form: NewAutomationForm, principal: Owner, house: TheHouse) -> AutomationShape:
    given = form.model_dump(exclude_unset=True)
    name, starter, prompt = given.pop("name"), given.pop("starter", None), given.get("prompt")
    book = book_of(principal, house)
    if starter is not None:
        return automation_shape(book.add_starter(starter, name, **_own(given)))
    if prompt is None:
        raise InvalidRequest("A prompt, or a starter, is wanted.", "Send one of them.", param="prompt")
    return automation_shape(book.add(name, given.pop("prompt"), **_own(given)))


@runs_router.get("")
def list_runs(principal: Known, house: TheHouse, limit: Limit = 100) -> AutomationRunsShape:
    """The newest first, without their results."""
    return _runs(principal, house, None, limit)


@runs_router.get("/{run}")
def show_run(run: RunId, principal: Known, house: TheHouse) -> AutomationRunShape:
    return run_shape(book_of(principal, house).result(run))


@runs_router.delete("/{run}")
def forget_run(run: RunId, principal: Owner, house: TheHouse) -> Removed:
    """With what it gave; what it cost stays in the book."""
    book_of(principal, house).forget(run)
    return Removed(removed=1)


@router.get("/{automation}")
def show_automation(automation: Name, principal: Known, house: TheHouse) -> AutomationShape:
    return automation_shape(book_of(principal, house).get(automation))


@router.patch("/{automation}")
def change_automation(automation: Name, form: AutomationForm, principal: Owner, house: TheHouse) -> AutomationShape:
    """What is given is changed. Another model is set at its own path."""
    return automation_shape(book_of(principal, house).set(automation, **_own(form.model_dump(exclude_unset=True))))


@router.delete("/{automation}")
def remove_automation(automation: Name, principal: Owner, house: TheHouse) -> Removed:
    book_of(principal, house).remove(automation)
    return Removed(removed=1)


@router.get("/{automation}/runs")
def runs_of(automation: Name, principal: Known, house: TheHouse, limit: Limit = 100) -> AutomationRunsShape:
    """The newest first, without their results."""
    book_of(principal, house).get(automation)
    return _runs(principal, house, automation, limit)


@router.get("/{automation}/models")
def models_for(automation: Name, principal: Known, house: TheHouse) -> ChoicesShape:
    """Each with what a run costs there, and more than now."""
    found: dict[str, list[ChoiceShape]] = {}
    for one in book_of(principal, house).choices(automation):
        amounts = {"per_run_nano": _nano(one.per_run), "difference_nano": _nano(one.difference)}
        shape = ChoiceShape(model=one.model, current=one.current, says=one.says, **amounts)
        found.setdefault(one.provider, []).append(shape)
    return ChoicesShape(
        providers=[ProviderChoicesShape(provider=name, models=models) for name, models in found.items()]
    )


@router.patch("/{automation}/model")
def change_model(automation: Name, form: ModelForm, principal: Owner, house: TheHouse) -> ChangeShape:
    """Asked for twice: first to be told, then with `confirmed`. The next run uses it."""
    told = book_of(principal, house).change_model(automation, form.model, confirmed=form.confirmed)
    plain = {name: getattr(told, name) for name in ("automation", "before", "after", "says", "basis", "changed")}
    return ChangeShape(difference_nano=_nano(told.difference), **plain)


@router.post("/{automation}/quote")
def quote_run(automation: Name, form: RunForm, principal: Known, house: TheHouse) -> RunQuoteShape:
    """What a run with these would cost. Nothing is sent."""
    book = _asking(principal, house)
    return quote_shape(book.quote(automation, form.values, _files(form), model=form.model))


@router.post("/{automation}/run")
async def run_automation(automation: Name, form: RunForm, principal: Known, house: TheHouse) -> AutomationRunShape:
    """Answers when it has ended. A token may run what its owner has saved, within what the token is for."""
    book = _asking(principal.asks(), house)
    accepted = {name: getattr(form, name) for name in ("accept_unknown_price", "accept_over_budget")}
    return run_shape(await book.run(automation, form.values, _files(form), model=form.model, **accepted))


def automation_shape(one: Automation) -> AutomationShape:
    return AutomationShape(
        name=one.name,
        model_asked=one.model,
        created_at_ms=one.created_at_ms,
        changed_at_ms=one.changed_at_ms,
        **document_of(one.document),
    )


def run_shape(run: Run) -> AutomationRunShape:
    plain = {name: getattr(run, name) for name in AutomationRunShape.model_fields if not name.endswith("_nano")}
    return AutomationRunShape(cost_nano=run.cost.nano_usd, pending_nano=run.pending.nano_usd, **plain)


def quote_shape(told: RunQuote) -> RunQuoteShape:
    amounts = {f"{name}_nano": _nano(getattr(told, name)) for name in ("low", "expected", "most", "limit")}
    return RunQuoteShape(
        models=list(told.models), requests=told.requests, instead_of=told.instead_of, says=told.says, **amounts
    )


def book_of(principal: Principal, house: TheHouse) -> AutomationBook:
    return AutomationBook(house, principal.owner)


def _runs(principal: Principal, house: TheHouse, automation: str | None, limit: int) -> AutomationRunsShape:
    found = book_of(principal, house).runs(automation, limit=limit)
    return AutomationRunsShape(runs=[run_shape(one) for one in found])


def _asking(principal: Principal, house: TheHouse) -> AutomationBook:
    """What is asked with a token stays within what the token is for."""
    return AutomationBook(house, principal.owner, token_id=principal.token_id, scope=principal.scope)


def _own(given: dict[str, Any]) -> dict[str, Any]:
    """Null takes a limit, a schema or a cap away; of the others there is nothing to take away."""
    return {
        name: value
        for name, value in given.items()
        if value is not None or name in ("limit", "output_schema", "max_output_tokens")
    }


def document_of(document: Any) -> dict[str, Any]:
    told = {name: msgspec.to_builtins(getattr(document, name)) for name in document.__struct_fields__}
    variables = {
        name: {"description": one.description, "kind": one.kind, "default": one.default, "takes": list(one.takes)}
        for name, one in document.variables.items()
    }
    return told | {"variables": variables}


def _files(form: RunForm) -> dict[str, GivenFile]:
    files: dict[str, GivenFile] = {}
    for name, file in form.files.items():
        try:
            files[name] = GivenFile(file.name, base64.b64decode(file.data, validate=True))
        except (binascii.Error, ValueError):
            raise InvalidRequest("A file is sent as base64.", param=f"files.{name[:64]}") from None
    if sum(len(file.data) for file in files.values()) > MOST_FILE_BYTES:
        raise InvalidRequest(f"The files are over {MOST_FILE_BYTES >> 20} MiB.", "Send fewer.", param="files")
    return files


def _nano(amount: Money | None) -> int | None:
    return None if amount is None else amount.nano_usd
