"""The maps that a program on the interpreter reaches: its own, and those inside them.

Handles are those of ``maps.abi``. An inner map is known from the moment that a program gets its
handle; from then on the interpreter lets the program read its values.
"""

from __future__ import annotations

from collections.abc import Mapping

from beebox.errors import InternalError
from beebox.maps.objects import Callee, Inner
from beebox.maps.storage import Operations
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags
from beebox.vm.memory import Memory, region_at


class ReachedMaps:
    """Maps by handle; their storage in ``memory``."""

    def __init__(self, maps: Mapping[str, LiveMap], memory: Memory) -> None:
        self._memory = memory
        self._maps = {live.operations.handle: live for live in maps.values()}
        self._operations: dict[int, Operations] = {}
        self.handles = {name: live.operations.handle for name, live in maps.items()}
        for live in maps.values():
            self._reach(live.spec, live.operations)

    def _reach(self, spec: MapSpec, operations: Operations) -> Operations:
        storage = operations.storage
        writable = not spec.flags & MapFlags.RDONLY_PROG
        name = f"map {spec.name}"
        self._memory.add(region_at(name, storage.address, storage.size, writable=writable))
        self._operations[operations.handle] = operations
        return operations

    def operations(self, handle: int) -> Operations:
        """The operations of the map with this handle."""
        known = self._operations.get(handle)
        if known is not None:
            return known
        for live in self._maps.values():
            inner = live.objects.by_address.get(handle)
            if isinstance(inner, Inner):
                return self._reach(inner.spec, inner.operations)
        raise InternalError(f"no map has the handle {handle:#x}")

    def callee(self, handle: int, rt: int, index: int) -> Callee | None:
        """The program that a tail call goes on in, counted in the runtime block at ``rt``."""
        live = self._maps[handle]
        entry = live.operations.at("tail_call", rt, index)
        found = live.objects.by_address.get(entry)
        return found if isinstance(found, Callee) else None
