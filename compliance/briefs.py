"""Briefs by their reference, with what the person who got one said of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from compliance.database import Database, DatabaseUnavailable, inserting, raising
from compliance.tables import brief_answers, briefs


class BriefsUnavailable(DatabaseUnavailable):
    """Say so and have it opened again in a minute: the brief is in the call's record all the same."""


class Question(StrEnum):
    """What the person answers with one tap."""

    RIGHT_PERSON = "right_person"
    BRIEF_RIGHT = "brief_right"
    ASKED_AGAIN = "asked_again"


@dataclass(frozen=True, slots=True)
class StoredBrief:
    """`body` is JSON; times are seconds since 1970. `answers` and `answered_at` are by question."""

    ref: str
    call_sid: str
    agent: str
    language: str
    body: str = field(repr=False)
    created_at: float
    answers: Mapping[str, bool] = field(default_factory=dict)
    answered_at: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Briefs:
    """Every method blocks, and raises `BriefsUnavailable`."""

    database: Database

    def keep(self, brief: StoredBrief) -> None:
        """Again for the same reference: the body is replaced, what was answered stays."""
        values = {column.name: getattr(brief, column.name) for column in briefs.columns}
        with raising(BriefsUnavailable), self.database.transaction() as connection:
            made = inserting(connection, briefs).values(values)
            connection.execute(
                made.on_conflict_do_update(
                    index_elements=["ref"], set_={"body": brief.body, "language": brief.language}
                )
            )

    def load(self, ref: str) -> StoredBrief | None:
        query = select(briefs).where(briefs.c.ref == ref)
        said = select(brief_answers).where(brief_answers.c.ref == ref).order_by(brief_answers.c.id)
        with raising(BriefsUnavailable), self.database.transaction() as connection:
            row = connection.execute(query).one_or_none()
            given = connection.execute(said).all()
        if row is None:
            return None
        return StoredBrief(
            **row._mapping,
            answers={each.question: each.yes for each in given},
            answered_at={each.question: each.at for each in given},
        )

    def answer(self, ref: str, question: Question, *, yes: bool, at: float | None = None) -> bool:
        """The last answer counts. `at`: now, unless told. False where there is no such brief."""
        values = {"ref": ref, "question": question.value, "yes": yes, "at": time.time() if at is None else at}
        with raising(BriefsUnavailable), self.database.transaction() as connection:
            if not _is_kept(connection, ref):
                return False
            connection.execute(insert(brief_answers).values(values))
        return True


def _is_kept(connection: Connection, ref: str) -> bool:
    return connection.scalar(select(briefs.c.ref).where(briefs.c.ref == ref)) is not None
