"""The code under proof, from its source files; and edits of it that must not pass."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from terms import Unsupported


@dataclass(frozen=True, slots=True)
class Mutant:
    """A plausible mistake: ``old`` occurs once in the module's source."""

    module: str
    old: str
    new: str


@functools.cache
def _tree(module: str, edits: tuple[Mutant, ...]) -> ast.Module:
    source = inspect.getsource(sys.modules[module])
    for edit in edits:
        if source.count(edit.old) != 1:
            raise ValueError(f"{edit.old!r} occurs {source.count(edit.old)} times in {module}")
        if edit.new.count("\n") != edit.old.count("\n"):
            raise ValueError("a mutant must keep the numbers of the lines")
        source = source.replace(edit.old, edit.new)
    return ast.parse(source)


def source_of(function: FunctionType, mutants: Sequence[Mutant] = ()) -> Any:
    """The syntax tree of a function or lambda, from its module's source."""
    module = function.__module__
    tree = _tree(module, tuple(edit for edit in mutants if edit.module == module))
    line, name = function.__code__.co_firstlineno, function.__code__.co_name
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            if min([node.lineno, *(d.lineno for d in node.decorator_list)]) == line:
                found.append(node)
        elif isinstance(node, ast.Lambda) and name == "<lambda>" and node.lineno == line:
            found.append(node)
    if len(found) != 1:
        raise Unsupported(f"{len(found)} functions {name} at line {line} of {module}")
    return found[0]
