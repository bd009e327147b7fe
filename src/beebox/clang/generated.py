"""The shipped headers that the tables write: helper prototypes and the enums of bpf(2).

``make docs`` writes the files, a test holds them against the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from operator import itemgetter
from typing import Final, assert_never

from beebox.tables.helper_texts import SUMMARIES
from beebox.tables.helpers import HELPERS, Arg, ArgKind, Helper, RetKind
from beebox.tables.links import LinkType
from beebox.tables.map_types import MapType
from beebox.tables.program_types import AttachType, ProgramType

_NOTE: Final = "/* Written from beebox's tables by `make docs`: edit those. */\n"
_INTEGERS: Final = {
    (16, False): "__u16",
    (32, False): "__u32",
    (32, True): "int",
    (64, False): "__u64",
    (64, True): "long",
}
_FOREIGN: Final = {"unsafe_ptr", "user_ptr"}
"""Addresses that the verifier takes for numbers, and C for pointers."""
_ARGUMENTS: Final = {
    ("probe_write_user", "dst"): "void *",
    ("redirect_map", "key"): "__u64",  # used as 32 bits, declared as 64
}
_RESULTS: Final = {
    "set_hash_invalid": "void",
    "spin_lock": "long",
    "spin_unlock": "long",
    "tail_call": "long",
    "task_pt_regs": "long",
}
"""What uapi declares otherwise than the kernel's own prototypes."""


def helper_defs() -> str:
    """``bpf/bpf_helper_defs.h``: every helper as a pointer to a function at its number."""
    lines = [_prototype(row) for row in HELPERS.values()]
    text = "\n".join(lines)
    structs = sorted({word.rstrip("*; ,)") for word in _after_struct(text)})
    return "\n".join(
        [
            _NOTE + "#ifndef __BPF_HELPER_DEFS__\n#define __BPF_HELPER_DEFS__\n",
            *(f"struct {name};" for name in structs),
            "",
            "#ifndef __bpf_fastcall",
            "#if __has_attribute(bpf_fastcall)",
            "#define __bpf_fastcall __attribute__((bpf_fastcall))",
            "#else",
            "#define __bpf_fastcall",
            "#endif",
            "#endif",
            "",
            text,
            "\n#endif\n",
        ]
    )


def _after_struct(text: str) -> Iterable[str]:
    words = text.replace("(", " ").split()
    return (after for word, after in pairwise(words) if word == "struct")


def _prototype(row: Helper) -> str:
    params = [_parameter(row, arg) for arg in row.args] + (["..."] if row.variadic else [])
    attribute = "__bpf_fastcall " if row.fastcall else ""
    return (
        f"\n/* {SUMMARIES[row.name]} */\n"
        f"{attribute}static {_joined(_result(row), f'(* const bpf_{row.name})')}"
        f"({', '.join(params) or 'void'}) = (void *) {row.id};"
    )


def _joined(c_type: str, name: str) -> str:
    return f"{c_type}{name}" if c_type.endswith("*") else f"{c_type} {name}"


def _result(row: Helper) -> str:
    if row.name in _RESULTS:
        return _RESULTS[row.name]
    match row.ret:
        case RetKind.INTEGER:
            return _INTEGERS[row.ret_bits, row.ret_signed]
        case RetKind.VOID:
            return "void"
        case RetKind.SOCKET_OR_NULL | RetKind.SOCK_COMMON_OR_NULL:
            return "struct bpf_sock *"
        case RetKind.TCP_SOCK_OR_NULL:
            return "struct bpf_tcp_sock *"
        case RetKind.BTF_ID | RetKind.BTF_ID_OR_NULL | RetKind.BTF_ID_TRUSTED:
            return f"struct {row.ret_type_name} *" if row.ret_type_name else "void *"
        case (
            RetKind.MAP_VALUE
            | RetKind.MAP_VALUE_OR_NULL
            | RetKind.MEM_OR_NULL
            | RetKind.RINGBUF_MEM_OR_NULL
            | RetKind.MEM_OR_BTF_ID
            | RetKind.MEM_OR_BTF_ID_OR_NULL
        ):
            return "void *"
        case _ as never:
            assert_never(never)


def _parameter(row: Helper, arg: Arg) -> str:
    return _joined(_ARGUMENTS.get((row.name, arg.name)) or _type(arg), arg.name.rstrip("_"))


def _type(arg: Arg) -> str:
    match arg.kind:
        case ArgKind.ANYTHING if arg.name in _FOREIGN:
            return "const void *"
        case ArgKind.ANYTHING | ArgKind.CONST_SIZE | ArgKind.CONST_SIZE_OR_ZERO:
            return _INTEGERS[arg.bits, arg.signed]
        case ArgKind.CONST_ALLOC_SIZE_OR_ZERO:
            return _INTEGERS[arg.bits, arg.signed]
        case ArgKind.MAP_KEY | ArgKind.PERCPU_BTF_ID:
            return "const void *"
        case ArgKind.MEM | ArgKind.MAP_VALUE:
            return "void *" if arg.writes else "const void *"
        case ArgKind.CONST_STR:
            return "const char *"
        case ArgKind.DYNPTR:
            return "struct bpf_dynptr *" if arg.writes else "const struct bpf_dynptr *"
        case ArgKind.SPIN_LOCK:
            return "struct bpf_spin_lock *"
        case ArgKind.TIMER:
            return "struct bpf_timer *"
        case ArgKind.BTF_ID if arg.type_name:
            return f"struct {arg.type_name} *"
        case ArgKind.CTX | ArgKind.BTF_ID | ArgKind.CONST_MAP_PTR | ArgKind.FUNC | ArgKind.STACK:
            return "void *"
        case ArgKind.SOCK_COMMON | ArgKind.SOCKET | ArgKind.BTF_ID_SOCK_COMMON:
            return "void *"
        case ArgKind.RINGBUF_MEM | ArgKind.KPTR_XCHG_DEST:
            return "void *"
        case _ as never:
            assert_never(never)


def enums() -> str:
    """``beebox/enums.h``: helper numbers and the types of maps, programs, attachment and links."""
    maps = ((f"BPF_MAP_TYPE_{row.name}", row.value.id) for row in MapType)
    programs = ((f"BPF_PROG_TYPE_{row.name}", row.value.id) for row in ProgramType)
    attach = sorted(((f"BPF_{row.name}", row.value) for row in AttachType), key=itemgetter(1))
    links = ((f"BPF_LINK_TYPE_{row.name}", row.value) for row in LinkType)
    helpers = ((f"BPF_FUNC_{row.name}", row.id) for row in HELPERS.values())
    end = ("__MAX_BPF_ATTACH_TYPE", attach[-1][1] + 1)
    return "\n".join(
        [
            _NOTE + "#ifndef __BEEBOX_ENUMS_H\n#define __BEEBOX_ENUMS_H\n",
            _enum("bpf_map_type", [("BPF_MAP_TYPE_UNSPEC", 0), *maps]),
            _enum("bpf_prog_type", [("BPF_PROG_TYPE_UNSPEC", 0), *programs]),
            _enum("bpf_attach_type", [*attach, end]),
            "#define MAX_BPF_ATTACH_TYPE __MAX_BPF_ATTACH_TYPE\n",
            _enum("bpf_link_type", [("BPF_LINK_TYPE_UNSPEC", 0), *links]),
            _enum("bpf_func_id", [("BPF_FUNC_unspec", 0), *helpers]),
            "#endif\n",
        ]
    )


def _enum(name: str, members: Iterable[tuple[str, int]]) -> str:
    rows = "".join(f"\t{member} = {value},\n" for member, value in members)
    return f"enum {name} {{\n{rows}}};\n"


FILES: Final[dict[str, Callable[[], str]]] = {
    "bpf/bpf_helper_defs.h": helper_defs,
    "beebox/enums.h": enums,
}
"""By path below ``include``."""
