"""Module-level declarations: structs, enums, maps and globals, from syntax to symbols."""

from __future__ import annotations

import ast
from typing import Final

from beebox.compiler.annotations import annotation
from beebox.compiler.constants import integer, number_bytes
from beebox.compiler.diagnostics import words
from beebox.compiler.ir import (
    ArrayType,
    BoolType,
    GlobalDecl,
    IntType,
    StructType,
    Type,
)
from beebox.compiler.map_declarations import declare_map
from beebox.compiler.symbols import (
    EnumName,
    GlobalName,
    Keyword,
    Number,
    Scope,
    StructName,
    Symbol,
    TypeName,
)
from beebox.compiler.types import (
    BIG_ENDIAN,
    BOOL,
    I32,
    U32,
    align_of,
    fits,
    layout,
    name_of,
    size_of,
)

MAX_FIELDS: Final = 1024


def keyword_of(node: ast.expr, scope: Scope) -> str | None:
    """The language word that a name stands for, if it is one."""
    symbol = scope.names.get(node.id) if isinstance(node, ast.Name) else None
    return symbol.name if isinstance(symbol, Keyword) else None


def declare_class(node: ast.ClassDef, scope: Scope) -> Symbol:
    """A ``@struct`` class or an IntEnum."""
    decorators = [keyword_of(item, scope) for item in node.decorator_list]
    bases = [keyword_of(item, scope) for item in node.bases]
    if bases == ["IntEnum"] and not decorators:
        return _enum(node, scope)
    if decorators == ["struct"] and not bases and not node.keywords:
        return _struct(node, scope)
    raise scope.source.error(
        node,
        f"class {node.name} is neither a struct nor an enum",
        "write @struct above it, or derive from IntEnum",
    )


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _struct(node: ast.ClassDef, scope: Scope) -> StructName:
    source = scope.source
    fields: list[tuple[str, Type, bool, str | None]] = []
    defaults: dict[str, Number] = {}
    for item in node.body:
        if _is_docstring(item) or isinstance(item, ast.Pass):
            continue
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
            raise source.error(
                item, "a struct holds only fields", "write `name: u32`; functions stand outside"
            )
        name = item.target.id
        written, covered = _over(item.annotation, scope)
        type_ = annotation(written, scope)
        if any(name == field for field, *_ in fields):
            raise source.error(item, f"the field '{name}' is there twice")
        if covered is not None and not any(covered == field for field, *_ in fields):
            raise source.error(item.annotation, f"there is no field '{covered}' before this one")
        if type_ in BIG_ENDIAN.values() and isinstance(type_, StructType):
            fields.append((name, type_.fields[0].type, True, covered))
        elif isinstance(type_, IntType | BoolType | ArrayType | StructType):
            fields.append((name, type_, False, covered))
        else:
            raise source.error(item.annotation, f"a field cannot be {name_of(type_)}")
        stored = fields[-1][1]
        if item.value is not None:
            number = integer(item.value, scope)
            if not (isinstance(stored, IntType) and fits(number.value, stored)):
                raise source.error(item.value, f"this default does not fit {name_of(stored)}")
            defaults[name] = number
    if not fields:
        raise source.error(node, f"struct {node.name} has no fields")
    if len(fields) > MAX_FIELDS:
        raise source.error(node, f"struct {node.name} has more than {MAX_FIELDS} fields")
    made = layout(node.name, fields)
    for field in made.fields:
        if field.offset % align_of(field.type):
            problem = f"the field '{field.name}' would not be aligned where it lies over another"
            raise source.error(node, problem)
    return StructName(made, defaults)


def _over(node: ast.expr, scope: Scope) -> tuple[ast.expr, str | None]:
    """``Annotated[T, over("field")]`` as T and the field; any other annotation as it is."""
    match node:
        case ast.Subscript(
            value=named,
            slice=ast.Tuple(
                elts=[written, ast.Call(func=func, args=[ast.Constant(value=str() as covered)])]
            ),
        ):
            if keyword_of(named, scope) == "Annotated" and keyword_of(func, scope) == "over":
                return written, covered
        case _:
            pass
    return node, None


def _enum(node: ast.ClassDef, scope: Scope) -> EnumName:
    members: dict[str, int] = {}
    for item in node.body:
        match item:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if isinstance(value, ast.Call) and keyword_of(value.func, scope) == "auto":
                    members[name] = max(members.values(), default=0) + 1
                else:
                    members[name] = integer(value, scope).value
                if not (fits(members[name], U32) or fits(members[name], I32)):
                    raise scope.source.error(value, "an enum's member has 32 bits")
            case _ if not _is_docstring(item) and not isinstance(item, ast.Pass):
                raise scope.source.error(item, "an enum holds only `NAME = number`")
    enum = EnumName(node.name, members)
    if not all(fits(member, enum.type) for member in members.values()):
        raise scope.source.error(node, "negative members leave 31 bits for the others")
    return enum


def declare_value(name: str, node: ast.expr, scope: Scope) -> Symbol | None:
    """A map, a global or a constant knob; None where the value is something else."""
    if not isinstance(node, ast.Call):
        return None
    declared = declare_map(name, node, scope)
    if declared is not None:
        return declared
    if isinstance(node.func, ast.Subscript):
        word = keyword_of(node.func.value, scope)
        if word in {"Global", "Constant"}:
            type_ = annotation(node.func.slice, scope)
            return _global(name, node, word == "Constant", scope, type_)
    word = keyword_of(node.func, scope)
    if word in {"Global", "Constant"}:
        return _global(name, node, word == "Constant", scope)
    return None


def _global(
    name: str, node: ast.Call, constant: bool, scope: Scope, wanted: Type | None = None
) -> GlobalName:
    """``Global(u64(0))``, or ``Global[u64](0)``."""
    source = scope.source
    if len(node.args) != 1 or node.keywords:
        raise source.error(node, "a global needs its first value", f"{name} = Global(u64(0))")
    value = node.args[0]
    if isinstance(wanted, IntType) and not isinstance(value, ast.Call):
        initial = number_bytes(value, integer(value, scope), wanted, source)
        return GlobalName(GlobalDecl(name, wanted, initial, constant, source.span(node)))
    type_, initial = _initial(value, scope)
    if wanted not in {None, type_}:
        raise source.error(value, f"this is {name_of(type_)}, and {name_of(wanted)} is wanted")
    return GlobalName(GlobalDecl(name, type_, initial, constant, source.span(node)))


def _initial(node: ast.expr, scope: Scope) -> tuple[Type, bytes]:
    """A global's type and first bytes: a typed integer, a bool, a struct or a zeroed array."""
    match node:
        case ast.Constant(value=bool() as flag):
            return BOOL, bytes([flag])
        case ast.Call(func=ast.Subscript() as array, args=[], keywords=[]):
            type_ = annotation(array, scope)
            return type_, bytes(size_of(type_))
        case ast.Call(func=ast.Name(id=called)):
            symbol = scope.names.get(called)
            if isinstance(symbol, StructName):
                return symbol.type, _struct_bytes(node, symbol, scope)
            if isinstance(symbol, TypeName) and not isinstance(symbol.type, IntType):
                raise scope.source.error(node, f"a global cannot be {name_of(symbol.type)}")
        case _:
            pass
    number = integer(node, scope)
    integer_type = number.type or number.default
    if integer_type is None:
        raise scope.source.error(node, "this integer has no width", f"write u64({words(node)})")
    return integer_type, number_bytes(node, number, integer_type, scope.source)


def _struct_bytes(node: ast.Call, symbol: StructName, scope: Scope) -> bytes:
    given: dict[str, tuple[ast.expr, Number]] = {
        name: (node, number) for name, number in symbol.defaults.items()
    }
    fields = {field.name: field for field in symbol.type.fields}
    if node.args:
        raise scope.source.error(node, f"{symbol.type.name}(...) names its fields")
    for argument in node.keywords:
        if argument.arg not in fields:
            problem = f"struct {symbol.type.name} has no field '{argument.arg}'"
            raise scope.source.error(argument.value, problem, f"it has: {', '.join(fields)}")
        given[argument.arg] = (argument.value, integer(argument.value, scope))
    data = bytearray(symbol.type.size)
    for name, (place, number) in given.items():
        field = fields[name]
        if not isinstance(field.type, IntType):
            raise scope.source.error(place, f"the field '{name}' starts as zeros")
        stored = number_bytes(place, number, field.type, scope.source)
        end = field.offset + len(stored)
        data[field.offset : end] = stored[::-1] if field.big_endian else stored
    return bytes(data)
