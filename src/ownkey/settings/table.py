"""The table of settings, from which the readers, the command line, the docs and the tests are fed."""

from __future__ import annotations

import math
from typing import Any, Literal

from msgspec import Struct

Kind = Literal[
    "path",
    "text",
    "url",
    "integer",
    "number",
    "switch",
    "choice",
    "hosts",
    "networks",
    "targets",
    "names",
    "addresses",
    "password",
    "origin",
    "origins",
]


class Setting(Struct, frozen=True):
    """One row. `name` is the key in `config.toml` too, unless `env_only`; `least` and `most` are bounds."""

    name: str
    env: str
    kind: Kind
    default: Any
    help: str
    env_only: bool = False
    least: float = 0
    most: float = math.inf
    choices: tuple[str, ...] = ()


TABLE: tuple[Setting, ...] = (
    Setting("home", "OWNKEY_HOME", "path", None, "The data folder. Unset: the platform's own place for it.", True),
    Setting(
        "database_url",
        "OWNKEY_DATABASE_URL",
        "url",
        None,
        "Where the records are kept. Unset: the SQLite file `ownkey.db` in the data folder.",
    ),
    Setting("host", "OWNKEY_HOST", "text", "127.0.0.1", "The address that `ownkey serve` listens at."),
    Setting("port", "OWNKEY_PORT", "integer", 3010, "The port it listens at; 0 takes any free one.", most=65535),
    Setting(
        "public_url",
        "OWNKEY_PUBLIC_URL",
        "origin",
        None,
        "Where browsers and programs on other machines find this Ownkey, such as https://ownkey.example.com: what ends "
        "TLS there passes on to `host` and `port`. Without it nothing but this machine is listened to.",
    ),
    Setting(
        "trusted_proxies",
        "OWNKEY_TRUSTED_PROXIES",
        "networks",
        (),
        "The addresses or networks of what stands before this Ownkey, with commas between. Only from there is "
        "X-Forwarded-For believed: tokens that are for an address, and failed sign-ins, go by the client's own.",
    ),
    Setting(
        "page_origins",
        "OWNKEY_PAGE_ORIGINS",
        "origins",
        (),
        "The origins of applications whose own pages may ask this Ownkey for their users, with tokens made for that, "
        "such as https://app.example.com; with commas between. Any other site is refused.",
    ),
    Setting(
        "master_key_file",
        "OWNKEY_MASTER_KEY_FILE",
        "path",
        None,
        "A file with the root key: 32 bytes, as they are, in hex or in base64. Only its owner may read it.",
    ),
    Setting(
        "encryption_password",
        "BYOK_ENCRYPTION_PASSWORD",
        "password",
        None,
        "Makes the root key, together with the salt. 12 characters or more.",
        True,
    ),
    Setting(
        "encryption_salt",
        "BYOK_ENCRYPTION_SALT",
        "password",
        None,
        "Goes with the password; not secret, but never to be changed. 8 characters or more.",
        True,
    ),
    Setting(
        "keychain",
        "OWNKEY_KEYCHAIN",
        "switch",
        True,
        "Whether the root key may be kept in the keychain of the operating system.",
    ),
    Setting(
        "transit_url",
        "OWNKEY_TRANSIT_URL",
        "url",
        None,
        "A HashiCorp Vault or OpenBao whose transit engine keeps the root key. Without TLS its `host:port` must be in "
        "`allow_private_hosts`.",
    ),
    Setting("transit_key", "OWNKEY_TRANSIT_KEY", "text", "ownkey", "The name of the key in that transit engine."),
    Setting("transit_mount", "OWNKEY_TRANSIT_MOUNT", "text", "transit", "Where the engine is mounted."),
    Setting("transit_namespace", "OWNKEY_TRANSIT_NAMESPACE", "text", None, "The namespace there, where there is one."),
    Setting("transit_token", "OWNKEY_TRANSIT_TOKEN", "password", None, "The token that server asks for.", True),
    Setting(
        "transit_token_file",
        "OWNKEY_TRANSIT_TOKEN_FILE",
        "path",
        None,
        "A file with the token, read anew for each request: an agent may renew it.",
    ),
    Setting(
        "transit_ca_file",
        "OWNKEY_TRANSIT_CA_FILE",
        "path",
        None,
        "A PEM file with the authority that signs that server's certificate, beside those of the system.",
    ),
    Setting(
        "environment_keys",
        "OWNKEY_ENVIRONMENT_KEYS",
        "switch",
        True,
        "Whether keys in the environment (`OPENAI_API_KEY` and the like) serve this machine's own person, where none "
        "is stored.",
    ),
    Setting(
        "allow_private_hosts",
        "OWNKEY_ALLOW_PRIVATE_HOSTS",
        "hosts",
        frozenset[tuple[str, int]](),
        "Places on private addresses that may be spoken to, each exactly as it is named: `host:port,…`, IPv6 in "
        "brackets. A name never leads to the metadata service of a cloud.",
    ),
    Setting(
        "fallback",
        "OWNKEY_FALLBACK",
        "targets",
        (),
        "What is tried, in this order, after the model that was asked for: `provider/model,…`.",
    ),
    Setting(
        "order",
        "OWNKEY_ORDER",
        "targets",
        ("gemini", "deepseek", "openai", "anthropic"),
        "Which providers `auto` asks first: `provider,…`; those with a key that are not named come after.",
    ),
    Setting(
        "wires",
        "OWNKEY_WIRES",
        "names",
        (),
        "Wires of other packages that may be loaded: `name,…`. That they are installed is not enough, for their code "
        "runs where keys are.",
    ),
    Setting(
        "batch_parallel",
        "OWNKEY_BATCH_PARALLEL",
        "integer",
        8,
        "How many lines of a batch are under way side by side.",
        least=1,
        most=256,
    ),
    Setting("retries", "OWNKEY_RETRIES", "integer", 2, "How many more times one target is tried.", most=10),
    Setting("retry_delay_s", "OWNKEY_RETRY_DELAY_S", "number", 0.5, "Wait before the first retry.", most=60),
    Setting("retry_max_delay_s", "OWNKEY_RETRY_MAX_DELAY_S", "number", 8.0, "The longest wait.", most=60),
    Setting(
        "retry_multiplier",
        "OWNKEY_RETRY_MULTIPLIER",
        "number",
        2.0,
        "How much longer each wait is than the one before.",
        least=1,
        most=10,
    ),
    Setting(
        "retry_longest_wait_s",
        "OWNKEY_RETRY_LONGEST_WAIT_S",
        "number",
        60.0,
        "How long a request waits where its provider has said when to ask again, and nobody else is left to be asked.",
        most=3600,
    ),
    Setting(
        "probe_every_s",
        "OWNKEY_PROBE_EVERY_S",
        "number",
        30.0,
        "How often, at most, the gateway asks a provider that fails whether it is there again, in seconds; the "
        "question costs nothing. 0: never.",
        most=86_400,
    ),
    Setting(
        "first_token_timeout_s",
        "OWNKEY_FIRST_TOKEN_TIMEOUT_S",
        "number",
        10.0,
        "How long the beginning of an answer is waited for where another model stands ready to give it. Six times as "
        "long for a model that thinks; longer too where a model is known to be slow, or has much to read.",
        least=0.1,
        most=3600,
    ),
    Setting(
        "connect_timeout_s", "OWNKEY_CONNECT_TIMEOUT_S", "number", 10.0, "To reach a provider.", least=0.1, most=3600
    ),
    Setting(
        "headers_timeout_s",
        "OWNKEY_HEADERS_TIMEOUT_S",
        "number",
        120.0,
        "From the request to the head of the answer.",
        least=0.1,
        most=3600,
    ),
    Setting(
        "idle_timeout_s",
        "OWNKEY_IDLE_TIMEOUT_S",
        "number",
        60.0,
        "Between two pieces of an answer.",
        least=0.1,
        most=3600,
    ),
    Setting(
        "total_timeout_s",
        "OWNKEY_TOTAL_TIMEOUT_S",
        "number",
        600.0,
        "For one try, from beginning to end.",
        least=0.1,
        most=86400,
    ),
    Setting(
        "budget_wait_s",
        "OWNKEY_BUDGET_WAIT_S",
        "number",
        30.0,
        "How long a run waits for room in a budget that others have pending.",
        most=600,
    ),
    Setting(
        "requests_per_minute",
        "OWNKEY_REQUESTS_PER_MINUTE",
        "integer",
        60,
        "How many requests a provider in the cloud gets in a minute for each person, where neither its file nor a "
        "rule of `ownkey limits` says otherwise; 0: any number.",
        most=1_000_000,
    ),
    Setting(
        "rate_limit_wait_s",
        "OWNKEY_RATE_LIMIT_WAIT_S",
        "number",
        10.0,
        "How long a request waits for its turn where a limit is reached; 0: it is refused at once.",
        most=600,
    ),
    Setting(
        "cache_size_mb",
        "OWNKEY_CACHE_SIZE_MB",
        "integer",
        64,
        "How much each person's cache of answers may take, in MiB; the oldest give way.",
        least=1,
        most=65536,
    ),
    Setting(
        "prices_url",
        "OWNKEY_PRICES_URL",
        "url",
        "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json",
        "Where `ownkey prices refresh` fetches the price catalogue: genai-prices' own, or a mirror of it.",
    ),
    Setting(
        "alert_webhook_url",
        "OWNKEY_ALERT_WEBHOOK_URL",
        "url",
        None,
        "Alerts are sent there as JSON. On a private network its `host:port` must be in `allow_private_hosts`.",
    ),
    Setting(
        "alert_webhook_secret",
        "OWNKEY_ALERT_WEBHOOK_SECRET",
        "password",
        None,
        "Webhooks are signed with it, and none is sent without. 16 characters or more, or `whsec_` and base64.",
    ),
    Setting(
        "smtp_url",
        "OWNKEY_SMTP_URL",
        "url",
        None,
        "The mail server: `smtps://user@host:465`, or `smtp://user@host:587`, which has to offer STARTTLS. On a "
        "private network its `host:port` must be in `allow_private_hosts`; one without STARTTLS is taken there too.",
    ),
    Setting("smtp_password", "OWNKEY_SMTP_PASSWORD", "password", None, "The password of that user."),
    Setting(
        "alert_email_to",
        "OWNKEY_ALERT_EMAIL_TO",
        "addresses",
        (),
        "Who gets alerts as e-mails: `address,…`.",
    ),
    Setting(
        "alert_email_from",
        "OWNKEY_ALERT_EMAIL_FROM",
        "text",
        None,
        "Whom those e-mails are from. Unset: from the one who gets it.",
    ),
    Setting(
        "audit_file",
        "OWNKEY_AUDIT_FILE",
        "path",
        None,
        "A file that the audit trail is added to as well, as JSON lines; keep it where who writes the database cannot.",
    ),
    Setting(
        "audit_syslog",
        "OWNKEY_AUDIT_SYSLOG",
        "path",
        None,
        "The socket of the system's log, such as `/dev/log`, that is told each record of the audit trail.",
    ),
    Setting(
        "oidc_issuer",
        "OWNKEY_OIDC_ISSUER",
        "url",
        None,
        "Who signs people in beside Ownkey, by OpenID Connect: the issuer's own address, such as "
        "https://login.example.com. On a private network its `host:port` must be in `allow_private_hosts`.",
    ),
    Setting("oidc_client_id", "OWNKEY_OIDC_CLIENT_ID", "text", None, "The name that the issuer knows this Ownkey by."),
    Setting(
        "oidc_client_secret",
        "OWNKEY_OIDC_CLIENT_SECRET",
        "password",
        None,
        "What the issuer gave out with that name; unset for a public client.",
    ),
    Setting(
        "log_level",
        "OWNKEY_LOG_LEVEL",
        "choice",
        "info",
        "How much the gateway tells on standard error, of files that are wrong and of what could not be written.",
        choices=("debug", "info", "warning", "error"),
    ),
)
