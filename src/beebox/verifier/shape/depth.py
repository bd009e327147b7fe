"""The stack of call chains, once every function's own need is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from beebox.obj.model import ProgramSpec
from beebox.tables.limits import MAX_CALL_FRAMES, MAX_STACK_BYTES, MAX_TAIL_CALL_STACK_BYTES
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.findings import Refusal
from beebox.verifier.shape.cfg import Shape

_EVENTS: Final = (
    ProgramType.KPROBE,
    ProgramType.TRACEPOINT,
    ProgramType.PERF_EVENT,
    ProgramType.RAW_TRACEPOINT,
)
_PRIVATE_FROM: Final = 64  # bytes: BPF_PRIV_STACK_MIN_SIZE


def check(
    shape: Shape,
    used_bytes: Sequence[int],
    tail_calling: frozenset[int],
    deferred: frozenset[int] = frozenset(),
    *,
    private: bool = False,
) -> None:
    """The frames of a call chain, each rounded up to 16 bytes, share 512 bytes of stack.

    ``used_bytes`` is by function; ``tail_calling`` are those that call ``bpf_tail_call``,
    ``deferred`` those that the kernel calls later, with a stack of their own. ``private``: large
    frames lie outside of that stack, but those that what is called later may use at the same time.
    """
    own = [(used + 15) // 16 * 16 for used in used_bytes]
    apart = frozenset[int]()
    if private and not tail_calling:
        shared = _below(shape, deferred)
        apart = frozenset(
            index for index, size in enumerate(own) if size >= _PRIVATE_FROM and index not in shared
        )
    chains = _Chains(shape, own, tail_calling, deferred, apart)
    for root in (*sorted(deferred, reverse=True), 0):
        chains.follow(root, 1, 0)


def private_stacks(spec: ProgramSpec, attach: AttachType | None) -> bool:
    """Whether Linux gives the functions of such a program stacks of their own, on x86-64."""
    if spec.type is ProgramType.TRACING:
        return attach is not AttachType.TRACE_ITER
    return spec.type in _EVENTS


def _below(shape: Shape, roots: frozenset[int]) -> frozenset[int]:
    """The functions that the roots are or reach."""
    found: set[int] = set()
    work = list(roots)
    while work:
        index = work.pop()
        if index not in found:
            found.add(index)
            work.extend(shape.calls[index])
    return frozenset(found)


class _Chains:
    """The call chains of a program, each looked at once."""

    __slots__ = ("_apart", "_deferred", "_known", "_own", "_shape", "_tail_calling")

    def __init__(
        self,
        shape: Shape,
        own: list[int],
        tail_calling: frozenset[int],
        deferred: frozenset[int],
        apart: frozenset[int],
    ) -> None:
        self._shape = shape
        self._deferred = deferred
        self._own = own
        self._tail_calling = tail_calling
        self._apart = apart
        self._known: set[tuple[int, int, int]] = set()

    def follow(self, function: int, frames: int, above: int) -> None:
        """Check the chains from ``function`` on, which is the ``frames``-th, below ``above``."""
        if (function, frames, above) not in self._known:
            self._known.add((function, frames, above))
            self._follow(function, frames, above)

    def _follow(self, function: int, frames: int, above: int) -> None:
        shape = self._shape
        if frames > MAX_CALL_FRAMES:  # also where functions call each other in a circle
            raise Refusal(
                "call-depth", shape.starts[function],
                f"more than {MAX_CALL_FRAMES} nested calls",
                kernel=f"the call stack of {frames - 1} frames is too deep !",
            )  # fmt: skip
        if function in self._tail_calling and above >= MAX_TAIL_CALL_STACK_BYTES and frames > 1:
            raise Refusal(
                "call-depth", shape.starts[function],
                f"a function that calls bpf_tail_call stands below {above} bytes of stack; "
                f"fewer than {MAX_TAIL_CALL_STACK_BYTES} are allowed",
                kernel="tail_calls are not allowed when call stack of previous frames is "
                f"{above} bytes. Too large",
            )  # fmt: skip
        total = above
        if function not in self._apart:
            total += self._own[function]
        if total > MAX_STACK_BYTES:
            raise Refusal(
                "call-depth", shape.starts[function],
                f"the call chain needs {total} bytes of stack; {MAX_STACK_BYTES} is the limit",
                kernel=f"combined stack size of {frames} calls is {total}. Too large",
            )  # fmt: skip
        for callee in sorted(shape.calls[function] - (self._deferred - shape.direct[function])):
            self.follow(callee, frames + 1, total)
