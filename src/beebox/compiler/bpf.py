"""The BPF lowering: a typed module to LLVM IR for the BPF target.

Maps, globals and the license become symbols in the sections that libbpf knows; helpers are calls
of small integers; packets are checked the way the kernel's verifier recognises. What LLVM's BPF
backend cannot express the front end has refused already.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final, assert_never

from beebox.compiler import emit, ir
from beebox.compiler import emit_text as text
from beebox.compiler.bpf_effects import packet_bounds, packet_changers
from beebox.compiler.budget import mark_of
from beebox.compiler.contexts import element_bytes, whole
from beebox.compiler.debuginfo import DebugInfo, FunctionInfo
from beebox.compiler.emit_expr import Address, Expressions, TargetExpr
from beebox.compiler.emit_text import Body
from beebox.compiler.ranges import most
from beebox.errors import InternalError
from beebox.tables.contexts import ContextField, FieldKind
from beebox.tables.helpers import HELPER_BY_NAME, Helper

_HEADER: Final = """target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"
"""
# no-builtins: a loop must not become a call of memset. No jump tables: newer kernels only.
_COMMON: Final = 'nounwind "frame-pointer"="all" "no-builtins" "no-jump-tables"="true"'
_ATTRIBUTES: Final = (
    f"attributes #0 = {{ {_COMMON} }}\nattributes #1 = {{ noinline {_COMMON} }}\n"
    "attributes #2 = { noduplicate nounwind }"
)


_BOUNDS: Final = {
    False: (FieldKind.PACKET, FieldKind.PACKET_END),
    True: (FieldKind.PACKET_META, FieldKind.PACKET),
}
"""Where a packet access starts, and what it may not pass; by ``PacketAccess.meta``."""


MAX_PACKET_OFFSET: Final = 0xFFFF
"""The kernel's: no packet is longer."""


_BARRIER: Final = 'call i64 asm sideeffect "", "=r,0"'
"""A value that LLVM knows nothing of, in the register that it was in."""


def lower(module: ir.Module) -> str:
    """LLVM IR text for the whole module; deterministic. Raises only :exc:`InternalError`."""
    info = DebugInfo(module)
    target = _Module(module, info)
    parts = [
        _license(module, info),
        *(_map(declaration, info) for declaration in module.maps),
        *(_global(declaration, info) for declaration in module.globals),
    ]
    functions = [_function(function, target) for function in module.functions]
    kept = ["_license", *(m.name for m in module.maps), *(g.name for g in module.globals)]
    kept += [f.name for f in module.functions if f.section is not None]
    pointers = ", ".join(f"ptr {text.symbol(name)}" for name in kept)
    used = (
        f"@llvm.compiler.used = appending global [{len(kept)} x ptr] [{pointers}],"
        ' section "llvm.metadata"'
    )
    return "\n".join(
        [
            _HEADER,
            *parts,
            *target.strings,
            used,
            *functions,
            *sorted(target.declarations),
            _ATTRIBUTES,
            info.render(),
            "",
        ]
    )


def _license(module: ir.Module, info: DebugInfo) -> str:
    data = module.license.encode() + b"\0"
    return (
        f'@_license = dso_local global [{len(data)} x i8] c"{text.quoted(data)}",'
        f' section "license", align 1, !dbg {info.license(len(data))}'
    )


def _map(declaration: ir.MapDecl, info: DebugInfo) -> str:
    node, members = info.map(declaration)
    shape, value = ["ptr"] * members, "zeroinitializer"
    if declaration.slots:
        at = dict(declaration.slots)
        places = [
            f"ptr {text.symbol(at[i])}" if i in at else "ptr null" for i in range(max(at) + 1)
        ]
        shape.append(f"[{len(places)} x ptr]")
        value = f"{{ {', '.join(['ptr null'] * members)}, {shape[-1]} [{', '.join(places)}] }}"
    return (
        f"{text.symbol(declaration.name)} = dso_local global {{ {', '.join(shape)} }} {value},"
        f' section ".maps", align 8, !dbg {node}'
    )


def _global(declaration: ir.GlobalDecl, info: DebugInfo) -> str:
    data = declaration.initial
    value = f'c"{text.quoted(data)}"' if any(data) else "zeroinitializer"
    kind = "constant" if declaration.constant else "global"
    return (
        f"{text.symbol(declaration.name)} = dso_local {kind} [{len(data)} x i8] {value},"
        f" align {text.align_of(declaration.type)}, !dbg {info.global_variable(declaration)}"
    )


def _function(function: ir.Function, module: _Module) -> str:
    target = _Function(function, module)
    body = emit.function_body(function, target)
    target.info.close()
    result = text.result_type(function.result)
    name, params = text.symbol(function.name), emit.signature(function)
    if function.section is None:
        head = f"define internal {result} {name}({params}) #1"
    else:
        section = text.quoted(function.section_name.encode())
        head = f'define dso_local {result} {name}({params}) #0 section "{section}"'
    return f"{head} !dbg {target.info.node} {{\n{body}\n}}"


class _Module:
    """What the functions of one module share."""

    def __init__(self, module: ir.Module, info: DebugInfo) -> None:
        self.info = info
        self.globals = {declaration.name: declaration for declaration in module.globals}
        self.changers = packet_changers(module)
        self.mark = mark_of(module)
        self.declarations: set[str] = set()
        self.strings: list[str] = []
        self._strings: dict[bytes, str] = {}

    def string(self, data: bytes) -> str:
        """Read-only bytes, one symbol for equal ones."""
        if data not in self._strings:
            name = self._strings[data] = f"@.str.{len(self._strings)}"
            self.strings.append(
                f'{name} = internal constant [{len(data)} x i8] c"{text.quoted(data)}",'
                ' section ".rodata", align 1'
            )
        return self._strings[data]


class _Function:
    """The BPF side of one function's walk: an ``emit.StatementTarget``."""

    def __init__(self, function: ir.Function, module: _Module) -> None:
        self._function = function
        self._module = module
        self.info: FunctionInfo = module.info.function(function)
        self._packet: dict[FieldKind, str] = {}  # variables that hold data and data_end

    # ---- declarations

    def declare(self, declaration: str) -> None:
        self._module.declarations.add(declaration)

    def location(self, span: ir.Span) -> str:
        return f", !dbg {self.info.location(span)}"

    def function_symbol(self, name: str) -> str:
        return text.symbol(name)

    def declare_variable(
        self, body: Body, item: ir.Param | ir.Local, address: str, position: int
    ) -> None:
        if not item.name.startswith("."):
            body.declare_debug(self.info.variable(item, address, position))

    def global_address(self, name: str) -> Address:
        declaration = self._module.globals[name]
        align = text.align_of(declaration.type)
        return Address(text.symbol(name), align, volatile=declaration.constant)

    # ---- the context and the packet

    def prologue(self, expressions: Expressions) -> None:
        """Read the packet's bounds once, so that every check is against the same registers."""
        for kind in packet_bounds(self._function):
            self._packet[kind] = expressions.body.variable("ptr", 8)
        if self._packet:
            self._read_packet(expressions)

    def _read_packet(self, expressions: Expressions) -> None:
        for field in self._context().values():
            if field.kind in self._packet:
                number = self._read_field(expressions, field)
                wide = expressions.body.value(f"zext i32 {number} to i64")
                pointer = expressions.body.value(f"inttoptr i64 {wide} to ptr")
                expressions.body.do(f"store ptr {pointer}, ptr {self._packet[field.kind]}, align 8")

    def _context(self) -> dict[str, ContextField]:
        for param in self._function.params:
            if isinstance(param.type, ir.ContextType):
                return {field.name: field for field in whole(param.type.name).fields}
        raise InternalError(f"{self._function.name} has no context to read")

    def _field_address(self, expressions: Expressions, field: ContextField, element: int) -> str:
        """Through the context pointer as it came, at a constant offset."""
        self.declare("declare ptr @llvm.preserve.static.offset(ptr)")
        body = expressions.body
        context = body.value(f"call ptr @llvm.preserve.static.offset(ptr {emit.CONTEXT_PARAMETER})")
        offset = field.offset + element * element_bytes(field)
        return body.value(f"getelementptr inbounds i8, ptr {context}, i64 {offset}")

    def _read_field(
        self,
        expressions: Expressions,
        field: ContextField,
        element: int = 0,
        type_: ir.Type | None = None,
    ) -> str:
        place, size = self._field_address(expressions, field, element), element_bytes(field)
        # volatile: LLVM would read one byte where the program uses one, which these do not allow
        how = "load volatile" if field.reads == (size,) and size < 8 else "load"
        loaded = "ptr" if isinstance(type_, ir.RefType) else f"i{size * 8}"
        return expressions.body.value(f"{how} {loaded}, ptr {place}, align {size}")

    def write_context(self, expressions: Expressions, stmt: ir.WriteContext) -> None:
        field = self._context()[stmt.field]
        value = expressions.value(stmt.value)
        place, size = self._field_address(expressions, field, stmt.element), element_bytes(field)
        # volatile: two stores side by side must not become one
        expressions.body.do(f"store volatile i{size * 8} {value}, ptr {place}, align {size}")

    def _bound(self, expressions: Expressions, kind: FieldKind) -> str:
        return expressions.body.value(f"load ptr, ptr {self._packet[kind]}, align 8")

    def _packet_access(self, expressions: Expressions, expr: ir.PacketAccess) -> str:
        assert isinstance(expr.type, ir.OptionalType)
        body = expressions.body
        offset = expressions.widened(expr.offset)
        size = text.size_of(expr.type.ref.target)
        if most(expr.offset) <= MAX_PACKET_OFFSET - size:
            return self._checked_reference(expressions, expr, offset, size)
        # The kernel adds only offsets to packets that it knows to be this small. Barriers on both
        # sides of the test: else LLVM would compute what it tests and what it adds apart, or join
        # this test and the next.
        near, far, join = (body.fresh_label(what) for what in ("near", "far", "packet"))
        offset = body.value(f"{_BARRIER}(i64 {offset})")
        small = body.value(f"icmp ule i64 {offset}, {MAX_PACKET_OFFSET - size}")
        body.end(f"br i1 {small}, label %{near}, label %{far}")
        body.label(near)
        offset = body.value(f"{_BARRIER}(i64 {offset})")
        found = self._checked_reference(expressions, expr, offset, size)
        found_in = body.block
        body.branch(join)
        body.label(far)
        body.branch(join)
        body.label(join)
        return body.value(f"phi ptr [{found}, %{found_in}], [null, %{far}]")

    def _checked_reference(
        self, expressions: Expressions, expr: ir.PacketAccess, offset: str, size: int
    ) -> str:
        """The place at a small offset, or null past the packet's end."""
        body = expressions.body
        first_kind, end_kind = _BOUNDS[expr.meta]
        start = self._bound(expressions, first_kind)
        end = self._bound(expressions, end_kind)
        first = body.value(f"getelementptr inbounds i8, ptr {start}, i64 {offset}")
        if not offset.isdecimal():
            # else LLVM may add the offset again where two branches meet: that pointer no check saw
            first = body.value(f'call ptr asm sideeffect "", "=r,0"(ptr {first})')
        # from a place that is not null LLVM derives that the result is null only past the end,
        # and `is None` becomes the bounds check itself
        self.declare("declare void @llvm.assume(i1)")
        not_null = body.value(f"icmp ne ptr {first}, null")
        body.do(f"call void @llvm.assume(i1 {not_null})")
        last = body.value(f"getelementptr inbounds i8, ptr {first}, i64 {size}")
        outside = body.value(f"icmp ugt ptr {last}, {end}")
        return body.value(f"select i1 {outside}, ptr null, ptr {first}")

    def _packet_length(self, expressions: Expressions) -> str:
        body = expressions.body
        numbers = [
            body.value(f"ptrtoint ptr {self._bound(expressions, kind)} to i64")
            for kind in (FieldKind.PACKET_END, FieldKind.PACKET)
        ]
        length = body.value(f"sub i64 {numbers[0]}, {numbers[1]}")
        # LLVM would subtract halves of the pointers, which the profile strict takes for a leak
        length = body.value(f'call i64 asm "", "=r,0"(i64 {length})')
        self.declare("declare void @llvm.assume(i1)")
        short = body.value(f"icmp ult i64 {length}, {1 << 31}")
        body.do(f"call void @llvm.assume(i1 {short})")
        return body.value(f"trunc i64 {length} to i32")

    def after_call(self, expressions: Expressions, name: str) -> None:
        if self._packet and name in self._module.changers:
            self._read_packet(expressions)

    # ---- helpers and maps

    def value(self, expressions: Expressions, expr: TargetExpr) -> str:
        match expr:
            case ir.ReadContext():
                field = self._context()[expr.field]
                return self._read_field(expressions, field, expr.element, expr.type)
            case ir.PacketLength():
                return self._packet_length(expressions)
            case ir.PacketAccess():
                return self._packet_access(expressions, expr)
            case ir.MapHandle():
                return text.symbol(expr.name)
            case ir.MapLookup():
                handle = expressions.value(expr.map)
                with expressions.in_memory(expr.key) as key:
                    return expressions.body.value(
                        f"{_call('map_lookup_elem', 'ptr')}(ptr {handle}, ptr {key})"
                    )
            case ir.CallHelper():
                return self._call_helper(expressions, expr)
            case ir.Budget():
                unknown = expressions.body.value('call i64 asm sideeffect "", "=r"() #2')
                return expressions.body.value(f"icmp ne i64 {unknown}, {self._module.mark}")
            case ir.Bytes():
                return self._module.string(expr.data)
            case ir.Intrinsic():
                raise InternalError(f"the native intrinsic {expr.name} in a BPF program")
            case _:
                assert_never(expr)

    def update(self, expressions: Expressions, stmt: ir.MapUpdate) -> None:
        handle = expressions.value(stmt.map)
        with expressions.in_memory(stmt.key) as key, expressions.in_memory(stmt.value) as value:
            expressions.body.do(
                f"{_call('map_update_elem', 'i64')}"
                f"(ptr {handle}, ptr {key}, ptr {value}, i64 {stmt.flags})"
            )

    def delete(self, expressions: Expressions, stmt: ir.MapDelete) -> None:
        handle = expressions.value(stmt.map)
        with expressions.in_memory(stmt.key) as key:
            expressions.body.do(f"{_call('map_delete_elem', 'i64')}(ptr {handle}, ptr {key})")

    def _call_helper(self, expressions: Expressions, expr: ir.CallHelper) -> str:
        helper, body = expr.helper, expressions.body
        returned = _result(helper, expr.type)
        with ExitStack() as memory:
            args = ", ".join(_argument(expressions, arg, memory) for arg in expr.args)
            call = f"call {returned} inttoptr (i64 {helper.id} to ptr)({args})"
            if returned == "void":
                body.do(call)
                result = ""
            else:
                result = body.value(call)
        if helper.changes_packet and self._packet:
            self._read_packet(expressions)
        if isinstance(expr.type, ir.IntType) and expr.type.bits != helper.ret_bits:
            how = "trunc" if expr.type.bits < helper.ret_bits else "zext"
            if how == "zext" and helper.ret_signed:
                how = "sext"
            return body.value(f"{how} {returned} {result} to i{expr.type.bits}")
        return result


def _argument(expressions: Expressions, arg: ir.Expr, memory: ExitStack) -> str:
    """An argument with its LLVM type; small integers fill their register."""
    if isinstance(arg, ir.Temporary):
        return f"ptr {memory.enter_context(expressions.in_memory(arg.value))}"
    value = expressions.value(arg)
    if isinstance(arg.type, ir.IntType) and arg.type.bits < 32:
        how = "sext" if arg.type.signed else "zext"
        return f"i32 {expressions.body.value(f'{how} i{arg.type.bits} {value} to i32')}"
    return f"{text.value_type(arg.type)} {value}"


def _result(helper: Helper, type_: ir.Type) -> str:
    if isinstance(type_, ir.VoidType):
        return "void"
    pointer = isinstance(type_, ir.OptionalType | ir.RefType | ir.PointerType)
    return "ptr" if pointer else f"i{helper.ret_bits}"


def _call(name: str, result: str) -> str:
    """The start of a call of a map helper."""
    return f"call {result} inttoptr (i64 {HELPER_BY_NAME[name].id} to ptr)"
