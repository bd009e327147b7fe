"""What changed between kernel versions: limits over time, and features by the first Linux with them.

Mainline versions from 4.x on; distributions backport. Rows of the other tables say in ``since``
when they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beebox.tables.limits import (
    MAX_CALL_FRAMES,
    MAX_INSNS,
    MAX_INSNS_UNPRIVILEGED,
    MAX_STACK_BYTES,
    MAX_SUBPROGRAMS,
    MAX_TAIL_CALLS,
    MAX_USED_MAPS,
    OBJECT_NAME_BYTES,
)
from beebox.tables.map_types import MapFlags

NEWEST: Final = "6.18"
"""The version that the tables describe."""

OLDEST: Final = "4.4"
"""The oldest that can be asked for: what came before has its long-term support behind it."""


def release(version: str) -> tuple[int, int]:
    """A version as numbers, to compare: ``4.10`` comes after ``4.9``."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit and its values: ``(first version, value)``, oldest first."""

    name: str
    text: str
    values: tuple[tuple[str, int], ...]

    def at(self, version: str) -> int | None:
        """The value in a version; None: the version has no such thing."""
        found = [value for since, value in self.values if release(since) <= release(version)]
        return found[-1] if found else None


LIMITS: Final = (
    Limit(
        "program_insns",
        "instructions of a program, with CAP_BPF",
        (("3.19", 4096), ("5.2", MAX_INSNS)),
    ),
    Limit(
        "program_insns_unprivileged",
        "instructions of a program, without",
        (("3.19", MAX_INSNS_UNPRIVILEGED),),
    ),
    Limit(
        "processed_insns",
        "instructions that the verifier walks, over all paths",
        (
            ("3.19", 32_768),
            ("4.7", 65_536),
            ("4.12", 98_304),
            ("4.14", 131_072),
            ("5.2", MAX_INSNS),
        ),
    ),
    Limit("stack_bytes", "stack of a call chain", (("3.19", MAX_STACK_BYTES),)),
    Limit("call_frames", "functions in a call chain", (("4.16", MAX_CALL_FRAMES),)),
    Limit("subprograms", "functions of a program", (("4.16", MAX_SUBPROGRAMS),)),
    Limit("tail_calls", "tail calls in a row", (("4.2", MAX_TAIL_CALLS),)),
    Limit("used_maps", "maps of a program", (("3.19", MAX_USED_MAPS),)),
    Limit("name_bytes", "a name, with its NUL", (("4.15", OBJECT_NAME_BYTES),)),
    Limit(
        "log_bytes",
        "the verifier's log",
        (("3.19", (1 << 24) - 1), ("5.2", (1 << 30) - 1)),
    ),
    Limit("arguments", "registers that arguments are passed in", (("3.19", 5),)),
)


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that programs, or those who load them, can rely on from a version on."""

    name: str
    since: str
    text: str


FEATURES: Final = (
    Feature("tail_calls", "4.2", "a program continues as another one"),
    Feature("pinning", "4.4", "objects live on in a BPF file system"),
    Feature("direct_packet_access", "4.7", "programs load packet bytes through pointers"),
    Feature("packet_writes", "4.8", "and store them"),
    Feature("test_run", "4.12", "BPF_PROG_TEST_RUN"),
    Feature("object_names", "4.15", "maps and programs have names"),
    Feature("subprograms", "4.16", "functions that call one another"),
    Feature("btf", "4.18", "BPF_BTF_LOAD: types of map keys and values"),
    Feature("func_info", "5.0", "BTF types of functions, lines of the source"),
    Feature("jmp32", "5.1", "comparisons of 32 bits"),
    Feature("spin_locks", "5.1", "bpf_spin_lock in map values"),
    Feature("global_data", "5.2", "addresses of map values in programs; BPF_MAP_FREEZE"),
    Feature("btf_datasec", "5.2", "BTF_KIND_VAR and BTF_KIND_DATASEC"),
    Feature("bounded_loops", "5.3", "backward jumps that the verifier can follow to their end"),
    Feature("vmlinux_btf", "5.4", "/sys/kernel/btf/vmlinux"),
    Feature("mmapable_arrays", "5.5", "BPF_F_MMAPABLE"),
    Feature("global_functions", "5.6", "functions that are verified once, by their types"),
    Feature("batch_operations", "5.6", "BPF_MAP_LOOKUP_BATCH and its kin"),
    Feature("links", "5.7", "BPF_LINK_CREATE: attachments that a descriptor owns"),
    Feature("cap_bpf", "5.8", "CAP_BPF and CAP_PERFMON instead of CAP_SYS_ADMIN"),
    Feature("ring_buffer", "5.8", "one buffer for events of all CPUs"),
    Feature("iterators", "5.8", "programs that are run over the kernel's objects"),
    Feature("sleepable", "5.10", "BPF_F_SLEEPABLE"),
    Feature("tail_calls_in_subprograms", "5.10", "both in one program, with the x86-64 JIT"),
    Feature("ksyms", "5.10", "addresses of the kernel's variables, with their types"),
    Feature("memcg_accounting", "5.11", "memory counts for the control group, not RLIMIT_MEMLOCK"),
    Feature("atomics", "5.12", "fetch, exchange, compare and exchange"),
    Feature("callbacks", "5.13", "addresses of functions, for helpers that call them"),
    Feature("kfuncs", "5.13", "kernel functions by name"),
    Feature("btf_float", "5.13", "BTF_KIND_FLOAT"),
    Feature("timers", "5.15", "bpf_timer in map values"),
    Feature("unprivileged_off", "5.16", "by default, only CAP_BPF loads programs"),
    Feature("btf_decl_tag", "5.16", "BTF_KIND_DECL_TAG"),
    Feature("btf_type_tag", "5.17", "BTF_KIND_TYPE_TAG"),
    Feature("bpf_loop", "5.17", "a callback that is run many times"),
    Feature("xdp_frags", "5.18", "XDP over packets of several buffers"),
    Feature("dynptrs", "5.19", "memory with a size that is known at run time"),
    Feature("kptrs", "5.19", "pointers to kernel objects in map values"),
    Feature("btf_enum64", "6.0", "BTF_KIND_ENUM64"),
    Feature("linked_lists", "6.2", "bpf_list_head in map values"),
    Feature("uninitialised_stack", "6.3", "privileged programs read what was never written"),
    Feature("red_black_trees", "6.3", "bpf_rb_root in map values"),
    Feature("context_constants", "6.4", "constants stored into the context"),
    Feature("open_coded_iterators", "6.4", "bpf_iter_num and its kin: loops without callbacks"),
    Feature("packet_dynptrs", "6.4", "bpf_dynptr_from_skb, bpf_dynptr_from_xdp"),
    Feature("log_tail", "6.4", "a log that is too long keeps its end"),
    Feature("cpu_v4", "6.6", "gotol, bswap, sign-extending moves and loads, signed division"),
    Feature("tcx", "6.6", "links for traffic control"),
    Feature("netkit", "6.7", "a device that runs programs between namespaces"),
    Feature("exceptions", "6.7", "bpf_throw"),
    Feature("may_goto", "6.9", "loops that the kernel ends in time"),
    Feature("arena", "6.9", "memory that programs and user space share, with its own pointers"),
    Feature("tokens", "6.9", "rights to use bpf(2), passed on into containers"),
    Feature("addr_space_cast", "6.9", "conversion of arena pointers"),
    Feature("private_stacks", "6.13", "a stack of its own for each program"),
    Feature("constant_keys", "6.14", "elements of arrays at constant keys are there, unchecked"),
    Feature("load_acquire", "6.15", "load_acquire and store_release"),
)

FLAG_SINCE: Final = {
    MapFlags.NO_PREALLOC: "4.6",
    MapFlags.NO_COMMON_LRU: "4.10",
    MapFlags.NUMA_NODE: "4.14",
    MapFlags.RDONLY: "4.15",
    MapFlags.WRONLY: "4.15",
    MapFlags.STACK_BUILD_ID: "4.17",
    MapFlags.ZERO_SEED: "5.0",
    MapFlags.RDONLY_PROG: "5.2",
    MapFlags.WRONLY_PROG: "5.2",
    MapFlags.CLONE: "5.4",
    MapFlags.MMAPABLE: "5.5",
    MapFlags.PRESERVE_ELEMS: "5.10",
    MapFlags.INNER_MAP: "5.10",
    MapFlags.LINK: "6.4",
    MapFlags.PATH_FD: "6.5",
    MapFlags.VTYPE_BTF_OBJ_FD: "6.9",
    MapFlags.TOKEN_FD: "6.9",
    MapFlags.SEGV_ON_FAULT: "6.9",
    MapFlags.NO_USER_CONV: "6.9",
}
"""Flags of BPF_MAP_CREATE by the first Linux with them."""
