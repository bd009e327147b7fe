"""Text to syntax tree: any text gives a tree or a CompileError, in bounded time and depth."""

from __future__ import annotations

import ast
import warnings
from typing import Final

from beebox.compiler.diagnostics import Source
from beebox.compiler.ir import Span

MAX_SOURCE_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 100


def parse(source: Source) -> ast.Module:
    """The syntax tree of a source: at most MAX_SOURCE_BYTES long and MAX_DEPTH deep."""
    start = Span(source.file, 1, 1, 2)
    if len(source.text) > MAX_SOURCE_BYTES:
        raise source.error(start, "this source is longer than 1 MiB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like: Python's own concern
            tree = ast.parse(source.text, filename=source.file)
    except SyntaxError as error:
        line, column = max(1, error.lineno or 1), max(1, error.offset or 1)
        span = Span(source.file, line, column, column + 1)
        raise source.error(span, f"not Python: {error.msg}") from None
    except (ValueError, UnicodeError):  # null bytes and lone surrogates
        raise source.error(start, "not Python: the text holds bytes that no source has") from None
    except (RecursionError, MemoryError):
        raise source.error(start, "this source is nested too deeply") from None
    _check_depth(tree, source)
    return tree


def _check_depth(tree: ast.Module, source: Source) -> None:
    """Refuse what the walks behind this one would recurse into too deeply."""
    level: list[ast.AST] = list(tree.body)
    last: ast.AST = tree
    for _ in range(MAX_DEPTH):
        if not level:
            return
        last = next((node for node in level if hasattr(node, "lineno")), last)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    span = source.span(last) if isinstance(last, ast.stmt | ast.expr) else None
    raise source.error(
        span or Span(source.file, 1, 1, 2), "this is nested too deeply", "split it into parts"
    )
