"""What is held where it may not be: what gave it, and how it is given back."""

from __future__ import annotations

from typing import Final, assert_never

from beebox.isa.instruction import Call
from beebox.obj.model import ProgramSpec
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.history import callee
from beebox.verifier.reports.places import Place
from beebox.verifier.states.state import Held, HeldKind

_OBJECT: Final = "bpf_obj_drop"
_RELEASES: Final = (
    ("bpf_ringbuf_reserve_dynptr", "bpf_ringbuf_submit_dynptr or bpf_ringbuf_discard_dynptr"),
    ("bpf_ringbuf_reserve", "bpf_ringbuf_submit or bpf_ringbuf_discard"),
    ("bpf_sk_lookup_", "bpf_sk_release"),
    ("bpf_skc_lookup_", "bpf_sk_release"),
    ("bpf_task_", "bpf_task_release"),
    ("bpf_cgroup_", "bpf_cgroup_release"),
    ("bpf_cpumask_", "bpf_cpumask_release"),
    ("bpf_get_task_exe_file", "bpf_put_file"),
    ("bpf_crypto_ctx_", "bpf_crypto_ctx_release"),
    ("bpf_lookup_", "bpf_key_put"),
    ("bpf_skb_ct_lookup", "bpf_ct_release"),
    ("bpf_xdp_ct_lookup", "bpf_ct_release"),
    ("bpf_ct_insert_entry", "bpf_ct_release"),
    ("bpf_skb_ct_alloc", "bpf_ct_insert_entry, then bpf_ct_release"),
    ("bpf_xdp_ct_alloc", "bpf_ct_insert_entry, then bpf_ct_release"),
    ("bpf_percpu_obj_new", "bpf_percpu_obj_drop"),
    ("bpf_obj_new", _OBJECT),
    ("bpf_list_pop_", _OBJECT),
    ("bpf_rbtree_remove", _OBJECT),
    ("bpf_refcount_acquire", _OBJECT),
    ("bpf_kptr_xchg", "the type's release function"),
)
"""What releases what a function acquired, by how the function's name begins."""


def leak(place: Place, held: Held) -> tuple[str, str]:
    """What a leaked reference lacks, and what to write."""
    name = _caller(place.spec, held.pc)
    return (
        f"the release of what {name} acquired at {place.at(held.pc)}",
        f"call {_release(name)} on every path from {place.at(held.pc)} to {place.at(place.pc)}",
    )


def locked(place: Place, held: Held) -> tuple[str, str]:
    """What is missing where a lock is held, and what to write."""
    unlock, taken = _unlock(held.kind), place.at(held.pc)
    missing = f"an unlock of what was locked at {taken}, on every path that comes here"
    here = place.at(place.pc)
    if isinstance(place.insn, Call):
        name = callee(place.insn)
        what = "it" if name == "the call" else name
        return missing, f"call {what} before {taken}, or after {unlock}"
    return missing, f"call {unlock} on every path from {taken} to {here}"


def acquired(spec: ProgramSpec, refusal: Refusal, path: Path | None) -> tuple[int, str] | None:
    """For the finding's history: where that was taken which is still held."""
    if path is None or refusal.code not in ("lock-held", "reference-leak"):
        return None
    for each in reversed(path.state.refs):
        if (each.kind is HeldKind.PTR) is (refusal.code == "reference-leak"):
            verb = "acquires what must be released" if each.kind is HeldKind.PTR else "locks"
            return each.pc, f"{_caller(spec, each.pc)} {verb}"
    return None


def _caller(spec: ProgramSpec, pc: int) -> str:
    insn = spec.slots[pc] if 0 <= pc < len(spec.slots) else None
    return callee(insn) if isinstance(insn, Call) else "the call"


def _release(name: str) -> str:
    if name.startswith("bpf_iter_") and name.endswith("_new"):
        return f"{name.removesuffix('_new')}_destroy"
    found = next((what for start, what in _RELEASES if name.startswith(start)), None)
    return found or "its release function"


def _unlock(kind: HeldKind) -> str:
    match kind:
        case HeldKind.LOCK:
            return "bpf_spin_unlock"
        case HeldKind.RES_LOCK:
            return "bpf_res_spin_unlock"
        case HeldKind.RES_LOCK_IRQ:
            return "bpf_res_spin_unlock_irqrestore"
        case HeldKind.IRQ:
            return "bpf_local_irq_restore"
        case HeldKind.PTR:
            return "its release function"
        case _:
            assert_never(kind)
