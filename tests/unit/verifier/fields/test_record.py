"""Which fields of a type belong to the kernel: what Linux finds, and what it cannot make sense of.

Each of the broken types has a twin that is found whole.
"""

from __future__ import annotations

import pytest

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Datasec, DeclTag, Member, Modifier, SectionVar, Struct
from beebox.verifier.fields.record import (
    IN_OBJECTS,
    IN_VALUES,
    BadRecordError,
    FieldKind,
    Record,
    UnknownTypesError,
    check_ownership,
    of_object,
    parse,
)

SIZES = {kind.value.label: kind.value.size for kind in FieldKind if not kind.value.tag}


class Types:
    """A table of types under construction."""

    def __init__(self) -> None:
        self.builder = Builder()
        self.word = self.builder.unsigned(4)
        self.long = self.builder.unsigned(8)

    def field(self, name: str) -> int:
        """One of the kernel's own structs."""
        size = SIZES[name]
        inner = self.word if size == 4 else self.builder.array(self.long, size // 8)
        return self.builder.struct(name, size, (Member("opaque", inner, 0),))

    def tagged(self, tag: str, struct: int) -> int:
        """A pointer with a type tag."""
        return self.builder.pointer(self.builder.add(Modifier("type_tag", struct, tag)))

    def value(self, *members: tuple[int, int], size: int = 128, name: str = "value") -> int:
        """A struct with members ``(offset, type)``."""
        rows = tuple(Member(f"m{at}", type_, 8 * at) for at, type_ in members)
        return self.builder.struct(name, size, rows)

    def record(self, type_id: int, *, size: int = 128, kernel: Btf | None = None) -> Record | None:
        """What is found in the values."""
        return parse(self.builder.build(), type_id, IN_VALUES, size, lambda: kernel)


def found(record: Record | None) -> list[tuple[FieldKind, int]]:
    assert record is not None
    return [(field.kind, field.offset) for field in record.fields]


@pytest.mark.parametrize("name", sorted(SIZES.keys() - {"bpf_list_head", "bpf_rb_root"}))
def test_a_field_and_none(name):
    types = Types()
    record = types.record(types.value((0, types.long), (8, types.field(name))))
    if name.endswith("_node"):  # in values, that is just memory
        assert record is None
        return
    assert [(kind.value.label, at) for kind, at in found(record)] == [(name, 8)]
    assert types.record(types.value((0, types.long), name="plain")) is None


def test_fields_are_found_in_structs_and_by_offset():
    types = Types()
    inner = types.value((8, types.field("bpf_timer")), size=24, name="inner")
    record = types.record(types.value((0, types.field("bpf_spin_lock")), (16, inner)))
    assert found(record) == [(FieldKind.SPIN_LOCK, 0), (FieldKind.TIMER, 24)]
    assert [field.offset for field in record.touched(39, 41)] == [24]
    assert not list(record.touched(4, 24))
    assert record.at(24, FieldKind.TIMER) is record.only(FieldKind.TIMER)
    assert record.at(24, FieldKind.SPIN_LOCK) is None


def test_a_struct_of_the_name_but_not_the_size_is_none():
    types = Types()
    other = types.builder.struct("bpf_timer", 8, (Member("m", types.long, 0),))
    assert types.record(types.value((0, other))) is None


def test_a_field_that_is_not_aligned_is_none():
    types = Types()
    assert types.record(types.value((4, types.field("bpf_timer")))) is None
    assert types.record(types.value((4, types.field("bpf_spin_lock")))) is not None


@pytest.mark.parametrize("name", ["bpf_spin_lock", "bpf_timer", "bpf_wq", "bpf_task_work"])
def test_two_of_what_may_be_there_once(name):
    types = Types()
    field = types.field(name)
    with pytest.raises(BadRecordError):
        types.record(types.value((0, field), (32, field)))


def test_two_reference_counts_are_no_fault_of_the_type():
    types = Types()
    field = types.field("bpf_refcount")
    assert len(found(types.record(types.value((0, field), (32, field))))) == 2


def test_two_kinds_of_lock():
    types = Types()
    locks = types.field("bpf_spin_lock"), types.field("bpf_res_spin_lock")
    with pytest.raises(BadRecordError):
        types.record(types.value((0, locks[0]), (4, locks[1])))


def test_arrays_of_pointers_but_not_of_timers():
    types = Types()
    struct = types.builder.struct("mine", 8, (Member("m", types.long, 0),))
    pointer = types.tagged("kptr", struct)
    record = types.record(types.value((8, types.builder.array(pointer, 3))), kernel=Btf())
    assert found(record) == [(FieldKind.KPTR_REF, at) for at in (8, 16, 24)]
    with pytest.raises(BadRecordError):
        types.record(types.value((0, types.builder.array(types.field("bpf_timer"), 2))))
    with pytest.raises(BadRecordError):
        types.record(types.value((0, types.builder.array(pointer, 12))), kernel=Btf())


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("kptr", FieldKind.KPTR_REF),
        ("kptr_untrusted", FieldKind.KPTR_UNREF),
        ("percpu_kptr", FieldKind.KPTR_PERCPU),
        ("uptr", FieldKind.UPTR),
        ("user", None),
    ],
)
def test_pointers_by_their_tag(tag, kind):
    types = Types()
    struct = types.builder.struct("mine", 8, (Member("m", types.long, 0),))
    record = types.record(types.value((0, types.tagged(tag, struct))), kernel=Btf())
    assert (record.fields[0].kind if record is not None else None) is kind


def test_the_kernel_s_struct_of_the_name_is_meant():
    types = Types()
    kernel = Btf((Struct("task_struct", 64, ()), Struct("file", 64, ())))
    task = types.builder.struct("task_struct", 0, ())
    record = types.record(types.value((0, types.tagged("kptr", task))), kernel=kernel)
    assert (record.fields[0].btf, record.fields[0].type_id) == (kernel, 1)
    file = types.builder.struct("file", 0, ())
    kept = types.value((0, types.tagged("kptr", file)), name="kept")
    seen = types.value((0, types.tagged("kptr_untrusted", file)), name="seen")
    with pytest.raises(BadRecordError):  # the kernel would not know how to release it
        types.record(kept, kernel=kernel)
    assert types.record(seen, kernel=kernel) is not None
    with pytest.raises(UnknownTypesError):
        types.record(kept)


def _list(types: Types, contains: str | None, *, locked: bool = True) -> int:
    """A struct with a list, and what it is said to contain."""
    lock = [(0, types.field("bpf_spin_lock"))] if locked else []
    value = types.value(*lock, (8, types.field("bpf_list_head")))
    if contains is not None:
        types.builder.add(DeclTag(f"contains:{contains}", value, len(lock)))
    return value


def test_a_list_of_nodes():
    types = Types()
    node = types.value((16, types.field("bpf_list_node")), name="node")
    record = types.record(_list(types, "node:m16"))
    head = record.only(FieldKind.LIST_HEAD)
    assert (head.type_id, head.node_offset) == (node, 16)
    check_ownership(types.builder.build(), record, lambda: None)


@pytest.mark.parametrize("contains", [None, "node", "node:", "node:m0", "other:m16", ":m16"])
def test_a_list_of_who_knows_what(contains):
    types = Types()
    types.value((0, types.long), (16, types.field("bpf_list_node")), name="node")
    with pytest.raises(BadRecordError):
        types.record(_list(types, contains))


def test_a_list_without_a_lock():
    types = Types()
    types.value((16, types.field("bpf_list_node")), name="node")
    with pytest.raises(BadRecordError):
        types.record(_list(types, "node:m16", locked=False))


def test_nodes_of_two_kinds_need_a_reference_count():
    types = Types()
    nodes = (0, types.field("bpf_list_node")), (24, types.field("bpf_rb_node"))
    without = types.value(*nodes, name="without")
    counted = types.value(*nodes, (56, types.field("bpf_refcount")), name="counted")
    btf = types.builder.build()
    with pytest.raises(BadRecordError):
        of_object(btf, without, lambda: None)
    assert len(found(of_object(btf, counted, lambda: None))) == 3


def test_nodes_do_not_own_owners():
    """A list of what is a list itself may not be a node, too: there could be circles."""
    types = Types()
    lock, head = types.field("bpf_spin_lock"), types.field("bpf_list_head")
    node = types.field("bpf_list_node")
    leaf = types.value((0, node), name="leaf")
    assert leaf
    middle = types.value((0, lock), (8, head), (24, node), name="middle")
    types.builder.add(DeclTag("contains:leaf:m0", middle, 1))
    outer = types.value((0, lock), (8, head), (32, node), name="outer")
    types.builder.add(DeclTag("contains:middle:m24", outer, 1))
    btf = types.builder.build()
    for type_id, fits in ((middle, True), (outer, False)):
        record = of_object(btf, type_id, lambda: None)
        assert record is not None
        if fits:
            check_ownership(btf, record, lambda: None)
        else:
            with pytest.raises(BadRecordError):
                check_ownership(btf, record, lambda: None)


def test_global_data():
    types = Types()
    lock = types.field("bpf_spin_lock")
    variable = types.builder.variable("lock", lock)
    section = types.builder.add(Datasec(".data.A", 16, (SectionVar(variable, 8, 4),)))
    assert found(types.record(section, size=16)) == [(FieldKind.SPIN_LOCK, 8)]


def test_objects_have_no_timers_and_only_fields_of_their_own_count():
    types = Types()
    inner = types.value((0, types.field("bpf_spin_lock")), name="inner")
    outer = types.value((0, inner), name="outer")
    timed = types.value((0, types.field("bpf_timer")), name="timed")
    lock = (0, types.field("bpf_res_spin_lock"))
    alone = types.value(lock, name="alone")
    beside = types.value(lock, (8, types.field("bpf_refcount")), name="beside")
    btf = types.builder.build()
    assert found(of_object(btf, inner, lambda: None)) == [(FieldKind.SPIN_LOCK, 0)]
    assert of_object(btf, outer, lambda: None) is None
    assert of_object(btf, timed, lambda: None) is None
    assert of_object(btf, alone, lambda: None) is None
    assert len(found(of_object(btf, beside, lambda: None))) == 2
    assert parse(btf, timed, IN_OBJECTS, 128, lambda: None) is None
