"""What people do beside the agent: the stop button, what calls left to do, briefs, who must not be called."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def upgrade() -> None:
    op.create_table(
        "pauses",
        _id(),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "call_orders",
        _id(),
        sa.Column("call_sid", sa.String(64), nullable=False),
        sa.Column("ends", sa.Boolean, nullable=False),
        sa.Column("destination", sa.String(64), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("taken_at", sa.Double),
        sqlite_autoincrement=True,
    )
    op.create_index("call_orders_open", "call_orders", ["taken_at", "at"])
    op.create_table(
        "follow_ups",
        _id(),
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("call_sid", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.Column("told", sa.String(16), nullable=False),
        sa.Column("done_at", sa.Double),
        sa.Column("done_by", sa.String(200), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("follow_ups_once", "follow_ups", ["key"], unique=True)
    op.create_index("follow_ups_open", "follow_ups", ["done_at", "due_at"])
    op.create_table(
        "briefs",
        sa.Column("ref", sa.String(64), primary_key=True),
        sa.Column("call_sid", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("answers", sa.Text, nullable=False),
    )
    op.create_table(
        "do_not_call",
        sa.Column("number", sa.String(64), primary_key=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
    )
