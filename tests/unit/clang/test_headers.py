"""The shipped headers: each stands alone, and says what the machine's own headers say.

Layouts and constants are facts; where /usr/include has the same header, clang is asked for both.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beebox.btf import codec
from beebox.btf.types import Btf, Datasec, Struct
from beebox.clang import find, process, run
from beebox.clang.run import INCLUDE, compile_c
from beebox.obj import elf
from beebox.tables.contexts import Context
from beebox.tables.program_types import ProgramType

HEADERS = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h"))
TOGETHER = sorted(HEADERS, key=lambda name: (not name.startswith("linux/"), name))
MACHINE = (Path("/usr/include"), Path("/usr/include/x86_64-linux-gnu"))
OURS_ALONE = ("beebox/", "bpf/", "netinet/", "sys/", "arpa/", "string.h", "errno.h", "bpf_exp")
COMPARED = [name for name in HEADERS if not name.startswith(OURS_ALONE)]
NOT_THEIRS = {
    "linux/version.h": ("LINUX_VERSION",),
    "linux/bpf.h": ("BPF_TCP_MAX_STATES", "__MAX", "MAX_BPF_ATTACH"),
    "asm/socket.h": ("SO_TIMESTAMP", "SO_RCVTIMEO", "SO_SNDTIMEO"),  # decided by a C library's type
}
"""Prefixes of what a header of ours holds with a value of its own."""
CONSTANT = re.compile(
    r"^(?:[\s()|<+-]|\b[A-Z][A-Z0-9_]*\b|\b\d\w*\b|\b__(?:cpu_to_be|constant)\w+)+$"
)


@pytest.mark.parametrize("name", HEADERS)
def test_stands_alone(name: str, tmp_path: Path):
    source = tmp_path / "alone.c"
    first = "" if name.startswith(("linux/", "asm/")) else "#include <linux/types.h>\n"
    if name.endswith("usdt.bpf.h"):
        first = "#include <linux/bpf.h>\n#include <linux/ptrace.h>\n"
    source.write_text(f"{first}#include <{name}>\n#include <{name}>\nint x;\n")
    assert compile_c(source, ["-Wsystem-headers", "-Wno-macro-redefined"]).warnings == ""


@pytest.mark.parametrize("arch", ["x86", "arm64", "riscv", "loongarch", "powerpc", "mips", "arm"])
def test_all_together(arch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = tmp_path / "all.c"
    source.write_text("".join(f"#include <{name}>\n" for name in TOGETHER))
    options = ["-Wsystem-headers", "-Wno-macro-redefined", f"-D__TARGET_ARCH_{arch}"]
    for compiler in find.compilers():
        monkeypatch.setattr(run, "compilers", lambda only=compiler: iter([only]))
        assert compile_c(source, options).warnings == ""
        monkeypatch.undo()


def test_the_other_byte_order(tmp_path: Path):
    source = tmp_path / "all.c"
    source.write_text("".join(f"#include <{name}>\n" for name in TOGETHER))
    options = ["-target", "bpfeb", "-D__TARGET_ARCH_s390", "-Wsystem-headers"]
    assert compile_c(source, options).warnings == ""


@pytest.mark.parametrize("name", COMPARED)
def test_as_the_machine_has_it(name: str, tmp_path: Path):
    if not any((each / name).exists() for each in MACHINE):
        pytest.skip(f"no {name} on this machine")
    source = tmp_path / "facts.c"
    source.write_text(f"#include <{name}>\n")
    known = set(re.findall(r"\w+", by_the_machine(source, "-E", "-dD").decode()))
    text = (INCLUDE / name).read_text()
    if name == "linux/bpf.h":
        text += (INCLUDE / "beebox/enums.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    constants = [
        word
        for word, value in re.findall(r"^#define (\w+) ([^\\\n]+)$", text, re.MULTILINE)
        if word in known and CONSTANT.match(value)
    ]
    constants += [word for word in re.findall(r"^\t(\w+) = ", text, re.MULTILINE) if word in known]
    constants = [word for word in constants if not word.startswith(NOT_THEIRS.get(name, ("?",)))]
    structs = [
        word
        for word in re.findall(r"^(?:struct|union) (\w+) \{", text, re.MULTILINE)
        if word in known
    ]
    source.write_text(
        f"#include <{name}>\n"
        "long long c_here = 1;\n"
        + "".join(f"{kind(word, text)} {word} s_{word};\n" for word in structs)
        + "".join(f"long long c_{word} = {word};\n" for word in dict.fromkeys(constants))
    )
    ours = Facts(compile_c(source, ["-Wno-everything"]).data)
    theirs = Facts(by_the_machine(source, "-c"))
    assert ours.constants() == theirs.constants()
    for word in structs:
        mine, other = ours.layout(word), theirs.layout(word)
        assert {key: mine.get(key) for key in other} == other, word


def kind(word: str, text: str) -> str:
    return "union" if f"union {word} {{" in text else "struct"


def by_the_machine(source: Path, *options: str) -> bytes:
    """What clang makes of it with the machine's headers."""
    compiler = next(find.compilers())
    folders = [word for each in MACHINE for word in ("-isystem", str(each))]
    command = [
        *compiler.command,
        "-target",
        "bpfel",
        "-O2",
        "-g",
        "-w",
        "-nostdlibinc",
        "-D__x86_64__",
    ]
    if compiler.resources:
        command += ["-resource-dir", str(compiler.resources)]
    done = process.run([*command, *folders, *options, str(source), "-o", "-"])
    assert done.status == 0, done.words.decode()
    return done.output


class Facts:
    """Constants and layouts out of an object's BTF and data."""

    def __init__(self, data: bytes) -> None:
        self.elf = elf.read(data)
        self.btf = codec.parse(self.elf.sections[self.elf.find(".BTF") or 0].contents)

    def constants(self) -> dict[str, int]:
        """The value of every ``c_NAME``."""
        found = {}
        for row in self.btf.types:
            if not isinstance(row, Datasec):
                continue
            section = self.elf.sections[self.elf.find(row.name) or 0]
            symbols = {symbol.name: symbol.value for symbol in self.elf.symbols}
            for var in row.vars:
                name = self.btf.type(var.type).name
                if name.startswith("c_"):
                    at = symbols[name]
                    raw = section.contents[at : at + 8] if section.contents else b""
                    found[name] = int.from_bytes(raw, "little", signed=True)
        return found

    def layout(self, name: str) -> dict[str, tuple[int, int, int]]:
        """Each member's bit offset, bits of a bitfield and size, those of unnamed parts as well."""
        (row,) = [row for row in self.btf.types if isinstance(row, Struct) and row.name == name]
        return dict(members(self.btf, row, "", 0))


def members(btf: Btf, row: Struct, path: str, base: int) -> list[tuple[str, tuple[int, int, int]]]:
    found = []
    for member in row.members:
        at = base + member.bit_offset
        _, target = btf.resolve(member.type)
        if isinstance(target, Struct) and not (member.name and target.name):
            inner = f"{path}{member.name}." if member.name else path
            found += members(btf, target, inner, at)
        if member.name:
            size = btf.size_of(member.type)
            found.append((path + member.name, (at, member.bitfield_size, size)))
    return found


CONTEXTS = {
    program.value.context
    for program in ProgramType
    if program.value.context is not None
    and program.value.context.name != "bpf_raw_tracepoint_args"  # as long as its tracepoint says
    and f"struct {program.value.context.name} {{" in (INCLUDE / "linux/bpf.h").read_text()
}


@pytest.mark.parametrize("context", sorted(CONTEXTS, key=repr), ids=lambda row: row.name)
def test_contexts_are_the_tables(context: Context, tmp_path: Path):
    """Every field that a program may touch lies where the verifier thinks it does."""
    source = tmp_path / "context.c"
    source.write_text(f"#include <linux/bpf.h>\nstruct {context.name} s_;\n")
    facts = Facts(compile_c(source).data)
    layout = facts.layout(context.name)
    (size,) = [
        row.size for row in facts.btf.types if isinstance(row, Struct) and row.name == context.name
    ]
    assert size == context.size
    for field in context.fields:
        padded = (
            {"dst_port", "remote_port"} if context.name in {"bpf_sock", "bpf_sk_lookup"} else set()
        )
        at, bits, width = layout[field.name]
        assert (at, bits) == (field.offset * 8, 0), field.name
        assert width == (2 if field.name in padded else field.size), field.name


def test_the_tables_have_contexts_of_many_kinds():
    assert len({context.name for context in CONTEXTS}) > 8


NEWER = {
    "BPF_F_NETFILTER_IP_DEFRAG": 1,
    "BPF_STREAM_STDERR": 2,
    "SK_BPF_CB_TX_TIMESTAMPING": 1,
    "TCX_DROP": 2,
    "TCX_NEXT": -1,
    "TCX_PASS": 0,
    "TCX_REDIRECT": 7,
}
"""Constants of linux/bpf.h that headers of distributions may be too old for."""


def test_newer_constants(tmp_path: Path):
    source = tmp_path / "newer.c"
    checks = (f'_Static_assert({name} == {value}, "");\n' for name, value in NEWER.items())
    source.write_text("#include <linux/bpf.h>\n" + "".join(checks))
    assert compile_c(source).warnings == ""
