"""CO-RE: what libbpf makes of an object and a target, ours is to the byte, refusals included."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from core_cases import Case, alone, case, kernel_spec
from libbpf_oracle import load

from beebox.btf import codec
from beebox.btf.types import Struct
from beebox.errors import ObjectError, TargetError
from beebox.isa.codec import encode
from beebox.obj.linker import link
from beebox.obj.targets.host import host
from beebox.obj.targets.resolution import resolve
from beebox.obj.targets.target import target_of_btf
from beebox.obj.writer import write
from beebox.tables.core_relocations import CoreKind

pytestmark = pytest.mark.linux
_CASES = 200


def theirs(made: Case, folder: Path) -> bytes | None:
    """libbpf's instructions; None when it refuses to relocate."""
    file = folder / "target.btf"
    file.write_bytes(codec.encode(made.target))
    loaded = load(write(made.spec), btf=file)
    return loaded.code["prog"] if loaded.relocated else None


def ours(made: Case) -> bytes | None:
    """Our instructions; None when we refuse."""
    try:
        spec = resolve(made.spec, target_of_btf(made.target), ["prog"])
    except (TargetError, ObjectError):
        return None
    return encode(link(spec, "prog").insns)


def test_random_types(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(_CASES):
        made = case(seed)
        function = made.spec.functions["prog"]
        whole = theirs(made, tmp_path)
        assert ours(made) == whole, f"seed {seed}"
        if whole is not None:
            seen["whole"] += len(function.core)
            seen["poisoned"] += whole.count((195896080).to_bytes(4, "little"))
            seen["changed"] += whole != encode(function.insns)
            continue
        for index in range(len(function.core)):
            single = alone(made, index)
            found = theirs(single, tmp_path)
            assert ours(single) == found, f"seed {seed}, relocation {index}"
            seen["alone" if found is not None else "refused"] += 1
    assert seen["whole"] > 300
    assert seen["changed"] > 20
    assert seen["poisoned"] > 30
    assert seen["refused"] > 10


STRUCTS = (
    "task_struct", "mm_struct", "sk_buff", "sock", "sock_common", "net_device", "file", "inode",
    "dentry", "super_block", "cred", "pid", "signal_struct", "sched_entity", "rq", "page",
    "vm_area_struct", "request", "bio", "request_queue", "tcp_sock", "inet_sock", "udp_sock", "net",
    "cgroup", "css_set", "bpf_map", "bpf_prog", "bpf_prog_aux", "module", "nsproxy", "iphdr",
    "tcphdr", "ipv6hdr", "trace_event_raw_sys_enter", "pt_regs", "linux_binprm", "path",
)  # fmt: skip


def test_the_running_kernel() -> None:
    kernel = host().btf
    assert kernel is not None
    spec = kernel_spec(kernel, tuple(name for name in STRUCTS if kernel.kinded(name, Struct)), 1)
    loaded = load(write(spec))
    assert loaded.relocated, loaded.warnings
    mine = resolve(spec, None, spec.program_names)
    for name in spec.program_names:
        assert encode(link(mine, name).insns) == loaded.code[name], name
    assert sum(len(row.core) for row in spec.functions.values()) > 300
    kinds = {row.kind for function in spec.functions.values() for row in function.core}
    assert kinds == set(CoreKind)
    poisoned = sum(len(row.poisoned) for row in mine.functions.values())
    assert poisoned > 10
