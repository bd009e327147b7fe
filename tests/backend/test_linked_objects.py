"""Programs whose functions, maps and variables come from three objects, in every engine.

app.c calls into policy.c, both share the map and the variables of tables.c, and policy.c has the
strong definition of a function that app.c defines weakly.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

import beebox
from beebox import api
from beebox.backend import Collection
from beebox.clang.run import compile_c
from beebox.obj import reader, writer

DATA = Path(__file__).parents[1] / "data/linking"
NAMES = ("app", "tables", "policy")
ENGINES = (
    ("userspace", "jit"),
    ("userspace", "interpreter"),
    pytest.param("linux", "jit", marks=pytest.mark.linux),
)
XDP_DROP, XDP_PASS = 1, 2


@pytest.fixture(scope="module")
def objects(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("linked")
    out = []
    for name in NAMES:
        out.append(folder / f"{name}.o")
        out[-1].write_bytes(compile_c(DATA / f"{name}.c").data)
    return out


def open_linked(paths: list[Path]):
    linked = api.link(paths)
    assert linked.unresolved == ()
    return reader.read(linked.data)


def check(live: Collection) -> None:
    sizes = (40, 60, 61, 200)
    for size in sizes:
        verdict = live.programs["ingress"].test_run(bytes(size)).retval
        assert verdict == (XDP_DROP if size > 60 else XDP_PASS)
    counters = {
        int.from_bytes(key, "little"): (
            int.from_bytes(value[:8], "little"),
            int.from_bytes(value[8:], "little"),
        )
        for key, value in live.maps["counters"].items()
    }
    assert counters == {0: (0, 0), XDP_DROP: (2, 261), XDP_PASS: (2, 100), 3: (0, 0)}
    assert live.programs["dropped"].test_run(bytes(60)).retval == 2
    total, calls, theirs = 5 + 4 * 60, 4 * 2, 40 - 4
    expected = total + calls * 1000 + (7 * 3 + theirs) * 100000
    assert live.programs["state"].test_run(bytes(60)).retval == expected


@pytest.mark.parametrize(("kernel", "engine"), ENGINES)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_in_any_order(kernel, engine, order, objects) -> None:
    spec = open_linked([objects[index] for index in order])
    with beebox.load(spec, kernel=kernel, engine=engine) as live:
        check(live)


@pytest.mark.parametrize(("kernel", "engine"), ENGINES)
def test_one_after_the_other_and_written_back(kernel, engine, objects, tmp_path) -> None:
    app, tables, policy = objects
    half = tmp_path / "half.o"
    first = api.link([app, policy])
    assert set(first.unresolved) == {"counters", "limit", "total"}
    half.write_bytes(first.data)
    spec = open_linked([tables, half])
    again = reader.read(writer.write(spec))
    assert again == spec
    with beebox.load(again, kernel=kernel, engine=engine) as live:
        check(live)


TABLES = """
from beebox import Array, Constant, Global, XdpAction, XdpContext, i32, struct, u32, u64, xdp

@struct
class counter:
    packets: u64
    bytes: u64

counters = Array[counter](max_entries=4)
limit = Constant(i32(60))
total = Global(u64(5))

@xdp
def from_python(ctx: XdpContext) -> XdpAction:
    entry = counters[u32(3)]
    if entry is not None:
        entry.packets += total.value
    return XdpAction.TX
"""
TEXT = """
.license "GPL"
.section "xdp"
from_text:
    r0 = 4
    exit
"""


@pytest.mark.parametrize(("kernel", "engine"), ENGINES)
def test_sources_of_all_kinds(kernel, engine, tmp_path) -> None:
    """C programs use a map and variables that Python defines; assembly stands beside them."""
    (tmp_path / "tables.py").write_text(TABLES)
    (tmp_path / "text.s").write_text(TEXT)
    c_sources = [DATA / "app.c", DATA / "policy.c"]
    spec = open_linked([tmp_path / "text.s", *c_sources, tmp_path / "tables.py"])
    with beebox.load(spec, kernel=kernel, engine=engine) as live:
        check(live)
        assert live.programs["from_text"].test_run(bytes(60)).retval == 4
        assert live.programs["from_python"].test_run(bytes(60)).retval == 3
        packets = live.maps["counters"].lookup((3).to_bytes(4, "little"))[:8]
        assert int.from_bytes(packets, "little") == 5 + 4 * 60


@pytest.mark.parametrize(("kernel", "engine"), ENGINES)
def test_what_bpftool_links_is_read_and_runs(kernel, engine, objects, tmp_path) -> None:
    tool = shutil.which("bpftool")
    if tool is None:
        pytest.skip("bpftool not found")
    out = tmp_path / "theirs.o"
    app, tables, policy = objects
    subprocess.run([tool, "gen", "object", out, tables, policy, app], check=True)
    spec = reader.read(out.read_bytes())
    with beebox.load(spec, kernel=kernel, engine=engine) as live:
        check(live)
    with beebox.load(open_linked([out]), kernel=kernel, engine=engine) as live:
        check(live)
