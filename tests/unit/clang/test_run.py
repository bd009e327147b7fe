"""A C source becomes an object, or an error that says where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beebox.clang import find, process, run
from beebox.clang.run import compile_c
from beebox.errors import CompileError, InputError, NotSupportedError
from beebox.obj import reader

PROGRAM = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp") int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "prog.c"
    path.write_text(PROGRAM)
    return path


def packaged() -> find.Compiler:
    found = find._packaged()
    assert found is not None, "ziglang is not installed"
    return found


def test_an_object_and_no_warnings(source: Path):
    made = compile_c(source)
    assert made.warnings == ""
    spec = reader.read(made.data)
    assert spec.program_names == ("pass",)
    assert spec.license == "GPL"


def test_every_clang_here_makes_it(source: Path, monkeypatch: pytest.MonkeyPatch):
    for compiler in find.compilers():
        monkeypatch.setattr(run, "compilers", lambda only=compiler: iter([only]))
        assert reader.read(compile_c(source).data).program_names == ("pass",)


def test_headers_of_the_compiler(source: Path, monkeypatch: pytest.MonkeyPatch):
    names = ("stddef", "stdbool", "stdint", "stdarg", "limits")
    lines = "".join(f"#include <{name}.h>\n" for name in names)
    source.write_text(lines + "uint64_t f(bool b) { return b ? INT_MAX : (size_t)0; }\n")
    for compiler in find.compilers():
        monkeypatch.setattr(run, "compilers", lambda only=compiler: iter([only]))
        assert compile_c(source).data


def test_the_machines_headers_are_not_read(source: Path):
    source.write_text("#include <stdio.h>\n")
    with pytest.raises(CompileError, match="file not found"):
        compile_c(source)


def test_an_error_has_a_place(source: Path):
    source.write_text(PROGRAM.replace("XDP_PASS;", "XDP_PAS;"))
    with pytest.raises(CompileError) as caught:
        compile_c(source)
    error = caught.value
    assert (error.file, error.line, error.column) == (str(source), 6, 9)
    assert "XDP_PAS" in error.problem
    assert "return XDP_PAS;" in str(error)
    assert str(error).endswith("^~~~~~~") or "XDP_PASS" in str(error)


def test_an_error_in_a_header(source: Path):
    source.with_name("own.h").write_text("int x\n")
    source.write_text('#include "own.h"\nint y;\n')
    with pytest.raises(CompileError) as caught:
        compile_c(source)
    assert Path(caught.value.file).name == "own.h"
    assert "prog.c" in str(caught.value)


def test_an_error_of_the_back_end(source: Path):
    source.write_text("void g(char *);\nint f(void) { char a[600]; g(a); return a[1]; }\n")
    with pytest.raises(CompileError) as caught:
        compile_c(source)
    assert "stack" in str(caught.value)


def test_a_crash_of_the_compiler(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said = "fatal error: error in backend: no\nPLEASE submit a bug report\nStack dump:\n0. x"
    broken = tmp_path / "clang-39"
    broken.write_text(f"#!/bin/sh\nprintf '{said}' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(run, "compilers", lambda: iter([find.Compiler((str(broken),))]))
    with pytest.raises(CompileError) as caught:
        compile_c(source)
    assert str(caught.value).splitlines()[0] == "fatal error: error in backend: no"
    assert "Stack dump" not in str(caught.value)
    assert str(broken) in (caught.value.hint or "")
    assert (caught.value.line, caught.value.problem) == (0, "error in backend: no")


@pytest.mark.parametrize(
    "text",
    [
        "#include __FILE__\n",
        "int x;\0\0\xff\n",
        "int x = " + "(" * 100_000 + "1;\n",
        "char a[1 << 27] = {1};\n",
        '#include "/"\n',
        "\\\n" * 1000 + '#error "\ud800"\n',
    ],
    ids=["itself", "bytes", "nested", "large", "folder", "surrogate"],
)
def test_a_hostile_source(source: Path, text: str):
    source.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError):
        compile_c(source)


def test_warnings_come_back(source: Path):
    source.write_text(PROGRAM.replace("\treturn", "\tint unused;\n\treturn"))
    assert "prog.c:6:" in compile_c(source).warnings
    assert compile_c(source, ["-Wno-unused-variable"]).warnings == ""


def test_options_come_last(source: Path):
    source.write_text(PROGRAM.replace("XDP_PASS;", "ANSWER;"))
    assert compile_c(source, ["-DANSWER=1"]).data
    with pytest.raises(CompileError):
        compile_c(source, ["-DANSWER=1", "-UANSWER"])


def test_big_endian_on_request(source: Path):
    assert compile_c(source).data[5] == 1
    assert compile_c(source, ["-target", "bpfeb"]).data[5] == 2


def test_no_object_asked_for(source: Path):
    with pytest.raises(InputError, match="no ELF object"):
        compile_c(source, ["-E"])


@pytest.mark.parametrize("name", ["-DX.c", "@prog.c"])
def test_a_name_like_an_option(source: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(source.parent)
    source.rename(name)
    source.write_text("--version")
    assert reader.read(compile_c(Path(name)).data).license == "GPL"


def test_the_sources_folder_is_searched(source: Path):
    source.with_name("own.h").write_text("#define ANSWER XDP_DROP\n")
    source.write_text("#include <own.h>\n" + PROGRAM.replace("XDP_PASS;", "ANSWER;"))
    assert compile_c(source).data


def test_lines_do_not_hold_the_folder(source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(source.parent)
    assert os.fsencode(source.parent) not in compile_c(Path("prog.c")).data


@pytest.mark.parametrize("name", ["missing.c", ".", "a\0b.c"])
def test_unreadable(tmp_path: Path, name: str):
    with pytest.raises(InputError):
        compile_c(tmp_path / name)


def test_no_clang(source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run, "compilers", lambda: iter(()))
    with pytest.raises(NotSupportedError, match=r"beebox\[c\]"):
        compile_c(source)


def test_a_clang_without_the_target_is_passed_over(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lame = tmp_path / "clang-39"
    lame.write_text("#!/bin/sh\necho \"error: unable to create target: 'bpfel'\" >&2\nexit 1\n")
    lame.chmod(0o755)
    both = [find.Compiler((str(lame),)), packaged()]
    monkeypatch.setattr(run, "compilers", lambda: iter(both))
    assert compile_c(source).data
    monkeypatch.setattr(run, "compilers", lambda: iter(both[:1]))
    with pytest.raises(NotSupportedError, match="clang-39"):
        compile_c(source)


def test_a_compiler_that_hangs():
    with pytest.raises(InputError, match="not done"):
        process.run(["sleep", "60"], seconds=0.2)


def test_a_compiler_that_talks_without_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "OUTPUT_BYTES", 1 << 20)
    with pytest.raises(InputError, match="more than"):
        process.run(["cat", "/dev/zero"], seconds=20)
    monkeypatch.setattr(process, "WORDS_BYTES", 1000)
    said = process.run(["sh", "-c", "head -c 5000 /dev/zero >&2; exit 3"])
    assert (said.status, len(said.words)) == (3, 1000)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "MEMORY_BYTES", 64 << 20)
    command = "import time; time.sleep(0.2); bytearray(256 << 20)"
    assert process.run([os.sys.executable, "-c", command]).status == 1
