"""Program types and contexts against the running kernel, by loading programs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from probing import EXIT, SLEEPABLE, Hook, ask, call, copy, hooks, insn, load, mov, store

from beebox.tables.contexts import SK_BUFF_TC, Context, ContextField, FieldKind
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.program_types import AttachType, PacketAccess, ProgramType, Sleeps
from beebox.tables.sockets import SOCK, SOCK_COMMON, TCP_SOCK

pytestmark = pytest.mark.linux

SIZES = (1, 2, 4, 8)
SHOWN = {
    FieldKind.SCALAR: "scalar(",
    FieldKind.PACKET: "pkt(",
    FieldKind.PACKET_END: "pkt_end(",
    FieldKind.PACKET_META: "pkt_meta(",
    FieldKind.FLOW_KEYS: "flow_keys(",
    FieldKind.SOCK_COMMON_OR_NULL: "sock_common_or_null(",
    FieldKind.SOCKET: "sock(",
    FieldKind.SOCKET_OR_NULL: "sock_or_null(",
    FieldKind.TRACEPOINT_BUFFER: "tp_buffer(",
    FieldKind.TRUSTED_BTF_ID: "trusted_ptr_",
}
"""How the kernel's log shows a loaded field."""
INSN_OFFSETS = 1 << 15
EDGE = 320  # bytes of a large context that are tried at each of its ends


def field_of(hook: Hook, offset: int, size: int, *, write: bool) -> ContextField | None:
    """What the table says of one access, by programs of this attach type."""
    context = hook.program_type.value.context
    field = context.field_at(offset, size, write=write) if context else None
    if field is None:
        return None
    seen = field.attach_types
    if write and field.store_types:
        seen = field.store_types
    name = hook.attach_type.name.lower() if hook.attach_type else ""
    return field if not seen or name in seen else None


def accesses(context: Context) -> Iterator[tuple[int, int]]:
    ends = set(range(min(context.size + 8, EDGE)))
    ends |= set(range(max(context.size - 16, 0), context.size + 8))
    for offset in sorted(ends & set(range(INSN_OFFSETS))):
        for size in SIZES:
            if offset % min(size, 4) == 0:
                yield offset, size


AWAKE = {AttachType.TRACE_RAW_TP}
"""Attach types that stay out of it where others of their program type may sleep."""
KNOWN = {
    (ProgramType.RAW_TRACEPOINT_WRITABLE, "load"): (
        range(1, 8),
        "Linux hides the buffer from accesses to its first byte only",
    ),
}
"""Accesses that the table refuses and Linux allows, and why."""


@pytest.mark.parametrize(
    "hook", [each for each in hooks() if each.program_type.value.context], ids=str
)
def test_what_a_program_may_access(hook: Hook):
    context = hook.program_type.value.context
    assert context is not None
    wrong = []
    for offset, size in accesses(context):
        field = field_of(hook, offset, size, write=False)
        answer = ask(hook, load(size, 0, 1, offset) + mov(0, 1) + EXIT, log_level=2)
        shown = re.findall(r"r1 \+\d+\) +; R0(?:_w)?=(\S+)", answer.log)
        expected = SHOWN[field.kind] if field else ""
        if field is None and not answer.errno:
            known = KNOWN.get((hook.program_type, "load"), ((), ""))[0]
            if offset not in known:
                wrong.append(f"load {size} at {offset}: legal")
        elif field is not None and not any(each.startswith(expected) for each in shown):
            wrong.append(f"load {size} at {offset}: {field.name}, but {answer.last} {shown}")
        field = field_of(hook, offset, size, write=True)
        answer = ask(hook, mov(0, 1) + store(size, 1, offset, 0) + EXIT)
        if bool(answer.errno) != (field is None):
            wrong.append(f"store {size} at {offset}: {answer.last or 'legal'}")
    assert wrong == []


def result(value: bytes) -> bytes:
    """A program that returns the value of r0."""
    return value + EXIT


def allowed_range(hook: Hook) -> tuple[int, int] | None:
    """What the table says of the result, for this attach type."""
    for row in hook.program_type.value.returns:
        if not row.attach_types or hook.attach_type in row.attach_types:
            return row.low, row.high
    return None


@pytest.mark.parametrize(
    "hook",
    # the member decides what a struct_ops program returns
    [each for each in hooks() if each.program_type is not ProgramType.STRUCT_OPS],
    ids=str,
)
def test_what_a_program_may_return(hook: Hook):
    expected = allowed_range(hook)
    anything = ask(hook, result(call(HELPER_BY_NAME["get_prandom_u32"].id)))
    found = re.search(r"should have been in \[(-?\d+), (-?\d+)\]", anything.log)
    assert (found and (int(found[1]), int(found[2]))) == expected
    for value in (-1, 0, 1, 2, 3, 4):
        taken = not ask(hook, result(mov(0, value))).errno
        assert taken == (expected is None or expected[0] <= value <= expected[1]), value
    assert "R0 !read_ok" in ask(hook, EXIT).log


def packet_pointers(hook: Hook) -> bytes | None:
    """r9 = the packet, with 8 bytes checked."""
    context = hook.program_type.value.context
    kinds = {field.kind: field for field in context.fields} if context else {}
    if FieldKind.PACKET not in kinds:
        return None
    data, end = kinds[FieldKind.PACKET], kinds[FieldKind.PACKET_END]
    pointers = load(data.size, 9, 1, data.offset) + load(end.size, 0, 1, end.offset)
    return (
        pointers + copy(2, 9) + insn(0x07, 2, imm=8) + insn(0xBD, 2, 0, offset=2) + mov(0, 1) + EXIT
    )


@pytest.mark.parametrize("hook", hooks(), ids=str)
def test_how_a_program_reaches_packets(hook: Hook):
    row = hook.program_type.value
    pointers = packet_pointers(hook)
    assert (pointers is None) == (row.packet is PacketAccess.NONE)
    if pointers is not None:
        assert not ask(hook, pointers + load(1, 0, 9, 0) + mov(0, 1) + EXIT).errno
        written = ask(hook, pointers + mov(0, 1) + store(1, 9, 0, 0) + EXIT)
        assert bool(written.errno) == (row.packet is PacketAccess.READ)
    legacy = ask(hook, copy(6, 1) + insn(0x30) + mov(0, 1) + EXIT)
    assert bool(legacy.errno) == (not row.legacy_loads)


@pytest.mark.parametrize("hook", hooks(), ids=str)
def test_how_a_program_is_loaded(hook: Hook):
    row = hook.program_type.value
    code = mov(0, 1) + EXIT
    awake, asleep = (
        not ask(
            Hook(hook.program_type, hook.attach_type, flags, hook.attach_btf_id, hook.member), code
        ).errno
        for flags in (0, SLEEPABLE)
    )
    assert awake == (row.sleeps is not Sleeps.MUST)
    assert asleep == (row.sleeps is not Sleeps.NEVER and hook.attach_type not in AWAKE)
    if not row.needs_btf_id:
        bare = ask(Hook(hook.program_type, None, hook.flags), code)
        assert bool(bare.errno) == row.needs_attach_type


TC = Hook(ProgramType.SCHED_CLS)


def checked(reg: int) -> bytes:
    """Leave when a register is null."""
    return insn(0x55, reg, offset=2) + mov(0, 1) + EXIT


def cast(name: str) -> bytes:
    """r6 = what a helper makes of the socket in r6."""
    return copy(1, 6) + call(HELPER_BY_NAME[name].id) + checked(0) + copy(6, 0)


SK = SK_BUFF_TC.field("sk")
assert SK is not None
COMMON = load(8, 6, 1, SK.offset) + checked(6)
FULL = COMMON + cast("sk_fullsock")
POINTERS = {
    "sock_common": (SOCK_COMMON, COMMON),
    "sock": (SOCK, FULL),
    "tcp_sock": (TCP_SOCK, FULL + cast("tcp_sock")),
}


@pytest.mark.parametrize("name", POINTERS)
def test_what_a_program_reads_of_a_socket(name: str):
    struct, start = POINTERS[name]
    wrong = []
    for offset, size in accesses(struct):
        ours = struct.field_at(offset, size) is not None
        theirs = not ask(TC, start + load(size, 0, 6, offset) + mov(0, 1) + EXIT).errno
        if ours != theirs:
            wrong.append((offset, size, theirs))
        assert ask(TC, start + mov(0, 1) + store(size, 6, offset, 0) + EXIT).errno
    assert wrong == []
