"""Every helper body belongs to a row of the table, and both engines have the same ones."""

import pytest

from beebox.maps.abi import TAIL_CALL
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS
from beebox.userspace.helpers import python_helpers
from beebox.userspace.native_helpers import IN_MAP_CODE, SOURCES, helper_code, native_helpers
from beebox.userspace.reached import ReachedMaps
from beebox.userspace.trace import TraceLog
from beebox.vm.contexts import SKB_LAYOUT, XDP_LAYOUT
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
