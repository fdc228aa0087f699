"""LibreChat's `librechat.yaml`: librechat.ai/docs/configuration/librechat_yaml/object_structure/custom_endpoint.

`endpoints.custom` is a list of `name`, `apiKey`, `baseURL` and `models.default`; key and address may be `${NAME}`, from
the `.env` beside it, and `user_provided` where each person enters their own. `endpoints.azureOpenAI.groups` is a list
of `group`, `apiKey`, `instanceName`, `version` and `models`.
"""

from __future__ import annotations

import re
from typing import Any

from ownkey.app.foreign import names
from ownkey.app.foreign.finding import (
    MOST_FINDINGS,
    Finding,
    Names,
    Reference,
    listed,
    mapping,
    named_models,
    shown,
    with_key,
)

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,99})\}")
_NAME = re.compile(r"[^a-z0-9]+")
_CHAT = "/chat/completions"


def is_librechat(document: object) -> bool:
    return isinstance(mapping(document).get("endpoints"), dict)


def read_librechat(document: object, known: Names) -> tuple[Finding, ...]:
    endpoints = mapping(mapping(document).get("endpoints"))
    custom = [mapping(one) for one in listed(endpoints.get("custom"))[:MOST_FINDINGS]]
    groups = [mapping(one) for one in listed(mapping(endpoints.get("azureOpenAI")).get("groups"))[:MOST_FINDINGS]]
    return (
        *(_custom(f"endpoints.custom, entry {number}", one, known) for number, one in enumerate(custom, 1)),
        *(_azure(f"endpoints.azureOpenAI.groups, entry {number}", one) for number, one in enumerate(groups, 1)),
    )


def _custom(place: str, endpoint: dict[str, Any], known: Names) -> Finding:
    named = shown(endpoint.get("name"))
    wire = endpoint.get("provider")
    own = names.ours(wire if isinstance(wire, str) else _NAME.sub("-", named.lower()).strip("-"), {}, known)
    base_url = _value(endpoint.get("baseURL"))
    finding = Finding(
        place,
        named,
        own,
        base_url=base_url.removesuffix(_CHAT) if isinstance(base_url, str) else base_url,
        root=names.root_of(own),
        label=named or "librechat",
        models=_models(endpoint.get("models")),
    )
    if base_url is None:
        return Finding(place, named, why="no address stands there")
    return with_key(finding, _value(endpoint.get("apiKey")))


def _azure(place: str, group: dict[str, Any]) -> Finding:
    named = shown(group.get("group"))
    instance, version = group.get("instanceName"), group.get("version")
    finding = Finding(
        place,
        named,
        ("azure",),
        base_url=_value(group.get("baseURL"))
        or (f"https://{instance}.openai.azure.com" if isinstance(instance, str) else None),
        root="/openai",
        label=named or "librechat",
        models=named_models(list(mapping(group.get("models")))),
        fields={"api_version": version} if isinstance(version, str) and "$" not in version else {},
    )
    return with_key(finding, _value(group.get("apiKey")))


def _models(value: object) -> tuple[str, ...]:
    """`models.default` holds names, or mappings with a `name`."""
    default = listed(mapping(value).get("default"))
    return named_models([mapping(one).get("name", one) for one in default])


def _value(value: object) -> str | Reference | None:
    if not isinstance(value, str):
        return None
    found = _REFERENCE.fullmatch(value.strip())
    return Reference(found.group(1)) if found else value
