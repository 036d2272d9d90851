"""Side effects of calls: intended before they are sent, kept until they are confirmed."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0002"
down_revision: Final = "0001"

UNSETTLED: Final = sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("key", sa.String(160), nullable=False),
        sa.Column("call_sid", sa.String(64), nullable=False),
        sa.Column("session", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(128), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("checks", sa.Integer, nullable=False),
        sa.Column("next_at", sa.Double),
        sa.Column("claimed_by", sa.String(32)),
        sa.Column("claimed_until", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("verification", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_once", "outbox", ["key"], unique=True)
    op.create_index("outbox_of_a_call", "outbox", ["call_sid", "id"])
    op.create_index(
        "outbox_due", "outbox", ["channel", "next_at"], sqlite_where=UNSETTLED, postgresql_where=UNSETTLED
    )
