"""Briefs by their reference, with what the person who got one said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
from sqlalchemy import delete, insert, select, update

from compliance.database import Database
from compliance.tables import briefs


class Question(StrEnum):
    """What the person answers with one tap."""

    RIGHT_PERSON = "right_person"
    BRIEF_RIGHT = "brief_right"
    ASKED_AGAIN = "asked_again"


@dataclass(frozen=True, slots=True)
class StoredBrief:
    """`body` is JSON; `created_at` is seconds since 1970."""

    ref: str
    call_sid: str
    agent: str
    language: str
    body: str = field(repr=False)
    created_at: float
    answers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Briefs:
    """Every method blocks, and raises `DatabaseUnavailable`."""

    database: Database

    def keep(self, brief: StoredBrief) -> None:
        """Again for the same reference: in place of the first."""
        with self.database.transaction() as connection:
            connection.execute(delete(briefs).where(briefs.c.ref == brief.ref))
            values = {name: getattr(brief, name) for name in brief.__slots__ if name != "answers"}
            connection.execute(insert(briefs).values(**values, answers=_written(brief.answers)))

    def load(self, ref: str) -> StoredBrief | None:
        with self.database.transaction() as connection:
            row = connection.execute(select(briefs).where(briefs.c.ref == ref)).one_or_none()
        if row is None:
            return None
        answers = msgspec.json.decode(row.answers, type=dict[str, bool])
        return StoredBrief(row.ref, row.call_sid, row.agent, row.language, row.body, row.created_at, answers)

    def answer(self, ref: str, question: Question, *, yes: bool) -> bool:
        """The last answer counts. False where there is no such brief."""
        with self.database.transaction() as connection:
            known = connection.scalar(select(briefs.c.answers).where(briefs.c.ref == ref))
            if known is None:
                return False
            answers = {**msgspec.json.decode(known, type=dict[str, bool]), question.value: yes}
            connection.execute(update(briefs).where(briefs.c.ref == ref).values(answers=_written(answers)))
        return True


def _written(answers: Mapping[str, bool]) -> str:
    return msgspec.json.encode(dict(answers)).decode()
