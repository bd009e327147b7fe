"""A C header held against the type table it was made from: by the compiler and by its BTF."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from beebox.btf import codec
from beebox.btf.decode import references
from beebox.btf.types import Btf, Enum, FuncProto, Fwd, Int, Modifier, Struct, Typedef
from beebox.obj import elf

ZIG_CLANG = (sys.executable, "-m", "ziglang", "clang")
Place = tuple[str, int, int]  # the member's name, its bit offset, its width as a bitfield


def check_c(source: Path, *, clang: Sequence[str] = ZIG_CLANG) -> None:
    """Have clang judge a C file, assertions included; its complaints are the test's."""
    _run(source, clang, "-fsyntax-only")


def compile_bpf(source: Path, *, clang: Sequence[str] = ZIG_CLANG) -> bytes:
    """The object that clang makes of a C file for BPF."""
    target = source.with_suffix(".o")
    _run(source, clang, "-c", "-o", str(target))
    return target.read_bytes()


def _run(source: Path, clang: Sequence[str], *wanted: str) -> None:
    flags = ("-target", "bpf", "-g", "-O2", "-Werror", "-Wno-microsoft-anon-tag")
    quiet = ("-Wno-visibility", "-Wno-pragma-clang-attribute", "-ferror-limit=5")
    command = [*clang, *flags, *quiet, str(source), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]


def object_btf(data: bytes) -> Btf:
    """The .BTF of an object."""
    return codec.parse(next(bytes(s.data) for s in elf.read(data).sections if s.name == ".BTF"))


def named_structs(btf: Btf) -> Iterator[tuple[str, Struct]]:
    """What C can name and measure: tagged structs and unions, and anonymous ones behind a typedef.

    A name that occurs twice is left out: C gives the second another.
    """
    tags = Counter(row.name for _, row in btf.items() if isinstance(row, Struct | Enum | Fwd))
    typedefs = Counter(row.name for _, row in btf.items() if isinstance(row, Typedef))
    for row in btf.types:
        if isinstance(row, Struct) and tags[row.name] == 1 and row.name:
            yield f"{'union' if row.union else 'struct'} {row.name}", row
        elif isinstance(row, Typedef) and typedefs[row.name] == 1:
            behind = btf.type(row.type)
            if isinstance(behind, Struct) and not behind.name:
                yield row.name, behind


def places(btf: Btf, row: Struct, base: int = 0) -> Iterator[Place]:
    """Every named member, those of anonymous members included."""
    for member in row.members:
        inner = btf.resolve(member.type)[1]
        if member.name:
            yield member.name, base + member.bit_offset, member.bitfield_size
        elif isinstance(inner, Struct):
            yield from places(btf, inner, base + member.bit_offset)


def measuring_source(btf: Btf, header: str, skip: frozenset[str]) -> str:
    """C that includes ``header``, asserts sizes and offsets, and has one variable made of all
    that have bitfields: only the compiler's BTF tells where those are.
    """
    out = [f'#include "{header}"\n']
    members = []
    for number, (name, row) in enumerate(named_structs(btf)):
        if name in skip:
            continue
        out.append(f'_Static_assert(sizeof({name}) == {row.size}, "{name}");\n')
        out += (
            f"_Static_assert(__builtin_offsetof({name}, {member}) == {bit // 8}, "
            f'"{name}.{member}");\n'
            for member, bit, width in places(btf, row)
            if not width
        )
        if row.size and any(width for _, _, width in places(btf, row)):
            members.append(f"\t{name} member_{number};\n")
    return "".join([*out, "union {\n", *members, "} variable;\n"])


def same_places(wanted: Btf, found: Btf, skip: frozenset[str]) -> int:
    """Hold the structs of ``wanted`` against their namesakes; the number of bitfields compared."""
    there = dict(named_structs(found))
    bitfields = 0
    for name, row in named_structs(wanted):
        widths = [width for _, _, width in places(wanted, row) if width]
        if name in skip or not row.size or not widths:
            continue
        other = there[name]
        assert (other.size, other.union) == (row.size, row.union), name
        assert list(places(found, other)) == list(places(wanted, row)), name
        bitfields += len(widths)
    return bitfields


def shape(btf: Btf, type_id: int, depth: int = 0) -> str:
    """A type in words that do not depend on ids: named types by name, the rest by structure."""
    row = btf.type(type_id)
    if isinstance(row, Modifier):
        return f"{row.kind} {row.name} {shape(btf, row.type, depth)}"
    if row is None or isinstance(row, Int):
        return getattr(row, "name", "void")
    name = getattr(row, "name", "")
    if name and depth:
        return f"{type(row).__name__} {name}"
    fields = {k: getattr(row, k) for k in row.__slots__ if k not in {"type", "members", "params"}}
    inner = [shape(btf, i, depth + 1) for i in references(row)]
    rows = getattr(row, "members", getattr(row, "params", ()))
    if isinstance(row, FuncProto):
        rows = ()  # clang forgets the names of a declaration's parameters
    names = [(r.name, getattr(r, "bit_offset", 0), getattr(r, "bitfield_size", 0)) for r in rows]
    fields.pop("index_type", None)
    return f"{type(row).__name__} {fields} {names} {inner}"
