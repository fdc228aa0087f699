"""A person's automations, as the faces see them: kept by name, given another model, run, and what their runs gave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from ownkey.app.automations.answer import Schema
from ownkey.app.automations.asking import Asker
from ownkey.app.automations.document import Document, Variable, check_name, checked, read
from ownkey.app.automations.given import GivenFile, given
from ownkey.app.automations.running import (
    DAY_MS,
    Plan,
    RunQuote,
    carry_out,
    check_consent,
    now_ms,
    plan,
    sealed_bytes,
)
from ownkey.app.automations.switching import Change, Choice, change, choices
from ownkey.app.budgets import amount_of
from ownkey.app.starters import Starter, starter, working
from ownkey.engine.request import new_id
from ownkey.routing.route import AUTO
from ownkey.routing.scope import Scope
from ownkey.store.automations import AutomationRow, RunCost, RunRow, RunStatus
from ownkey.talk.errors import Conflict, InvalidRequest, KeyUnreadable, NotFound, OwnkeyError
from ownkey.talk.money import Money

if TYPE_CHECKING:
    from ownkey.app.house import House

MOST_AUTOMATIONS = 1_000
RESULT = "result of a run"


class Automation(Struct, frozen=True):
    """`model` is who would be asked: its own, or the default."""

    name: str
    document: Document
    model: str
    created_at_ms: int
    changed_at_ms: int


class Run(Struct, frozen=True):
    """`cost` and tokens are the book's; `pending` is held for it and not settled yet. `result` and `notes` are None
    where they are not kept, or not asked for."""

    id: str
    automation: str
    model: str
    status: RunStatus
    error: str | None
    at_ms: int
    ended_at_ms: int | None
    until_ms: int | None
    cost: Money
    pending: Money
    priced: bool
    calls: int
    input_tokens: int
    output_tokens: int
    result: dict[str, Any] | None = None
    notes: list[str] | None = None


class AutomationBook:
    """`token_id` and `scope` are those of a gateway's token, where one asks. Every call but `run` blocks."""

    def __init__(self, house: House, owner: str, *, token_id: str | None = None, scope: Scope | None = None) -> None:
        self._house = house
        self._owner = owner
        self._token_id = token_id
        self._scope = scope
        self._store = house.store.automations

    def all(self) -> list[Automation]:
        default = self.default_model()
        return [_view(row, default) for row in self._store.all(self._owner)]

    def get(self, name: str) -> Automation:
        """Raises NotFound."""
        row = self._store.get(self._owner, name)
        if row is None:
            raise NotFound("There is no such automation.", "`ownkey automations list` shows those that there are.")
        return _view(row, self.default_model())

    def add(self, name: str, prompt: str, **given: Any) -> Automation:
        """`given`: the fields of a `Document`; `limit` in dollars, as text, in place of `limit_nano`. Without a model
        it gets the default, as that is now. Raises InvalidRequest, naming the field, and Conflict."""
        return self._add(name, _changed(Document(prompt=prompt), given))

    def add_starter(self, wanted: str, name: str | None = None, **given: Any) -> Automation:
        """One of the starters, under its own name or another."""
        return self._add(name or wanted, _changed(starter(wanted).document, given))

    def set(self, name: str, **given: Any) -> Automation:
        """Change what is given, and nothing else. Another model is set by `change_model`."""
        if "model" in given:
            raise InvalidRequest("Another model is asked about first.", "Use change_model.", param="model")
        there = self.get(name)
        self._put(name, _changed(there.document, given), there.created_at_ms, list(given))
        return self.get(name)

    def remove(self, name: str) -> None:
        """With what its runs gave; what they cost stays in the book. Raises NotFound."""
        self.get(name)
        with self._house.audit.within("automation.removed", name, owner=self._owner):
            self._store.remove(self._owner, name)

    def default_model(self) -> str:
        """For new automations, and those without a model of their own."""
        return self._store.default(self._owner) or AUTO

    def set_default_model(self, model: str | None) -> str:
        """None: the first provider that can be asked, with its default model. Raises what is in its way."""
        if model is not None:
            self._house.targets.find(self._owner, model, scope=self._scope)
        told = {"old": self.default_model(), "new": model or AUTO}
        with self._house.audit.within("automation.default", "", owner=self._owner, detail=told):
            self._store.set_default(self._owner, model)
        return self.default_model()

    def choices(self, name: str) -> list[Choice]:
        """Every model that could be asked instead, by provider, each with what it costs more per run."""
        return choices(self._house, self._owner, self.get(name))

    def change_model(self, name: str, model: str | None, *, confirmed: bool = False) -> Change:
        """What another model costs more per run; it is changed only where that is `confirmed`, from the next run on.
        None: the default for automations. Raises what is in the way of asking it."""
        there = self.get(name)
        told = change(self._house, self._owner, there, model or self.default_model())
        if not confirmed:
            return told
        record = {"old": there.document.model or AUTO, "new": model or AUTO}
        with self._house.audit.within("automation.model", name, owner=self._owner, detail=record):
            self._store.put(_row(self._owner, name, structs.replace(there.document, model=model), there.created_at_ms))
        return structs.replace(told, changed=True)

    def quote(
        self,
        name: str,
        values: Mapping[str, str] | None = None,
        files: Mapping[str, GivenFile] | None = None,
        *,
        model: str | None = None,
    ) -> RunQuote:
        """What a run with these would cost. Nothing is sent. Raises what is in the way of asking."""
        return self._planned(self.get(name), values or {}, files or {}, model, self._asker(name)).quote

    async def run(
        self,
        name: str,
        values: Mapping[str, str] | None = None,
        files: Mapping[str, GivenFile] | None = None,
        *,
        model: str | None = None,
        accept_unknown_price: bool = False,
        accept_over_budget: bool = False,
    ) -> Run:
        """Raises what is in the way of asking, or why nothing was answered; then the run is kept as failed."""
        asker = self._asker(name, accept_unknown_price, accept_over_budget)
        there = await asyncio.to_thread(self.get, name)
        planned = await asyncio.to_thread(self._planned, there, values or {}, files or {}, model, asker)
        check_consent(planned, asker)
        run = RunRow(new_id(), self._owner, name, ",".join(planned.quote.models), "running", now_ms())
        await asyncio.to_thread(self._store.begin, run)
        try:
            ended, result, notes = await carry_out(self._house, asker, planned, run)
        except BaseException as error:
            code = error.code if isinstance(error, OwnkeyError) else "cancelled"
            self._store.end(structs.replace(run, status="failed", error=code, ended_at_ms=now_ms()), None)
            if isinstance(error, OwnkeyError):
                await self._house.store.book.drain()
            raise
        await self._house.store.book.drain()
        return await asyncio.to_thread(self._ended, ended, result, notes, planned.document.keep_days)

    def runs(self, name: str | None = None, *, limit: int = 100) -> list[Run]:
        """The newest first, without their results."""
        rows = self._store.runs(self._owner, name, limit=limit)
        costs: dict[str, RunCost] = {}
        for automation in {row.automation for row in rows}:
            times = [row.at_ms for row in rows if row.automation == automation]
            costs |= self._store.costs(self._owner, automation, min(times), now_ms())
        return [_run(row, costs.get(row.id, RunCost())) for row in rows]

    def result(self, id: str) -> Run:
        """One run with what it gave. Raises NotFound, KeyUnreadable and VaultSealed."""
        found = self._store.run(self._owner, id)
        if found is None:
            raise NotFound("There is no such run.", "`ownkey automations runs` shows them.")
        row, sealed = found
        cost = self._store.costs(self._owner, row.automation, row.at_ms, row.ended_at_ms or now_ms())
        run = _run(row, cost.get(row.id, RunCost()))
        if sealed is None or (row.until_ms or 0) <= now_ms():
            return run
        return structs.replace(run, **msgspec.json.decode(self._unsealed(row.id, sealed)))

    def _unsealed(self, run: str, sealed: bytes) -> bytes:
        for key in self._house.result_keys.all(self._owner):
            with suppress(KeyUnreadable):
                return key.unseal(RESULT, run, sealed)
        raise KeyUnreadable("The result of this run cannot be opened.", "Run the automation again.")

    def forget(self, id: str) -> None:
        """Remove a run and what it gave; what it cost stays in the book. Raises NotFound."""
        found = self._store.run(self._owner, id)
        if found is None:
            raise NotFound("There is no such run.", "`ownkey automations runs` shows them.")
        with self._house.audit.within(
            "automation.forgotten", found[0].automation, owner=self._owner, detail={"run": id}
        ):
            self._store.remove_run(self._owner, id)

    def _ended(self, run: RunRow, result: dict[str, Any], notes: list[str], keep_days: int) -> Run:
        run = structs.replace(run, ended_at_ms=now_ms())
        sealed = None
        if keep_days:
            run = structs.replace(run, until_ms=now_ms() + keep_days * DAY_MS)
            sealed = self._house.result_keys.first(self._owner).seal(RESULT, run.id, sealed_bytes(result, notes))
        self._store.end(run, sealed)
        cost = self._store.costs(self._owner, run.automation, run.at_ms, now_ms())
        return structs.replace(_run(run, cost.get(run.id, RunCost())), result=result, notes=notes)

    def _planned(
        self,
        there: Automation,
        values: Mapping[str, str],
        files: Mapping[str, GivenFile],
        model: str | None,
        asker: Asker,
    ) -> Plan:
        found = given(there.document, values, files)
        return plan(self._house, asker, there.document, found, model or there.model)

    def _asker(self, name: str, price: bool = False, over: bool = False) -> Asker:
        return Asker(self._owner, name, self._token_id, self._scope, price, over)

    def _add(self, name: str, document: Document) -> Automation:
        if self._store.get(self._owner, check_name(name)) is not None:
            raise Conflict(f"There is an automation {name!r} already.", "Take another name, or change that one.")
        if len(self._store.all(self._owner)) >= MOST_AUTOMATIONS:
            raise Conflict(f"There are {MOST_AUTOMATIONS:,} automations already.", "Remove one first.")
        if document.model is not None:
            self._house.targets.find(self._owner, document.model, scope=self._scope)
        else:
            document = structs.replace(document, model=self._store.default(self._owner))
        self._put(name, document, now_ms(), ["new"])
        return self.get(name)

    def _put(self, name: str, document: Document, created_at_ms: int, what: list[str]) -> None:
        with self._house.audit.within("automation.set", name, owner=self._owner, detail={"changed": what}):
            self._store.put(_row(self._owner, name, document, created_at_ms))


def _changed(document: Document, given: Mapping[str, Any]) -> Document:
    known = set(Document.__struct_fields__) | {"limit"}
    fields: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise InvalidRequest(f"An automation has no {name[:40]!r}.", param=name[:40])
        if name == "limit":
            fields["limit_nano"] = amount_of(value, "usd", "limit")
        elif name == "variables":
            fields[name] = _variables(value)
        else:
            fields[name] = value
    found = _whole(read(_text_of(structs.replace(document, **fields))))
    if "output_schema" in given and found.output_schema != given["output_schema"]:
        raise InvalidRequest(
            "The schema of a starter is what its workings read.", "Save a prompt of your own.", param="output_schema"
        )
    if found.output_schema is not None:
        Schema(found.output_schema)
    provided = working(found.starter).provides
    whole = checked(found)
    mine = {name: one for name, one in whole.variables.items() if name not in provided}
    return structs.replace(whole, variables=mine)


def _whole(document: Document) -> Document:
    """With what a starter's workings rely on."""
    if document.starter is None:
        return document
    own = starter(document.starter).document
    return structs.replace(document, output_schema=own.output_schema, variables={**document.variables, **own.variables})


def _text_of(document: Document) -> str:
    try:
        return msgspec.json.encode(document).decode()
    except (TypeError, OverflowError, UnicodeEncodeError, RecursionError):
        raise InvalidRequest("An automation is of text and JSON.", "docs/automations.md has its parts.") from None


def _variables(value: Any) -> dict[str, Variable]:
    try:
        return msgspec.convert(value, dict[str, Variable])
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"These are no variables: {error}.", param="variables") from None


def _row(owner: str, name: str, document: Document, created_at_ms: int) -> AutomationRow:
    return AutomationRow(owner, name, _text_of(document), created_at_ms, now_ms())


def _view(row: AutomationRow, default: str) -> Automation:
    document = _whole(read(row.document))
    return Automation(row.name, document, document.model or default, row.created_at_ms, row.changed_at_ms)


def _run(row: RunRow, cost: RunCost) -> Run:
    return Run(
        row.id,
        row.automation,
        row.model,
        row.status,
        row.error,
        row.at_ms,
        row.ended_at_ms,
        row.until_ms,
        Money(cost.cost_nano),
        Money(cost.pending_nano),
        cost.unpriced == 0,
        cost.calls,
        cost.input_tokens,
        cost.output_tokens,
    )


def starters() -> list[Starter]:
    from ownkey.app.starters import starters as all_starters

    return all_starters()
