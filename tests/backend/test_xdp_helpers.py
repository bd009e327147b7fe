"""XDP helpers on frames of one page and of several: Linux's results, errno by errno."""

import itertools
import struct

import pytest
import skb
import skb_ops
from skb_ops import Op
from skb_sequences import SIZES, XDP, xdp_cases
from skb_sequences import xdp_context as context
from skb_sequences import xdp_frame as frame

DELTAS = (0, 1, -1, 50, -46, -47, -216, 4095, 4096, -3506, -3507, -5000, -9000, 1 << 31)


@pytest.mark.linux
@pytest.mark.parametrize("section", ["xdp", "xdp.frags"])
def test_adjustments_of_every_frame(section):
    names = ("xdp_adjust_head", "xdp_adjust_tail", "xdp_adjust_meta")
    cases = [
        (frame(size), [Op(name, delta), Op("xdp_get_buff_len")], None)
        for size in SIZES
        for name in names
        for delta in DELTAS
    ]
    skb_ops.agree(skb_ops.driver(section, XDP), cases)


@pytest.mark.linux
def test_pages_of_a_frame_that_is_linear_to_any_byte():
    cases = [
        (frame(size), [Op("xdp_adjust_tail", delta), Op("xdp_get_buff_len")], context(linear))
        for size in (60, 200, 4200, 9000)
        for linear in (0, 13, 14, 30, 100, 3520)
        if linear <= size
        for delta in (*DELTAS, -size + 14, -size + 13)
    ]
    skb_ops.agree(skb_ops.driver("xdp.frags", XDP), cases)


@pytest.mark.linux
def test_metadata_is_given_and_moved():
    steps = [[Op("xdp_adjust_meta", by), Op("xdp_adjust_head", -by)] for by in (4, -4, -200, 216)]
    cases = [(frame(300), some, context(300, meta)) for meta in (0, 4, 100, 216) for some in steps]
    skb_ops.agree(skb_ops.driver("xdp", XDP), cases)


@pytest.mark.linux
@pytest.mark.parametrize("section", ["xdp", "xdp.frags"])
def test_bytes_anywhere_in_the_frame(section):
    offsets = (0, 13, 28, 29, 59, 60, 3500, 3519, 3520, 8990, 8999, 9000, 0xFFFF, 0x10000)
    cases = [
        (frame(size), [Op(name, at, more, 0, b"stored" * 5), Op("xdp_load_bytes", at, 7)], None)
        for size in (60, 3521, 9000)
        for name in ("xdp_load_bytes", "xdp_store_bytes")
        for at in (*offsets, 0x7FFFFFFF, 0xFFFFFFFF)
        for more in (0, 30, 31)
    ]
    skb_ops.agree(skb_ops.driver(section, XDP), cases)


@pytest.mark.linux
def test_mtu():
    steps = [
        Op("check_mtu", a, b, c, struct.pack("<I", length))
        for a, b, c, length in itertools.product(
            (0, 1, 999), (0, 1, -1, 65_536, 1 << 31), (0, 1), (0, 1, 1500, 65_536, 0xFFFFFFFF)
        )
    ]
    cases = [(frame(size), [step], None) for size in (60, 9000) for step in steps]
    skb_ops.agree(skb_ops.driver("xdp.frags", XDP), cases)


@pytest.mark.linux
@pytest.mark.parametrize("seed", range(2))
def test_sequences(seed):
    skb_ops.agree(skb_ops.driver("xdp.frags", XDP), xdp_cases(seed, 400))


@pytest.mark.linux
def test_refused_contexts_are_those_that_linux_refuses():
    spec = skb_ops.driver("xdp", XDP)
    tried = [(3, 60, 0), (8, 50, 0), (0, 61, 0), (64, 60, 0), (46, 60, 0), (48, 60, 0), (0, 0, 0)]
    tried += [(220, 300, 0), (216, 300, 0), (0, 60, 4), (60, 40, 0)]
    for data, end, meta in tried:
        given = struct.pack("<6I", data, end, meta, 0, 0, 0)
        size = 300 if end == 300 else 60
        outcomes = {name: outcome(name, spec, frame(size), given) for name in skb.KERNELS}
        assert set(outcomes.values()) == {outcomes["linux"]}, (data, end, meta, outcomes)


def outcome(kernel, spec, data, given):
    try:
        return skb_ops.outcomes(skb.KERNELS[kernel], spec, [(data, [], given)])[0][1:]
    except (skb.InputError, skb.SyscallError):
        return "refused"
