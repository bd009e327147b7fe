"""What a filter comes down to: comparisons of numbers, joined by and, or and not.

All numbers are unsigned and 32 bits wide, as in classic BPF. A :class:`Field` that the packet does
not hold rejects the packet, wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import reduce
from typing import Literal, TypeAlias

from beebox.lib.filter.folding import Operator


class Base(Enum):
    """What a field's offset counts from."""

    LINK = auto()  # the frame's first byte
    NETWORK = auto()  # behind the EtherType
    TRANSPORT = auto()  # behind an IPv4 header


@dataclass(frozen=True, slots=True)
class Number:
    """A constant below 1 << 32."""

    value: int


@dataclass(frozen=True, slots=True)
class Length:
    """The packet's bytes on the wire."""


@dataclass(frozen=True, slots=True)
class Field:
    """``size`` bytes (1, 2 or 4) of the packet, big-endian, behind ``vlans`` VLAN tags."""

    base: Base
    offset: Value
    size: int
    vlans: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic modulo 1 << 32; a division by 0 rejects the packet."""

    operator: Operator
    left: Value
    right: Value


Value: TypeAlias = Number | Length | Field | Binary


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right``."""

    operator: Literal["=", "!=", "<", ">", "<=", ">="]
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class And:
    """Both, the first one first."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Or:
    """Either; the second is not looked at where the first holds."""

    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    condition: Condition


Condition: TypeAlias = Compare | And | Or | Not


def every(*conditions: Condition) -> Condition:
    """All of them, in order."""
    return reduce(And, conditions)


def some(*conditions: Condition) -> Condition:
    """At least one of them, in order."""
    return reduce(Or, conditions)
