"""Every helper of the table has a body in both engines, or a reason why not."""

from beebox.tables.helpers import HELPERS
from beebox.userspace.admission import HELPER_IDS
from beebox.userspace.helpers import python_helpers
from beebox.userspace.native_helpers import IN_MAP_CODE, NATIVE, helper_code
from beebox.userspace.trace import TraceLog
from beebox.vm.memory import Runtime

LISTED: dict[int, str] = {}  # id -> why this kernel lacks it; admission refuses these


def test_covered_and_listed_are_the_table():
    interpreted = set(python_helpers({}, TraceLog(Runtime())))
    assert interpreted == NATIVE | IN_MAP_CODE == HELPER_IDS
    assert interpreted | set(LISTED) == set(HELPERS)
    assert not interpreted & set(LISTED)


def test_native_code_defines_what_it_names():
    for id_ in NATIVE:
        code = helper_code(HELPERS[id_].name)
        assert f'define internal i64 @"{code.symbol}"' in code.ir
        assert len(code.args) <= 5
