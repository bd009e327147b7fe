"""Map types against the running kernel: ids, and what BPF_MAP_CREATE takes, errno by errno."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product

import pytest

from beebox.btf.codec import encode
from beebox.btf.types import Array, Btf, Int, Member, Struct
from beebox.errors import MapError, SyscallError
from beebox.linux import attrs
from beebox.linux.objects import possible_cpus
from beebox.linux.syscall import Command, Fd, bpf
from beebox.obj.map_rules import check_spec
from beebox.obj.model import MapSpec
from beebox.tables.map_types import Entries, MapFlags, MapOp, MapType

KEYS = (0, 1, 4, 5, 8, 12, 16, 260, 261, 512, 513)
VALUES = (0, 1, 4, 8, 9, 12, 16, 1016, 1024, 32768, 32769, 65407, 65408, (4 << 20) - 48, 5 << 20)
ENTRIES = (0, 1, 2, 3, 4096, 6144)
MANY_ENTRIES = 8  # with large values, more would only cost memory

INNER = MapSpec("inner", MapType.ARRAY, 4, 4, 1)
LEGAL_ENTRIES = {
    Entries.POSITIVE: 2,
    Entries.ZERO: 0,
    Entries.PAGES: 4096,
    Entries.PER_PAGE: 1,
}
CGROUP_STORAGES = frozenset({MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE})


def depends_on_the_machine(spec: MapSpec, theirs: int) -> bool:
    """Memory, and how many CPUs a kernel was built for."""
    most_cpus = spec.type is MapType.CPUMAP and spec.max_entries > 1 and theirs == errno.E2BIG
    return theirs == errno.ENOMEM or most_cpus


class Oracle:
    """BPF_MAP_CREATE, with a type for keys and values and a template for inner maps."""

    def __init__(self) -> None:
        bytes_of = [Array(2, 1, size) for size in VALUES]
        prefix = Struct("prefix", 8, (Member("length", 1, 0), Member("address", 1, 32)))
        types = Btf((Int("u32", 4, 32), Int("u8", 1, 8), *bytes_of, prefix))
        self.btf = Fd(bpf(Command.BTF_LOAD, attrs.btf_load(encode(types))), "BTF")
        self.inner = Fd(bpf(Command.MAP_CREATE, attrs.map_create(2, 4, 4, 1)), "inner")

    def types(self, spec: MapSpec) -> tuple[int, int, int]:
        if not spec.value_type_id:
            return 0, 0, 0
        key = {0: 0, 8: 3 + len(VALUES)}.get(spec.key_size, 1)
        return self.btf.number, key, 3 + VALUES.index(spec.value_size)

    @contextmanager
    def made(self, spec: MapSpec) -> Iterator[int]:
        attr = attrs.map_create(
            spec.type.value.id,
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            spec.flags.value,
            btf=self.types(spec),
            inner_fd=self.inner.number if spec.inner else 0,
            extra=spec.extra,
        )
        fd = Fd(bpf(Command.MAP_CREATE, attr), "probe")
        try:
            yield fd.number
        finally:
            fd.close()

    def errno(self, spec: MapSpec) -> int:
        try:
            with self.made(spec):
                return 0
        except SyscallError as error:
            return error.errno or -1


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


def ours(spec: MapSpec) -> int:
    try:
        check_spec(spec)
    except MapError as error:
        return error.errno
    return 0


def legal(kind: MapType) -> MapSpec:
    """A map of this type that can be made."""
    row = kind.value
    sizes = [
        rule.choices[0] if rule.choices else max(rule.least, min(4, rule.most))
        for rule in (row.key, row.value)
    ]
    return MapSpec(
        "m",
        kind,
        *sizes,
        max_entries=LEGAL_ENTRIES[row.entries],
        flags=row.required,
        key_type_id=int(row.needs_btf),
        value_type_id=int(row.needs_btf),
        inner=INNER if row.has_inner else None,
    )


def variants(kind: MapType) -> Iterator[MapSpec]:
    """Every size and number of entries, then every pair of flags, then map_extra."""
    base = legal(kind)
    for key, value, entries in product(KEYS, VALUES, ENTRIES):
        if entries <= MANY_ENTRIES or value <= 1024:
            yield replace(base, key_size=key, value_size=value, max_entries=entries)
    for entries in ((1 << 31), (1 << 31) + 1, (1 << 32) - 1):
        if kind.value.most_entries < entries:
            yield replace(base, max_entries=entries)
    known = [MapFlags(1 << bit) for bit in range(20)]
    for first, second in product(known, known):
        if first & MapFlags.TOKEN_FD or second & MapFlags.TOKEN_FD:
            continue  # names a token's descriptor, which an object cannot carry
        yield replace(base, flags=first | second | kind.value.required)
        yield replace(base, flags=first | second)
    for extra in (1, 5, 15, 16, 1 << 40):
        if kind is not MapType.ARENA:  # there it is an address
            yield replace(base, extra=extra)
    yield replace(base, value_type_id=0, key_type_id=0)
    yield replace(base, inner=None)


@pytest.mark.linux
@pytest.mark.parametrize("kind", [kind for kind in MapType if kind is not MapType.STRUCT_OPS])
def test_map_create_takes_what_the_table_says(kind: MapType, oracle: Oracle):
    wrong = []
    for spec in variants(kind):
        theirs = oracle.errno(spec)
        if theirs != ours(spec) and not depends_on_the_machine(spec, theirs):
            sizes = (spec.key_size, spec.value_size, spec.max_entries, spec.flags, spec.extra)
            wrong.append((sizes, theirs, ours(spec)))
    assert wrong == []


@pytest.mark.linux
@pytest.mark.parametrize("kind", [kind for kind in MapType if not kind.value.needs_btf])
def test_types_of_key_and_value_are_taken_where_the_table_says(kind: MapType, oracle: Oracle):
    base = legal(kind)
    if base.value_size == 0 or kind in CGROUP_STORAGES:  # a struct that only cgroups have
        assert kind.value.no_btf or kind in CGROUP_STORAGES
        return
    key_size = 8 if kind is MapType.LPM_TRIE else base.key_size
    spec = replace(base, key_size=key_size, value_type_id=1)
    assert (oracle.errno(spec) != 0) == kind.value.no_btf


NOT_OFFERED = frozenset({524, errno.EOPNOTSUPP})  # ENOTSUPP, the kernel's own
OPERATIONS = {
    Command.MAP_UPDATE_ELEM: MapOp.UPDATE | MapOp.PUSH,
    Command.MAP_LOOKUP_ELEM: MapOp.LOOKUP | MapOp.PEEK,
    Command.MAP_GET_NEXT_KEY: MapOp.ITERATE,
    Command.MAP_LOOKUP_AND_DELETE_ELEM: MapOp.LOOKUP_AND_DELETE | MapOp.POP,
    Command.MAP_DELETE_ELEM: MapOp.DELETE,
}


@pytest.mark.linux
@pytest.mark.parametrize("kind", [kind for kind in MapType if kind is not MapType.STRUCT_OPS])
def test_user_space_has_the_operations_of_the_table(kind: MapType, oracle: Oracle):
    spec = legal(kind)
    with oracle.made(spec) as fd:
        key = bytes(spec.key_size) or None
        room = bytes(8 * max(1, spec.value_size) * possible_cpus())
        for command, operations in OPERATIONS.items():
            given = (None, bytes(16)) if command is Command.MAP_GET_NEXT_KEY else (key, room)
            code = 0
            try:
                bpf(command, attrs.map_elem(fd, *given))
            except SyscallError as error:
                code = error.errno or -1
            if kind.value.user_ops & operations:
                assert code not in NOT_OFFERED, command
            else:  # some say that the operation is invalid
                assert code in NOT_OFFERED | {errno.EINVAL}, command
