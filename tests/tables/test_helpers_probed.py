"""Every helper's row against the running kernel, by loading programs that call it.

A call is built from the row: memory of the size it names, maps of the types it names, numbers.
Linux must take it, in every program type that the row allows; and refuse it as soon as one thing
that the row says is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from calls import (
    BUFFER,
    CTX,
    NOT_HERE,
    ZERO,
    Maps,
    UnbuiltError,
    callable_rows,
    program,
    release,
    stack,
)
from probing import ABSENT, EXIT, Hook, add, ask, call, copy, hooks, insn, load, mov

from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS, ArgKind, Helper, RetKind
from beebox.tables.map_types import MapType
from beebox.tables.program_types import PacketAccess, PacketArguments

pytestmark = pytest.mark.linux

MEMORY = {ArgKind.MEM, ArgKind.MAP_VALUE, ArgKind.MAP_KEY}
SIZES = {ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO}
POINTS = {
    ArgKind.CTX: "ctx",
    ArgKind.CONST_MAP_PTR: "map_ptr",
    ArgKind.MAP_KEY: "fp",
    ArgKind.MAP_VALUE: "fp",
    ArgKind.MEM: "fp",
    ArgKind.STACK: "fp",
    ArgKind.CONST_STR: "map_value",
    ArgKind.FUNC: "func",
    ArgKind.SOCK_COMMON: "sock_common",
    ArgKind.SOCKET: "sock",
    ArgKind.BTF_ID_SOCK_COMMON: "sock_common, sock",
    ArgKind.BTF_ID: "ptr_",
    ArgKind.PERCPU_BTF_ID: "percpu_ptr_",
    ArgKind.SPIN_LOCK: "map_value",
    ArgKind.TIMER: "map_value",
    ArgKind.RINGBUF_MEM: "ringbuf_mem",
    ArgKind.DYNPTR: "fp, dynptr_ptr",
    ArgKind.KPTR_XCHG_DEST: "map_value, ptr",
}
"""How the kernel says what it wants, by kind of pointer."""
GIVES = {
    RetKind.INTEGER: "scalar(",
    RetKind.VOID: "",
    RetKind.MAP_VALUE: "map_value(",
    RetKind.MAP_VALUE_OR_NULL: "map_value_or_null(",
    RetKind.SOCKET_OR_NULL: "sock_or_null(",
    RetKind.TCP_SOCK_OR_NULL: "tcp_sock_or_null(",
    RetKind.SOCK_COMMON_OR_NULL: "sock_common_or_null(",
    RetKind.MEM_OR_NULL: "mem_or_null(",
    RetKind.RINGBUF_MEM_OR_NULL: "ringbuf_mem_or_null(",
    RetKind.BTF_ID: "ptr_",
    RetKind.BTF_ID_OR_NULL: "ptr_or_null_",
    RetKind.BTF_ID_TRUSTED: "trusted_ptr_",
    RetKind.MEM_OR_BTF_ID: "ptr_",
    RetKind.MEM_OR_BTF_ID_OR_NULL: "ptr_or_null_",
}
"""How the kernel's log shows R0."""
TRAMPOLINE = ("get_func_arg", "get_func_ret", "get_func_arg_cnt")
UNCALLED = {
    **dict.fromkeys(TRAMPOLINE, "the probed kernels refuse fentry and fexit programs"),
    "bprm_opts_set": "needs an LSM program",
    "ima_inode_hash": "needs an LSM program",
    "ima_file_hash": "needs an LSM program",
    "inode_storage_get": "needs an LSM program",
    "inode_storage_delete": "needs an LSM program",
    "per_cpu_ptr": "needs a kernel that lists its variables (CONFIG_KALLSYMS_ALL)",
    "this_cpu_ptr": "needs a kernel that lists its variables (CONFIG_KALLSYMS_ALL)",
    "xdp_output": "no hook here gives a struct xdp_buff",
}
"""Calls that these tests do not make."""


@pytest.fixture(scope="module")
def maps() -> Maps:
    return Maps()


def refusal(
    hook: Hook,
    row: Helper,
    maps: Maps,
    *,
    spoil: dict[int, bytes] | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> str:
    """Why Linux refuses the call; empty when it takes it."""
    code = program(hook, row, maps, spoil=spoil, before=before, after=after)
    answer = ask(hook, code, debug=maps.debug(code))
    return (answer.last or f"errno {answer.errno}") if answer.errno else ""


def packet_of(hook: Hook) -> bytes:
    """r9 = the packet, with 64 bytes checked; nothing where programs see no packet."""
    context = hook.program_type.value.context
    fields = {field.kind: field for field in context.fields} if context else {}
    if hook.program_type.value.packet is PacketAccess.NONE:
        return b""
    data, end = fields[FieldKind.PACKET], fields[FieldKind.PACKET_END]
    check = copy(1, 9) + add(1, 64) + insn(0xBD, 1, 0, offset=2) + mov(0, 1) + EXIT
    return load(data.size, 9, CTX, data.offset) + load(end.size, 0, CTX, end.offset) + check


def wrong_arguments(hook: Hook, row: Helper, maps: Maps) -> Iterator[str]:
    """Each thing that the row says of its arguments and Linux does not."""
    packet = packet_of(hook)
    writes_packet = hook.program_type.value.packet is PacketAccess.WRITE
    for number, arg in enumerate(row.args, 1):
        if number > 1:
            why = refusal(hook, row, maps, spoil={number: b""})
            if f"R{number} !read_ok" not in why:
                yield f"{arg.name}: left unset gives {why!r}"
        if arg.kind in POINTS:
            why = refusal(hook, row, maps, spoil={number: mov(number, 7)})
            if f"R{number} type=scalar expected={POINTS[arg.kind]}" not in why:
                yield f"{arg.name}: {arg.kind.name}, but a number gives {why!r}"
            null = {number: mov(number, 0)}
            if number < len(row.args) and row.args[number].kind in SIZES:
                null[number + 1] = mov(number + 1, 0)
            why = refusal(hook, row, maps, spoil=null)
            if bool(why) == arg.nullable:
                yield f"{arg.name}: nullable is {arg.nullable}, but null gives {why!r}"
        if arg.kind in SIZES:
            why = refusal(hook, row, maps, spoil={number: mov(number, 0)})
            if bool(why) != (arg.kind is ArgKind.CONST_SIZE):
                yield f"{arg.name}: {arg.kind.name}, but 0 gives {why!r}"
        if arg.fixed_size:
            if not refusal(hook, row, maps, spoil={number: stack(number, 1 - arg.fixed_size)}):
                yield f"{arg.name}: less than {arg.fixed_size} bytes are enough"
            why = refusal(hook, row, maps, spoil={number: stack(number, BUFFER + 2)})
            if bool(why) != arg.aligned:
                yield f"{arg.name}: aligned is {arg.aligned}, but misaligned gives {why!r}"
        if arg.kind in {ArgKind.MEM, ArgKind.MAP_VALUE} and row.name != "dynptr_from_mem":
            why = refusal(hook, row, maps, spoil={number: maps.constant(number)})
            if bool(why) != arg.writes:
                yield f"{arg.name}: writes is {arg.writes}, but constant memory gives {why!r}"
        if packet and arg.kind in MEMORY and (writes_packet or not arg.writes):
            why = refusal(hook, row, maps, before=packet, spoil={number: copy(number, 9)})
            match hook.program_type.value.packet_arguments:
                case PacketArguments.AS_HELPER:
                    takes = row.packet_access
                case PacketArguments.NEVER | PacketArguments.ALWAYS as rule:
                    takes = rule is PacketArguments.ALWAYS
            if bool(why) == takes:
                yield f"{arg.name}: packet_access is {row.packet_access}, but gives {why!r}"


def wrong_effects(hook: Hook, row: Helper, maps: Maps) -> Iterator[str]:
    """Each effect that the row says of a call and Linux does not."""
    code = program(hook, row, maps)
    has_task = any(arg.type_name == "task_struct" for arg in row.args)
    if not has_task:  # which comes from another helper that is GPL only
        free = not ask(hook, code, license_name="none", debug=maps.debug(code)).errno
        if free == row.gpl_only:
            yield f"gpl_only is {row.gpl_only}"
    packet = b"" if has_task else packet_of(hook)
    if packet:
        why = refusal(hook, row, maps, before=packet, after=load(1, 1, 9, 0))
        if bool(why) != row.changes_packet:
            yield f"changes_packet is {row.changes_packet}, but {why!r}"
    if row.ret is not RetKind.VOID:
        kept = program(hook, row, maps, after=copy(ZERO, 0))
        log = ask(hook, kept, log_level=2, debug=maps.debug(kept)).log
        shown = re.findall(r"r7 = r0 +; R0(?:_w)?=(\S+)", log)
        if not any(each.startswith(GIVES[row.ret]) for each in shown):
            yield f"result is {row.ret.name}, but {shown}"
    if (
        row.acquires
        and "Unreleased reference" not in ask(hook, code.replace(release(row, maps), b"")).log
    ):
        yield "acquires nothing"


@pytest.mark.parametrize("hook", hooks(), ids=str)
def test_who_may_call(hook: Hook):
    """A row's restriction says in words what Linux checks beyond types."""
    theirs = {
        row.name for row in HELPERS.values() if not ask(hook, call(row.id) + EXIT).refused_helper
    }
    ours = {row.name for row in callable_rows(hook)}
    assert theirs <= ours
    assert {name for name in ours - theirs if not HELPER_BY_NAME[name].restriction} == set()


@pytest.mark.parametrize("hook", hooks(), ids=str)
def test_calls_as_the_rows_say(hook: Hook, maps: Maps):
    refused = {}
    for row in callable_rows(hook):
        try:
            why = refusal(hook, row, maps)
        except UnbuiltError:
            continue
        sleeps = "might sleep" in why if row.sleepable and not hook.sleepable else not why
        if not sleeps and not (hook.sleepable and "Sleepable programs can only use" in why):
            refused[row.name] = why
    allowed = {name for name in refused if HELPER_BY_NAME[name].restriction}
    assert refused.keys() == allowed, refused


KNOWN = {
    ("get_branch_snapshot", "flags: left unset gives ''"): "read by the helper, never checked",
    ("get_func_ip", "gpl_only is True"): "free in kprobe.multi and uprobe.multi programs",
    (
        "kptr_xchg",
        "gpl_only is False",
    ): "what releases its result here is a kfunc, for the GPL only",
    ("tcp_send_ack", "gpl_only is False"): "all struct_ops programs are under the GPL",
}
"""Where a row is stricter than Linux, and why."""


def test_calls_not_as_the_rows_say(maps: Maps):
    """Each prototype once, in the first program type of each kind of packet access that has it."""
    seen = set()
    wrong = set()
    for hook in hooks():
        for row in callable_rows(hook):
            key = (row, hook.program_type.value.packet)
            if key in seen or (row.sleepable and not hook.sleepable):
                continue
            try:
                if refusal(hook, row, maps):
                    continue
            except UnbuiltError:
                continue
            seen.add(key)
            wrong |= {(row.name, each) for each in wrong_arguments(hook, row, maps)}
            wrong |= {(row.name, each) for each in wrong_effects(hook, row, maps)}
    assert wrong == KNOWN.keys()
    called = {row.name for row, _ in seen}
    uncalled = {
        row.name
        for row in HELPERS.values()
        if row.name not in called and row.program_types - ABSENT
    }
    assert uncalled == UNCALLED.keys() | NOT_HERE.keys()


SOCKET_MAPS = {
    ("map_lookup_elem", MapType.SOCKMAP): "gives a reference",
    ("map_lookup_elem", MapType.SOCKHASH): "gives a reference",
    ("map_update_elem", MapType.SOCKMAP): "takes a socket, not a value",
    ("map_update_elem", MapType.SOCKHASH): "takes a socket, not a value",
}
"""Calls that need other code around them."""


def test_which_maps_go_with_which_helper(maps: Maps):
    wrong = []
    for row in HELPERS.values():
        hook = next((each for each in hooks() if row in set(callable_rows(each))), None)
        if hook is None or all(arg.kind is not ArgKind.CONST_MAP_PTR for arg in row.args):
            continue
        for kind in MapType:
            if kind is MapType.STRUCT_OPS:
                continue  # its values are a struct of the kernel
            try:
                code = program(hook, row, maps, kind=kind)
                answer = ask(hook, code, debug=maps.debug(code))
            except UnbuiltError:
                break
            fits = kind in row.map_types and (row.name, kind) not in SOCKET_MAPS
            if bool(answer.errno) == fits:
                wrong.append((str(hook), row.name, kind.name, answer.last))
    assert wrong == []
