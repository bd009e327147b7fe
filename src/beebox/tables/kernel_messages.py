"""What Linux's verifier says when it refuses, and which finding of ours that is.

From 5.15 to 6.18: spellings change, so a row is the part that stays. The first row that matches a
message counts; those that need more than words (whether a pointer may be NULL) stand before those
that do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class KernelMessage:
    pattern: str  # a regular expression, searched for in the message
    code: str  # a row of tables.findings


_M = KernelMessage
KERNEL_MESSAGES: Final = (
    # memory
    _M(r"(invalid mem access|pointer arithmetic on) '?\w*or_null", "null-pointer"),
    _M(r"Possibly NULL pointer passed to", "null-pointer"),
    _M(r"R\d+ type=\w*or_null_?\w* expected=", "null-pointer"),
    _M(r"R\d+ invalid mem access '", "not-a-pointer"),
    _M(r"offset is outside of the packet", "packet-bounds"),
    _M(r"invalid access to packet", "packet-bounds"),
    _M(r"cannot (write into|read from) packet|writes to packet data", "packet-access"),
    _M(r"helper access to the packet is not allowed", "argument-type"),
    _M(r"invalid access to flow keys", "flow-keys-bounds"),
    _M(r"(min|max) value is outside of the (allowed memory|array) range", "map-value-bounds"),
    _M(r"unbounded memory access, use 'var &= const'", "argument-size"),
    _M(r"min value is negative, either use unsigned or 'var &= const'", "argument-size"),
    _M(r"invalid zero-sized read|R\d+ is not a known constant", "argument-size"),
    _M(r"unbounded memory access, make sure to bounds check", "map-value-bounds"),
    _M(r"min value is negative, either use unsigned index", "map-value-bounds"),
    _M(r"invalid access to (map (value|key)|memory)", "map-value-bounds"),
    _M(r"invalid (read from|write to|access to) stack R?\d* ?off=", "stack-bounds"),
    _M(r"potential write to dynptr", "stack-object"),
    _M(
        r"invalid indirect read from stack|invalid read from stack R?\d* ?off ",
        "stack-uninitialised",
    ),
    _M(r"invalid read from stack", "stack-uninitialised"),
    _M(r"invalid size of register (spill|fill)|corrupt spilled pointer", "stack-pointer-corrupt"),
    _M(r"cannot spill pointers to stack into stack frame", "stack-pointer-corrupt"),
    _M(r"spilled ptr in range of var-offset", "stack-pointer-corrupt"),
    _M(
        r"(variable-offset|invalid) .*(write to|read from|access to) stack|invalid stack",
        "stack-bounds",
    ),
    _M(r"misaligned (stack )?access off", "stack-bounds"),
    _M(r"invalid bpf_context access|dereference of modified ctx ptr", "context-access"),
    _M(r"invalid (sock|sock_common|tcp_sock|xdp_sock) access", "socket-access"),
    _M(r"write into map forbidden|read from map forbidden", "read-only"),
    _M(r"cannot write into (rdonly|map_key|sock|\w*rdonly_mem)|write to change key", "read-only"),
    _M(r"may write into memory pointed by", "read-only"),
    _M(r"BPF_(ATOMIC|XADD) .* is not allowed|invalid atomic operand", "atomic"),
    _M(r"misaligned", "atomic"),
    _M(r"same insn cannot be used with different pointers", "mixed-pointers"),
    # what the kernel keeps in values
    _M(r"bpf_\w+ cannot be accessed directly|progs cannot use bpf_\w+ yet", "kernel-fields"),
    _M(r"doesn't point to 'struct bpf_|timer pointer in R\d+ map_uid", "kernel-fields"),
    _M(r"bpf_spin_lock-ed region|while holding a lock", "lock-held"),
    _M(r"of different lock", "lock"),
    # values
    _M(r"R0 !read_ok.*exit", "return-value"),
    _M(r"R\d+ !read_ok", "uninitialised-register"),
    _M(r"unbounded (min|max) value|with unbounded|value .* is out of bounds", "unbounded-offset"),
    _M(r"math between .* (pointer|register)", "unbounded-offset"),
    _M(r"pointer arithmetic with .* operator prohibited", "pointer-arithmetic"),
    _M(
        r"(bitwise operator|32-bit pointer arithmetic|pointer arithmetic|pointer -=)",
        "pointer-arithmetic",
    ),
    _M(r"tried to (subtract|add) .* (from|to|pointer)", "pointer-arithmetic"),
    _M(r"subtraction from stack pointer|pointer \+= pointer", "pointer-arithmetic"),
    _M(r"pointer comparison prohibited", "pointer-comparison"),
    _M(r"leaks addr|partial copy of pointer", "pointer-leak"),
    _M(r"frame pointer is read only", "frame-pointer-write"),
    _M(r"div by zero|invalid shift", "invalid-operand"),
    # calls
    _M(r"only read from bpf_array is supported", "not-a-pointer"),
    _M(r"must have zero offset when passed|doesn't support non-zero flags", "argument-type"),
    _M(r"Unsupported reg type", "argument-type"),
    _M(r"not allowed in subprogs without BTF", "early-end"),
    _M(
        r"must be referenced when passed to release|unacquired reference|release function",
        "reference-missing",
    ),
    _M(r"expected=\S+", "argument-type"),
    _M(r"Unreleased reference|reference leak", "reference-leak"),
    _M(r"(program of this type cannot use helper|unknown func)", "helper-not-allowed"),
    _M(r"GPL-restricted function|non-GPL compatible", "helper-gpl"),
    _M(r"(helper call|func\w*) might sleep|must be sleepable|sleepable helper", "helper-sleeps"),
    _M(r"cannot pass map_type|expected prog array map|cannot update sockmap", "map-type"),
    _M(r"readonly map|constant address|zero-terminated|Invalid format string", "constant-string"),
    _M(r"(the call stack of|combined stack size|tail_calls are not allowed)", "call-depth"),
    _M(
        r"At (program exit|async callback return) the register R0 is not a known value",
        "return-value",
    ),
    _M(r"R0 not a scalar value|cannot return stack pointer", "return-value"),
    _M(r"register R0 has .*should have been in", "return-range"),
    _M(r"callback function not static", "callback"),
    _M(r"calling kernel function .* is not allowed", "kfunc-not-allowed"),
    _M(r"BPF_LD_\[?ABS|BPF_LD_ABS\|IND", "legacy-load"),
    _M(r"only allowed in functions that return 'int'", "early-end"),
    _M(r"[Dd]ynptr", "dynptr"),
    _M(r"expected (an )?(un)?initialized (iter|bpf_iter)|uninitialized iter_", "iterator"),
    _M(r"irq flag|rcu read unlock|preempt|inside .* region", "section"),
    _M(r"while holding a lock|bpf_spin_lock-ed region", "lock-held"),
    _M(r"spin_lock", "lock"),
    _M(r"must be (a )?(rcu|trusted|referenced)|trusted", "untrusted-pointer"),
    _M(r"(args?#\d+|more than one arg with ref_obj_id)", "argument-type"),
    # shape and size
    _M(r"jump out of range|jump into the middle|call to invalid destination", "jump-range"),
    _M(r"unreachable insn", "unreachable"),
    _M(r"last insn is not an exit or jmp", "fall-through"),
    _M(r"infinite loop detected|back-edge from insn", "infinite-loop"),
    _M(r"BPF program is too large|jumps is too complex|too complex", "too-complex"),
    _M(r"too many (subprograms|states)", "program-size"),
    _M(
        r"invalid kernel function call not eliminated|failed to find the address",
        "missing-in-target",
    ),
    _M(r"invalid func unknown#", "missing-in-target"),
)
