"""The audit trail: records chained by their hashes, and the sealed head of the chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, LargeBinary, Text

revision = "0006"
down_revision = "0005"

_Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_REFUSED = " BEGIN SELECT RAISE(ABORT, 'the audit trail is not rewritten'); END"
_GUARDS = {
    "sqlite": (
        f"CREATE TRIGGER audit_stays BEFORE UPDATE ON audit{_REFUSED}",
        f"CREATE TRIGGER audit_keeps BEFORE DELETE ON audit{_REFUSED}",
        f"CREATE TRIGGER audit_head_stays BEFORE UPDATE ON audit_head WHEN NEW.count < OLD.count{_REFUSED}",
        f"CREATE TRIGGER audit_head_keeps BEFORE DELETE ON audit_head{_REFUSED}",
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


def upgrade() -> None:
    op.create_table(
        "audit",
        Column("seq", _Int, primary_key=True, autoincrement=False),
        Column("at_ms", _Int, nullable=False),
        *(
            Column(name, Text, nullable=False)
            for name in ("actor_kind", "actor", "action", "target_kind", "target", "outcome")
        ),
        Column("request_id", Text),
        Column("detail", Text, nullable=False),
        Column("previous", LargeBinary, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        CheckConstraint("seq > 0", name="audit_begins_with_one"),
        sqlite_strict=True,
    )
    op.create_index("audit_by_time", "audit", ["at_ms"])
    op.create_index("audit_by_action", "audit", ["action", "seq"])
    op.create_table(
        "audit_head",
        Column("one", _Int, primary_key=True, autoincrement=False),
        Column("count", _Int, nullable=False),
        *(Column(name, LargeBinary, nullable=False) for name in ("hash", "kek_id", "seal")),
        CheckConstraint("one = 1", name="audit_head_is_one_row"),
        sqlite_strict=True,
    )
    for statement in _GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
