"""Annotations: the types that a source writes down."""

from __future__ import annotations

import ast
from typing import Final

from beebox.compiler.constants import integer
from beebox.compiler.diagnostics import words
from beebox.compiler.ir import (
    ArrayType,
    IntType,
    OptionalType,
    PointerType,
    RefType,
    Space,
    StructType,
    Type,
)
from beebox.compiler.symbols import EnumName, Keyword, Scope, StructName, TypeName
from beebox.compiler.types import POINTER, VOID, size_of

MAX_ARRAY_BYTES: Final = 1 << 20
_INT_HINT: Final = "choose a width: u8, u16, u32, u64, i8, i16, i32 or i64"


def annotation(node: ast.expr, scope: Scope) -> Type:
    """The type that an annotation names; ``T | None`` is optional (of a LOCAL reference)."""
    source = scope.source
    match node:
        case ast.Constant(value=None):
            return VOID
        case ast.Constant(value=str() as text):
            try:
                inner = ast.parse(text, mode="eval").body
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                raise source.error(node, "this quoted annotation is not a type") from None
            for part in ast.walk(inner):
                if isinstance(part, ast.expr):
                    ast.copy_location(part, node)
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                raise source.error(node, "this quoted annotation is not a type")
            return annotation(inner, scope)
        case ast.Name(id=name):
            return _named(node, name, scope)
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            inner_type = annotation(left, scope)
            if isinstance(inner_type, PointerType):
                return POINTER
            return OptionalType(RefType(inner_type, Space.LOCAL))
        case ast.Subscript(value=ast.Name(id=name), slice=inner):
            symbol = scope.names.get(name)
            if symbol == Keyword("array"):
                return _array(node, inner, scope)
            if symbol == Keyword("Final"):
                return annotation(inner, scope)
        case _:
            pass
    raise source.error(node, f"{words(node)} is not a type of the language", _INT_HINT)


def _named(node: ast.Name, name: str, scope: Scope) -> Type:
    match scope.names.get(name):
        case TypeName(type=type_):
            return type_
        case StructName(type=struct):
            return struct
        case EnumName() as enum:
            return enum.type
        case Keyword(name="int"):
            raise scope.source.error(node, "int has no width in BPF", _INT_HINT)
        case Keyword(name="float"):
            raise scope.source.error(node, "there are no fractions in BPF", _INT_HINT)
        case None:
            raise scope.source.error(
                node, f"the type '{name}' is not defined", "import it, or define it above"
            )
        case _:
            raise scope.source.error(node, f"'{name}' is not a type")


def _array(node: ast.expr, inner: ast.expr, scope: Scope) -> ArrayType:
    source = scope.source
    hint = "arrays are array[u8, Literal[6]]"
    if not (isinstance(inner, ast.Tuple) and len(inner.elts) == 2):
        raise source.error(node, "an array needs an element type and a length", hint)
    element_node, count_node = inner.elts
    match count_node:
        case ast.Subscript(value=ast.Name(id=name), slice=length):
            if scope.names.get(name) != Keyword("Literal"):
                raise source.error(count_node, "an array's length is a literal", hint)
        case _:
            raise source.error(count_node, "an array's length is a literal", hint)
    element = annotation(element_node, scope)
    if not isinstance(element, IntType | StructType | ArrayType):
        raise source.error(element_node, "an array holds integers, structs or arrays")
    count = integer(length, scope).value
    if not 0 < count * size_of(element) <= MAX_ARRAY_BYTES:
        raise source.error(length, "an array holds 1 byte to 1 MiB")
    return ArrayType(element, count)
