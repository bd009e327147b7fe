"""What ``clang -S --target=bpf`` prints, assembled to an object: sections, symbols, relocations.

Data stands there as bytes (``.long``, ``.asciz``), and so do maps (``.maps``) and types (``.BTF``):
the text becomes the ELF object that clang would have written, which :mod:`beebox.obj.reader`
reads. DWARF (``.debug_*``, ``.loc``, ``.cfi_*``) is skipped: line info is in ``.BTF.ext``, and the
names of variables are lost. Without ``-g``, instructions get their lines of the text as line info.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NoReturn

from beebox.errors import ObjectError
from beebox.isa.codec import encode
from beebox.isa.instruction import slot_count
from beebox.isa.tokens import Statement, Token
from beebox.obj import reader
from beebox.obj.assembly.llvm_code import Code, Label, Reference, parse_code, placed
from beebox.obj.assembly.llvm_data import (
    Expression,
    Place,
    continued,
    take_expression,
    take_string,
)
from beebox.obj.elf import (
    Relocation,
    RelocationType,
    Section,
    SectionFlag,
    SectionType,
    Symbol,
    SymbolBind,
    SymbolType,
    Visibility,
)
from beebox.obj.elf import write as write_elf
from beebox.obj.model import FunctionSpec, LineInfo, ObjectSpec

_OURS: Final = frozenset(
    {".license", ".map", ".inner", ".slot", ".var", ".proto", ".ksym", ".kfunc", ".kconfig"}
    | {".types", ".let", ".unlet", ".version"}
)
_SIZES: Final = {
    ".byte": 1,
    ".short": 2,
    ".2byte": 2,
    ".long": 4,
    ".4byte": 4,
    ".int": 4,
    ".quad": 8,
    ".8byte": 8,
}
_PLAIN: Final = {
    ".text": (SectionType.PROGBITS, SectionFlag.ALLOC | SectionFlag.EXECINSTR),
    ".data": (SectionType.PROGBITS, SectionFlag.ALLOC | SectionFlag.WRITE),
    ".bss": (SectionType.NOBITS, SectionFlag.ALLOC | SectionFlag.WRITE),
}
_FLAGS: Final = {
    "a": SectionFlag.ALLOC,
    "w": SectionFlag.WRITE,
    "x": SectionFlag.EXECINSTR,
}
_BINDS: Final = {
    ".globl": SymbolBind.GLOBAL,
    ".global": SymbolBind.GLOBAL,
    ".local": SymbolBind.LOCAL,
    ".weak": SymbolBind.WEAK,
}
_VISIBILITIES: Final = {
    ".hidden": Visibility.HIDDEN,
    ".internal": Visibility.INTERNAL,
    ".protected": Visibility.PROTECTED,
}
_TYPES: Final = {"function": SymbolType.FUNC, "object": SymbolType.OBJECT}
_SKIPPED: Final = (".file", ".loc", ".ident", ".addrsig", ".addrsig_sym", ".build_version")
_SKIPPED_PREFIX: Final = ".cfi_"
_DEBUG: Final = ".debug_"
_LOCAL: Final = re.compile(r"[0-9]+[bf]", re.ASCII)
_MOST_BYTES: Final = 64 << 20
_MOST_ALIGNMENT: Final = 16  # as a power of two


def is_llvm(lines: Sequence[Statement]) -> bool:
    """Whether ``lines`` are clang's: its marks are there, and none of our own directives."""
    marks = False
    for line in lines:
        first = line.tokens[0].text
        if first in _OURS or (first == ".data" and len(line.tokens) > 1):
            return False
        words = [token.text for token in line.tokens[-3:]]
        marks |= first == ".type" and words[1:] in (["@", "function"], ["@", "object"])
        marks |= first == ".section" and "progbits" in words
    return marks


@dataclass(slots=True)
class _Section:
    name: str
    type: int
    flags: int
    data: bytearray = field(default_factory=bytearray)
    size: int = 0
    align: int = 1
    code: list[tuple[int, Code, Statement]] = field(default_factory=list)
    words: list[tuple[int, int, Expression]] = field(default_factory=list)  # at, size, what

    @property
    def is_debug(self) -> bool:
        return self.name.startswith(_DEBUG)


@dataclass(slots=True)
class _Symbol:
    section: _Section | None = None
    value: int = 0
    type: int = SymbolType.NOTYPE
    bind: SymbolBind | None = None
    visibility: Visibility = Visibility.DEFAULT
    size: Expression | int | None = None


def _refuse(line: Statement, token: Token, problem: str) -> NoReturn:
    line.fail(problem, token=token)


def read_llvm(lines: Sequence[Statement], *, file: str) -> ObjectSpec:
    """The object of clang's text.

    Raises :exc:`AssemblyError` for a line that makes no sense, :exc:`ObjectError` or
    :exc:`BtfError` for what the lines amount to.
    """
    assembler = _Assembler()
    for line in lines:
        for statement in continued(line):
            assembler.line(statement)
    data = assembler.finish(file)
    spec = reader.read(data, file=file)
    if any(function.lines for function in spec.functions.values()):
        return spec
    functions = {
        name: replace(function, lines=tuple(assembler.lines_of(function)))
        for name, function in spec.functions.items()
    }
    return replace(spec, functions=functions)


class _Assembler:
    """One text being assembled."""

    def __init__(self) -> None:
        self._sections: dict[str, _Section] = {}
        self._symbols: dict[str, _Symbol] = {}
        self._current = self._enter(".text", *_PLAIN[".text"])
        self._bytes = 0
        self._relocations: dict[int, list[Relocation]] = {}
        self._out: list[Symbol] = []
        self._numbers: dict[str, int] = {}  # of symbols in _out, from 1
        self._locals: dict[str, int] = {}  # how many labels ``1:`` there are so far

    def _enter(self, name: str, kind: int, flags: int) -> _Section:
        return self._sections.setdefault(name, _Section(name, kind, flags))

    def _symbol(self, name: str) -> _Symbol:
        return self._symbols.setdefault(name, _Symbol())

    def line(self, line: Statement) -> None:
        """One line: labels, then a directive or an instruction."""
        while line.peek().kind in ("name", "string", "number") and line.peek(1).text == ":":
            token = line.peek()
            name = self._numbered(line) if token.kind == "number" else line.name()
            symbol = self._symbol(name)
            line.take()
            if symbol.section is not None:
                line.fail(f"a second `{token.text}`", token=token)
            symbol.section, symbol.value = self._current, self._current.size
        token = line.peek()
        if token.kind == "end of line":
            return
        if token.kind == "name" and token.text.startswith("."):
            self._directive(line)
            line.end()
        elif self._current.flags & SectionFlag.EXECINSTR:
            code = parse_code(line, self._known)
            self._current.code.append((self._current.size, code, line))
            self._grow(line, 8 * slot_count(code.insn))
        else:
            line.fail(f"an instruction in section {self._current.name}", token=token)

    def _numbered(self, line: Statement) -> str:
        """The name of a label ``1:``, of which there may be many."""
        number = line.take().text
        self._locals[number] = self._locals.get(number, 0) + 1
        return self._known(f"{number}b")

    def _known(self, name: str) -> str:
        """``name``; of ``1b`` and ``1f`` that of the label ``1`` before or behind this place."""
        if not _LOCAL.fullmatch(name):
            return name
        count = self._locals.get(name[:-1], 0) + (name[-1] == "f")
        return f".L{name[:-1]} number {count}"

    def _directive(self, line: Statement) -> None:
        token = line.take()
        word = token.text
        current = self._current
        if word == ".section":
            self._current = self._take_section(line)
        elif word in _PLAIN:
            self._current = self._enter(word, *_PLAIN[word])
        elif word in _SKIPPED or word.startswith(_SKIPPED_PREFIX):
            line.at = len(line.tokens)
        elif word in _BINDS:
            self._symbol(line.name()).bind = _BINDS[word]
        elif word in _VISIBILITIES:
            self._symbol(line.name()).visibility = _VISIBILITIES[word]
        elif word == ".type":
            self._type(line)
        elif word == ".size":
            symbol = self._symbol(line.name())
            line.expect(",")
            symbol.size = take_expression(line, self._known)
        elif word == ".comm":
            self._common(line)
        elif current.is_debug:
            line.at = len(line.tokens)
        elif word in _SIZES:
            self._words(line, _SIZES[word])
        elif word in (".ascii", ".asciz", ".string"):
            data = take_string(line)
            self._put(line, data if word == ".ascii" else data + b"\0")
        elif word in (".zero", ".space", ".skip"):
            self._fill(line)
        elif word in (".p2align", ".balign", ".align"):
            self._align(line, word, token)
        else:
            hint = "clang's directives for BPF; our own (`.map`, ...) go in a text of their own"
            line.fail(f"no directive `{word}`", token=token, hint=hint)

    def _take_section(self, line: Statement) -> _Section:
        token = line.peek()
        name = line.name()
        kind, flags = _PLAIN.get(name, (SectionType.PROGBITS, 0))
        if line.accept(","):
            flags = 0
            for letter in line.name():
                flags |= _FLAGS.get(letter, 0)
            if line.accept(","):
                line.expect("@")
                if line.take().text == "nobits":
                    kind = SectionType.NOBITS
                line.at = len(line.tokens)  # the size of what a linker merges
        section = self._enter(name, kind, flags)
        if (section.type, section.flags) != (kind, flags):
            line.fail(f"section {name} was another one above", token=token)
        return section

    def _type(self, line: Statement) -> None:
        symbol = self._symbol(line.name())
        line.expect(",")
        line.expect("@")
        token = line.take()
        if token.text not in _TYPES:
            line.fail(f"no type `@{token.text}`", token=token, hint=", ".join(_TYPES))
        symbol.type = _TYPES[token.text]

    def _common(self, line: Statement) -> None:
        """``.comm name,bytes,alignment``: a variable of .bss."""
        token = line.peek()
        symbol = self._symbol(line.name())
        numbers = [1, 1]
        for at in range(2):
            if line.accept(","):
                numbers[at] = self._count(line)
        size, align = numbers
        if symbol.section is not None:
            line.fail(f"a second `{token.text}`", token=token)
        if not align or align & (align - 1) or align > 1 << _MOST_ALIGNMENT:
            line.fail("an alignment is a power of two", token=token)
        bss = self._enter(".bss", *_PLAIN[".bss"])
        bss.align = max(bss.align, align)
        symbol.section, symbol.value, symbol.size = bss, bss.size + -bss.size % align, size
        self._grow(line, symbol.value + size - bss.size, bss)

    def _words(self, line: Statement, size: int) -> None:
        while True:
            expression = take_expression(line, self._known)
            self._current.words.append((self._current.size, size, expression))
            self._put(line, bytes(size))
            if not line.accept(","):
                return

    def _fill(self, line: Statement) -> None:
        count = self._count(line)
        value = line.number() & 0xFF if line.accept(",") else 0
        if self._current.type == SectionType.NOBITS or not value:
            self._grow(line, count)
        else:
            self._put(line, bytes([value]) * count)

    def _align(self, line: Statement, word: str, token: Token) -> None:
        number = line.number()
        line.at = len(line.tokens)
        power = number if word == ".p2align" else number.bit_length() - 1
        if not 0 <= power <= _MOST_ALIGNMENT or (word != ".p2align" and number != 1 << power):
            line.fail("an alignment is a power of two", token=token)
        self._current.align = max(self._current.align, 1 << power)
        self._grow(line, -self._current.size % (1 << power))

    def _count(self, line: Statement) -> int:
        token = line.peek()
        count = line.number()
        if not 0 <= count <= _MOST_BYTES:
            line.fail(f"{count} bytes", token=token)
        return count

    def _put(self, line: Statement, data: bytes) -> None:
        section = self._current
        if section.type == SectionType.NOBITS and any(data):
            line.fail(f"bytes in section {section.name}, which has none")
        self._grow(line, len(data))
        if section.type != SectionType.NOBITS:
            section.data[section.size - len(data) :] = data

    def _grow(self, line: Statement, count: int, section: _Section | None = None) -> None:
        """Zeros, which instructions and words replace."""
        section = section or self._current
        self._bytes += count
        if self._bytes > _MOST_BYTES:
            line.fail(f"more than {_MOST_BYTES} bytes")
        section.size += count
        if section.type != SectionType.NOBITS:
            section.data += bytes(count)

    # What it amounts to

    def finish(self, file: str) -> bytes:
        """The ELF object."""
        sections = [row for row in self._sections.values() if not row.is_debug and row.size]
        indices = {id(row): at for at, row in enumerate(sections, 1)}
        for name, symbol in self._symbols.items():
            if not self._is_temporary(name, symbol):
                self._export(name, symbol, indices)
        for section in sections:
            index = indices[id(section)]
            if section.code:
                self._code(section, index, indices)
            for at, size, expression in section.words:
                value = self._word(section, index, at, size, expression, indices)
                section.data[at : at + size] = value.to_bytes(size, "little")
        try:
            return write_elf(
                [
                    Section(
                        row.name,
                        row.type,
                        row.flags,
                        bytes(row.data),
                        size=row.size,
                        align=max(row.align, 8 if row.code else 1),
                    )
                    for row in sections
                ],
                self._out,
                self._relocations,
            )
        except UnicodeEncodeError:
            raise ObjectError("a name is not UTF-8", file=file) from None

    def _is_temporary(self, name: str, symbol: _Symbol) -> bool:
        """A label that no object file knows: it has no type and no binding."""
        if symbol.section is not None and symbol.section.is_debug:
            return True
        is_known = symbol.type != SymbolType.NOTYPE or symbol.bind is not None
        return name.startswith(".L") or not is_known

    def _export(self, name: str, symbol: _Symbol, indices: dict[int, int]) -> None:
        index = indices.get(id(symbol.section), 0) if symbol.section is not None else 0
        if not index and symbol.section is not None:
            return  # in a section without bytes
        bind = symbol.bind
        if bind is None:
            bind = SymbolBind.LOCAL if index else SymbolBind.GLOBAL
        size = self._size(symbol)
        self._out.append(
            Symbol(name, symbol.type, bind, index, symbol.value, size, symbol.visibility)
        )
        self._numbers[name] = len(self._out)

    def _size(self, symbol: _Symbol) -> int:
        if symbol.size is None or isinstance(symbol.size, int):
            return symbol.size or 0
        value, base = self._value(symbol.size)
        if base is not None or not 0 <= value <= _MOST_BYTES:
            symbol.size.fail("a size is a number")
        return value

    def _value(self, expression: Expression) -> tuple[int, str | None]:
        """A number, and the symbol whose address it is added to."""
        return expression.value(self._place)

    def _place(self, name: str) -> Place | None:
        symbol = self._symbols.get(name)
        if symbol is None or symbol.section is None:
            return None
        return id(symbol.section), symbol.value

    def _word(
        self,
        section: _Section,
        index: int,
        at: int,
        size: int,
        expression: Expression,
        indices: dict[int, int],
    ) -> int:
        value, name = self._value(expression)
        if name is not None:
            symbol = self._symbol(name)
            if section.flags & SectionFlag.ALLOC:
                if size != 8:
                    expression.fail("an address has 8 bytes")
                number, extra = self._reference(name, expression.fail, indices)
                row = Relocation(at, RelocationType.ABS64, number)
                self._relocations.setdefault(index, []).append(row)
                value += extra
            elif symbol.section is not None:
                value += symbol.value  # .BTF and .BTF.ext hold offsets, as a linker leaves them
        if not -(1 << (8 * size - 1)) <= value < 1 << (8 * size):
            expression.fail(f"{value} does not fit {size} bytes")
        return value % (1 << 8 * size)

    def _reference(
        self, name: str, fail: Callable[[str], NoReturn], indices: dict[int, int]
    ) -> tuple[int, int]:
        """The number of a symbol in the object, and what to add to it."""
        if name in self._numbers:
            return self._numbers[name], 0
        symbol = self._symbols.get(name)
        if symbol is None or symbol.section is None:
            self._out.append(Symbol(name, SymbolType.NOTYPE, SymbolBind.GLOBAL, 0))
            self._numbers[name] = len(self._out)
            return self._numbers[name], 0
        index = indices.get(id(symbol.section))
        if index is None:
            fail(f"`{name}` is in a section without bytes")
        key = f"\0{symbol.section.name}"
        if key not in self._numbers:
            self._out.append(Symbol("", SymbolType.SECTION, SymbolBind.LOCAL, index))
            self._numbers[key] = len(self._out)
        return self._numbers[key], symbol.value

    def _code(self, section: _Section, index: int, indices: dict[int, int]) -> None:
        for at, parsed, line in section.code:
            insn = parsed.insn
            match parsed.target:
                case Label(name, token):
                    symbol = self._symbols.get(name)
                    if symbol is None or symbol.section is not section:
                        line.fail(f"no label `{name}` here", token=token)
                    insn = placed(line, insn, (symbol.value - at) // 8 - 1, token)
                case Reference(name, kind, token, offset):
                    number, extra = self._reference(name, partial(_refuse, line, token), indices)
                    extra = extra // 8 if kind is RelocationType.CALL32 else extra
                    insn = placed(line, insn, offset + extra, token)
                    row = Relocation(at, kind, number)
                    self._relocations.setdefault(index, []).append(row)
                case None:
                    pass
            code = encode([insn])
            section.data[at : at + len(code)] = code

    def lines_of(self, function: FunctionSpec) -> Iterator[LineInfo]:
        """The lines of the text that a function's instructions stand on."""
        symbol = self._symbols[function.name]
        end = symbol.value + 8 * sum(slot_count(insn) for insn in function.insns)
        for at, _, line in symbol.section.code if symbol.section is not None else ():
            if symbol.value <= at < end:
                column = line.tokens[0].column
                pc = (at - symbol.value) // 8
                yield LineInfo(pc, line.file, line.line, column, line.source.strip())
