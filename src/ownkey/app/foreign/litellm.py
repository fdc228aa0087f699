"""LiteLLM's `config.yaml`: docs.litellm.ai/docs/proxy/configs, and there `model_list` and `credential_list`.

A key is `litellm_params.api_key`, or `os.environ/NAME`, or stands in a credential that `litellm_credential_name` names.
`general_settings` holds what opens LiteLLM itself (`master_key`) and no provider's key.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

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
from ownkey.talk.secret import Secret

_FROM = "os.environ/"
_FIELDS = {"api_version": "api_version", "organization": "organization_id", "aws_region_name": "region"}


def is_litellm(document: object) -> bool:
    return bool({"model_list", "credential_list"} & mapping(document).keys())


def read_litellm(document: object, known: Names) -> tuple[Finding, ...]:
    """A finding for each key at each address, with the models that it is used for."""
    file = mapping(document)
    inside = {name: value for name, value in mapping(file.get("environment_variables")).items() if value is not None}
    credentials: dict[str, dict[str, Any]] = {}
    for one in listed(file.get("credential_list"))[:MOST_FINDINGS]:
        credential = mapping(one)
        if isinstance(credential.get("credential_name"), str):
            credentials[credential["credential_name"]] = mapping(credential.get("credential_values"))
    found: dict[tuple[Any, ...], Finding] = {}
    for number, entry in enumerate(listed(file.get("model_list"))[:MOST_FINDINGS], 1):
        params = mapping(mapping(entry).get("litellm_params"))
        name = params.get("litellm_credential_name")
        values = credentials.get(name, {}) if isinstance(name, str) else {}
        place = f"model_list, entry {number}"
        one = _finding(place, {**values, **params}, inside, known, shown(name))
        same = _same(one)
        if same in found:
            found[same] = replace(found[same], models=named_models([*found[same].models, *one.models]))
        else:
            found[same] = one
    return tuple(found.values())


def _finding(place: str, params: dict[str, Any], inside: dict[str, Any], known: Names, label: str) -> Finding:
    model = params.get("model")
    prefix, model_name = _whose(model if isinstance(model, str) else "", params.get("custom_llm_provider"), known)
    providers = () if prefix in names.LITELLM_ANYBODY else names.ours(prefix, names.LITELLM, known)
    base_url = _value(params.get("api_base") or params.get("base_url"), inside)
    fields = {ours: str(params[theirs]) for theirs, ours in _FIELDS.items() if isinstance(params.get(theirs), str)}
    return with_key(
        Finding(
            place,
            shown(prefix),
            providers,
            base_url=base_url,
            root=names.root_of(providers),
            label=label or "litellm",
            models=named_models([model_name]),
            fields={name: value for name, value in fields.items() if not value.startswith(_FROM)},
        ),
        _value(params.get("api_key"), inside),
    )


def _whose(model: str, custom: object, known: Names) -> tuple[str, str]:
    """The provider's name and the model's, as `provider/model` has them."""
    prefix, slash, rest = model.partition("/")
    if isinstance(custom, str):
        return custom, rest if slash and prefix == custom else model
    if slash:
        return prefix, rest
    return next((name for begins, name in names.LITELLM_BARE.items() if model.startswith(begins)), ""), model


def _value(value: object, inside: dict[str, Any]) -> str | Reference | None:
    """What stands there, looked up in `environment_variables` where it is a reference to one of them."""
    if not isinstance(value, str):
        return None
    if not value.startswith(_FROM):
        return value
    variable = value.removeprefix(_FROM)
    here = inside.get(variable)
    return here if isinstance(here, str) and not here.startswith(_FROM) else Reference(variable)


def _same(finding: Finding) -> tuple[Any, ...]:
    key = finding.key.reveal() if isinstance(finding.key, Secret) else finding.key
    base_url = finding.base_url
    return (finding.named, key, base_url, tuple(sorted(finding.fields.items())), finding.why and finding.place)
