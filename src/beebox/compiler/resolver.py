"""The closed import resolver: from a source text to its module-level names, executing nothing.

A program may import from ``beebox`` (the language) and ``beebox.lib`` (read as source, like the
program itself), and the few names of ``typing`` and ``enum`` that the language uses. The native
dialect may import from any module of the package.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from beebox.compiler.constants import evaluate
from beebox.compiler.contexts import ANY_CONTEXT, CONTEXT_CLASSES, DECORATORS, ENUMS, members_of
from beebox.compiler.declarations import declare_class, declare_value, keyword_of
from beebox.compiler.diagnostics import Source, words
from beebox.compiler.helper_names import SPELLED
from beebox.compiler.intrinsics import INTRINSICS
from beebox.compiler.ir import ContextType
from beebox.compiler.map_declarations import MAPS
from beebox.compiler.symbols import (
    EnumName,
    FunctionName,
    HelperName,
    IntrinsicName,
    Keyword,
    Number,
    Scope,
    StructName,
    Symbol,
    TypeName,
)
from beebox.compiler.syntax import parse
from beebox.compiler.types import BIG_ENDIAN, BOOL, INTEGERS, POINTER

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_WORDS: Final = (
    "Constant Global array atomic ipv4 over section sizeof struct zeroed copied bounded "
    "htons ntohs htonl ntohl bswap64"
)
_STRUCTS: Final = "structs.py"

LANGUAGE: Final[Mapping[str, Symbol]] = {
    **{word: Keyword(word) for word in (*_WORDS.split(), *DECORATORS, *MAPS)},
    **{name: TypeName(type_) for name, type_ in INTEGERS.items()},
    **{name: TypeName(type_) for name, type_ in BIG_ENDIAN.items()},
    **{row.name: HelperName(row) for row in SPELLED.values()},
    **{enum.__name__: EnumName(enum.__name__, members_of(enum)) for enum in ENUMS},
    **{name: TypeName(ContextType(struct)) for name, struct in CONTEXT_CLASSES.items()},
    ANY_CONTEXT: TypeName(ContextType(ANY_CONTEXT)),
}
DIALECT: Final[Mapping[str, Symbol]] = {
    **{word: Keyword(word) for word in ("constant", "export", "inline", "cold")},
    **{name: TypeName(type_) for name, type_ in INTEGERS.items()},
    **{name: IntrinsicName(row) for name, row in INTRINSICS.items()},
    "ptr": TypeName(POINTER),
}
_STANDARD: Final[Mapping[str, tuple[str, ...]]] = {
    "__future__": ("annotations",),
    "typing": ("Annotated", "Final", "Literal", "TYPE_CHECKING"),
    "enum": ("IntEnum", "auto"),
}
_BUILTINS: Final[Mapping[str, Symbol]] = {
    **{word: Keyword(word) for word in ("range", "int", "float", "len", "min", "max")},
    "bool": TypeName(BOOL),
}


class Resolver:
    """Reads a source and everything that it imports, each file once."""

    def __init__(self, *, native: bool, constants: Mapping[str, int]) -> None:
        self.sources: dict[str, str] = {}
        self._native = native
        self._constants = constants
        self._scopes: dict[str, Scope | None] = {}

    def read(self, source: Source) -> Scope:
        """The module-level names of ``source``; CompileError at the first that is not ours."""
        self.sources[source.file] = source.text
        scope = Scope(source, dict(_BUILTINS), native=self._native)
        for node in parse(source).body:
            self._statement(node, scope)
        return scope

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        source = scope.source
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.If(test=test, orelse=[]) if _for_python_only(test, scope):
                pass
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                for alias in names:
                    symbol = self._import(node, module, alias.name, scope)
                    self._define(node, alias.asname or alias.name, symbol, scope)
            case ast.FunctionDef(name=name):
                self._define(node, name, FunctionName(node, scope), scope)
            case ast.ClassDef(name=name):
                self._define(node, name, declare_class(node, scope), scope)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name != "__all__":
                    self._define(node, name, self._value(name, value, scope), scope)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._annotated(node, name, value, scope)
            case ast.Import():
                raise source.error(
                    node, "modules are imported by name", "write `from module import name`"
                )
            case ast.AsyncFunctionDef():
                raise source.error(node, "there is no async in BPF", "write `def`")
            case _:
                raise source.error(
                    node,
                    f"a {_kind(node)} cannot stand at module level",
                    "a source holds imports, constants, structs, maps, globals and functions",
                )

    def _define(self, node: ast.stmt, name: str, symbol: Symbol, scope: Scope) -> None:
        if name in scope.names and name not in _BUILTINS:
            raise scope.source.error(node, f"'{name}' is defined twice")
        scope.names[name] = symbol

    def _annotated(self, node: ast.AnnAssign, name: str, value: ast.expr, scope: Scope) -> None:
        """``NAME: Final = 5``: the annotation speaks to mypy; the value says everything."""
        kept = node.annotation
        if isinstance(kept, ast.Subscript):
            kept = kept.value
        if keyword_of(kept, scope) != "Final":
            raise scope.source.error(
                node,
                f"'{name}' needs no annotation but Final",
                f"write `{name}: Final = ...` for a constant, `{name} = Global(...)` for a global",
            )
        self._define(node, name, self._value(name, value, scope), scope)

    def _value(self, name: str, node: ast.expr, scope: Scope) -> Symbol:
        declared = declare_value(name, node, scope)
        if declared is not None:
            return declared
        match node:
            case ast.Name(id=other) if other in scope.names:
                return scope.names[other]
            case ast.Call(func=func, args=[ast.Constant(value=str() as wanted)]):
                if keyword_of(func, scope) == "constant":
                    if wanted not in self._constants:
                        raise scope.source.error(node, f"the constant '{wanted}' was not given")
                    return Number(self._constants[wanted])
            case ast.List() | ast.Dict() | ast.Set() | ast.Tuple() | ast.ListComp():
                raise scope.source.error(
                    node, f"{words(node)} has no fixed layout", "keep tables in a map: Array[V]"
                )
            case _:
                pass
        return evaluate(node, scope)

    def _import(self, node: ast.stmt, module: str, name: str, scope: Scope) -> Symbol:
        source = scope.source
        if name == "*":
            raise source.error(node, "names are imported one by one", f"from {module} import ...")
        if module in _STANDARD:
            if name in _STANDARD[module]:
                return Keyword(name)
            usable = ", ".join(_STANDARD[module])
            raise source.error(node, f"{module}.{name} has no meaning in BPF", f"usable: {usable}")
        if module in {"beebox", "beebox.compiler.language"} and not self._native:
            if name in LANGUAGE:
                return LANGUAGE[name]
            if name in kernel_structs():
                return kernel_structs()[name]
            raise source.error(node, f"beebox has no '{name}' for programs", _closest(name))
        if module == "beebox.compiler.dialect" and self._native:
            if name in DIALECT:
                return DIALECT[name]
            raise source.error(node, f"the native dialect has no '{name}'")
        root = "beebox." if self._native else "beebox.lib."
        if not module.startswith(root):
            raise source.error(
                node,
                f"'{module}' cannot be imported by a program",
                "imports come from beebox, beebox.lib, typing (Final, Literal) and enum (IntEnum)",
            )
        names = self._module(node, module, scope).names
        if name not in names or name in _BUILTINS:
            raise source.error(node, f"{module} has no '{name}'")
        return names[name]

    def _module(self, node: ast.stmt, module: str, scope: Scope) -> Scope:
        """The scope of a module of this package, from its source text."""
        if module in self._scopes:
            found = self._scopes[module]
            if found is None:
                raise scope.source.error(node, f"{module} imports itself")
            return found
        path = _PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeError, ValueError):
            raise scope.source.error(node, f"there is no module {module}") from None
        self._scopes[module] = None
        self._scopes[module] = read = self.read(Source(module.replace(".", "/") + ".py", text))
        return read


@cache
def kernel_structs() -> Mapping[str, StructName]:
    """The structs of the kernel's interface by name, from ``compiler.structs``."""
    text = Path(__file__).with_name(_STRUCTS).read_text(encoding="utf-8")
    scope = Resolver(native=False, constants={}).read(Source(f"beebox/compiler/{_STRUCTS}", text))
    return {name: row for name, row in scope.names.items() if isinstance(row, StructName)}


def _for_python_only(test: ast.expr, scope: Scope) -> bool:
    """``if TYPE_CHECKING:`` and ``if __name__ == "__main__":`` are not part of the program."""
    if keyword_of(test, scope) == "TYPE_CHECKING":
        return True
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]):
            return True
        case _:
            return False


def _closest(name: str) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 -- only a failing import pays for it

    found = get_close_matches(name.removeprefix("bpf_"), LANGUAGE, n=1)
    return f"did you mean '{found[0]}'?" if found else None


def _kind(node: ast.stmt) -> str:
    return {"If": "condition", "For": "loop", "While": "loop", "Expr": "call"}.get(
        type(node).__name__, f"'{type(node).__name__.lower()}' statement"
    )
