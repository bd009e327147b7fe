"""The examples under the profile strict: code as our compiler writes it leaks no pointer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from beebox import api
from beebox.obj.linker import link
from beebox.verifier.options import Options, Profile
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

_EXAMPLES: Final = Path(__file__).parents[4] / "examples"
_ACCEPTED: Final = {
    "balancer": ("balance",),
    "cgroup_quota": ("limit",),
    "count": ("count_packets",),
    "dispatch": ("dispatch", "ipv4", "ipv6", "arp"),
    "firewall": ("firewall",),
    "lpm_acl": ("check_source",),
    "router": ("route",),
    "socket_sample": ("sample_dns",),
    "tc_nat": ("leave", "arrive"),
}
_REFUSED: Final = {"unsafe": "map-value-bounds"}  # as it is meant to be, by every profile
_NO_PROGRAM: Final = {"demo"}


def test_every_example_is_listed():
    found = {path.stem for path in _EXAMPLES.glob("*.py")}
    assert found == {*_ACCEPTED, *_REFUSED, *_NO_PROGRAM}


@pytest.mark.parametrize("name", [*_ACCEPTED, *_REFUSED])
def test_strict(name, record_property):
    module = api.open_object(_EXAMPLES / f"{name}.py")
    if name in _ACCEPTED:
        assert module.program_names == _ACCEPTED[name]
    for program in module.program_names:
        report = verify(link(module, program), Options(Profile.STRICT))
        codes = [finding.code for finding in report.findings]
        assert codes == ([_REFUSED[name]] if name in _REFUSED else []), render(report)
        record_property(f"cost bound of {program}", report.notes.get("cost_bound"))
