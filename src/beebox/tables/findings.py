"""Findings: every reason for a rejection, as rows. The verifier adds the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FindingRow:
    code: str  # stable, kebab-case: what tests and users match on
    category: str  # memory, types, control-flow, calls, resources, environment
    title: str
    hint: str = ""
    why: str = ""  # for docs/rejections: why Linux refuses it, and what it asks for


_ROWS: Final = (
    FindingRow(
        "packet-bounds",
        "memory",
        "access to packet bytes that were never checked",
        "compare the end of the access with data_end first",
        why="Nothing says how long a packet is until it arrives. A program may read a byte of "
        "it only behind a comparison that proves, on this very path, that the byte lies "
        "before `data_end`. The proof is about one pointer and those that are a constant "
        "away from it: where a variable offset is added (a header's length, an index), a "
        "new pointer begins, of which nothing is proven. A compiler may also have dropped "
        "or moved a comparison, and a helper that may move the packet ends every proof.",
    ),
    FindingRow(
        "packet-access",
        "memory",
        "direct packet access that this program type does not have",
        "use bpf_skb_load_bytes and bpf_skb_store_bytes where the type has them",
    ),
    FindingRow(
        "flow-keys-bounds",
        "memory",
        "access outside the flow keys",
        "access fields of struct bpf_flow_keys at constant offsets",
    ),
    FindingRow(
        "map-value-bounds",
        "memory",
        "access outside a map value",
        "check the index against the value's size first",
        why="The memory of a map's value has the size that the map was declared with. An "
        "offset into it must be proven to be small enough by its own bounds: from a "
        "comparison, a mask or the type it was loaded with. Off by one is the usual "
        "mistake; a comparison of a copy that the compiler then did not use, or of a "
        "signed number without its lower end, the next.",
    ),
    FindingRow(
        "null-pointer",
        "types",
        "use of a pointer that may be NULL",
        "test the pointer before using it",
        why="A look-up that finds nothing gives NULL, and so do other helpers that may fail. "
        "Until the pointer is compared with 0, it may be used for nothing else, not even "
        "to add an offset. Each look-up gives a pointer of its own: one that was checked "
        "says nothing of the next. Elements of arrays exist for every index below "
        "`max_entries`, but of a look-up with a constant key alone, and only newer "
        "kernels know it.",
    ),
    FindingRow(
        "stack-bounds",
        "memory",
        "access outside the 512 bytes of stack",
        "keep large data in a map",
    ),
    FindingRow(
        "stack-uninitialised",
        "memory",
        "stack bytes are read that were never written",
        "write every byte, padding too, before the call",
    ),
    FindingRow(
        "stack-pointer-corrupt",
        "memory",
        "part of a pointer on the stack is overwritten or read",
        "store and load pointers whole: 8 bytes, aligned",
    ),
    FindingRow(
        "stack-object",
        "memory",
        "direct access to a dynptr, an iterator or saved flags on the stack",
        "use the functions that the object has",
    ),
    FindingRow(
        "context-access",
        "memory",
        "access to the context that its type does not allow",
        "read a field at its own offset and size",
        why="The context is not plain memory: the kernel rewrites each access to a field of a "
        "struct of its own. So each field has its sizes and whether it may be written, "
        "which differ by program type, and the pointer must still be the one that the "
        "program was given: an offset that was added to it, or one that varies, is "
        "refused. Compilers like to merge or split such accesses; `volatile` or a local "
        "copy stops them.",
    ),
    FindingRow(
        "memory-bounds",
        "memory",
        "access outside memory of a known size",
        "check the offset against the size first",
    ),
    FindingRow(
        "socket-access",
        "memory",
        "access to a socket that its type does not allow",
        "read a field at its own offset and size; bpf_sk_fullsock shows more fields",
    ),
    FindingRow(
        "struct-access",
        "memory",
        "access to a kernel struct that its type does not allow",
        "read a member whole, at a constant offset; bpf_core_read reaches what BTF does not",
    ),
    FindingRow(
        "read-only",
        "memory",
        "write to memory that is read-only",
        "write a copy on the stack or in another map",
    ),
    FindingRow(
        "uninitialised-register",
        "types",
        "read of a register that was never written",
        "set the register on every path",
        why="A register has a value only where every path has given it one. A call leaves R1 "
        "to R5 without values, and R0 is the result. In C this comes from variables that "
        "are not set on every path, from functions without a `return`, and from inline "
        "assembly that does not say what it overwrites.",
    ),
    FindingRow(
        "not-a-pointer",
        "types",
        "memory access through something that is not a usable pointer",
        "load or look up the pointer again: calls and arithmetic may have made it a number",
        why="A memory access needs a pointer that the verifier has followed since it came "
        "from the context, a map or a helper. It is just a number after 32-bit "
        "arithmetic, after operations other than adding and subtracting, after it was "
        "stored in a map and loaded again, and when what it pointed to is gone: a "
        "released reference, or a packet that a helper may have moved. Pointers that were "
        "read from kernel memory are numbers, too, unless their type is known from BTF.",
    ),
    FindingRow(
        "mixed-pointers",
        "types",
        "one access through pointers to the context or a socket, and to something else",
        "access each kind of object by an instruction of its own",
    ),
    FindingRow(
        "pointer-arithmetic",
        "types",
        "arithmetic that a pointer does not allow",
        "keep the offset in its own variable and bound it first",
    ),
    FindingRow(
        "pointer-comparison",
        "types",
        "comparison of a pointer with a number",
        "compare numbers, such as offsets; what may be NULL, with 0",
    ),
    FindingRow(
        "pointer-leak",
        "types",
        "a pointer's bits would leave the program",
        "store, return and pass what the pointer points to",
    ),
    FindingRow(
        "speculation",
        "environment",
        "a mispredicting CPU could leave the memory that a pointer may reach",
        "use constant offsets, or offsets into map values with bounds",
    ),
    FindingRow(
        "unbounded-offset",
        "types",
        "a pointer offset without a bound",
        "compare the offset with its largest legal value first",
    ),
    FindingRow(
        "invalid-operand",
        "types",
        "a constant operand that the operation does not allow",
        "divide by something else than 0; shift by less than the width",
    ),
    FindingRow(
        "frame-pointer-write",
        "types",
        "write to the frame pointer R10",
        "copy R10 to another register and move that",
    ),
    FindingRow(
        "argument-type",
        "calls",
        "a helper got an argument of the wrong kind",
        "see the helper's arguments: beebox helpers NAME",
        why="Each argument of a helper has a kind: a map, the context, memory of a size, a "
        "number. A pointer to something else is refused, also one that has been moved "
        "where the start is asked for, or that may be NULL where the helper does not take "
        "NULL.",
    ),
    FindingRow(
        "argument-size",
        "calls",
        "a size argument without usable bounds",
        "bound the size: at least 1, at most the memory's length",
        why="A helper that is given memory and its size will touch that many bytes. The size "
        "must therefore be bounded on both sides: not negative, for most helpers not 0, "
        "and no larger than what lies behind the pointer. What counts are the bounds of "
        "the very register that is passed. A comparison of a copy, or of 32 bits of it, "
        "may be lost; a mask that stands right before the call mostly works.",
    ),
    FindingRow(
        "map-type",
        "calls",
        "a helper got a map of a type that it does not work on",
        "see the helpers of the map's type: beebox map-types NAME",
    ),
    FindingRow(
        "constant-string",
        "calls",
        "a string that must be constant is not, or is malformed",
        "put the string into read-only data",
    ),
    FindingRow(
        "dynptr",
        "calls",
        "a dynptr that is missing, of another type, lost or at an impossible place",
        "keep a struct bpf_dynptr on the stack, initialise it once, and release what it reserved",
    ),
    FindingRow(
        "reference-leak",
        "calls",
        "a reference is still held where the program may end",
        "release the socket or record on every path",
        why="A record of a ring buffer, a socket or another kernel object that a helper hands "
        "out is owned by the program until it gives it back. On every path, also where an "
        "error ends the program early, it must be released exactly once. A tail call ends "
        "the program, too.",
    ),
    FindingRow(
        "reference-missing",
        "calls",
        "a release of something that holds no reference",
        "release exactly what was acquired, once",
    ),
    FindingRow(
        "function-prototype",
        "calls",
        "a global function whose types say too little",
        "make the function static, or give its arguments types of known size",
    ),
    FindingRow(
        "function-argument",
        "calls",
        "an argument that does not fit the type that a global function declares",
        "pass what the type says, or make the function static",
    ),
    FindingRow(
        "function-context",
        "calls",
        "a call of a global function where none is allowed",
        "make the function static",
    ),
    FindingRow(
        "lock",
        "calls",
        "a lock is taken or given back in a way that the kernel does not allow",
        "take the lock of one object, and give it back before the next",
    ),
    FindingRow(
        "lock-held",
        "calls",
        "something that is not possible while a lock is held",
        "give the lock back first",
    ),
    FindingRow(
        "kernel-fields",
        "memory",
        "a field that belongs to the kernel is used in a way that it does not allow",
        "use the helpers and kernel functions of the field",
    ),
    FindingRow(
        "arena",
        "types",
        "an address of an arena where there is none",
        "name the arena in the program, and cast its addresses only",
    ),
    FindingRow(
        "exception",
        "calls",
        "an exception where none is possible",
        "return an error instead",
    ),
    FindingRow("helper-sleeps", "calls", "a helper that may sleep in a program that may not", ""),
    FindingRow(
        "helper-not-allowed",
        "calls",
        "a helper that this program type may not call",
        "see who may call it: beebox helpers NAME",
    ),
    FindingRow(
        "kfunc-not-allowed",
        "calls",
        "a kernel function that this program may not call",
        "see who may call it: beebox kfuncs NAME",
    ),
    FindingRow(
        "section",
        "calls",
        "an RCU, preemption or interrupt section used wrongly, or a sleep inside of one",
        "leave on every path what was entered, before the program ends",
    ),
    FindingRow(
        "iterator",
        "calls",
        "an iterator that was not made, or was made already",
        "call new once, next in the loop, destroy once, last, on every path",
    ),
    FindingRow(
        "untrusted-pointer",
        "types",
        "a kernel function gets a pointer whose object may be gone",
        "acquire a reference, or stay in an RCU section, and pass that pointer",
    ),
    FindingRow(
        "helper-gpl",
        "calls",
        "a helper for GPL-compatible programs only",
        "declare a GPL-compatible license",
    ),
    FindingRow(
        "call-depth",
        "calls",
        "too many nested calls or too much stack over a call chain",
        "inline small functions, keep large data in a map",
    ),
    FindingRow(
        "early-end",
        "calls",
        "a subprogram that may end in its middle is not known to return a number",
        "compile with debug information; let the function return int",
    ),
    FindingRow(
        "callback",
        "calls",
        "a helper cannot be given this function",
        "make the function static, and compile with debug information",
    ),
    FindingRow(
        "legacy-load",
        "memory",
        "LD_ABS or LD_IND where they are not possible",
        "use bpf_skb_load_bytes, or keep the context in R6",
    ),
    FindingRow(
        "return-value",
        "calls",
        "the program's result is missing or is a pointer",
        "return a number on every path",
    ),
    FindingRow(
        "return-range",
        "calls",
        "the program may return a value that its type does not allow",
        "return one of the type's verdicts; bound the value if it is computed",
        why="Some hooks read meaning into few results only. For those, the program must be "
        "proven to return one of them. A number that was loaded or computed must be "
        "bounded first, and a helper's negative error is outside of most ranges.",
    ),
    FindingRow(
        "attach-type",
        "environment",
        "an attach type that does not belong to the program type",
        "",
    ),
    FindingRow(
        "attach-target",
        "environment",
        "the kernel lets no such program attach there",
        "see what the program's type attaches to, and whether it may sleep there",
    ),
    FindingRow(
        "jump-range",
        "control-flow",
        "a jump that leaves its function or lands inside an instruction",
        "",
    ),
    FindingRow("unreachable", "control-flow", "instructions that nothing reaches", "remove them"),
    FindingRow(
        "fall-through",
        "control-flow",
        "the program can run past its end",
        "end with exit or a jump",
    ),
    FindingRow(
        "infinite-loop",
        "control-flow",
        "a loop that makes no progress",
        "change a variable of the loop condition in every round",
    ),
    FindingRow(
        "too-complex",
        "resources",
        "more paths than the verifier explores",
        "simplify branches or bound loops more tightly",
    ),
    FindingRow(
        "timeout",
        "resources",
        "no verdict in the time that was given",
        "give more time, or simplify branches",
    ),
    FindingRow("program-size", "resources", "an empty or oversized program", ""),
    FindingRow(
        "atomic",
        "memory",
        "an atomic operation where none is possible",
        "use aligned 4- or 8-byte memory of a map value or the stack",
    ),
    FindingRow(
        "cost-bound",
        "resources",
        "nothing proves that a run ends within the cost that is allowed",
        "bound the rounds of loops and calls back by smaller constants, or allow more: --cost-limit",
    ),
    FindingRow(
        "since",
        "environment",
        "the program needs what the kernel version that was asked for does not have",
        "keep such code behind bpf_core_enum_value_exists and its like, or ask for a newer kernel",
    ),
    FindingRow(
        "loader",
        "environment",
        "a program that needs more rights than who loads it has",
        "load it with CAP_PERFMON, and verify it with another profile",
    ),
    FindingRow(
        "missing-in-target",
        "environment",
        "the program reaches code that needs what the target does not have",
        "ask first: bpf_core_field_exists and its like, or the address of a weak symbol",
    ),
    FindingRow("not-supported", "environment", "something that beebox does not verify yet", ""),
    FindingRow(
        "internal",
        "environment",
        "the verifier itself failed, so the program is refused",
        "please report this as a bug of beebox",
    ),
)

FINDINGS: Final = {row.code: row for row in _ROWS}

FREQUENT: Final = (
    "context-access",
    "map-value-bounds",
    "not-a-pointer",
    "packet-bounds",
    "null-pointer",
    "argument-size",
    "argument-type",
    "uninitialised-register",
    "reference-leak",
    "return-range",
)
"""The most frequent reasons that people ask about, the most frequent first."""
