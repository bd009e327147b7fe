"""Every helper's row against the running kernel, by loading programs that call it.

A call is built from the row: memory of the size it names, maps of the types it names, numbers.
Linux must take it, in every program type that the row allows; and refuse it as soon as one thing
that the row says is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from probing import ABSENT, EXIT, Hook, add, ask, call, copy, hooks, insn, load, map_fd, mov, store

from beebox.btf.codec import encode
from beebox.btf.types import Btf, Int
from beebox.linux import attrs
from beebox.linux.syscall import Command, Fd, bpf
from beebox.tables.contexts import FieldKind
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS, Arg, ArgKind, Helper, RetKind
from beebox.tables.map_types import Entries, MapFlags, MapType
from beebox.tables.program_types import PacketAccess, PacketArguments

pytestmark = pytest.mark.linux

CTX, ZERO, POINTER, TASK = 6, 7, 8, 9  # registers that keep what the arguments are made of
BUFFER = -64  # bytes of zeroes on the stack, from here to the frame's top
DYNPTR = -80
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
}
"""How the kernel's log shows R0."""
NOT_HERE = {
    "probe_write_user": "the kernel is locked down",
    "override_return": "needs CONFIG_BPF_KPROBE_OVERRIDE",
}
UNBUILT = {
    "callbacks need function types in BTF": {ArgKind.FUNC},
    "needs a map value with a typed member": {
        ArgKind.SPIN_LOCK,
        ArgKind.TIMER,
        ArgKind.KPTR_XCHG_DEST,
    },
    "needs a per-CPU variable of the kernel": {ArgKind.PERCPU_BTF_ID},
    "needs a trusted pointer to another struct than task_struct": {ArgKind.BTF_ID},
}
"""Calls that these tests do not make, by reason and argument."""
TRAMPOLINE = ("get_func_arg", "get_func_ret", "get_func_arg_cnt")
UNCALLED = dict.fromkeys(TRAMPOLINE, "the probed kernels refuse fentry and fexit programs")
"""The others."""


OWNED = {MapType.PROG_ARRAY, MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP}
"""Maps that belong to the program type that used them first."""


class UnbuiltError(Exception):
    """An argument that this test does not make."""


class Maps:
    """One map of every type, and memory."""

    def __init__(self) -> None:
        types = Btf((Int("u32", 4, 32), Int("u64", 8, 64)))
        self._btf = Fd(bpf(Command.BTF_LOAD, attrs.btf_load(encode(types))), "BTF")
        self._fds: dict[MapType, Fd] = {}
        attr = attrs.map_create(MapType.ARRAY.value.id, 4, 64, 1, MapFlags.RDONLY_PROG)
        self._constant = Fd(bpf(Command.MAP_CREATE, attr), "constant")
        bpf(Command.MAP_FREEZE, attrs.map_freeze(self._constant.number))

    def constant(self, number: int) -> bytes:
        """A register gets the address of 64 constant zero bytes."""
        return insn(0x18, number, 2, imm=self._constant.number) + insn(0)

    def value(self, number: int) -> bytes:
        """A register gets the address of 8 bytes that may be written."""
        return insn(0x18, number, 2, imm=self.fd(MapType.ARRAY)) + insn(0)

    def fd(self, kind: MapType) -> int:
        if kind not in self._fds or kind in OWNED:
            row = kind.value
            entries = {
                Entries.POSITIVE: 1,
                Entries.ZERO: 0,
                Entries.PAGES: 4096,
                Entries.PER_PAGE: 1,
            }
            key = row.key_size if row.key_size is not None else 8 if row.key.takes(8) else 4
            value = row.value_size if row.value_size is not None else 8
            attr = attrs.map_create(
                row.id,
                key,
                value,
                entries[row.entries],
                row.required,
                btf=(self._btf.number, 1, 2) if row.needs_btf else (0, 0, 0),
                inner_fd=self.fd(MapType.ARRAY) if row.has_inner else 0,
            )
            self._fds[kind] = Fd(bpf(Command.MAP_CREATE, attr), row.name)
        return self._fds[kind].number


@pytest.fixture(scope="module")
def maps() -> Maps:
    return Maps()


def exit_if_zero(reg: int) -> bytes:
    return insn(0x55, reg, offset=2) + mov(0, 1) + EXIT


def helper(name: str, *arguments: bytes) -> bytes:
    return b"".join(arguments) + call(HELPER_BY_NAME[name].id)


def stack(number: int, offset: int) -> bytes:
    return copy(number, 10) + add(number, offset)


def reserve(maps: Maps, *, dynptr: bool) -> bytes:
    start = map_fd(1, maps.fd(MapType.RINGBUF)) + mov(2, 8) + mov(3, 0)
    if dynptr:
        return helper("ringbuf_reserve_dynptr", start, stack(4, DYNPTR))
    return helper("ringbuf_reserve", start) + exit_if_zero(0) + copy(POINTER, 0)


def materials(hook: Hook, row: Helper, maps: Maps, before: bytes) -> bytes:
    """What must exist before the call: sockets, references, initialised memory."""
    code = copy(CTX, 1) + before + mov(ZERO, 0)
    code += b"".join(store(8, 10, at, ZERO) for at in range(BUFFER, 0, 8))
    for arg in row.args:
        match arg.kind:
            case ArgKind.SOCK_COMMON | ArgKind.SOCKET | ArgKind.BTF_ID_SOCK_COMMON:
                context = hook.program_type.value.context
                field = context.field("sk") if context else None
                if field is None:
                    raise UnbuiltError("no socket in the context")
                if arg.releases:
                    if not HELPER_BY_NAME["sk_lookup_tcp"].allowed(hook.program_type):
                        raise UnbuiltError("no way to a reference")
                    code += helper(
                        "sk_lookup_tcp",
                        copy(1, CTX) + stack(2, -12) + mov(3, 12) + mov(4, 0) + mov(5, 0),
                    )
                    code += exit_if_zero(0) + copy(POINTER, 0)
                else:
                    code += load(8, POINTER, CTX, field.offset) + exit_if_zero(POINTER)
            case ArgKind.BTF_ID if arg.type_name == "task_struct":
                code += helper("get_current_task_btf") + copy(TASK, 0)
            case ArgKind.RINGBUF_MEM:
                code += reserve(maps, dynptr=False)
            case ArgKind.DYNPTR if arg.type_name == "ringbuf" and not arg.uninit:
                code += reserve(maps, dynptr=True)
            case ArgKind.DYNPTR if not arg.uninit:
                start = maps.value(1) + mov(2, 8) + mov(3, 0) + stack(4, DYNPTR)
                code += helper("dynptr_from_mem", start)
            case _:
                pass
    return code


def argument(number: int, arg: Arg, maps: Maps, kind: MapType) -> bytes:
    """A legal value in a register."""
    match arg.kind:
        case ArgKind.ANYTHING:
            return mov(number, 0)
        case ArgKind.CONST_ALLOC_SIZE_OR_ZERO | ArgKind.CONST_SIZE | ArgKind.CONST_SIZE_OR_ZERO:
            return mov(number, 8)
        case ArgKind.CTX:
            return copy(number, CTX)
        case ArgKind.MAP_KEY | ArgKind.MAP_VALUE | ArgKind.STACK:
            return stack(number, BUFFER)
        case ArgKind.MEM:
            return stack(number, -arg.fixed_size or BUFFER)
        case ArgKind.CONST_MAP_PTR:
            return map_fd(number, maps.fd(kind))
        case ArgKind.CONST_STR:
            return maps.constant(number)
        case (
            ArgKind.SOCK_COMMON | ArgKind.BTF_ID_SOCK_COMMON | ArgKind.SOCKET | ArgKind.RINGBUF_MEM
        ):
            return copy(number, POINTER)
        case ArgKind.DYNPTR:
            return stack(number, DYNPTR)
        case ArgKind.BTF_ID if arg.type_name == "task_struct":
            return copy(number, TASK)
        case _ if arg.nullable:
            return mov(number, 0)
        case _:
            raise UnbuiltError(f"{arg.kind.name} {arg.type_name}")


def program(
    hook: Hook,
    row: Helper,
    maps: Maps,
    *,
    kind: MapType | None = None,
    spoil: dict[int, bytes] | None = None,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A program that calls the helper; ``spoil`` replaces arguments, ``after`` follows the call."""
    if kind is None:
        kind = min(row.map_types, key=lambda each: each.value.id, default=MapType.HASH)
    code = materials(hook, row, maps, before)
    for number, arg in enumerate(row.args, 1):
        own = (spoil or {}).get(number)
        if own is None and row.name == "dynptr_from_mem" and number == 1:
            own = maps.value(number)
        code += argument(number, arg, maps, kind) if own is None else own
    return code + call(row.id) + after + release(row) + mov(0, 1) + EXIT


def release(row: Helper) -> bytes:
    """What must follow the call, so that nothing is left over."""
    if any(arg.kind is ArgKind.DYNPTR for arg in row.args):
        if any(arg.uninit and arg.type_name == "ringbuf" for arg in row.args):
            return helper("ringbuf_submit_dynptr", stack(1, DYNPTR), mov(2, 0))
        return b""
    if not row.acquires:
        return b""
    end = "ringbuf_discard" if row.ret is RetKind.RINGBUF_MEM_OR_NULL else "sk_release"
    return exit_if_zero(0) + helper(end, copy(1, 0), mov(2, 0))


def callable_rows(hook: Hook) -> Iterator[Helper]:
    for row in HELPERS.values():
        if row.name not in NOT_HERE and row.allowed(hook.program_type, hook.attach_type):
            yield row.called_by(hook.program_type)


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
    answer = ask(hook, program(hook, row, maps, spoil=spoil, before=before, after=after))
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
        free = not ask(hook, code, license_name="none").errno
        if free == row.gpl_only:
            yield f"gpl_only is {row.gpl_only}"
    packet = b"" if has_task else packet_of(hook)
    if packet:
        why = refusal(hook, row, maps, before=packet, after=load(1, 1, 9, 0))
        if bool(why) != row.changes_packet:
            yield f"changes_packet is {row.changes_packet}, but {why!r}"
    if row.ret is not RetKind.VOID:
        log = ask(hook, program(hook, row, maps, after=copy(ZERO, 0)), log_level=2).log
        shown = re.findall(r"r7 = r0 +; R0(?:_w)?=(\S+)", log)
        if not any(each.startswith(GIVES[row.ret]) for each in shown):
            yield f"result is {row.ret.name}, but {shown}"
    if (
        row.acquires
        and "Unreleased reference" not in ask(hook, code.replace(release(row), b"")).log
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
    unbuilt = {
        row.name
        for row in HELPERS.values()
        if row.name not in called
        and not row.program_types <= ABSENT
        and not any(arg.kind in kinds for arg in row.args for kinds in UNBUILT.values())
    }
    assert unbuilt == UNCALLED.keys() | NOT_HERE.keys()


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
                answer = ask(hook, program(hook, row, maps, kind=kind))
            except UnbuiltError:
                break
            fits = kind in row.map_types and (row.name, kind) not in SOCKET_MAPS
            if bool(answer.errno) == fits:
                wrong.append((str(hook), row.name, kind.name, answer.last))
    assert wrong == []
