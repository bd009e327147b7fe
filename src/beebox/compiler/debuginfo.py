"""Debug information for BPF: LLVM metadata that becomes BTF, BTF.ext and DWARF.

BTF gives the kernel and loaders types, maps and source lines; DWARF's variable locations become
``.beebox.vars``. Integer types carry their C names, so that BTF printed as C compiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never

from beebox.compiler import emit_text as text
from beebox.compiler import ir
from beebox.compiler.contexts import count_of, element_bytes, whole
from beebox.tables.contexts import Context, ContextField
from beebox.tables.map_types import MapOp, MapType

MAX_COLUMN: Final = 1023  # 10 bits in BTF.ext (Documentation/bpf/btf.rst); LLVM does not check
_C_NAMES: Final = {
    (8, False): "unsigned char",
    (16, False): "unsigned short",
    (32, False): "unsigned int",
    (64, False): "unsigned long long",
    (8, True): "signed char",
    (16, True): "short",
    (32, True): "int",
    (64, True): "long long",
}
_INT: Final = ir.IntType(32, signed=True)


class DebugInfo:
    """The metadata of one module; nodes are written once and referred to as ``!N``."""

    def __init__(self, module: ir.Module) -> None:
        self._module = module
        self._nodes: list[str] = []
        self._known: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._structs: dict[ir.StructType, str] = {}
        self._contexts: dict[str, str] = {}
        self._globals: list[str] = []
        self._unit = self._reserve()
        self._file = self.file(module.file)

    # ---- nodes

    def _node(self, content: str) -> str:
        if content not in self._known:
            self._known[content] = self._reserve(content)
        return self._known[content]

    def _reserve(self, content: str = "") -> str:
        """A node of its own, to be filled in later when it refers to itself."""
        self._nodes.append(content)
        return f"!{len(self._nodes) - 1}"

    def _fill(self, node: str, content: str) -> None:
        self._nodes[int(node[1:])] = content

    def _tuple(self, items: Sequence[str]) -> str:
        return self._node("!{" + ", ".join(items) + "}")

    def file(self, name: str) -> str:
        """A source file, with its text: nothing is read from disk later."""
        if name not in self._files:
            source = self._module.sources.get(name, "")
            self._files[name] = self._reserve(
                f'!DIFile(filename: "{text.quoted(name.encode())}", directory: "",'
                f' source: "{text.quoted(source.encode())}")'
            )
        return self._files[name]

    def render(self) -> str:
        """All nodes, and the named ones that LLVM looks for."""
        self._fill(
            self._unit,
            f"distinct !DICompileUnit(language: DW_LANG_C11, file: {self._file},"
            ' producer: "beebox", isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug,'
            f" globals: {self._tuple(self._globals)}, splitDebugInlining: false,"
            " nameTableKind: None)",
        )
        flags = [
            self._node('!{i32 2, !"Debug Info Version", i32 3}'),
            self._node('!{i32 7, !"Dwarf Version", i32 5}'),
        ]
        nodes = [f"!{number} = {content}" for number, content in enumerate(self._nodes)]
        named = [
            f"!llvm.dbg.cu = !{{{self._unit}}}",
            f"!llvm.module.flags = !{{{', '.join(flags)}}}",
        ]
        return "\n".join(named + nodes)

    # ---- types

    def type(self, type_: ir.Type) -> str:
        """A type's node; ``null`` is void."""
        match type_:
            case ir.IntType():
                how = "signed" if type_.signed else "unsigned"
                encoding = f"DW_ATE_{how}" + ("_char" if type_.bits == 8 else "")
                return self._basic(_C_NAMES[type_.bits, type_.signed], type_.bits, encoding)
            case ir.BoolType():
                return self._basic("_Bool", 8, "DW_ATE_boolean")
            case ir.VoidType():
                return "null"
            case ir.ArrayType():
                return self._array(self.type(type_.element), type_.count, text.size_of(type_))
            case ir.StructType():
                return self._struct(type_)
            case ir.RefType(target=ir.MapRefType()):
                return self._pointer("null")
            case ir.RefType():
                return self._pointer(self.type(type_.target))
            case ir.OptionalType():
                return self.type(type_.ref)
            case ir.ContextType():
                return self._pointer(self._context(whole(type_.name)))
            case ir.PointerType() | ir.MapRefType():
                return self._pointer("null")
            case _:
                assert_never(type_)

    def _basic(self, name: str, bits: int, encoding: str) -> str:
        return self._node(f'!DIBasicType(name: "{name}", size: {bits}, encoding: {encoding})')

    def _pointer(self, to: str) -> str:
        return self._node(f"!DIDerivedType(tag: DW_TAG_pointer_type, baseType: {to}, size: 64)")

    def _array(self, element: str, count: int, size_bytes: int) -> str:
        elements = self._tuple([self._node(f"!DISubrange(count: {count})")])
        return self._node(
            f"!DICompositeType(tag: DW_TAG_array_type, baseType: {element},"
            f" size: {size_bytes * 8}, elements: {elements})"
        )

    def _member(self, scope: str, name: str, type_: str, size: int, offset: int) -> str:
        return self._node(
            f'!DIDerivedType(tag: DW_TAG_member, name: "{name}", scope: {scope},'
            f" file: {self._file}, baseType: {type_}, size: {size * 8}, offset: {offset * 8})"
        )

    def _composite(
        self, node: str, name: str, size: int, members: Sequence[str], *, tag: str = "structure"
    ) -> None:
        named = f' name: "{name}",' if name else ""
        self._fill(
            node,
            f"distinct !DICompositeType(tag: DW_TAG_{tag}_type,{named} file: {self._file},"
            f" size: {size * 8}, elements: {self._tuple(members)})",
        )

    def _struct(self, struct: ir.StructType) -> str:
        if struct not in self._structs:
            node = self._structs[struct] = self._reserve()
            members = [self._group(node, group) for group in _groups(struct)]
            self._composite(node, struct.name, struct.size, members)
        return self._structs[struct]

    def _field(self, scope: str, field: ir.Field, start: int = 0) -> str:
        type_ = self._big_endian(field.type) if field.big_endian else self.type(field.type)
        offset = field.offset - start
        return self._member(scope, field.name, type_, text.size_of(field.type), offset)

    def _group(self, scope: str, group: Sequence[ir.Field]) -> str:
        """A field, or the anonymous union of fields that lie over one another."""
        if len(group) == 1:
            return self._field(scope, group[0])
        start = min(field.offset for field in group)
        size = max(field.offset + text.size_of(field.type) for field in group) - start
        union = self._reserve()
        members = []
        for alternative in _alternatives(group):
            if len(alternative) == 1 and alternative[0].offset == start:
                members.append(self._field(union, alternative[0], start))
                continue
            inner = self._reserve()
            fields = [self._field(inner, field, start) for field in alternative]
            last = alternative[-1]
            inner_size = last.offset + text.size_of(last.type) - start
            self._composite(inner, "", inner_size, fields)
            members.append(self._member(union, "", inner, inner_size, 0))
        self._composite(union, "", size, members, tag="union")
        return self._member(scope, "", union, size, start)

    def _big_endian(self, type_: ir.Type) -> str:
        """The uapi's ``__be16`` and so on: a typedef, whose name alone tells the byte order."""
        if not isinstance(type_, ir.IntType) or type_.bits == 8:
            return self.type(type_)
        return self._node(
            f'!DIDerivedType(tag: DW_TAG_typedef, name: "__be{type_.bits}", file: {self._file},'
            f" baseType: {self.type(type_)})"
        )

    def _context(self, context: Context) -> str:
        if context.name not in self._contexts:
            node = self._contexts[context.name] = self._reserve()
            members = [
                self._member(
                    node,
                    field.name,
                    self.type(_stored(field)),
                    field.size,
                    field.offset,
                )
                for field in context.fields
            ]
            self._composite(node, context.name, context.size, members)
        return self._contexts[context.name]

    # ---- declarations

    def _global(self, name: str, type_: str, span: ir.Span) -> str:
        variable = self._reserve(
            f'distinct !DIGlobalVariable(name: "{name}", scope: {self._unit},'
            f" file: {self.file(span.file)}, line: {span.line}, type: {type_}, isLocal: false,"
            " isDefinition: true)"
        )
        node = self._node(f"!DIGlobalVariableExpression(var: {variable}, expr: !DIExpression())")
        self._globals.append(node)
        return node

    def global_variable(self, declaration: ir.GlobalDecl) -> str:
        """A global; a knob is ``const volatile``, as libbpf's users write it."""
        type_ = self.type(declaration.type)
        if declaration.constant:
            for qualifier in ("volatile", "const"):
                type_ = self._node(
                    f"!DIDerivedType(tag: DW_TAG_{qualifier}_type, baseType: {type_})"
                )
        return self._global(declaration.name, type_, declaration.span)

    def license(self, length: int) -> str:
        """The license string's variable; ``length`` counts its NUL."""
        char = self._basic("char", 8, "DW_ATE_signed_char")
        span = ir.Span(self._module.file, 1, 1, 1)
        return self._global("_license", self._array(char, length, length), span)

    def map(self, declaration: ir.MapDecl) -> tuple[str, int]:
        """A map, as libbpf's BTF-defined maps spell it: its node and how many pointers it has.

        A map of maps or programs has ``values`` behind its pointers: an array of no fixed length,
        of pointers to what its elements are like.
        """
        node, count = self._definition(declaration)
        return self._global(declaration.name, node, declaration.span), count

    def _definition(self, declaration: ir.MapDecl) -> tuple[str, int]:
        members = self._map_members(declaration)
        node = self._reserve()
        listed = [
            self._member(node, name, self._pointer(type_), 8, index * 8)
            for index, (name, type_) in enumerate(members.items())
        ]
        size, element = len(listed) * 8, None
        if declaration.inner is not None:
            element = self._definition(declaration.inner)[0]
        elif declaration.map_type is MapType.PROG_ARRAY:
            integer = self.type(_INT)
            types = self._tuple([integer, self._pointer("null")])
            element = self._node(f"!DISubroutineType(types: {types})")
        if element is not None:
            values = self._array(self._pointer(element), -1, 0)
            listed.append(self._member(node, "values", values, 0, size))
        self._composite(node, "", size, listed)
        return node, len(members)

    def _map_members(self, declaration: ir.MapDecl) -> dict[str, str]:
        """Names and types: a number N is spelled ``int[N]``.

        Sizes that the map type prescribes are numbers: for most such maps the kernel takes no
        types.
        """
        row = declaration.map_type.value
        numbers = {
            "type": row.id,
            "max_entries": declaration.max_entries,
            "map_flags": int(declaration.flags),
            "map_extra": declaration.extra,
        }
        types = {"key": declaration.key, "value": declaration.value}
        if declaration.inner is not None or declaration.map_type is MapType.PROG_ARRAY:
            del types["value"]
        if MapOp.UPDATE not in row.ops:
            sizes = {"key": row.key, "value": row.value}
            for part in [
                part
                for part in types
                if sizes[part].choices or sizes[part].least == sizes[part].most
            ]:
                numbers[f"{part}_size"] = text.size_of(types.pop(part))
        members = {
            name: self._array(self.type(_INT), number, number * 4)
            for name, number in numbers.items()
            if number
        }
        return members | {
            part: self.type(type_)
            for part, type_ in types.items()
            if not isinstance(type_, ir.VoidType)
        }

    def function(self, function: ir.Function) -> FunctionInfo:
        """A function's scope, to which its variables and places are then added."""
        types = [self.type(function.result), *(self.type(p.type) for p in function.params)]
        signature = self._node(f"!DISubroutineType(types: {self._tuple(types)})")
        flags = "" if function.section is not None else "DISPFlagLocalToUnit | "
        file = self.file(function.span.file)
        node, arguments = self._reserve(), self._reserve()
        self._fill(
            node,
            f'distinct !DISubprogram(name: "{function.name}", scope: {file}, file: {file},'
            f" line: {function.span.line}, type: {signature}, scopeLine: {function.span.line},"
            f" flags: DIFlagPrototyped, spFlags: {flags}DISPFlagDefinition | DISPFlagOptimized,"
            f" unit: {self._unit}, retainedNodes: {arguments})",
        )
        return FunctionInfo(self, function, node, file, arguments)


def _groups(struct: ir.StructType) -> list[list[ir.Field]]:
    """The fields in order, those that share bytes together."""
    groups: list[list[ir.Field]] = []
    end = 0
    for field in sorted(struct.fields, key=lambda field: field.offset):
        if field.offset < end:
            groups[-1].append(field)
        else:
            groups.append([field])
        end = max(end, field.offset + text.size_of(field.type))
    return groups


def _alternatives(group: Sequence[ir.Field]) -> list[list[ir.Field]]:
    """Members of a union: each takes the fields that follow one another without sharing bytes."""
    taken: list[list[ir.Field]] = []
    for field in group:
        for alternative in taken:
            last = alternative[-1]
            if last.offset + text.size_of(last.type) <= field.offset:
                alternative.append(field)
                break
        else:
            taken.append([field])
    return taken


def _stored(field: ContextField) -> ir.Type:
    """A context field's type; pointers are integers of their width, as user space sees them."""
    element = ir.IntType(element_bytes(field) * 8, signed=False)
    return ir.ArrayType(element, count_of(field)) if count_of(field) else element


class FunctionInfo:
    """One function's scope."""

    def __init__(
        self, info: DebugInfo, function: ir.Function, node: str, file: str, arguments: str
    ) -> None:
        self._info = info
        self._function = function
        self.node = node
        self._file = file
        self._arguments = arguments
        self._retained: list[str] = []

    def location(self, span: ir.Span) -> str:
        """The node of a source place; one in another file counts as the function's own place."""
        if span.file != self._function.span.file:
            span = self._function.span
        column = span.column if span.column <= MAX_COLUMN else 0
        return self._info._node(  # noqa: SLF001 -- two classes, one story
            f"!DILocation(line: {span.line}, column: {column}, scope: {self.node})"
        )

    def variable(self, item: ir.Param | ir.Local, address: str, position: int) -> str:
        """The record that says where a variable lives.

        Names of arguments reach BTF only through the function's retained nodes; without them the
        kernel refuses the whole BTF.
        """
        info = self._info
        arg = f"arg: {position}, " if position else ""
        node = info._reserve(  # noqa: SLF001 -- two classes, one story
            f'!DILocalVariable(name: "{item.name}", {arg}scope: {self.node}, file: {self._file},'
            f" line: {item.span.line}, type: {info.type(item.type)})"
        )
        if position:
            self._retained.append(node)
        return f"#dbg_declare(ptr {address}, {node}, !DIExpression(), {self.location(item.span)})"

    def close(self) -> None:
        """Every variable has been declared."""
        self._info._fill(  # noqa: SLF001 -- two classes, one story
            self._arguments, "!{" + ", ".join(self._retained) + "}"
        )
