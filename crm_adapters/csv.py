"""Customers in a CSV file: the caller is the row whose `phone` column is their number. Nothing to install.

What is written goes to `NAME.writes.csv` beside the file, a row each, once a key.
"""

from __future__ import annotations

import asyncio
import csv
import fcntl
import io
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crm_adapters.phones import e164
from crm_adapters.port import Ambiguous, CrmUnavailable, CrmWrite, Found, LookupResult, NobodyFound

PHONE: Final = "phone"
COLUMNS: Final = ("key", "at", "call_sid", "kind", "contact_id", "phone", "facts")
PREVIOUS: Final = "previous_call_summary"


@dataclass(frozen=True, slots=True)
class Customers:
    """The file as it was read: rows by number in E.164."""

    changed: int  # st_mtime_ns
    columns: frozenset[str]
    rows: Mapping[str, tuple[Mapping[str, str], ...]] = field(repr=False)


@dataclass(slots=True)
class Csv:
    """`fields` maps our names to columns; `region` (ISO 3166) reads numbers that have no country code."""

    path: Path
    fields: Mapping[str, str]
    region: str
    name: str = "csv"
    _read: Customers | None = field(default=None, init=False, repr=False)

    async def find(self, phone: str, fields: Collection[str]) -> LookupResult:
        customers = await asyncio.to_thread(self.customers)
        rows = customers.rows.get(phone, ())
        if not rows:
            return NobodyFound()
        if len(rows) > 1:
            return Ambiguous(len(rows))
        values = {name: rows[0].get(self.fields[name], "").strip() for name in fields if name in self.fields}
        returning = bool(rows[0].get(self.fields.get(PREVIOUS, PREVIOUS), "").strip())
        return Found(phone, {name: value for name, value in values.items() if value}, returning)

    async def write(self, what: CrmWrite) -> str:
        return await asyncio.to_thread(self._append, what)

    async def read_back(self, what: CrmWrite, record_id: str) -> bool | None:
        written = await asyncio.to_thread(self._written)
        found = written.get(record_id)
        return found is not None and found == _row(what)

    def customers(self) -> Customers:
        """The file, read anew when it has changed. Raises `CrmUnavailable`."""
        try:
            changed = self.path.stat().st_mtime_ns
            if self._read is None or self._read.changed != changed:
                self._read = self._parse(self.path.read_text("utf-8-sig"), changed)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CrmUnavailable(f"the file cannot be read ({type(error).__name__})") from error
        return self._read

    def _parse(self, text: str, changed: int) -> Customers:
        reader = csv.DictReader(io.StringIO(text))
        rows: dict[str, list[Mapping[str, str]]] = {}
        for row in reader:
            number = e164(row.get(PHONE) or "", self.region)
            if number is not None:
                rows.setdefault(number, []).append({name: value or "" for name, value in row.items() if name})
        frozen = {number: tuple(found) for number, found in rows.items()}
        return Customers(changed, frozenset(reader.fieldnames or ()), frozen)

    @property
    def _writes(self) -> Path:
        return self.path.with_suffix(".writes.csv")

    def _append(self, what: CrmWrite) -> str:
        """Under a lock of the file, so that two processes never write one key twice."""
        try:
            with open(self._writes, "a+", encoding="utf-8", newline="", opener=_private) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                known = {row["key"] for row in csv.DictReader(file)}
                if what.key not in known:
                    writer = csv.DictWriter(file, COLUMNS)
                    if file.tell() == 0:
                        writer.writeheader()
                    writer.writerow(_row(what))
                    file.flush()
                    os.fsync(file.fileno())
        except (OSError, csv.Error, KeyError) as error:
            raise CrmUnavailable(f"the file cannot be written ({type(error).__name__})") from error
        return what.key

    def _written(self) -> dict[str, dict[str, str]]:
        try:
            with open(self._writes, encoding="utf-8", newline="") as file:
                return {row["key"]: row for row in csv.DictReader(file)}
        except FileNotFoundError:
            return {}
        except (OSError, csv.Error, KeyError) as error:
            raise CrmUnavailable(f"the file cannot be read ({type(error).__name__})") from error


def faults(adapter: Csv) -> list[str]:
    """What keeps callers from being found and can be known before the port opens."""
    try:
        columns = adapter.customers().columns
    except CrmUnavailable as error:
        return [f"{adapter.path}: {error.reason}"]
    wanted = {PHONE: PHONE, **adapter.fields}
    return [
        f"{adapter.path}: has no column {column!r}, which {name} is mapped to"
        for name, column in wanted.items()
        if column not in columns
    ]


def _row(what: CrmWrite) -> dict[str, str]:
    facts = json.dumps(dict(sorted(what.facts.items())), ensure_ascii=False)
    return {
        "key": what.key,
        "at": f"{what.at:.3f}",
        "call_sid": what.call_sid,
        "kind": what.kind.value,
        "contact_id": what.contact_id or "",
        "phone": what.phone,
        "facts": facts,
    }


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
