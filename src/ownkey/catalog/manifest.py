"""The schema of one provider's TOML. Told apart by these data and never by name."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from ownkey.talk.chat import Effort

Ability = Literal["chat", "stream", "tools", "json", "vision", "reasoning", "embeddings"]
Kind = Literal["cloud", "local", "demo"]

OPERATIONS = (
    *("chat", "stream", "models", "count", "embeddings"),
    *("images", "image_edits", "speech", "transcriptions", "translations", "moderations", "rerank"),
)
"""What a provider can be asked for. The second row passes through in OpenAI's form, where the manifest names a path."""


def embeds(wire: str) -> bool:
    """Whether a wire carries embeddings and no chats: its name says so."""
    return wire.endswith("-embeddings")


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """The header that carries the key: `header: scheme key`, or the bare key where `scheme` is empty."""

    header: str = "authorization"
    scheme: str = "Bearer"


class Keys(Struct, frozen=True, forbid_unknown_fields=True):
    """`env`: variables to look in, in order. `page`: where a person makes a key. `looks_like`: a regular expression."""

    env: tuple[str, ...] = ()
    page: str | None = None
    looks_like: str | None = None
    required: bool = True


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """A setting of this provider that is not secret: goes into `header`, or into `{its name}` in a URL."""

    required: bool = False
    header: str | None = None
    default: str | None = None
    help: str | None = None


class ThinkingRules(Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is told how much to think, and what it refuses because it thinks.

    `by`: an `effort`, a `budget` of tokens, or `none`: it is not told. `efforts`: the levels that it takes, from the
    least to the most; empty: every level of the wire. `off`: whether its thinking can be switched off.
    `least`, `most`: the bounds of a budget, in tokens.
    `sampling`: whether temperature and the like may be set.
    `tools`: `any`; `unforced` where a call cannot be demanded; `unthinking` where they are taken only without thinking.
    """

    by: Literal["effort", "budget", "none"] = "effort"
    efforts: tuple[Effort, ...] = ()
    off: bool = True
    least: int = 0
    most: int | None = None
    sampling: bool = True
    tools: Literal["any", "unforced", "unthinking"] = "any"


class Family(Struct, frozen=True, forbid_unknown_fields=True):
    """Models that are alike, by how their names begin. Of several beginnings that fit, the longest holds.

    `wire`: the one of the provider's wires in which they answer best, taken where the client's own is not spoken;
    with `only`, it is taken whatever the client speaks. `prefill`: an answer that is begun for them they go on with.
    """

    begins: tuple[str, ...]
    thinking: ThinkingRules | None = None
    prefill: bool | None = None
    wire: str | None = None
    only: bool = False


class Quirks(Struct, frozen=True, forbid_unknown_fields=True):
    """How this provider differs from its wire's inventor.

    `max_tokens`: the field of an output cap. `usage_in_stream`: `ask` by `stream_options`, `always` sent, `never` sent.
    `system_role`: what an instruction is called. `json_schema`: whether a schema is taken, or only `json_object`.
    `seed`, `parallel_tools`: whether the field is taken.
    `reasoning_back`: the field of an assistant's message that carries its reasoning back, where it has to be sent.
    `cache_marks`: whether `cache_control` is taken on parts and tools, as OpenRouter takes it for those behind it.
    `seals`: whether sealed reasoning is taken back, in `reasoning_details`.
    `file_urls`: whether a file may be named by its address.
    `thinking`: the rules for models of which nothing else is said.
    `prefill`: whether an answer that is begun is gone on with, rather than refused or answered.
    """

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    usage_in_stream: Literal["ask", "always", "never"] = "ask"
    system_role: Literal["system", "developer"] = "system"
    json_schema: bool = True
    seed: bool = True
    parallel_tools: bool = True
    reasoning_back: Literal["reasoning_content", "reasoning"] | None = None
    cache_marks: bool = False
    seals: bool = False
    file_urls: bool = False
    thinking: ThinkingRules = ThinkingRules()
    prefill: bool = False


class Speech(Struct, frozen=True, forbid_unknown_fields=True):
    """How a provider speaks one more wire, at the same origin.

    `root` is a path that takes the place of the base URL's own; `paths`, `auth`, `headers` and `quirks` take the place
    of the provider's where they are given.
    """

    root: str | None = None
    paths: dict[str, str] = field(default_factory=dict[str, str])
    auth: Auth | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    quirks: Quirks | None = None


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """How much may be asked of this provider at once and in a minute, for each owner, where nobody has set a rule: 0
    for any number. What goes in is estimated, until the answer says."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Its own batch endpoint, where answers come within a day and cost so much less, in percent, as `source` says.

    Its paths are under the provider's own base URL."""

    wire: Literal["openai-batches", "anthropic-batches"]
    discount_percent: int
    source: str


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """The owner's own, in USD per million tokens, as decimal text: `input = "2.50"`."""

    input: str
    output: str
    cached: str | None = None
    cache_write: str | None = None


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a model. `context` and `max_output` in tokens.

    `priced_as`: its name in the price catalogue, where that is another one (an Azure deployment has its owner's name).
    `thinking`: its own rules, where they are not its family's. `retired`: its provider has ended it.
    """

    id: str
    name: str | None = None
    context: int | None = None
    max_output: int | None = None
    does: tuple[Ability, ...] = ()
    aliases: tuple[str, ...] = ()
    price: Price | None = None
    priced_as: str | None = None
    thinking: ThinkingRules | None = None
    retired: bool = False


class Provider(Struct, frozen=True, forbid_unknown_fields=True):
    """One provider.

    `wire` is its own, at the base URL; `speaks` are the others that it knows. `prefers` is the one of them that is
    taken where the client's own is not spoken.
    `base_url` may hold `{field}`. `paths` replaces a wire's own path for an operation (one of `OPERATIONS`);
    `query` is added to every URL. `prices` names it in the price catalogue; `free` says that nothing is paid,
    `free_operations` for what nothing is paid.
    `check` is the operation that Test Connection asks for, `probe` one that costs nothing: whether it is there can be
    asked at any time. `regions`: where its own address answers, where it says so: countries by ISO 3166 (`us`), parts
    of them (`us-east`), or `eu`. `elsewhere`: how names of its models end that do not run where the
    provider itself does.
    """

    id: str
    name: str
    kind: Kind
    wire: str
    base_url: str
    auth: Auth | None = None
    keys: Keys = field(default_factory=Keys)
    fields: dict[str, Field] = field(default_factory=dict[str, Field])
    paths: dict[str, str] = field(default_factory=dict[str, str])
    query: dict[str, str] = field(default_factory=dict[str, str])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    check: str = "models"
    probe: Literal["models"] | None = None
    prices: str | None = None
    free: bool = False
    free_operations: tuple[str, ...] = ()
    quirks: Quirks = field(default_factory=Quirks)
    speaks: dict[str, Speech] = field(default_factory=dict[str, Speech])
    prefers: str | None = None
    limits: Limits = field(default_factory=Limits)
    batch: Batch | None = None
    default: str | None = None
    regions: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    models: tuple[Model, ...] = ()

    def model(self, name: str) -> Model | None:
        """The model of that id or alias, where the manifest has it."""
        return next((model for model in self.models if name == model.id or name in model.aliases), None)

    def id_of(self, name: str) -> str:
        """The name under which a model is asked and booked, whichever of its names this is."""
        listed = self.model(name)
        return listed.id if listed else name
