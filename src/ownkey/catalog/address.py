"""Where a request goes: the full URL of one operation at one provider, and the headers its settings give. Pure.

What may come from outside (a model's name, a setting, an address that a person typed) can change only the place that
the manifest gave it: never the host, another segment of the path, or the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from msgspec.structs import replace

from ownkey.catalog.manifest import Provider
from ownkey.talk.errors import BadConfiguration, InvalidRequest
from ownkey.talk.secret import clean

TEMPLATE = re.compile(r"\{([^{}]*)\}")
HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?")

_VISIBLE = re.compile(r"[\x21-\x7e]{1,2048}")
_SCHEMES = frozenset({"http", "https", "inside"})
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.IGNORECASE)
_NUMBERED = re.compile(r"\[[0-9a-f:.]{2,45}\]", re.IGNORECASE)
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
_MODEL = re.compile(r"[^\x00-\x20\x7f-\xa0\ud800-\udfff]{1,256}")


def as_spoken(provider: Provider, wire: str) -> Provider:
    """The provider as it is spoken to in one of its wires: its own as it stands, another as `speaks` has it."""
    speech = provider.speaks.get(wire)
    if wire == provider.wire or speech is None:
        return provider
    return replace(
        provider,
        wire=wire,
        base_url=rooted(provider.base_url, speech.root),
        auth=speech.auth or provider.auth,
        paths=speech.paths,
        headers={**provider.headers, **speech.headers},
        quirks=speech.quirks or provider.quirks,
    )


def rooted(url: str, root: str | None) -> str:
    """The URL with another path, where `root` says one: the origin stays."""
    if root is None:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{root}"


def operation_path(provider: Provider, operation: str, wire_paths: Mapping[str, str]) -> str:
    """The path of an operation: the manifest's own where it has one, else the wire's."""
    path = provider.paths.get(operation) or wire_paths.get(operation)
    if path is None:
        raise BadConfiguration(f"{provider.name} has no path for {operation!r}.", f"Name one in paths.{operation}.")
    return path


def endpoint(
    provider: Provider,
    op_path: str,
    *,
    model: str | None = None,
    base_url_override: str | None = None,
    fields: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> str:
    """The full URL: base URL, `op_path` with its model, the manifest's query, and `query` after it.

    Raises BadConfiguration where a setting is missing or cannot stand in its place, InvalidRequest for a model's name
    that would leave its segment of the path.
    """
    settings = fields or {}
    if base_url_override is None:
        base = _fill_base(provider, settings)
    else:
        base = base_url_override
        if problem := base_url_problem(base):
            raise BadConfiguration(f"The address set for {provider.name} {problem}.", param="base_url")
    path, _, own_query = op_path.partition("?")

    def segment(found: re.Match[str]) -> str:
        name = found.group(1)
        return _model_segment(model) if name == "model" else quote(_setting(provider, name, settings), safe="")

    path = TEMPLATE.sub(segment, path)
    pairs = {
        name: TEMPLATE.sub(lambda found: _setting(provider, found.group(1), settings), value)
        for name, value in provider.query.items()
    }
    asked = "&".join(part for part in (own_query, urlencode(pairs | dict(query or {}))) if part)
    return f"{base.rstrip('/')}/{path.lstrip('/')}" + (f"?{asked}" if asked else "")


def setting_headers(provider: Provider, fields: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers that the manifest and the settings give, by lower-case name; the key's own is not among them.

    Raises BadConfiguration where a required setting is missing or cannot stand in a header.
    """
    headers = {name.lower(): value for name, value in provider.headers.items()}
    for name, field in provider.fields.items():
        if field.header is None:
            continue
        value = (fields or {}).get(name) or field.default
        if value is None and not field.required:
            continue
        value = _setting(provider, name, fields or {})
        if not HEADER_VALUE.fullmatch(value):
            raise _misfit(provider, name, "cannot stand in a header")
        headers[field.header.lower()] = value
    return headers


def base_url_problem(url: str) -> str | None:
    """What is wrong with a base URL in which every template is filled; None where nothing is.

    Which addresses a key may go to is decided where the connection is made, not here.
    """
    # urlsplit drops line breaks and tabs before it looks.
    if not _VISIBLE.fullmatch(url):
        return "must be visible ASCII without blanks"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in _SCHEMES or not url.startswith(f"{parts.scheme}://"):
        return "must begin with https:// or http://"
    if "?" in url or "#" in url:
        return "must have no query and no fragment"
    if not _PATH.fullmatch(parts.path) or ".." in parts.path.split("/"):
        return "has a path that is not plain"
    written = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if not host or port == 0 or not (_NAME.fullmatch(written) or _NUMBERED.fullmatch(written)) or ".." in written:
        return "names no plain host"
    return None


def _fill_base(provider: Provider, fields: Mapping[str, str]) -> str:
    scheme, _, rest = provider.base_url.partition("://")
    authority, slash, path = rest.partition("/")

    def label(found: re.Match[str]) -> str:
        value = _setting(provider, found.group(1), fields)
        if not _LABEL.fullmatch(value):
            raise _misfit(provider, found.group(1), "must be one part of a host name: letters, digits and hyphens")
        return value.lower()

    def segment(found: re.Match[str]) -> str:
        value = _setting(provider, found.group(1), fields)
        if value in (".", ".."):
            raise _misfit(provider, found.group(1), "would change the path")
        return quote(value, safe="")

    return f"{scheme}://{TEMPLATE.sub(label, authority)}{slash}{TEMPLATE.sub(segment, path)}"


def _setting(provider: Provider, name: str, fields: Mapping[str, str]) -> str:
    field = provider.fields.get(name)
    value = fields.get(name) or (field.default if field else None)
    if field is None or not value:
        raise BadConfiguration(
            f"{provider.name} needs the setting {name!r}.",
            f"Set it: ownkey providers set {provider.id} --field {name}=…",
            param=name,
        )
    return value


def _misfit(provider: Provider, name: str, why: str) -> BadConfiguration:
    hint = f"Set it again: ownkey providers set {provider.id} --field {name}=…"
    return BadConfiguration(f"The setting {name!r} of {provider.name} {why}.", hint, param=name)


def _model_segment(model: str | None) -> str:
    # Some servers decode %2F before they route, so a `..` is refused even where its slashes would be encoded.
    if model is None or not _MODEL.fullmatch(model) or {".", ".."} & set(re.split(r"[/\\]", model)):
        shown = clean(model or "", limit=60)
        raise InvalidRequest(f"{shown!r} cannot be the name of a model.", param="model")
    return quote(model, safe="")
