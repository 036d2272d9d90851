"""Callbacks and who did what to a follow-up, answers to a brief as they came, do-not-call by agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"

FORBIDDEN: Final = sa.text("lifted_at IS NULL")

HISTORIES: Final = ("pauses", "follow_up_history", "brief_answers")
# DELETE stays possible: retention and erasure need it.
NEVER_CHANGED: Final = """
CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'the history of {table} is never changed'); END
"""
TAKEN_ONCE: Final = """
CREATE TRIGGER call_orders_taken_once BEFORE UPDATE ON call_orders
WHEN OLD.taken_at IS NOT NULL
  OR (OLD.call_sid, OLD.ends, OLD.destination, OLD."by", OLD.reason, OLD.at)
     IS NOT (NEW.call_sid, NEW.ends, NEW.destination, NEW."by", NEW.reason, NEW.at)
BEGIN SELECT RAISE(ABORT, 'an order is taken once and never changed'); END
"""

REFUSES: Final = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION '{says}'; END $$
"""
NEVER_CHANGED_THERE: Final = """
CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION history_never_changed()
"""
TAKEN_ONCE_THERE: Final = """
CREATE TRIGGER call_orders_taken_once BEFORE UPDATE ON call_orders FOR EACH ROW
WHEN (OLD.taken_at IS NOT NULL
  OR (OLD.call_sid, OLD.ends, OLD.destination, OLD."by", OLD.reason, OLD.at)
     IS DISTINCT FROM (NEW.call_sid, NEW.ends, NEW.destination, NEW."by", NEW.reason, NEW.at))
EXECUTE FUNCTION order_taken_once()
"""


def upgrade() -> None:
    _controls()
    _follow_ups()
    _briefs()
    _do_not_call()
    if op.get_context().dialect.name == "sqlite":
        _kept_as_it_was(NEVER_CHANGED, TAKEN_ONCE)
    else:
        op.execute(REFUSES.format(name="history_never_changed", says="a history is never changed"))
        op.execute(REFUSES.format(name="order_taken_once", says="an order is taken once and never changed"))
        _kept_as_it_was(NEVER_CHANGED_THERE, TAKEN_ONCE_THERE)


def _kept_as_it_was(never_changed: str, taken_once: str) -> None:
    for table in HISTORIES:
        op.execute(never_changed.format(table=table))
    op.execute(taken_once)


def _controls() -> None:
    op.create_index("pauses_of_an_agent", "pauses", ["agent", "id"])
    op.add_column("call_orders", sa.Column("taken_by", sa.String(64), nullable=False, server_default=""))


def _follow_ups() -> None:
    for column in (
        sa.Column("nth", sa.Integer, nullable=False, server_default="1"),
        sa.Column("moved_at", sa.Double),
        sa.Column("callback", sa.String(16)),
        sa.Column("window_start", sa.Double),
        sa.Column("window_end", sa.Double),
        sa.Column("zone", sa.String(64), nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("consent", sa.String(200), nullable=False, server_default=""),
    ):
        op.add_column("follow_ups", column)
    # each has one from now on
    op.execute("UPDATE follow_ups SET owner = 'unassigned' WHERE trim(owner) = ''")
    op.execute("UPDATE follow_ups SET key = key || ':' || nth")
    op.execute("UPDATE follow_ups SET callback = 'requested' WHERE kind = 'callback' AND done_at IS NULL")
    op.execute("UPDATE follow_ups SET callback = 'done' WHERE kind = 'callback' AND done_at IS NOT NULL")
    op.create_index("follow_ups_of_a_call", "follow_ups", ["call_sid", "id"])
    op.create_table(
        "follow_up_history",
        _id(),
        sa.Column("follow_up", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(200), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("follow_up_history_of_one", "follow_up_history", ["follow_up", "id"])


def _briefs() -> None:
    op.create_table(
        "brief_answers",
        _id(),
        sa.Column("ref", sa.String(64), nullable=False),
        sa.Column("question", sa.String(32), nullable=False),
        sa.Column("yes", sa.Boolean, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("brief_answers_of_one", "brief_answers", ["ref", "id"])
    briefs = sa.table("briefs", sa.column("ref"), sa.column("answers"), sa.column("created_at"))
    given = sa.table(
        "brief_answers",
        sa.column("ref"),
        sa.column("question"),
        sa.column("yes", sa.Boolean),
        sa.column("at"),
    )
    connection = op.get_bind()

    def rows() -> Iterator[dict[str, object]]:
        for brief in connection.execute(sa.select(briefs)).all():
            for question, yes in json.loads(brief.answers).items():
                # When it was answered was not kept: the brief's own time stands for it.
                yield {"ref": brief.ref, "question": question, "yes": yes, "at": brief.created_at}

    if found := list(rows()):
        connection.execute(sa.insert(given), found)
    op.drop_column("briefs", "answers")


def _do_not_call() -> None:
    op.rename_table("do_not_call", "do_not_call_0004")
    op.create_table(
        "do_not_call",
        _id(),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("call_sid", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("lifted_at", sa.Double),
        sa.Column("lifted_by", sa.String(200), nullable=False),
        sqlite_autoincrement=True,
    )
    op.execute(
        "INSERT INTO do_not_call (number, agent, source, call_sid, at, lifted_by) "
        "SELECT number, '*', source, '', at, '' FROM do_not_call_0004"
    )
    op.drop_table("do_not_call_0004")
    op.create_index(
        "do_not_call_once",
        "do_not_call",
        ["number", "agent"],
        unique=True,
        sqlite_where=FORBIDDEN,
        postgresql_where=FORBIDDEN,
    )


def _id() -> sa.Column[int]:
    return sa.Column(
        "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
