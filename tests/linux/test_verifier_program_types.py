"""What our verifier says of programs of each type, and what the running kernel says of the same.

The programs are made from the tables: each access of the context, each result, each helper with
arguments that fit and that do not.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from calls import CTX, Maps, UnbuiltError, program, stack
from probing import (
    ABSENT,
    EXIT,
    SLEEPABLE,
    Hook,
    call,
    copy,
    hooks,
    insn,
    load,
    map_fd,
    mov,
    store,
)
from verifier_questions import Verdicts, compare

from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPERS, Helper
from beebox.tables.map_types import MapType
from beebox.tables.program_types import PacketAccess, ProgramType
from beebox.verifier.shape.rights import PROGRAM_TYPES

pytestmark = pytest.mark.linux

HOOKS = [each for each in hooks() if each.program_type in PROGRAM_TYPES]
SIZES = (1, 2, 4, 8)
TRIED = 220  # bytes at the start of a context
ARGUMENTS = 96  # bytes of a context that BTF describes
UNKNOWN = call(7)  # r0 = bpf_get_prandom_u32()


def seen_alike(hook: Hook) -> object:
    """Hooks with the same of it see the same context."""
    context = hook.program_type.value.context
    if context is None:
        return hook  # BTF describes it
    differs = any(field.attach_types or field.store_types for field in context.fields)
    return (hook.program_type, hook.attach_type if differs else None)


def test_every_access_of_a_context():
    """Each access that the instruction can name near the start, and those around the end."""
    judged = accepted = 0
    wrong = []
    for hook in {seen_alike(hook): hook for hook in HOOKS}.values():
        context = hook.program_type.value.context
        end = context.size if context is not None else ARGUMENTS
        places = set(range(min(end + 8, TRIED))) | {end - 8, end}
        for offset in sorted(each for each in places if each < 1 << 15):
            for size in SIZES:
                if offset % min(size, 4):
                    continue
                for code in (
                    load(size, 0, 1, offset) + mov(0, 1) + EXIT,
                    mov(0, 1) + store(size, 1, offset, 0) + EXIT,
                ):
                    found = compare(hook, code)
                    judged += found.judged
                    accepted += found.ours.accepted
                    if found.judged and not found.agree:
                        wrong.append((str(hook), size, offset, str(found)))
    assert wrong == []
    assert judged > 8000
    assert accepted > 2000


def results() -> Iterator[bytes]:
    """Programs that end with a number, a range of numbers, nothing, a pointer."""
    yield from (mov(0, value) + EXIT for value in (-1, 0, 1, 2, 3, 4, 5))
    yield from (UNKNOWN + insn(0x57, 0, imm=mask) + EXIT for mask in (1, 3, 7))
    yield from (EXIT, UNKNOWN + EXIT, copy(0, 1) + EXIT, copy(0, 10) + EXIT)


@pytest.mark.parametrize("hook", HOOKS, ids=str)
def test_every_result(hook: Hook):
    for code in results():
        found = compare(hook, code)
        assert found.judged
        assert found.agree, found


@pytest.mark.parametrize(
    "type_", sorted(PROGRAM_TYPES - ABSENT, key=lambda row: row.value.id), ids=lambda row: row.name
)
def test_who_is_loaded(type_: ProgramType):
    """With each of its attach types and none, asleep and awake."""
    for attach in (None, *type_.value.attach_types):
        for flags in (0, SLEEPABLE):
            found = compare(Hook(type_, attach, flags), mov(0, 1) + EXIT)
            assert found.agree, found


def test_which_maps_a_program_may_use_that_sleeps():
    maps = Maps()
    for kind in MapType:
        if kind is MapType.STRUCT_OPS:
            continue  # its values are a struct of the kernel
        code = map_fd(2, maps.fd(kind)) + mov(0, 1) + EXIT
        for flags in (0, SLEEPABLE):
            found = compare(Hook(ProgramType.KPROBE, None, flags), code, maps)
            assert not found.judged or found.agree, f"{kind.name} {found}"


def packet_of(hook: Hook) -> bytes:
    """r9 = the packet, with 64 bytes checked; nothing where programs see no packet."""
    row = hook.program_type.value
    fields = {field.kind: field for field in row.context.fields} if row.context else {}
    if row.packet is PacketAccess.NONE:
        return b""
    data, end = fields[FieldKind.PACKET], fields[FieldKind.PACKET_END]
    check = copy(1, 9) + insn(0x07, 1, imm=64) + insn(0xBD, 1, 0, offset=2) + mov(0, 1) + EXIT
    return load(data.size, 9, CTX, data.offset) + load(end.size, 0, CTX, end.offset) + check


@pytest.mark.parametrize("hook", HOOKS, ids=str)
def test_packet_access(hook: Hook):
    packet = copy(CTX, 1) + packet_of(hook)
    if len(packet) == len(EXIT):
        return
    for code in (load(1, 0, 9, 63), load(1, 0, 9, 64), store(1, 9, 0, 1), load(8, 0, 9, 1)):
        found = compare(hook, packet + code + mov(0, 1) + EXIT)
        assert found.agree, found


Question = tuple[str, bytes, str]  # what is special about the call, the program, its license


def questions(
    hook: Hook, row: Helper, maps: Maps, wanted: Callable[[str], bool]
) -> Iterator[Question]:
    """The calls of the helper that are wanted."""

    def made(what: str, *, license_name: str = "GPL", **changes) -> Iterator[Question]:
        if wanted(what):
            with suppress(UnbuiltError):
                yield what, program(hook, row, maps, **changes), license_name

    yield from made("as it should be")
    if not row.allowed(hook.program_type, hook.attach_type):
        return
    packet = packet_of(hook)
    yield from made("without a license", license_name="none")
    yield from made("nothing released", after=mov(0, 1) + EXIT)
    if packet:
        yield from made("packet read afterwards", before=packet, after=load(1, 1, 9, 0))
    for at in range(1, len(row.args) + 1):
        yield from made(f"R{at} unset", spoil={at: b""})
        yield from made(f"R{at} a number", spoil={at: mov(at, 7)})
        yield from made(f"R{at} null", spoil={at: mov(at, 0)})
        yield from made(f"R{at} the context", spoil={at: copy(at, CTX)})
        yield from made(f"R{at} stack", spoil={at: stack(at, -60)})
        yield from made(f"R{at} constant memory", spoil={at: maps.constant(at)})
        yield from made(f"R{at} a map's value", spoil={at: maps.value(at)})
        yield from made(f"R{at} any number", before=UNKNOWN + copy(9, 0), spoil={at: copy(at, 9)})
        if packet:
            yield from made(f"R{at} the packet", before=packet, spoil={at: copy(at, 9)})
        if at < len(row.args):
            yield from made(f"R{at} null of size 0", spoil={at: mov(at, 0), at + 1: mov(at + 1, 0)})


KNOWN = {
    ("get_branch_snapshot", "R3 unset"): "read by the helper, never checked",
    ("get_func_ip", "without a license"): "free in kprobe.multi and uprobe.multi programs",
}
"""Where our verifier is stricter than Linux, and why."""
SHARE = 12


def test_every_helper(record_property):
    """One in SHARE of all the calls that there are."""
    maps = Maps()
    pick = random.Random(618)
    counts = Counter[str]()
    wrong: dict[tuple[str, str], Verdicts] = {}
    for hook in HOOKS:
        for row in (each.called_by(hook.program_type) for each in HELPERS.values()):
            asked = questions(hook, row, maps, lambda _: not pick.randrange(SHARE))
            for what, code, license_name in asked:
                found = compare(hook, code, maps, license_name=license_name)
                if not found.judged:
                    counts["not judged"] += 1
                    continue
                counts["accepted" if found.ours.accepted else "refused"] += 1
                if not found.agree:
                    wrong[row.name, what] = found
    record_property("calls", dict(counts))
    assert wrong.keys() <= KNOWN.keys(), {
        key: str(found) for key, found in wrong.items() if key not in KNOWN
    }
    assert counts["accepted"] > 1500
    assert counts["refused"] > 4000
