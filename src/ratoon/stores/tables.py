"""The tables of the store, as SQLAlchemy Core sees them."""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = 1


def tables(metadata: sa.MetaData) -> None:
    """Declare all tables in `metadata`."""
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
    )
    sa.Table(
        "journal",
        metadata,
        sa.Column("loop", text, primary_key=True),
        sa.Column("seq", number, autoincrement=False, primary_key=True),
        sa.Column("kind", text, nullable=False),
        sa.Column("at", text, nullable=False),
        sa.Column("ids", text, nullable=False),
        sa.Column("labels", text, nullable=False),
        sa.Column("note", text, nullable=False),
        sa.Column("columns", sa.LargeBinary),
        sa.Column("joined_start", number, nullable=False),
        sa.Column("joined_stop", number, nullable=False),
    )
    sa.Table(
        "prediction",
        metadata,
        sa.Column("loop", text, primary_key=True),
        sa.Column("id", text, primary_key=True),
        sa.Column("seq", number, nullable=False),
        sa.Column("offset", number, nullable=False),
    )
    sa.Table(
        "label",
        metadata,
        sa.Column("loop", text, primary_key=True),
        sa.Column("id", text, primary_key=True),
        sa.Column("value", text, nullable=False),
        sa.Column("ordinal", number),
        sa.Column("seq", number),
        sa.Column("offset", number),
        sa.Index("label_by_ordinal", "loop", "ordinal", unique=True),
    )
    sa.Table(
        "feedback",
        metadata,
        sa.Column("loop", text, primary_key=True),
        sa.Column("id", text, primary_key=True),
        sa.Column("value", text, nullable=False),
    )
    _records(metadata)


def _records(metadata: sa.MetaData) -> None:
    """Declare the tables of records: one JSON body a row, with what is searched for beside it."""
    for name in ("measurement", "decision"):
        sa.Table(
            name,
            metadata,
            sa.Column("loop", sa.Text, primary_key=True),
            sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("body", sa.Text, nullable=False),
        )
    sa.Table(
        "event",
        metadata,
        sa.Column("loop", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("loop", "source", "id"),
    )
    sa.Table(
        "run",
        metadata,
        sa.Column("loop", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    sa.Table(
        "version",
        metadata,
        sa.Column("loop", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
    )
    sa.Table(
        "alias",
        metadata,
        sa.Column("loop", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger),
    )
