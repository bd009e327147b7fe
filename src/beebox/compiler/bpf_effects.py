"""What functions do to the packet: who looks at it, and who may move it under others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from beebox.compiler import ir
from beebox.tables.contexts import FieldKind


def packet_bounds(function: ir.Function) -> tuple[FieldKind, ...]:
    """The packet's bounds that the function itself needs."""
    needed: set[FieldKind] = set()
    for node in nodes(function):
        match node:
            case ir.PacketLength():
                needed |= {FieldKind.PACKET, FieldKind.PACKET_END}
            case ir.PacketAccess(meta=True):
                needed |= {FieldKind.PACKET_META, FieldKind.PACKET}
            case ir.PacketAccess():
                needed |= {FieldKind.PACKET, FieldKind.PACKET_END}
            case _:
                pass
    return tuple(sorted(needed, key=lambda kind: kind.value))


def packet_changers(module: ir.Module) -> frozenset[str]:
    """Functions after whose call every packet pointer is void, directly or through others."""
    calls: dict[str, set[str]] = {}
    changers: set[str] = set()
    for function in module.functions:
        found = list(nodes(function))
        calls[function.name] = {node.name for node in found if isinstance(node, ir.CallFunction)}
        if any(isinstance(node, ir.CallHelper) and node.helper.changes_packet for node in found):
            changers.add(function.name)
    while True:
        callers = {name for name, callees in calls.items() if callees & changers} - changers
        if not callers:
            return frozenset(changers)
        changers |= callers


def nodes(function: ir.Function) -> Iterator[object]:
    """Every statement, expression and place of a function, in no particular order."""
    pending: list[object] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, tuple):
            pending.extend(node)
        elif is_dataclass(node) and not isinstance(node, ir.Span | ir.IntType | ir.StructType):
            yield node
            pending.extend(getattr(node, field.name) for field in fields(node))
