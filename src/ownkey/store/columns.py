"""What all tables are made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, LargeBinary, MetaData, Text

metadata = MetaData()

# STRICT tables of SQLite know INTEGER, TEXT and BLOB only.
Int = BigInteger().with_variant(Integer(), "sqlite")
Flag = Boolean().with_variant(Integer(), "sqlite")


def column(name: str, kind: type[Text | LargeBinary] | BigInteger | Boolean) -> Column[object]:
    return Column(name, kind, nullable=False)


def amounts(table: str, *columns: str) -> list[CheckConstraint]:
    """Below 2**53, what JSON carries exactly: sums of a thousand of the greatest still fit into 64 bits."""
    return [
        CheckConstraint(f"{column} BETWEEN 0 AND 9007199254740991", name=f"{table}_{column}_amount")
        for column in columns
    ]
