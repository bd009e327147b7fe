"""--btf: the same object for another kernel's types."""

from __future__ import annotations

from pathlib import Path

import pytest
from c_objects import compile_c

from beebox.btf import codec
from beebox.btf.types import Btf, Int, Member, Struct

SOURCE = """
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sample { int first; int second; };
#pragma clang attribute pop
SEC("xdp") int prog(struct sample *sample)
{
    return __builtin_preserve_field_info(sample->second, 0);
}
"""
INT = Int("int", 4, 32, signed=True)
MOVED = Btf((INT, Struct("sample", 64, (Member("second", 1, 256),))))
GONE = Btf((INT, Struct("sample", 64, (Member("first", 1, 256),))))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / f"{name}.btf" for name in ("moved", "gone")}
    found["moved"].write_bytes(codec.encode(MOVED))
    found["gone"].write_bytes(codec.encode(GONE))
    found["object"] = tmp_path / "prog.o"
    found["object"].write_bytes(compile_c(SOURCE))
    found["packet"] = tmp_path / "packet"
    found["packet"].write_bytes(bytes(64))
    return found


def test_types_of_a_file(beebox, files: dict[str, Path]) -> None:
    done = beebox(
        "-j", "prog", "run", "--btf", files["moved"], files["object"], "data_in", files["packet"]
    )
    assert (done.status, done.json["retval"]) == (0, 32)
    done = beebox("-j", "prog", "run", "--btf", "self", files["object"], "data_in", files["packet"])
    assert (done.status, done.json["retval"]) == (0, 4)
    done = beebox("-j", "prog", "dump", "xlated", "--btf", files["moved"], files["object"])
    assert done.json["programs"][0]["insns"][0]["disasm"] == "r0 = 32"


def test_a_field_that_they_lack(beebox, files: dict[str, Path]) -> None:
    done = beebox("-j", "verify", "--btf", files["gone"], files["object"])
    (finding,) = done.json["programs"][0]["findings"]
    assert (done.status, finding["code"]) == (1, "missing-in-target")
    assert "second" in finding["message"]
    assert str(files["gone"]) in finding["message"]


BUILT = """
extern int CONFIG_HZ __kconfig;
extern int LINUX_KERNEL_VERSION __kconfig;
SEC("xdp") int prog(void *ctx) { return CONFIG_HZ + (LINUX_KERNEL_VERSION >> 16); }
"""


def test_values_of_the_build(beebox, files: dict[str, Path], tmp_path: Path) -> None:
    config, code = tmp_path / "config", tmp_path / "built.o"
    config.write_text("# Linux/x86 5.15.3 Kernel Configuration\nCONFIG_HZ=1000\n")
    code.write_bytes(compile_c(BUILT))
    words = ("-j", "prog", "run", "--kconfig", config, code, "data_in", files["packet"])
    done = beebox(*words)
    assert (done.status, done.json["retval"]) == (0, 1005)
    config.write_text("CONFIG_HZ=y\n")
    done = beebox(*words)
    assert (done.status, done.json["error"]["kind"]) == (1, "TargetError")


def test_an_object_as_the_target(beebox, files: dict[str, Path]) -> None:
    done = beebox("verify", "--btf", files["object"], files["object"])
    assert done.status == 0


@pytest.mark.parametrize("word", ["no-such-file", "packet"])
def test_no_types(beebox, files: dict[str, Path], word: str) -> None:
    done = beebox("verify", "--btf", files.get(word, Path(word)), files["object"])
    assert done.status == 2
    assert done.err.startswith("beebox: error: ")
