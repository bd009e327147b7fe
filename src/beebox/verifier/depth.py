"""The stack of call chains, once every function's own need is known."""

from __future__ import annotations

from collections.abc import Sequence

from beebox.tables.limits import MAX_CALL_FRAMES, MAX_STACK_BYTES, MAX_TAIL_CALL_STACK_BYTES
from beebox.verifier.cfg import Shape
from beebox.verifier.findings import Refusal


def check(
    shape: Shape,
    used_bytes: Sequence[int],
    tail_calling: frozenset[int],
    deferred: frozenset[int] = frozenset(),
) -> None:
    """The frames of a call chain, each rounded up to 16 bytes, share 512 bytes of stack.

    ``used_bytes`` is by function; ``tail_calling`` are those that call ``bpf_tail_call``,
    ``deferred`` those that the kernel calls later, with a stack of their own.
    """
    own = [(used + 15) // 16 * 16 for used in used_bytes]
    chains = _Chains(shape, own, tail_calling, deferred)
    total = max(chains.deepest(root, 1, 0) for root in (0, *sorted(deferred)))
    if total > MAX_STACK_BYTES:
        raise Refusal(
            "call-depth", 0, f"the call chain needs {total} bytes of stack; "
            f"{MAX_STACK_BYTES} is the limit",
            kernel=f"combined stack size of {len(own)} calls is {total}. Too large",
        )  # fmt: skip


class _Chains:
    """The call chains of a program, each looked at once."""

    __slots__ = ("_deferred", "_known", "_own", "_shape", "_tail_calling")

    def __init__(
        self,
        shape: Shape,
        own: list[int],
        tail_calling: frozenset[int],
        deferred: frozenset[int],
    ) -> None:
        self._shape = shape
        self._deferred = deferred
        self._own = own
        self._tail_calling = tail_calling
        self._known: dict[tuple[int, int, int], int] = {}

    def deepest(self, function: int, frames: int, above: int) -> int:
        """The stack under ``function``, which is the ``frames``-th of its chain."""
        found = self._known.get((function, frames, above))
        if found is None:
            found = self._known[function, frames, above] = self._deepest(function, frames, above)
        return found

    def _deepest(self, function: int, frames: int, above: int) -> int:
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
        total = above + self._own[function]
        later = self._deferred - shape.direct[function]
        called = shape.calls[function] - later
        return max((self.deepest(callee, frames + 1, total) for callee in called), default=total)
