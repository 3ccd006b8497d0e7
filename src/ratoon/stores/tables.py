"""The tables of the book, as SQLAlchemy Core sees them."""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = 3


def tables(metadata: sa.MetaData) -> None:
    """Declare all tables in `metadata`: one JSON body a row, what is searched for beside it."""
    text, number = sa.Text, sa.BigInteger
    sa.Table(
        "loop",
        metadata,
        sa.Column("name", text, primary_key=True),
        sa.Column("cursor", number, nullable=False),
        sa.Column("begun", number, nullable=False),
        sa.Column("state", text),
        sa.Column("definition", text, nullable=False),
        sa.Column("schema", text),
        sa.Column("target", text),
        sa.Column("first_target", text),
    )
    one = (sa.Column("loop", text, primary_key=True), sa.Column("body", text, nullable=False))
    sa.Table("delays", metadata, *one)
    for name in ("measurement", "decision", "inbox", "refused"):
        sa.Table(
            name,
            metadata,
            sa.Column("loop", text, primary_key=True),
            sa.Column("position", number, primary_key=True, autoincrement=False),
            sa.Column("body", text, nullable=False),
        )
    sa.Table(
        "event",
        metadata,
        sa.Column("loop", text, primary_key=True),
        sa.Column("position", number, primary_key=True, autoincrement=False),
        sa.Column("source", text, nullable=False),
        sa.Column("id", text, nullable=False),
        sa.Column("body", text, nullable=False),
        sa.UniqueConstraint("loop", "source", "id"),
    )
    for name, key in (("run", "id"), ("quarantine", "id"), ("snapshot", "digest")):
        sa.Table(
            name,
            metadata,
            sa.Column("loop", text, primary_key=True),
            sa.Column(key, text, primary_key=True),
            sa.Column("position", number, nullable=False),
            sa.Column("body", text, nullable=False),
        )
    sa.Table(
        "version",
        metadata,
        sa.Column("loop", text, primary_key=True),
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("body", text, nullable=False),
        sa.Column("standing", text, nullable=False),
    )
    sa.Table(
        "alias",
        metadata,
        sa.Column("loop", text, primary_key=True),
        sa.Column("name", text, primary_key=True),
        sa.Column("version", number),
    )
