"""What is recorded in the audit trail: every action by its name."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Action(Struct, frozen=True):
    """When a record of it is written, what it is about, and what its detail holds.

    `narrows`: it only takes away what somebody may do, and is possible while the vault is sealed.
    """

    when: str
    target: str
    detail: str = ""
    narrows: bool = False


ACTIONS: Mapping[str, Action] = {
    "key.added": Action("a provider's key is stored", "key", "provider, origin, label, ending, key: `REDACTED`"),
    "key.replaced": Action(
        "a key is stored in place of one that was there", "key", "provider, origin, label, ending, key: `REDACTED`"
    ),
    "key.changed": Action(
        "a key's label or terms are changed, it is paused or resumed, or keys are put into another order",
        "key",
        "provider, label, ending, and what changed",
    ),
    "key.removed": Action("keys are removed", "key", "provider, label, ending, key: `REDACTED`", narrows=True),
    "key.tested": Action("a key is tried at its provider", "provider", "key: `REDACTED`; at the end error, or models"),
    "key.used": Action(
        "a key is about to be sent to its provider: at most once a minute for each key and process; the book has every "
        "single use",
        "key",
        "provider, origin, model, key: `REDACTED`",
    ),
    "key.unreadable": Action(
        "a stored key does not open, for it was changed in the database: told once",
        "key",
        "provider, label, owner, key: `REDACTED`",
    ),
    "provider.added": Action("a provider's file is put into the folder", "provider", "base_url"),
    "provider.removed": Action("a provider's file is taken out", "provider", narrows=True),
    "provider.ordered": Action("providers are put into another order", "provider", "order"),
    "provider.enabled": Action("a provider is switched on", "provider"),
    "provider.disabled": Action("a provider is switched off", "provider", narrows=True),
    "provider.endpoint": Action("another endpoint is set", "provider", "old, new"),
    "provider.fields": Action("a provider's own settings are changed", "provider", "which, without their values"),
    "provider.default_model": Action("another default model is set", "provider", "old, new"),
    "budget.set": Action("a budget is made or changed", "budget", "name, and what changed: old, new"),
    "budget.removed": Action("a budget is removed", "budget", "name, and what it was"),
    "budget.mended": Action("counters that were wrong are counted anew", "budget"),
    "limit.set": Action("a limit on requests, tokens or parallel calls is set", "limit", "kind, name, owner, old, new"),
    "limit.removed": Action("such a limit is removed", "limit", "kind, name, owner, old"),
    "price.set": Action("a price or a discount of your own is set", "price", "rates or discount, note"),
    "price.removed": Action("a price of your own is let go", "price"),
    "price.refreshed": Action("a newer price catalogue is put into use", "price", "source, sha256: its beginning"),
    "price.reverted": Action("an earlier price catalogue is put into use again", "price", "back_to, source, sha256"),
    "route.set": Action("a route is made or changed", "route", "what changed: old, new; everybody"),
    "route.removed": Action("a route is removed", "route", "what it was; everybody"),
    "route.forgotten": Action("what was learned from answers is let go", "route"),
    "fallback.triggered": Action(
        "a request goes on to another target; what is alike within a second is one record",
        "model",
        "from, to, error, times",
    ),
    "preferences.changed": Action("somebody's preferences are changed", "person", "which"),
    "agreement.accepted": Action("somebody accepts the agreement", "person", "version, at_ms"),
    "onboarding.changed": Action("somebody goes on with the first steps", "person", "step, mode, done"),
    "consent.remembered": Action(
        "a yes is remembered: to another provider, a soft cap, or a price that nobody knows",
        "person",
        "kind, source, target, until_ms",
    ),
    "consent.withdrawn": Action("it no longer is", "person", "kind, source, target", narrows=True),
    "consent.approved": Action("a request that waits may go on", "person", "reasons: their kinds"),
    "consent.refused": Action("a request that waits is refused", "person", "reasons: their kinds", narrows=True),
    "automation.set": Action(
        "an automation is made or changed", "automation", "which of its parts, without their words"
    ),
    "automation.model": Action("an automation gets another model", "automation", "old, new"),
    "automation.removed": Action("an automation is removed, with what its runs gave", "automation", narrows=True),
    "automation.forgotten": Action("what a run gave is removed", "automation", "run", narrows=True),
    "automation.default": Action("another model is set for new automations", "automation", "old, new"),
    "token.created": Action("a token for the gateway is made", "token", "name, token: `REDACTED`"),
    "token.revoked": Action("a token is revoked", "token", "name", narrows=True),
    "page.begun": Action(
        "an application gets a token for a page that it shows to one of its users", "token", "user, until_ms"
    ),
    "person.added": Action("somebody is added", "person", "name, role"),
    "person.invited": Action("an invitation is made", "person", "name, invitation: `REDACTED`"),
    "person.changed": Action("somebody's name, address or role is changed", "person", "name, and what: old, new"),
    "person.suspended": Action("somebody is shut out", "person", "name", narrows=True),
    "person.activated": Action("somebody is let in again", "person", "name"),
    "person.removed": Action("somebody is removed, with keys and tokens", "person", "name", narrows=True),
    "grant.given": Action(
        "somebody may use the environment's key for a provider, or for another amount",
        "person",
        "name, provider, limit_nano, per",
    ),
    "grant.revoked": Action("they may no longer", "person", "name, provider", narrows=True),
    "session.begun": Action("somebody has signed in", "person", "browser, address", narrows=True),
    "vault.opened": Action("a process has opened the vault", "vault", "where the root key came from"),
    "vault.rotated": Action("another root key takes over", "vault", "from, to: where they are kept; kek: its id"),
    "vault.sealed": Action("its owner seals the vault", "vault", narrows=True),
    "vault.unsealed": Action("its owner opens the vault again", "vault", narrows=True),
    "usage.exported": Action("the book is written to a file", "usage", "since_ms, until_ms, format; at the end rows"),
    "parcel.exported": Action(
        "what is kept here is written to an encrypted file", "parcel", "with_keys, with_usage; at the end how many"
    ),
    "parcel.imported": Action(
        "what an encrypted file holds is taken in", "parcel", "made_at_ms, what came; replaced: how many"
    ),
    "history.on": Action("somebody's chats are kept from now on", "person", "days: how long, if not for ever"),
    "history.off": Action("they are kept no more", "person", narrows=True),
    "history.deleted": Action("kept chats are deleted", "person", "which: one, before_ms or all", narrows=True),
    "history.exported": Action("kept chats are written to a file", "person", "count"),
    "cache.on": Action("answers are given again to whoever asks the same", "person", "ttl_s, models"),
    "cache.off": Action("they are no more", "person", narrows=True),
    "cache.cleared": Action("answers that were kept to be given again are deleted", "person", narrows=True),
    "audit.exported": Action("the trail is written to a file", "audit", "count"),
    "audit.adopted": Action(
        "records that were written while the vault was sealed are taken into the sealed trail", "audit", "first, last"
    ),
    "audit.accepted": Action(
        "the owner has seen that the trail is broken, and lets it go on from there", "audit", "seq, kind, says, head"
    ),
}
"""Names are never changed: they stand in records that stay."""

ACCEPTED = "audit.accepted"

OUTCOMES = {
    "done": "it happened, in the same transaction as its record",
    "begun": "it was about to happen when the record was written",
    "succeeded": "what was begun came to a good end",
    "failed": "what was begun came to nothing",
}
