"""What the database itself refuses, whoever writes the SQL: statements that make it so, for each dialect."""

from __future__ import annotations

# What a row says of its beginning stays, and a row that has ended stays whole, whoever writes the SQL.
_ENDED_OR_FORGED = (
    "OLD.state <> 'held' OR NEW.id <> OLD.id OR NEW.owner <> OLD.owner OR NEW.held_nano <> OLD.held_nano"
    " OR NEW.price <> OLD.price OR NEW.started_at_ms <> OLD.started_at_ms OR NEW.held_tokens <> OLD.held_tokens"
    " OR NEW.provider <> OLD.provider OR NEW.model <> OLD.model"
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

# Nothing is taken back from the audit trail, and its head only moves on.
AUDIT_GUARDS: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is not rewritten'); END",
        "CREATE TRIGGER audit_keeps BEFORE DELETE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is not rewritten'); END",
        "CREATE TRIGGER audit_head_stays BEFORE UPDATE ON audit_head WHEN NEW.count < OLD.count"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is not rewritten'); END",
        "CREATE TRIGGER audit_head_keeps BEFORE DELETE ON audit_head"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is not rewritten'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit trail is not rewritten'; END $$",
        "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT"
        " EXECUTE FUNCTION audit_refuses()",
        "CREATE TRIGGER audit_head_stays BEFORE UPDATE ON audit_head FOR EACH ROW WHEN (NEW.count < OLD.count)"
        " EXECUTE FUNCTION audit_refuses()",
        "CREATE TRIGGER audit_head_keeps BEFORE DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT"
        " EXECUTE FUNCTION audit_refuses()",
    ),
}
