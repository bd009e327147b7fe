"""Python that is outside the language: what to say about it, and what to write instead."""

from __future__ import annotations

import ast
from typing import Final

from beebox.compiler.diagnostics import Source
from beebox.errors import CompileError

_NO_EXCEPTIONS: Final = "test for the case, and return"
_NO_CONTAINERS: Final = "keep data in a struct, an array field or a map"

_REFUSALS: Final[dict[type[ast.AST], tuple[str, str | None]]] = {
    # statements
    ast.Assert: ("there is no assert in BPF", "write `if not ...: return XdpAction.ABORTED`"),
    ast.AsyncFor: ("there is no async in BPF", None),
    ast.AsyncFunctionDef: ("there is no async in BPF", None),
    ast.AsyncWith: ("there is no async in BPF", None),
    ast.ClassDef: ("a class stands at module level", "move it out of the function"),
    ast.FunctionDef: ("a function stands at module level", "move it out of the function"),
    ast.Global: ("globals are objects", "write `total = Global(u64(0))` and use total.value"),
    ast.Import: ("imports stand at module level", "move it to the top"),
    ast.ImportFrom: ("imports stand at module level", "move it to the top"),
    ast.Match: ("there is no match in the language", "write if/elif/else"),
    ast.Nonlocal: ("there are no closures in BPF", "pass it as an argument"),
    ast.Raise: ("there are no exceptions in BPF", _NO_EXCEPTIONS),
    ast.Try: ("there are no exceptions in BPF", _NO_EXCEPTIONS),
    ast.TryStar: ("there are no exceptions in BPF", _NO_EXCEPTIONS),
    ast.With: ("there are no context managers in BPF", None),
    # expressions
    ast.Await: ("there is no async in BPF", None),
    ast.Dict: ("there are no dicts in BPF", "declare a map: m = Hash[u32, u64](max_entries=...)"),
    ast.DictComp: ("there are no dicts in BPF", _NO_CONTAINERS),
    ast.FormattedValue: ("there are no strings in BPF", 'write trace_printk("x = %u", x)'),
    ast.GeneratorExp: ("there are no generators in BPF", "write a for loop"),
    ast.JoinedStr: ("there are no strings in BPF", 'write trace_printk("x = %u", x)'),
    ast.Lambda: ("there are no function values in BPF", "write a function at module level"),
    ast.List: ("there are no lists in BPF", _NO_CONTAINERS),
    ast.ListComp: ("there are no lists in BPF", "write a for loop"),
    ast.NamedExpr: ("`:=` is not part of the language", "assign on a line of its own"),
    ast.Set: ("there are no sets in BPF", _NO_CONTAINERS),
    ast.SetComp: ("there are no sets in BPF", _NO_CONTAINERS),
    ast.Slice: ("there are no slices", "loop over the elements"),
    ast.Starred: ("there are no sequences to unpack", "name each argument"),
    ast.Tuple: ("there are no tuples in BPF", "assign one name per line, or write a @struct"),
    ast.Yield: ("there are no generators in BPF", None),
    ast.YieldFrom: ("there are no generators in BPF", None),
}


def refusal(source: Source, node: ast.stmt | ast.expr) -> CompileError:
    """The error for a node that the language does not have."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, float | complex):
            return source.error(node, "there are no fractions in BPF", "scale to an integer")
        if isinstance(node.value, str | bytes):
            return source.error(
                node, "there are no strings in BPF", "only trace_printk() and ipv4() take one"
            )
        return source.error(node, f"{node.value!r} has no meaning in BPF")
    problem, hint = _REFUSALS.get(type(node), (f"{type(node).__name__} is not supported", None))
    return source.error(node, problem, hint)
