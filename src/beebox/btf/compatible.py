"""Whether two declarations of one global mean the same: the static linker's question.

Names, sizes and layouts must agree, what compilers may leave out need not: names of parameters,
sizes of arrays, encodings, typedefs and qualifiers; behind a pointer the kind and name of a struct
is enough, and a forward declaration stands for it. Source: libbpf's linker.
"""

from __future__ import annotations

from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)

_Pair = tuple[int, int, bool]


def difference(ours: Btf, our_id: int, theirs: Btf, their_id: int) -> str:
    """What keeps the two types from being one; "" when they are compatible.

    Walks both graphs without recursion, each pair of types once. Raises :exc:`BtfError` for
    typedefs that form a loop.
    """
    work: list[_Pair] = [(our_id, their_id, True)]
    seen: set[_Pair] = set()
    while work:
        left, right, exact = work.pop()
        left, a = ours.resolve(left)
        right, b = theirs.resolve(right)
        if (left, right, exact) in seen:
            continue
        seen.add((left, right, exact))
        if not exact and isinstance(a, Fwd) != isinstance(b, Fwd):
            problem = _forward(a, b)
        else:
            problem, more = _pair(a, b, exact=exact)
            work += more
        if problem:
            return problem
    return ""


def _forward(a: Type | None, b: Type | None) -> str:
    """One side declares, the other defines."""
    forward, other = (a, b) if isinstance(a, Fwd) else (b, a)
    is_union = isinstance(forward, Fwd) and forward.union
    if isinstance(other, Struct) and other.union == is_union:
        return "" if _name(other) == _name(forward) else _differ("names", _name(a), _name(b))
    return _differ("kinds", _kind(a), _kind(b))


def _pair(a: Type | None, b: Type | None, *, exact: bool) -> tuple[str, list[_Pair]]:
    """What is wrong with the two rows themselves, and which pairs are to be compared next."""
    if _kind(a) != _kind(b):
        return _differ("kinds", _kind(a), _kind(b)), []
    if isinstance(a, Struct | Enum | Fwd | Func | Var) and _name(a) != _name(b):
        return _differ(f"names of the {_kind(a)}", _name(a), _name(b)), []
    match a, b:
        case (Int() | Float() | Enum(), Int() | Float() | Enum()):
            return ("" if a.size == b.size else _differ(f"sizes of {a.name}", a.size, b.size)), []
        case Ptr(), Ptr():
            return "", [(a.type, b.type, False)]
        case Array(), Array():
            return "", [(a.type, b.type, exact)]
        case Func() | Var(), Func() | Var():
            if (a.linkage is Linkage.STATIC) != (b.linkage is Linkage.STATIC):
                return _differ("linkages", a.linkage.name, b.linkage.name), []
            return "", [(a.type, b.type, exact)]
        case Struct(), Struct():
            return _structs(a, b) if exact else ("", [])
        case FuncProto(), FuncProto():
            if len(a.params) != len(b.params):
                return _differ("numbers of parameters", len(a.params), len(b.params)), []
            pairs = zip(a.params, b.params, strict=True)
            return "", [(x.type, y.type, exact) for x, y in pairs] + [(a.type, b.type, exact)]
        case (None, None) | (Fwd(), Fwd()):
            return "", []
        case _:
            return f"a {_kind(a)} is no type of a global", []


def _structs(a: Struct, b: Struct) -> tuple[str, list[_Pair]]:
    name = a.name or "an unnamed struct"
    if len(a.members) != len(b.members):
        return _differ(f"numbers of fields of {name}", len(a.members), len(b.members)), []
    for x, y in zip(a.members, b.members, strict=True):
        if x.name != y.name:
            return _differ(f"names of a field of {name}", x.name, y.name), []
        if (x.bit_offset, x.bitfield_size) != (y.bit_offset, y.bitfield_size):
            return _differ(f"bit offsets of {name}.{x.name}", x.bit_offset, y.bit_offset), []
    return "", [(x.type, y.type, True) for x, y in zip(a.members, b.members, strict=True)]


def _differ(what: str, a: object, b: object) -> str:
    return f"the {what} differ: {a} and {b}"


def _name(row: Type | None) -> str:
    match row:
        case Struct() | Enum() | Fwd() | Func() | Var() | Int() | Float():
            return row.name
        case None | Ptr() | Array() | FuncProto() | Typedef() | Modifier() | Datasec() | DeclTag():
            return ""


def _kind(row: Type | None) -> str:
    match row:
        case None:
            return "void"
        case Struct(union=True):
            return "union"
        case Enum(is64=True):
            return "enum64"
        case Ptr():
            return "pointer"
        case FuncProto():
            return "prototype"
        case Fwd():
            return "forward declaration"
        case Func():
            return "function"
        case Var():
            return "variable"
        case _:
            return type(row).__name__.lower()
