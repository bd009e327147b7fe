"""Targets: what a kernel is, read when asked for, and the running one."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from c_objects import compile_c

from beebox import api
from beebox.btf import codec
from beebox.btf.types import Btf, Int
from beebox.errors import BtfError, InputError, ObjectError
from beebox.obj.targets.host import Kallsyms, host, kernel_version, read_config
from beebox.obj.targets.target import Target, target_of_btf, target_of_file

TYPES = Btf((Int("int", 4, 32, signed=True),))


def test_parts_are_read_once_and_only_when_asked_for() -> None:
    asked: list[str] = []

    def config() -> dict[str, str]:
        asked.append("config")
        return {"CONFIG_HZ": "250"}

    target = Target("made up", read_config=config)
    assert asked == []
    assert target.config["CONFIG_HZ"] == "250"
    assert target.config is target.config
    assert asked == ["config"]
    assert (target.btf, target.version, len(target.modules), len(target.kallsyms)) == (
        None,
        0,
        0,
        0,
    )


def test_a_file_of_types(tmp_path: Path) -> None:
    path = tmp_path / "kernel.btf"
    path.write_bytes(codec.encode(TYPES))
    target = target_of_file(path)
    assert target.name == str(path)
    assert target.btf == TYPES


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"", BtfError), (b"nonsense of some length, but no BTF at all", BtfError),
     (b"\x7fELF" + bytes(60), ObjectError)],
)  # fmt: skip
def test_what_holds_no_types(tmp_path: Path, data: bytes, error: type[Exception]) -> None:
    path = tmp_path / "kernel.btf"
    path.write_bytes(data)
    with pytest.raises(error):
        _ = target_of_file(path).btf


@pytest.mark.parametrize("order", ["bpfel", "bpfeb"])
def test_an_elf_file_is_not_read_whole(tmp_path: Path, order: str) -> None:
    path = tmp_path / "vmlinux"
    data = compile_c("struct sample { int first; } sample;", target=order)
    path.write_bytes(data)
    btf = target_of_file(path).btf
    assert btf is not None
    assert btf.named("sample")
    with path.open("r+b") as stream:  # a hole: far more than fits in memory
        stream.truncate(1 << 42)
    assert target_of_file(path).btf == btf
    for length in (10, 63, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(InputError):
            _ = target_of_file(path).btf


def test_the_words_of_the_command_line() -> None:
    assert api.target_of(None) is None
    given = target_of_btf(TYPES)
    assert api.target_of(given) is given
    itself = api.target_of("self")
    assert itself is not None
    assert itself.btf is None
    with pytest.raises(InputError):
        api.target_of("no-such-file")


CONFIG = """#
# Automatically generated file; DO NOT EDIT.
# Linux/x86_64 6.1.27-amd64 Kernel Configuration
#
CONFIG_HZ=250
"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_configuration_of_another_kernel(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "config"
    path.write_bytes(pack(CONFIG.encode()))
    target = api.target_of("self", kconfig=path)
    assert target is not None
    assert target.config == {"CONFIG_HZ": "250"}
    assert target.version == 6 << 16 | 1 << 8 | 27
    path.write_text("CONFIG_HZ=100\n")
    target = api.target_of(None, kconfig=path)
    assert target is not None
    assert (target.version, target.name) == (0, host().name)
    path.write_bytes(b"\x1f\x8bgarbage")
    with pytest.raises(InputError):
        api.target_of(None, kconfig=path)
    with pytest.raises(InputError):
        api.target_of(None, kconfig=tmp_path / "absent")


@pytest.mark.parametrize(
    ("release", "version", "signature", "expected"),
    [
        ("6.18.44-fc", "#1 SMP", "", (6, 18, 44)),
        ("5.4.300", "#1", "", (5, 4, 255)),
        ("4.15.0-29-generic", "#31", "Ubuntu 4.15.0-29.31-generic 4.15.18", (4, 15, 18)),
        ("4.9.0-8-amd64", "#1 SMP Debian 4.9.110-3+deb9u2 (2018-08-13)", "", (4, 9, 110)),
        ("6.1.0-9-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1", "", (6, 1, 27)),
    ],
)
def test_versions(
    release: str, version: str, signature: str, expected: tuple[int, int, int]
) -> None:
    major, minor, patch = expected
    assert kernel_version(release, version, signature) == major << 16 | minor << 8 | patch


def test_an_unknown_version() -> None:
    assert kernel_version("plan9") == 0


def test_a_configuration() -> None:
    text = '# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_C="x = y"\nCONFIG_B=n\nrubbish\nCONFIG_D\n'
    assert read_config(text) == {"CONFIG_B": "y", "CONFIG_C": '"x = y"'}


def test_symbols() -> None:
    text = (
        b"ffffffff81000000 T _text\nffffffff81000010 t twice\nffffffff81000020 t twice\n"
        b"ffffffff81000030 d static.llvm.123\nffffffff81000040 t in_module\t[mod]\n"
        b"rubbish\nnothing here\nffffffff81000000 t _text\nffffffff81000050 t _text_end\n"
    )
    found = Kallsyms(text)
    assert found["_text"] == (0xFFFFFFFF81000000,)
    assert found["twice"] == (0xFFFFFFFF81000010, 0xFFFFFFFF81000020)
    assert found["static"] == (0xFFFFFFFF81000030,)
    assert found["in_module"] == (0xFFFFFFFF81000040,)
    assert [name for name in ("", "here", "T", "text", "_text_en", "[mod]") if name in found] == []
    assert {name: found[name] for name in found} == {
        name: found[name] for name in ("_text", "twice", "static", "in_module", "_text_end")
    }


@pytest.mark.linux
def test_the_running_kernel() -> None:
    here = host()
    assert here.btf is not None
    assert here.btf.named("task_struct")
    assert here.version >= 5 << 16
    assert here.kallsyms["_text"]
