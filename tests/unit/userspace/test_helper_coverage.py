"""Every helper body belongs to a row of the table, and both engines have the same ones."""

import pytest

from beebox.errors import NotSupportedError
from beebox.hooks.packet import HOOKED
from beebox.isa.assembler import assemble
from beebox.maps.abi import TAIL_CALL
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS
from beebox.userspace.helpers import python_helpers
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.native_helpers import IN_MAP_CODE, SOURCES, helper_code, native_helpers
from beebox.userspace.reached import ReachedMaps
from beebox.userspace.trace import TraceLog
from beebox.userspace.unmodelled import REASONS
from beebox.vm.contexts import SKB_LAYOUT, XDP_LAYOUT, layout_of
from beebox.vm.memory import Memory, Runtime

LAYOUTS = [XDP_LAYOUT, SKB_LAYOUT]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.struct)
def test_both_engines_have_the_same_helpers(layout):
    native = native_helpers(layout)
    maps = ReachedMaps({}, Memory())
    used = native | IN_MAP_CODE
    interpreted = set(python_helpers(maps, TraceLog(Runtime()), layout, used))
    assert interpreted == used - {TAIL_CALL}  # the interpreter's own


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.struct)
def test_native_code_defines_what_it_names(layout):
    for id_ in native_helpers(layout):
        code = helper_code(HELPERS[id_].name, layout.struct)
        assert f'define internal i64 @"{code.symbol}"' in code.ir
        assert len(code.args) <= 5


def test_sources_name_rows_of_the_table():
    assert {name for source in SOURCES for name in source.helpers} <= set(HELPER_BY_NAME)


@pytest.mark.parametrize("program_type", sorted(HOOKED, key=lambda row: row.value.id))
def test_covered_and_listed_are_the_table(program_type):
    layout = layout_of(program_type.value.context)
    covered = {HELPERS[id_].name for id_ in native_helpers(layout) | IN_MAP_CODE}
    allowed = {row.name for row in HELPERS.values() if program_type in row.program_types}
    assert allowed - covered == allowed & set(REASONS)
    assert not allowed & covered & set(REASONS)


def test_listed_helpers_are_for_packet_programs():
    allowed = {row.name for row in HELPERS.values() if row.program_types & HOOKED}
    assert set(REASONS) <= allowed


def test_what_is_listed_is_refused_by_name():
    text = "r1 = 9\ncall 109\nr0 = 0\nexit"
    function = FunctionSpec("main", "tc", assemble(text))
    with pytest.raises(NotSupportedError, match="send_signal") as refused:
        UserspaceKernel().load(ObjectSpec({"main": function}, license="GPL"))
    assert refused.value.hint == REASONS["send_signal"]
