"""What earlier calls of a number left behind for the next."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0003"
down_revision: Final = "0002"


def upgrade() -> None:
    op.create_table(
        "past_calls",
        sa.Column("call_sid", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("retention", sa.String(32), nullable=False),
    )
    op.create_index("past_calls_of_a_caller", "past_calls", ["agent", "caller", "ended_at"])
