"""Maps of maps and programs, and targets of redirections: what is taken, errno by errno."""

import pytest

from beebox.errors import InputError, KeyNotFound, MapError
from beebox.linux.kernel import LinuxKernel
from beebox.maps.view import LiveMap
from beebox.obj.assembly.source import read_assembly
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType, UpdateFlags
from beebox.userspace.kernel import UserspaceKernel

MAPS = """
.license "GPL"
.map outer array_of_maps max_entries=2
.inner outer hash key=4 value=8 max_entries=4
.map keyed hash_of_maps key=4 max_entries=2
.inner keyed array value=8 max_entries=4
.map loose array_of_maps max_entries=2
.inner loose array value=8 max_entries=4 flags=0x1000
.map jumps prog_array max_entries=2
.map good hash key=4 value=8 max_entries=4
.map larger hash key=4 value=8 max_entries=5
.map wider hash key=4 value=16 max_entries=4
.map table array value=8 max_entries=4
.map longer array value=8 max_entries=5
.map flagged array value=8 max_entries=9 flags=0x1000
.section "xdp"
main:
    r0 = 2
    exit
"""
KEYS = [number.to_bytes(4, "little") for number in (0, 1, 2, 1 << 31)]


def outcome(action, *arguments):
    try:
        return action(*arguments)
    except MapError as error:
        return type(error).__name__, error.errno


@pytest.mark.linux
@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_results_are_linux_results(engine):
    spec = read_assembly(MAPS)
    with UserspaceKernel(engine).load(spec) as ours, LinuxKernel().load(spec) as theirs:
        both = ours, theirs
        inner = ("good", "larger", "wider", "table", "longer", "flagged")
        for name in ("outer", "keyed", "loose", "jumps"):
            for key in KEYS:
                for held in (*inner, "program", bytes(4), b"\xff\xff\xff\x7f"):
                    for flags in (0, 1, 2, 3, 8):
                        results = []
                        for one in both:
                            value = held
                            if held == "program":
                                value = one.programs["main"]
                            elif isinstance(held, str):
                                value = one.maps[held]
                            action = one.maps[name].update
                            results.append(outcome(action, key, value, UpdateFlags(flags)))
                        if held == bytes(4):  # a descriptor of something else
                            results = [isinstance(result, tuple) for result in results]
                        assert results[0] == results[1], (name, key, held, flags)
                for action in ("lookup", "delete", "lookup", "delete", "lookup_and_delete"):
                    results = [outcome(getattr(one.maps[name], action), key) for one in both]
                    found = [isinstance(result, bytes) for result in results]
                    assert found[0] == found[1], (name, key, action)
                    assert found[0] or results[0] == results[1], (name, key, action)
                if name != "keyed":
                    results = [outcome(one.maps[name].next_key, key) for one in both]
                    assert results[0] == results[1]


def test_an_inner_map_outlives_its_own_close():
    template = MapSpec("t", MapType.HASH, 4, 8, 4)
    outer = LiveMap(MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=template))
    inner = LiveMap(MapSpec("i", MapType.HASH, 4, 8, 4))
    inner.update(bytes(4), b"12345678")
    outer.update(bytes(4), inner)
    identity = inner.id
    inner.close()
    assert outer.lookup(bytes(4)) == identity.to_bytes(4, "little")
    handle = outer.operations.call("lookup", bytes(4))
    assert handle in outer.objects.by_address
    outer.close()


def test_other_values_are_refused():
    template = MapSpec("t", MapType.HASH, 4, 8, 4)
    with LiveMap(MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=template)) as outer:
        with pytest.raises(InputError):
            outer.update(bytes(4), 5)
        with pytest.raises(MapError) as refused:
            outer.update(bytes(4), bytes(4))
        assert refused.value.errno == 9
        with pytest.raises(KeyNotFound):
            outer.lookup(bytes(4))
    with LiveMap(MapSpec("m", MapType.HASH, 4, 8, 4)) as plain, pytest.raises(InputError):
        plain.update(bytes(4), plain)


@pytest.mark.parametrize("kind", [MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS])
def test_contents_are_ids(kind):
    template = MapSpec("t", MapType.HASH, 4, 8, 4)
    inner = [LiveMap(MapSpec("i", MapType.HASH, 4, 8, 4)) for _ in range(2)]
    with LiveMap(MapSpec("o", kind, 4, 4, 3, inner=template)) as outer:
        outer.update_batch([(KEYS[2], inner[0]), (KEYS[0], inner[1])])
        keys, values = outer.snapshot()
        assert keys.tobytes() == KEYS[0] + KEYS[2]
        assert values.view("<u4").ravel().tolist() == [inner[1].id, inner[0].id]
        assert len(outer) == 2
        with pytest.raises(MapError):
            outer.update_batch([(KEYS[1], bytes(4))])
        outer.delete(KEYS[0])
        assert dict(outer.items()) == {KEYS[2]: inner[0].id.to_bytes(4, "little")}


@pytest.mark.parametrize(
    "inner",
    [
        MapSpec("t", MapType.PROG_ARRAY, 4, 4, 1),
        MapSpec("t", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=MapSpec("u", MapType.HASH, 4, 4, 1)),
        MapSpec("t", MapType.LPM_TRIE, 4, 4, 1, MapFlags.NO_PREALLOC),
        None,
    ],
)
def test_templates_that_cannot_be(inner):
    with pytest.raises(MapError) as refused:
        LiveMap(MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=inner))
    assert refused.value.errno == (524 if inner and inner.type is MapType.PROG_ARRAY else 22)


def test_a_cpumap_knows_the_cpus():
    with LiveMap(MapSpec("m", MapType.CPUMAP, 4, 4, 8), cpus=2) as live:
        live.update((1).to_bytes(4, "little"), (100).to_bytes(4, "little"))
        with pytest.raises(MapError) as refused:
            live.update((2).to_bytes(4, "little"), (100).to_bytes(4, "little"))
        assert refused.value.errno == 19
        with pytest.raises(MapError) as refused:
            live.update(bytes(4), (16385).to_bytes(4, "little"))
        assert refused.value.errno == 75
