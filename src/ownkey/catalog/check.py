"""What a manifest must keep beyond its types, so that a file from outside can harm nobody but itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal

from ownkey.catalog.address import HEADER_VALUE, TEMPLATE, base_url_problem
from ownkey.catalog.manifest import OPERATIONS, Auth, Model, Provider, ThinkingRules, embeds
from ownkey.talk.money import NANO_PER_USD

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
REGION = re.compile(r"[a-z]{2}(?:-[a-z0-9]{1,8})?")
MAX_MODELS = 5_000
MAX_TOKENS = 1_000_000_000
MAX_USD_PER_MTOK = 1_000_000

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,31}")
_HEADER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_AMOUNT = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,9})?")
_PATH = re.compile(r"/?[A-Za-z0-9._~!$&'()*+,;:@{}/-]*(?:\?[A-Za-z0-9._~=&-]*)?")
_ROOT = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_QUERY = re.compile(r"[A-Za-z0-9._~{}-]{0,200}")

# A row of characters and classes, at most one of them repeated without an exact count: no input makes it slow.
_SHAPE = re.compile(
    r"\^(?:(?:[A-Za-z0-9_-]|\[[A-Za-z0-9_.-]{1,40}\])(?:\{[0-9]{1,4}(?:,[0-9]{0,4})?\}|[+*])?){1,64}\$?"
)
_INEXACT = re.compile(r"\{[0-9]+,[0-9]*\}|[+*]")

# What says where a request goes, how long it is or who sent it is the connection's to say. RFC 9110, RFC 9112.
_NOT_THEIRS = re.compile(
    r"host|connection|keep-alive|te|trailer|upgrade|expect|via|forwarded|range|cookie|set-cookie|authorization"
    r"|content-(?:length|type|encoding)|transfer-encoding|accept-encoding|x-real-ip|x-http-method-override"
    r"|(?:x-forwarded|x-ownkey|proxy|sec|access-control)-.*"
)

Flaw = tuple[str, str]
"""The key, as `models[0].price.input`, and what is wrong with it."""


def flaws(provider: Provider, wires: Set[str]) -> Iterator[Flaw]:
    if not ID.fullmatch(provider.id):
        yield "id", "must be lower-case letters, digits and hyphens, at most 64"
    if not provider.name.strip() or not provider.name.isprintable() or len(provider.name) > 100:
        yield "name", "must be 1 to 100 printable characters"
    if provider.wire not in wires or embeds(provider.wire):
        yield "wire", _one_of(name for name in wires if not embeds(name))
    yield from _speaks(provider, wires)
    yield from _address(provider)
    yield from _settings(provider)
    yield from _headers(provider)
    yield from _keys(provider)
    yield from _models(provider)
    if not all(REGION.fullmatch(one) for one in provider.regions):
        yield "regions", "must be countries such as us, parts of them such as us-east, or eu"
    if not all(provider.elsewhere):
        yield "elsewhere", "must be endings of names, none of them empty"
    if provider.batch is not None and not 0 <= provider.batch.discount_percent <= 90:
        yield "batch.discount_percent", "must be 0 to 90"
    yield from _thinking("quirks.thinking", provider.quirks.thinking)
    for index, family in enumerate(provider.families):
        if not family.begins or not all(family.begins):
            yield f"families[{index}].begins", "must be at least one beginning of a name, none of them empty"
        if family.thinking is not None:
            yield from _thinking(f"families[{index}].thinking", family.thinking)
        if family.wire is not None and (family.wire not in (provider.wire, *provider.speaks) or embeds(family.wire)):
            yield f"families[{index}].wire", "must be a wire for chats that the provider speaks"


def nano_usd_per_mtok(text: str) -> int:
    """An owner's price, USD per million tokens as decimal text, as nano-USD per million tokens, exactly.

    Raises ValueError where it is not plain digits, finer than a nano-dollar or over a million dollars.
    """
    if not _AMOUNT.fullmatch(text) or Decimal(text) > MAX_USD_PER_MTOK:
        raise ValueError("must be plain dollars such as 2.50, with at most 9 decimals and not over a million")
    return int(Decimal(text) * NANO_PER_USD)


def _one_of(wires: Iterable[str]) -> str:
    return f"must be one of: {', '.join(sorted(wires))}; a wire of another package has to be named in OWNKEY_WIRES"


def _speaks(provider: Provider, wires: Set[str]) -> Iterator[Flaw]:
    if provider.prefers is not None and provider.prefers not in (provider.wire, *provider.speaks):
        yield "prefers", "must be a wire that the provider speaks"
    for name, speech in provider.speaks.items():
        key = f"speaks.{name}"
        if name not in wires:
            yield key, _one_of(wires)
        if speech.root is not None and (not _PATH.fullmatch(speech.root) or not _ROOT.fullmatch(speech.root)):
            yield f"{key}.root", "must be a plain path that begins with a slash"
        yield from _paths(f"{key}.paths", speech.paths, provider)
        yield from _plain_headers(f"{key}.headers", speech.headers)
        yield from _auth(f"{key}.auth", speech.auth)
        if speech.quirks is not None:
            yield from _thinking(f"{key}.quirks.thinking", speech.quirks.thinking)


def _address(provider: Provider) -> Iterator[Flaw]:
    if problem := base_url_problem(TEMPLATE.sub("x", provider.base_url)):
        yield "base_url", problem
    allowed = {"cloud": ("https://",), "local": ("http://", "https://"), "demo": ("inside://",)}[provider.kind]
    if not provider.base_url.startswith(allowed):
        yield "base_url", f"must begin with {' or '.join(allowed)} where kind is {provider.kind}"
    yield from _unknown_templates("base_url", provider.base_url, provider)
    yield from _paths("paths", provider.paths, provider)
    for name, value in provider.query.items():
        key = f"query.{name}"
        if not _QUERY.fullmatch(name) or "{" in name or not _QUERY.fullmatch(value):
            yield key, "must be plain text"
        yield from _unknown_templates(key, value, provider)
    operations = {"chat", "stream", "models", *provider.paths}
    for operation in provider.free_operations:
        if operation not in OPERATIONS:
            yield "free_operations", f"must be of: {', '.join(OPERATIONS)}"
    if provider.check not in operations:
        yield "check", f"must be one of: {', '.join(sorted(operations))}"


def _paths(within: str, paths: Mapping[str, str], provider: Provider) -> Iterator[Flaw]:
    for operation, path in paths.items():
        key = f"{within}.{operation}"
        if operation not in OPERATIONS:
            yield key, f"must be one of: {', '.join(OPERATIONS)}"
        if not _PATH.fullmatch(path) or ".." in re.split(r"[/?]", path):
            yield key, "must be a plain path"
        yield from _unknown_templates(key, path.replace("{model}", ""), provider)


def _unknown_templates(key: str, text: str, provider: Provider) -> Iterator[Flaw]:
    names = TEMPLATE.findall(text)
    if text.count("{") != len(names) or text.count("}") != len(names):
        yield key, "has a brace without its other"
    for name in names:
        if name not in provider.fields:
            yield key, f"holds {{{name[:32]}}}, which is not one of fields"


def _settings(provider: Provider) -> Iterator[Flaw]:
    for name, field in provider.fields.items():
        if not _FIELD.fullmatch(name) or name == "model":
            yield f"fields.{name}", "must be named in lower-case letters, digits and underscores, and not 'model'"
        if field.header is not None and not _may_carry(field.header):
            yield f"fields.{name}.header", "is not a header that a setting may fill"
        if field.default is not None and not HEADER_VALUE.fullmatch(field.default):
            yield f"fields.{name}.default", "must be visible ASCII"


def _headers(provider: Provider) -> Iterator[Flaw]:
    yield from _plain_headers("headers", provider.headers)
    yield from _auth("auth", provider.auth)


def _plain_headers(within: str, headers: Mapping[str, str]) -> Iterator[Flaw]:
    for name, value in headers.items():
        if not _may_carry(name):
            yield f"{within}.{name}", "is not a header that a manifest may set"
        if not HEADER_VALUE.fullmatch(value) or set(value) & set("{}$"):
            yield f"{within}.{name}", "must be visible ASCII without templates"


def _auth(key: str, auth: Auth | None) -> Iterator[Flaw]:
    if auth is None:
        return
    name = auth.header.lower()
    if name != "authorization" and not _may_carry(name):
        yield f"{key}.header", "is not a header that may carry a key"
    if auth.scheme and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,31}", auth.scheme):
        yield f"{key}.scheme", "must be one word"


def _may_carry(header: str) -> bool:
    name = header.lower()
    return bool(_HEADER.fullmatch(name)) and not _NOT_THEIRS.fullmatch(name)


def _keys(provider: Provider) -> Iterator[Flaw]:
    shape = provider.keys.looks_like
    if shape is not None and (not _SHAPE.fullmatch(shape) or len(_INEXACT.findall(shape)) > 1 or not _compiles(shape)):
        yield "keys.looks_like", "must begin with ^ and be characters and classes, only one repeated without a count"
    for name in provider.keys.env:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name):
            yield "keys.env", "must be names of environment variables"
    page = provider.keys.page
    if page is not None and (not page.startswith("https://") or not HEADER_VALUE.fullmatch(page) or " " in page):
        yield "keys.page", "must begin with https://"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _models(provider: Provider) -> Iterator[Flaw]:
    if len(provider.models) > MAX_MODELS:
        yield "models", f"must be at most {MAX_MODELS}"
        return
    seen: set[str] = set()
    for index, model in enumerate(provider.models):
        key = f"models[{index}]"
        for name in (model.id, *model.aliases):
            if not name or len(name) > 256 or not name.isprintable() or " " in name:
                yield f"{key}.id", "must be 1 to 256 printable characters without blanks"
            elif name in seen:
                yield f"{key}.id", f"{name!r} is there twice"
            seen.add(name)
        yield from _model(key, model)
        if model.thinking is not None:
            yield from _thinking(f"{key}.thinking", model.thinking)
    if provider.default is not None and provider.models and provider.default not in seen:
        yield "default", "must be one of models"


def _model(key: str, model: Model) -> Iterator[Flaw]:
    for name, value in (("context", model.context), ("max_output", model.max_output)):
        if value is not None and not 0 < value <= MAX_TOKENS:
            yield f"{key}.{name}", f"must be 1 to {MAX_TOKENS} tokens"
    price = model.price
    if price is None:
        return
    for name in ("input", "output", "cached", "cache_write"):
        text: str | None = getattr(price, name)
        if text is None:
            continue
        try:
            nano_usd_per_mtok(text)
        except ValueError as error:
            yield f"{key}.price.{name}", str(error)


def _thinking(key: str, rules: ThinkingRules) -> Iterator[Flaw]:
    if "none" in rules.efforts:
        yield f"{key}.efforts", "must be levels of thinking; that it can be switched off is said by off"
    if not 0 <= rules.least <= MAX_TOKENS or not (rules.most is None or rules.least <= rules.most <= MAX_TOKENS):
        yield f"{key}.least", f"must be from 0 up to most, which is at most {MAX_TOKENS}"
