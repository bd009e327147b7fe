"""Helpers have bodies in both engines or in none; admission refuses those without."""

from beebox.tables.helpers import HELPERS
from beebox.userspace.admission import HELPER_IDS
from beebox.userspace.helpers import python_helpers
from beebox.userspace.native_helpers import IN_MAP_CODE, NATIVE, helper_code
from beebox.userspace.trace import TraceLog
from beebox.vm.memory import Runtime


def test_both_engines_have_what_admission_lets_in():
    interpreted = set(python_helpers({}, TraceLog(Runtime())))
    assert interpreted == NATIVE | IN_MAP_CODE == HELPER_IDS
    assert interpreted <= HELPERS.keys()


def test_native_code_defines_what_it_names():
    for id_ in NATIVE:
        code = helper_code(HELPERS[id_].name)
        assert f'define internal i64 @"{code.symbol}"' in code.ir
        assert len(code.args) <= 5
