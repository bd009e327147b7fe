"""Objects as assembly text in Linux: unedited the same program, edited the edit's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from xlated import xlated

import beebox
from beebox.errors import BeeboxError
from beebox.linux.kernel import LinuxKernel
from beebox.linux.objects import LinuxProgram
from beebox.obj.assembly import read_assembly
from beebox.obj.assembly_text import with_its_maps, write_assembly, write_program
from beebox.obj.linker import link
from beebox.obj.model import ObjectSpec, Pinning
from beebox.obj.reader import read
from beebox.obj.resolution import resolve

pytestmark = pytest.mark.linux

C_SOURCES = sorted((Path(__file__).parents[1] / "data/c").glob("*.c"))
EXAMPLES = (
    *("balancer", "cgroup_quota", "count", "dispatch", "firewall", "lpm_acl", "router"),
    *("socket_sample", "tc_nat"),
)


def loaded(spec: ObjectSpec, name: str) -> list[bytes] | str:
    """The program as Linux has it, or the kind of refusal. Maps that ask for it are not pinned."""
    maps = {key: replace(row, pinning=Pinning.NONE) for key, row in spec.maps.items()}
    try:
        with LinuxKernel().load(replace(spec, maps=maps), programs=[name]) as live:
            program = live.programs[name]
            assert isinstance(program, LinuxProgram)
            return xlated(program)
    except BeeboxError as error:
        return type(error).__name__


def check_agreement(spec: ObjectSpec) -> int:
    """Object, text of the object and dump of each program load alike; how many were accepted."""
    whole = read_assembly(write_assembly(spec))
    accepted = 0
    for name in spec.program_names:
        wanted = loaded(spec, name)
        accepted += isinstance(wanted, list)
        assert loaded(whole, name) == wanted, name
        if isinstance(wanted, list):
            program = with_its_maps(link(resolve(spec, None, [name]), name), spec)
            dumped = write_program(program)
            assert loaded(read_assembly(dumped), name) == wanted, name
    return accepted


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda path: path.stem)
def test_c_programs(path: Path, clang_object: Callable[..., bytes]):
    check_agreement(read(clang_object(path.stem)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_python_programs(name: str, repository: Path):
    spec = beebox.open_object(repository / "examples" / f"{name}.py")
    assert check_agreement(spec) == len(spec.program_names)
