"""The linux backend on the running kernel: maps, verdicts, test runs."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from beebox.btf.types import Btf, Struct
from beebox.errors import KeyExists, KeyNotFound, MapError, MapFull, RejectedError, SyscallError
from beebox.isa.assembler import assemble
from beebox.isa.codec import encode
from beebox.linux.kernel import LinuxCollection, LinuxKernel
from beebox.linux.load import Verdict, try_load
from beebox.linux.objects import LinuxMap, possible_cpus
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.map_types import MapFlags, MapType, UpdateFlags
from beebox.tables.program_types import ProgramType

pytestmark = pytest.mark.linux

PASS = assemble("r0 = 2\nexit\n")


def collection(**maps: MapSpec) -> LinuxCollection:
    return LinuxKernel().load(ObjectSpec({"p": FunctionSpec("p", "xdp", PASS)}, maps))


EXACT = (MapType.HASH, MapType.ARRAY, MapType.PERCPU_HASH, MapType.PERCPU_ARRAY)
"""Types that keep every element of the user's keys; tests/backend has the others."""


@pytest.fixture(params=EXACT, ids=lambda kind: kind.value.name)
def live(request: pytest.FixtureRequest) -> Iterator[LinuxMap]:
    with collection(m=MapSpec("m", request.param, 4, 12, 3000)) as made:
        yield made.maps["m"]


def value_for(live: LinuxMap, number: int) -> bytes:
    size, cpus = 12, 1
    if live.spec.type.value.per_cpu:
        size, cpus = 16, possible_cpus()
    return b"".join((number + cpu).to_bytes(12, "big").ljust(size, b"\0") for cpu in range(cpus))


def key(number: int) -> bytes:
    return number.to_bytes(4, "little")


def test_maps_keep_what_is_put_in(live: LinuxMap) -> None:
    live.update(key(7), value_for(live, 700))
    assert live.lookup(key(7)) == value_for(live, 700)
    assert (key(7), value_for(live, 700)) in list(live.items())


def test_batches_carry_every_element(live: LinuxMap) -> None:
    items = [(key(i), value_for(live, i)) for i in range(3000)]
    live.update_batch(items)
    assert sorted(live.lookup_batch()) == sorted(items)


def test_missing_keys_are_key_errors(live: LinuxMap) -> None:
    with pytest.raises(KeyNotFound) as caught:
        live.lookup(key(0xFFFFFF))
    assert isinstance(caught.value, KeyError)


def test_delete_is_refused_by_arrays_alone(live: LinuxMap) -> None:
    live.update(key(1), value_for(live, 1))
    if "array" in live.spec.type.value.name:
        with pytest.raises(MapError) as caught:
            live.delete(key(1))
        assert caught.value.errno == errno.EINVAL
    else:
        live.delete(key(1))
        with pytest.raises(KeyNotFound):
            live.delete(key(1))


def test_update_flags_and_a_full_map_have_their_errors() -> None:
    with collection(m=MapSpec("m", MapType.HASH, 4, 4, 2)) as made:
        live = made.maps["m"]
        live.update(key(1), key(1), UpdateFlags.NOEXIST)
        with pytest.raises(KeyExists):
            live.update(key(1), key(1), UpdateFlags.NOEXIST)
        with pytest.raises(KeyNotFound):
            live.update(key(2), key(1), UpdateFlags.EXIST)
        live.update(key(2), key(2))
        with pytest.raises(MapFull):
            live.update(key(3), key(3))


def test_a_batch_may_be_longer_than_the_map() -> None:
    with collection(m=MapSpec("m", MapType.HASH, 4, 4, 1)) as made:
        made.maps["m"].update(key(1), key(2))
        assert made.maps["m"].lookup_batch() == [(key(1), key(2))]


def test_rodata_is_filled_and_frozen() -> None:
    spec = MapSpec(
        ".rodata", MapType.ARRAY, 4, 8, 1, MapFlags.RDONLY_PROG, contents=b"constant", frozen=True
    )
    with collection(**{".rodata": spec}) as made:
        live = made.maps[".rodata"]
        assert live.lookup(bytes(4)) == b"constant"
        with pytest.raises(MapError) as caught:
            live.update(bytes(4), bytes(8))
        assert caught.value.errno == errno.EPERM


def test_a_test_run_returns_packet_verdict_and_time() -> None:
    with collection() as made:
        packet = bytes(range(64))
        result = made.programs["p"].test_run(packet, repeat=100)
        assert (result.retval, result.data_out, result.repeat) == (2, packet, 100)
        assert result.engine == "linux"
        with pytest.raises(SyscallError) as caught:
            made.programs["p"].test_run(bytes(13))
        assert caught.value.errno == errno.EINVAL


def test_a_rejection_carries_the_kernels_log() -> None:
    spec = ObjectSpec({"p": FunctionSpec("p", "xdp", assemble("r0 = r5\nexit\n"))})
    with pytest.raises(RejectedError) as caught:
        LinuxKernel().load(spec)
    assert caught.value.findings[0]["kernel_message"] == "R5 !read_ok"
    assert caught.value.findings[0]["insn"] == 0


def test_broken_btf_fails_closed_with_the_kernels_words() -> None:
    function = FunctionSpec("p", "xdp", PASS)
    spec = ObjectSpec({"p": function}, btf=Btf((Struct("bad name!", 4, ()),)))
    with pytest.raises(SyscallError) as caught:
        LinuxKernel().load(spec)
    assert "Invalid name" in caught.value.log


def test_try_load_counts_what_was_processed() -> None:
    accepted = try_load(encode(PASS))
    assert accepted.accepted
    assert accepted.insns_processed == 2
    refused = try_load(encode(assemble("exit\n")))
    assert refused.errno == errno.EACCES
    assert "R0 !read_ok" in refused.log


def test_kernel_verdict_makes_the_maps_it_needs(
    kernel_verdict: Callable[[ProgramSpec], Verdict],
) -> None:
    code = assemble(
        "r1 = map[m] ll\nr2 = r10\nr2 += -4\n*(u32 *)(r10 - 4) = 0\n"
        "call bpf_map_lookup_elem#1\nr0 = *(u32 *)(r0 + 0)\nexit\n"
    )
    spec = ProgramSpec(
        "p", "xdp", ProgramType.XDP, code, {"m": MapSpec("m", MapType.HASH, 4, 4, 1)}
    )
    refused = kernel_verdict(spec)
    assert "map_value_or_null" in refused.log
    checked = assemble(
        "r1 = map[m] ll\nr2 = r10\nr2 += -4\n*(u32 *)(r10 - 4) = 0\n"
        "call bpf_map_lookup_elem#1\nif r0 == 0 goto +1\nr0 = *(u32 *)(r0 + 0)\nexit\n"
    )
    assert kernel_verdict(replace(spec, insns=checked)).accepted
