"""The schema as it is today, for queries. Databases are made by the migrations; a test holds the two together.

Times are epoch milliseconds, UTC. Money is whole nano-USD.
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

metadata = MetaData()

# STRICT tables of SQLite know INTEGER, TEXT and BLOB only.
_Int = BigInteger().with_variant(Integer(), "sqlite")
_Flag = Boolean().with_variant(Integer(), "sqlite")


def _column(name: str, kind: type[Text | LargeBinary] | BigInteger | Boolean) -> Column[object]:
    return Column(name, kind, nullable=False)


def _amounts(table: str, *columns: str) -> list[CheckConstraint]:
    """Below 2**53, what JSON carries exactly: sums of a thousand of the greatest still fit into 64 bits."""
    return [
        CheckConstraint(f"{column} BETWEEN 0 AND 9007199254740991", name=f"{table}_{column}_amount")
        for column in columns
    ]


install = Table(
    "install",
    metadata,
    Column("one", _Int, primary_key=True, autoincrement=False),
    _column("id", Text),
    Column("root_source", Text),
    Column("root_check", LargeBinary),
    _column("created_at_ms", _Int),
    CheckConstraint("one = 1", name="install_is_one_row"),
    sqlite_strict=True,
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    _column("owner", Text),
    _column("provider", Text),
    _column("origin", Text),
    _column("version", _Int),
    _column("sealed", LargeBinary),
    _column("masked", Text),
    _column("label", Text),
    _column("created_at_ms", _Int),
    Column("used_at_ms", _Int),
    UniqueConstraint("owner", "provider", "label", name="keys_one_for_each_label"),
    sqlite_strict=True,
)

choices = Table(
    "choices",
    metadata,
    Column("provider", Text, primary_key=True),
    _column("enabled", _Flag),
    Column("endpoint", Text),
    _column("fields", Text),
    Column("default_model", Text),
    sqlite_strict=True,
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    _column("owner", Text),
    _column("name", Text),
    _column("digest", LargeBinary),
    _column("shown", Text),
    _column("created_at_ms", _Int),
    Column("revoked_at_ms", _Int),
    UniqueConstraint("digest", name="tokens_digest_once"),
    CheckConstraint("length(digest) = 32", name="tokens_digest_of_32_bytes"),
    sqlite_strict=True,
)

models = Table(
    "models",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    _column("place", _Int),
    _column("facts", Text),
    _column("found_at_ms", _Int),
    sqlite_strict=True,
)

book = Table(
    "book",
    metadata,
    Column("id", Text, primary_key=True),
    _column("request_id", Text),
    _column("attempt", _Int),
    _column("owner", Text),
    Column("token_id", Text),
    Column("key_id", Text),
    _column("provider", Text),
    _column("model", Text),
    _column("wire", Text),
    _column("stream", _Flag),
    _column("held_nano", _Int),
    _column("priced", _Flag),
    _column("price", Text),
    _column("started_at_ms", _Int),
    _column("holder", Text),
    _column("state", Text),
    _column("cost_nano", _Int),
    Column("input_tokens", _Int),
    Column("output_tokens", _Int),
    Column("cached_tokens", _Int),
    Column("cache_write_tokens", _Int),
    Column("reasoning_tokens", _Int),
    Column("finish", Text),
    Column("error", Text),
    Column("status", _Int),
    Column("first_ms", _Int),
    Column("total_ms", _Int),
    Column("ended_at_ms", _Int),
    CheckConstraint("state IN ('held', 'exact', 'counted', 'assumed', 'released')", name="book_state_known"),
    CheckConstraint("(state = 'held') = (ended_at_ms IS NULL)", name="book_ended_has_a_time"),
    *_amounts("book", "held_nano", "cost_nano"),
    *_amounts("book", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens"),
    Index("book_by_time", "started_at_ms"),
    Index("book_open", "holder", sqlite_where=text("state = 'held'"), postgresql_where=text("state = 'held'")),
    sqlite_strict=True,
)

# What a row says of its beginning stays, and a row that has ended stays whole, whoever writes the SQL.
_ENDED_OR_FORGED = (
    "OLD.state <> 'held' OR NEW.id <> OLD.id OR NEW.owner <> OLD.owner OR NEW.held_nano <> OLD.held_nano"
    " OR NEW.price <> OLD.price OR NEW.started_at_ms <> OLD.started_at_ms"
)
GUARDS: dict[str, tuple[str, ...]] = {
    "sqlite": (
        f"CREATE TRIGGER book_stays BEFORE UPDATE ON book WHEN {_ENDED_OR_FORGED}"
        " BEGIN SELECT RAISE(ABORT, 'the book is not rewritten'); END",
        "CREATE TRIGGER book_keeps BEFORE DELETE ON book BEGIN SELECT RAISE(ABORT, 'the book is not rewritten'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION book_refuses() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the book is not rewritten'; END $$",
        f"CREATE TRIGGER book_stays BEFORE UPDATE ON book FOR EACH ROW WHEN ({_ENDED_OR_FORGED})"
        " EXECUTE FUNCTION book_refuses()",
        "CREATE TRIGGER book_keeps BEFORE DELETE OR TRUNCATE ON book FOR EACH STATEMENT"
        " EXECUTE FUNCTION book_refuses()",
    ),
}
for _dialect, _statements in GUARDS.items():
    for _statement in _statements:
        event.listen(book, "after_create", DDL(_statement).execute_if(dialect=_dialect))
