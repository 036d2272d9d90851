"""The events of calls, appended and never changed."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0001"
down_revision: Final = None

OPENING: Final = sa.text("kind IN ('call_announced', 'session_started')")

# DELETE stays possible: retention and erasure need it, and leave their own trace.
NEVER_CHANGED: Final = """
CREATE TRIGGER events_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'an event of the journal is never changed'); END
"""


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("call_sid", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("session", sa.Integer, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_of_a_call", "events", ["call_sid", "id"])
    op.create_index("events_opening", "events", ["id"], sqlite_where=OPENING, postgresql_where=OPENING)
    if op.get_context().dialect.name == "sqlite":
        op.execute(NEVER_CHANGED)
