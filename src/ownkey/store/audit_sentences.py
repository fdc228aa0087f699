"""What a record of the audit trail says, in one plain sentence. Pure; total over `ACTIONS`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from ownkey.store.audit_chain import Row

SENTENCES: Mapping[str, str] = {
    "key.added": "{Key} added to {provider}",
    "key.replaced": "{Key} put in place of the one before, for {provider}",
    "key.changed": "{Key} for {provider} changed",
    "key.removed": "{Key} removed from {provider}",
    "key.tested": "Key tested at {provider}",
    "key.used": "{Key} used at {provider}",
    "key.unreadable": "{Key} for {provider} does not open: it was changed in the database",
    "provider.added": "Provider {provider} added",
    "provider.removed": "Provider {provider} removed",
    "provider.enabled": "Provider {provider} switched on",
    "provider.disabled": "Provider {provider} switched off",
    "provider.endpoint": "Endpoint of {provider} set to {new}",
    "provider.fields": "Settings of {provider} changed",
    "provider.default_model": "Default model of {provider} set to {new}",
    "budget.set": "Budget {name} set",
    "budget.removed": "Budget {name} removed",
    "budget.mended": "Budgets counted anew",
    "limit.set": "Rate limit set for {kind} {name}",
    "limit.removed": "Rate limit removed from {kind} {name}",
    "price.set": "Price of {target} set",
    "price.removed": "Own price of {target} let go",
    "price.refreshed": "Newer prices put into use",
    "price.reverted": "Earlier prices put into use again",
    "route.set": "Route {target} set",
    "route.removed": "Route {target} removed",
    "route.forgotten": "What routes had learned was let go",
    "fallback.triggered": "A request to {from} went on to {to}",
    "provider.ordered": "Providers put into another order",
    "agreement.accepted": "Agreement accepted, version {version}",
    "onboarding.changed": "First steps: at {step}",
    "preferences.changed": "Preferences changed",
    "consent.remembered": "A yes remembered: {asked}",
    "consent.withdrawn": "A yes taken back: {asked}",
    "consent.approved": "A request to {model} that waited was let go on",
    "consent.refused": "A request to {model} that waited was refused",
    "automation.set": "Automation {target} set",
    "automation.model": "Automation {target} switched to {new}",
    "automation.removed": "Automation {target} removed",
    "automation.forgotten": "What a run of automation {target} gave was removed",
    "automation.default": "Model for new automations set to {new}",
    "token.created": "Token {name} made",
    "token.revoked": "Token {name} revoked",
    "page.begun": "A page of token {name} may ask for {user}",
    "person.added": "{name} added",
    "person.invited": "{name} invited",
    "person.changed": "{name} changed",
    "person.suspended": "{name} suspended",
    "person.activated": "{name} let in again",
    "person.removed": "{name} removed",
    "grant.given": "{name} may use the shared key for {provider}",
    "grant.revoked": "{name} may no longer use the shared key for {provider}",
    "session.begun": "{person} signed in",
    "vault.opened": "Vault opened",
    "vault.rotated": "Another root key took over",
    "vault.sealed": "Vault sealed",
    "vault.unsealed": "Vault opened again",
    "usage.exported": "Usage written to a file",
    "parcel.exported": "Everything written to an encrypted file",
    "parcel.imported": "An encrypted file taken in",
    "history.on": "Chats of {person} are kept from now on",
    "history.off": "Chats of {person} are kept no more",
    "history.deleted": "Kept chats of {person} deleted",
    "history.exported": "Kept chats of {person} written to a file",
    "cache.on": "Answers to {person} are given again where the same is asked",
    "cache.off": "Answers to {person} are given again no more",
    "cache.cleared": "Answers kept for {person} deleted",
    "audit.exported": "Audit trail written to a file",
    "audit.adopted": "Records from the time when the vault was sealed taken in",
    "audit.accepted": "Broken audit trail let go on",
}
"""By action. What stands in braces is told by the record itself, or by who has that id."""

_ASKED: Mapping[str, str] = {
    "switch": "{source} may be replaced by {target}",
    "soft_cap": "a run may go over a soft cap",
    "price_unknown": "a price that nobody knows, of {target}",
}
_OUTCOMES: Mapping[str, str] = {"begun": "Begun: {}", "failed": "Failed: {}"}


class Names(Struct, frozen=True):
    """By their ids: the last four characters of keys, and what providers, people and tokens are called."""

    endings: Mapping[str, str] = {}
    providers: Mapping[str, str] = {}
    people: Mapping[str, str] = {}
    tokens: Mapping[str, str] = {}

    def like(self, text: str) -> frozenset[str]:
        """The ids of those that have this text in their names."""
        every = (self.endings, self.providers, self.people, self.tokens)
        return frozenset(id for one in every for id, name in one.items() if text.lower() in name.lower())


def sentence(row: Row, names: Names | None = None) -> str:
    detail: dict[str, Any] = msgspec.json.decode(row.detail)
    told = _Told(row, detail, names or Names())
    if row.action == "key.changed" and "order" in detail:
        said = f"Keys for {told['provider']} put into another order"
    else:
        said = SENTENCES.get(row.action, "{action}: {target}").format_map(told)
    said = said[:1].upper() + said[1:]
    outcome = _OUTCOMES.get(row.outcome)
    if outcome is None or (row.outcome == "begun" and row.action == "key.used"):
        return said
    error = f" ({detail['error']})" if row.outcome == "failed" and "error" in detail else ""
    return outcome.format(said[0].lower() + said[1:]) + error


def actor_name(row: Row, names: Names) -> str:
    """Who did it."""
    if row.actor_kind == "system":
        return "Ownkey"
    if row.actor_kind == "token":
        return f"Token {names.tokens[row.actor]}" if row.actor in names.tokens else "A token"
    return names.people.get(row.actor) or ("The owner" if row.actor_kind == "owner" else "Somebody")


class _Told(dict[str, str]):
    """What a sentence may name, found when it does."""

    def __init__(self, row: Row, detail: Mapping[str, Any], names: Names) -> None:
        super().__init__(action=row.action, target=row.target)
        self._row = row
        self._detail = detail
        self._names = names

    def __missing__(self, name: str) -> str:
        match name:
            case "Key":
                return self._key()
            case "provider":
                id = str(self._detail.get("provider") or self._row.target)
                return self._names.providers.get(id, id) or "a provider"
            case "person":
                return self._names.people.get(self._row.target, "somebody" if self._row.target else "everybody")
            case "asked":
                return _ASKED.get(str(self._detail.get("kind")), "of another kind").format_map(self._asked())
            case "name":
                names, target = self._names, self._row.target
                found = self._detail.get("name") or names.people.get(target) or names.tokens.get(target) or target
                return str(found or ("somebody" if self._row.target_kind == "person" else "of no name"))
            case _:
                value = self._detail.get(name)
                return "nothing" if value in (None, "") else str(value)

    def _asked(self) -> dict[str, Any]:
        """Of what was asked the target is another than the record's."""
        return {"source": "", "target": "", **self._detail}

    def _key(self) -> str:
        ending = self._detail.get("ending") or self._names.endings.get(self._row.target)
        label = self._detail.get("label")
        if ending is not None:
            return f"Key ending {ending}"
        return f"Key {label}" if label not in (None, "", "default") else "A key"
