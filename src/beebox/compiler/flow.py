"""Flow facts: what is known of each local variable where control stands.

A ``State`` maps the names that are certainly assigned to their facts; None is the state of code
that control never reaches. States join where paths meet; a loop's entry state is the fixpoint of
entry and back edges (the lattice is three facts high, so a few rounds suffice).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias


class Null(Enum):
    """Whether an optional reference is None here."""

    MAYBE = auto()
    NEVER = auto()
    ALWAYS = auto()


@dataclass(frozen=True, slots=True)
class Fact:
    """``stale`` says what made a packet reference void, e.g. "xdp_adjust_head() on line 9"."""

    null: Null = Null.NEVER
    stale: str | None = None


State: TypeAlias = dict[str, Fact] | None


def join(left: State, right: State) -> State:
    """What is known where two paths meet."""
    if left is None or right is None:
        return right if left is None else left
    return {
        name: Fact(
            left[name].null if left[name].null is right[name].null else Null.MAYBE,
            left[name].stale or right[name].stale,
        )
        for name in left
        if name in right
    }


def narrowed(state: State, name: str, null: Null) -> State:
    """The state after a test has shown ``name`` to be, or not to be, None."""
    if state is None or name not in state:
        return state
    if state[name].null not in {null, Null.MAYBE}:
        return None
    return {**state, name: replace(state[name], null=null)}


def assigned(state: State, name: str, fact: Fact) -> State:
    """The state after an assignment."""
    return None if state is None else {**state, name: fact}
