"""Findings: every reason for a rejection, as rows. The verifier adds the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FindingRow:
    code: str  # stable, kebab-case: what tests and users match on
    category: str  # memory, types, control-flow, resources, environment
    title: str
    hint: str = ""


_ROWS: Final = (
    FindingRow(
        "packet-bounds",
        "memory",
        "reading or writing packet bytes that were never checked",
        "compare the end of the access with data_end first",
    ),
)

FINDINGS: Final = {row.code: row for row in _ROWS}
