"""skb helpers one after the other, chosen at random: Linux's results after every step."""

import pytest
import skb
import skb_ops
from skb_ops import Op
from skb_sequences import LWT, PULLS, TC, cases

from beebox.userspace.kernel import UserspaceKernel


@pytest.mark.linux
@pytest.mark.parametrize("seed", range(3))
def test_tc_sequences_are_linux_sequences(seed):
    outcomes = skb_ops.agree(skb_ops.driver("tc", TC), cases(seed, 500, TC))
    results = {words[0] for steps, *_ in outcomes for words in steps}
    assert len(results) >= 6  # successes and errors of many kinds happened


@pytest.mark.linux
@pytest.mark.parametrize(("section", "names"), [("tc", TC), ("lwt_xmit", LWT)])
def test_the_devices_checksum_is_kept_as_linux_keeps_it(section, names):
    chosen = cases(21, 400, names)
    outcomes = skb_ops.agree(skb_ops.driver(section, names), chosen, checksum=True)
    kept = sum(bool(packet) for _, packet, *_ in outcomes)
    assert 50 < kept < 350  # right and wrong afterwards


@pytest.mark.linux
def test_lwt_sequences_are_linux_sequences():
    skb_ops.agree(skb_ops.driver("lwt_xmit", LWT), cases(7, 500, LWT))


@pytest.mark.linux
@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("lwt_in", ("skb_load_bytes", "skb_pull_data", "get_route_realm", "get_cgroup_classid")),
        ("cgroup_skb/egress", ("skb_load_bytes", "skb_load_bytes_relative", "skb_ecn_set_ce")),
        ("socket", ("skb_load_bytes", "skb_load_bytes_relative")),
    ],
)
def test_readers_sequences_are_linux_sequences(section, names):
    spec = skb_ops.driver(section, names, direct=section != "socket")
    skb_ops.agree(spec, cases(11, 200, names))


@pytest.mark.linux
def test_paged_packets_give_the_same_where_helpers_pull():
    names = tuple(sorted(PULLS))
    spec, chosen = skb_ops.driver("tc", names), cases(5, 300, names)
    linux = skb_ops.outcomes(skb.KERNELS["linux"], spec, chosen)
    for engine in ("jit", "interpreter"):
        paged = UserspaceKernel(engine, linear_bytes=20)
        ours = skb_ops.outcomes(paged, spec, chosen)
        for mine, theirs in zip(ours, linux, strict=True):
            assert mine[1:] == theirs[1:]
            for one, other in zip(mine[0], theirs[0], strict=True):
                assert one[:8] == other[:8]  # all but how much is linear
                assert one[8] <= other[8]
                assert one[9:] == other[9:]


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_pulling_makes_bytes_direct(engine):
    kernel = UserspaceKernel(engine, linear_bytes=30)
    steps = [Op("skb_load_bytes", 40, 7), Op("skb_load_bytes_relative", 40, 7)]
    steps += [Op("skb_pull_data", 60), Op("skb_load_bytes_relative", 40, 7), Op("skb_pull_data")]
    (words, _, _, _), *_ = skb_ops.outcomes(
        kernel, skb_ops.driver("tc", TC), [(skb.UDP4, steps, None)]
    )
    assert [word[0] for word in words] == [0, (1 << 64) - 14, 0, 0, 0]
    assert [word[8] for word in words] == [30, 30, 60, 60, 60]
