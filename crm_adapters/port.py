"""What we ask of a CRM: find a caller by number, write what came of the call, read it back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class CrmUnavailable(Exception):
    """No answer that can be used: a look-up goes on without facts, a write is tried again.

    `reason` is short and names no person; `retry_after` is in seconds, where the vendor said so.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class CrmRefused(Exception):
    """The CRM will never take this write: put it aside for a person. `reason` names no person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Found:
    """One contact. `fields` holds our names; what is blank in the CRM is left out."""

    contact_id: str
    fields: Mapping[str, str] = field(repr=False)
    returning: bool = False  # the CRM knows of an earlier call


@dataclass(frozen=True, slots=True)
class NobodyFound:
    pass


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several people share the number, which is normal: no name is said."""

    count: int


LookupResult = Found | NobodyFound | Ambiguous


class WriteKind(StrEnum):
    OUTCOME = "outcome"
    FOLLOW_UP = "follow_up"
    CONSENT = "consent"
    OPT_OUT = "opt_out"


@dataclass(frozen=True, slots=True)
class CrmWrite:
    """One thing to write; `at` is seconds since 1970, `phone` E.164. The same `key` is written once."""

    call_sid: str
    kind: WriteKind
    number: int
    contact_id: str | None
    phone: str = field(repr=False)
    at: float
    facts: Mapping[str, str] = field(repr=False)

    @property
    def key(self) -> str:
        return f"{self.call_sid}:{self.kind}:{self.number}"


class CrmAdapter(Protocol):
    @property
    def name(self) -> str:
        """As the agent file spells it."""
        ...

    async def find(self, phone: str, fields: Collection[str]) -> LookupResult:
        """The contact with this number (E.164), with these fields of ours and no others. One attempt.

        Raises `CrmUnavailable`.
        """
        ...

    async def write(self, what: CrmWrite) -> str:
        """Write it once, whatever happens to the answer; the vendor's id of the record.

        Raises `CrmUnavailable` (try again) or `CrmRefused` (never).
        """
        ...

    async def read_back(self, what: CrmWrite, record_id: str) -> bool | None:
        """Does the CRM now hold what we wrote? None: it cannot be told. Raises `CrmUnavailable`."""
        ...
