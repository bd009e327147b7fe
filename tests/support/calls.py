"""Calls of helpers, built from their rows: a legal value for each argument."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from probing import (
    EXIT,
    Hook,
    add,
    btf_id,
    call,
    copy,
    insn,
    kernel_btf,
    load,
    map_fd,
    mov,
    store,
)

from beebox.btf.codec import encode
from beebox.btf.types import (
    Array,
    Btf,
    Func,
    FuncProto,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    Struct,
)
from beebox.linux import attrs
from beebox.linux.syscall import Command, Fd, bpf
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS, Arg, ArgKind, Helper, RetKind
from beebox.tables.kfuncs import KFUNCS
from beebox.tables.map_types import Entries, MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType

CTX, ZERO, POINTER, TASK = 6, 7, 8, 9  # registers that keep what the arguments are made of
BUFFER = -64  # bytes of zeroes on the stack, from here to the frame's top
DYNPTR = -80
TYPES = Btf(
    (
        Int("u32", 4, 32),
        Int("u64", 8, 64),
        Struct("bpf_spin_lock", 4, (Member("val", 1, 0),)),
        Array(2, 1, 2),
        Struct("bpf_timer", 16, (Member("opaque", 4, 0),)),
        Struct("guarded", 24, (Member("lock", 3, 0), Member("timer", 5, 64))),
        Struct("task_struct", 0, ()),
        Modifier("type_tag", 7, "kptr"),
        Ptr(8),
        Struct("owner", 8, (Member("task", 9, 0),)),
        Ptr(0),
        FuncProto(1, (Param("ctx", 11),)),
        Func("main", 12, Linkage.GLOBAL),
        Func("callback", 12, Linkage.STATIC),
    )
)
U32, U64, GUARDED, OWNER, MAIN, CALLBACK = 1, 2, 6, 10, 13, 14  # type ids
TIMER = 8  # bytes into a guarded value
CALLBACK_CODE = mov(0, 0) + EXIT
TO_CALLBACK = 0x5EED  # the immediate that stands for the callback's place
OWNED = {MapType.PROG_ARRAY, MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP}
"""Maps that belong to the program type that used them first."""


class UnbuiltError(Exception):
    """An argument that this test does not make."""


class Maps:
    """One map of every type, and memory."""

    def __init__(self) -> None:
        self._btf = Fd(bpf(Command.BTF_LOAD, attrs.btf_load(encode(TYPES))), "BTF")
        self._fds: dict[MapType, Fd] = {}
        self._typed = {
            type_id: self._array(size, type_id) for type_id, size in ((GUARDED, 24), (OWNER, 8))
        }
        attr = attrs.map_create(MapType.ARRAY.value.id, 4, 64, 1, MapFlags.RDONLY_PROG)
        self._constant = Fd(bpf(Command.MAP_CREATE, attr), "constant")
        bpf(Command.MAP_FREEZE, attrs.map_freeze(self._constant.number))

    def _array(self, size: int, type_id: int) -> Fd:
        attr = attrs.map_create(
            MapType.ARRAY.value.id, 4, size, 1, btf=(self._btf.number, U32, type_id)
        )
        return Fd(bpf(Command.MAP_CREATE, attr), "typed")

    def typed(self, number: int, type_id: int, offset: int = 0) -> bytes:
        """A register gets an address inside a value of that type."""
        return insn(0x18, number, 2, imm=self._typed[type_id].number) + insn(0, imm=offset)

    def typed_fd(self, type_id: int) -> int:
        return self._typed[type_id].number

    def debug(self, code: bytes) -> attrs.DebugInfo | None:
        """The types of a program's functions, if it ends with a callback."""
        if not code.endswith(EXIT + CALLBACK_CODE):
            return None
        place = (len(code) - len(CALLBACK_CODE)) // 8
        return attrs.DebugInfo(self._btf.number, struct.pack("=4I", 0, MAIN, place, CALLBACK))

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
                btf=(self._btf.number, U32, U64) if row.needs_btf else (0, 0, 0),
                inner_fd=self.fd(MapType.ARRAY) if row.has_inner else 0,
            )
            self._fds[kind] = Fd(bpf(Command.MAP_CREATE, attr), row.name)
        return self._fds[kind].number


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


def reference(hook: Hook) -> bytes:
    """r8 = a socket that must be released."""
    if not HELPER_BY_NAME["sk_lookup_tcp"].allowed(hook.program_type):
        raise UnbuiltError("no way to a reference")
    start = copy(1, CTX) + stack(2, -12) + mov(3, 12) + mov(4, 0) + mov(5, 0)
    return helper("sk_lookup_tcp", start) + exit_if_zero(0) + copy(POINTER, 0)


def socket(hook: Hook, kind: ArgKind) -> bytes:
    """r8 = a socket of the context."""
    if kind is ArgKind.BTF_ID_SOCK_COMMON and hook.program_type is ProgramType.STRUCT_OPS:
        return load(8, POINTER, CTX, 0)
    if kind is ArgKind.BTF_ID_SOCK_COMMON and hook.name == "tcp":
        return load(8, POINTER, CTX, 8) + exit_if_zero(POINTER)
    context = hook.program_type.value.context
    field = context.field("sk") if context else None
    if field is None:
        raise UnbuiltError("no socket in the context")
    return load(8, POINTER, CTX, field.offset) + exit_if_zero(POINTER)


def kernel_pointer(hook: Hook, name: str) -> bytes:
    """r9 = a trusted pointer to a struct of that name."""
    match name:
        case "task_struct":
            return helper("get_current_task_btf") + copy(TASK, 0)
        case "seq_file" if hook.attach_type is AttachType.TRACE_ITER:
            return load(8, TASK, CTX, 0) + load(8, TASK, TASK, 0)  # ctx->meta->seq
        case "sk_buff" if hook.name == "skb":
            return load(8, TASK, CTX, 0)
        case "tcp_sock" if hook.program_type is ProgramType.STRUCT_OPS:
            return load(8, TASK, CTX, 0)
        case "file" | "path" if hook.name == "file":
            offset = member_offset("file", "f_path") if name == "path" else 0
            return load(8, TASK, CTX, 24) + exit_if_zero(TASK) + add(TASK, offset)
        case _:
            raise UnbuiltError(f"no way to a {name or 'kernel object'}")


def member_offset(name: str, member: str) -> int:
    """Where a member of a kernel struct lies."""

    def search(type_id: int, base: int) -> int | None:
        row = kernel_btf().resolve(type_id)[1]
        if isinstance(row, Struct):
            for each in row.members:
                at = base + each.bit_offset // 8
                if each.name == member:
                    return at
                if not each.name and (found := search(each.type, at)) is not None:
                    return found
        return None

    found = search(btf_id(name, Struct), 0)
    assert found is not None
    return found


def materials(hook: Hook, row: Helper, maps: Maps, before: bytes) -> bytes:
    """What must exist before the call: sockets, references, initialised memory."""
    code = copy(CTX, 1) + before + mov(ZERO, 0)
    code += b"".join(store(8, 10, at, ZERO) for at in range(BUFFER, 0, 8))
    for arg in row.args:
        match arg.kind:
            case ArgKind.SOCK_COMMON | ArgKind.SOCKET | ArgKind.BTF_ID_SOCK_COMMON:
                code += reference(hook) if arg.releases else socket(hook, arg.kind)
            case ArgKind.BTF_ID if not arg.nullable:
                code += kernel_pointer(hook, arg.type_name)
            case ArgKind.KPTR_XCHG_DEST:
                if hook.program_type not in KFUNCS["bpf_task_release"].program_types:
                    raise UnbuiltError("no way to release what it gives")
            case ArgKind.SPIN_LOCK if row.name == "spin_unlock":
                code += helper("spin_lock", maps.typed(1, GUARDED))
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
        case ArgKind.FUNC:
            return insn(0x18, number, 4, imm=TO_CALLBACK) + insn(0)
        case ArgKind.SPIN_LOCK:
            return maps.typed(number, GUARDED)
        case ArgKind.TIMER:
            return maps.typed(number, GUARDED, TIMER)
        case ArgKind.KPTR_XCHG_DEST:
            return maps.typed(number, OWNER)
        case ArgKind.PERCPU_BTF_ID:
            raise UnbuiltError("needs a kernel that lists its variables (CONFIG_KALLSYMS_ALL)")
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
        case ArgKind.BTF_ID:
            return mov(number, 0) if arg.nullable else copy(number, TASK)


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
        if own is None and row.name == "timer_init" and arg.kind is ArgKind.CONST_MAP_PTR:
            own = map_fd(number, maps.typed_fd(GUARDED))
        code += argument(number, arg, maps, kind) if own is None else own
    code += call(row.id) + after + release(row, maps) + mov(0, 1) + EXIT
    if all(arg.kind is not ArgKind.FUNC for arg in row.args):
        return code
    where = code.find(insn(0x18, 0, 4, imm=TO_CALLBACK)[4:])
    if where < 0:
        return code
    distance = (len(code) - where - 4) // 8
    return code[:where] + struct.pack("<i", distance) + code[where + 4 :] + CALLBACK_CODE


def release(row: Helper, maps: Maps) -> bytes:
    """What must follow the call, so that nothing is left over."""
    if row.name == "spin_lock":
        return helper("spin_unlock", maps.typed(1, GUARDED))
    if any(arg.kind is ArgKind.DYNPTR for arg in row.args):
        if any(arg.uninit and arg.type_name == "ringbuf" for arg in row.args):
            return helper("ringbuf_submit_dynptr", stack(1, DYNPTR), mov(2, 0))
        return b""
    if not row.acquires:
        return b""
    if row.name == "kptr_xchg":
        kfunc = insn(0x85, 0, 2, imm=btf_id("bpf_task_release", Func))
        return exit_if_zero(0) + copy(1, 0) + kfunc
    end = "ringbuf_discard" if row.ret is RetKind.RINGBUF_MEM_OR_NULL else "sk_release"
    return exit_if_zero(0) + helper(end, copy(1, 0), mov(2, 0))


NOT_HERE = {
    "probe_write_user": "the kernel is locked down",
    "override_return": "needs CONFIG_BPF_KPROBE_OVERRIDE",
}


def callable_rows(hook: Hook) -> Iterator[Helper]:
    for row in HELPERS.values():
        if row.name not in NOT_HERE and row.allowed(hook.program_type, hook.attach_type):
            yield row.called_by(hook.program_type)
