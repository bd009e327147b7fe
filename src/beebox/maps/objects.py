"""What maps of maps and of programs hold: the live objects behind the addresses in their storage.

A program may still be using what user space has just replaced, so nothing that was ever put into a
map is let go before the map itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from beebox.maps.storage import Operations
from beebox.obj.model import MapSpec


@dataclass(frozen=True, slots=True)
class Callee:
    """A program inside a prog array.

    ``entry`` is the address of its native code ``i64 (ptr ctx, ptr rt)``, or for an engine without
    native code any number but 0. Programs of one array, and those that use it, are equal in
    ``compatibility``. ``engine`` is what must live as long as ``entry`` may be called.
    """

    id: int
    entry: int
    compatibility: tuple[str, ...]
    engine: object


@runtime_checkable
class Program(Protocol):
    """What can be put into a prog array."""

    def callee(self) -> Callee:
        """The program as the array holds it."""
        ...


@dataclass(frozen=True, slots=True)
class Inner:
    """A map inside a map."""

    id: int
    spec: MapSpec
    operations: Operations


@dataclass(slots=True)
class Objects:
    """By key what is in the map now, by address everything that ever was.

    ``owner`` is the ``compatibility`` of a prog array's programs and of those that jump through
    it, once there is one.
    """

    by_key: dict[bytes, Inner | Callee] = field(default_factory=dict)
    by_address: dict[int, Inner | Callee] = field(default_factory=dict)
    owner: tuple[str, ...] | None = None

    def put(self, key: bytes, address: int, value: Inner | Callee) -> None:
        """``value`` is at ``key`` from now on."""
        self.by_key[key] = value
        self.by_address[address] = value
