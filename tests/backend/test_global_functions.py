"""Global functions, which are verified by themselves: one result in every kernel and engine."""

from __future__ import annotations

import pytest
from c_objects import compile_c

from beebox import api
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.verifier.result import RegKind
from beebox.verifier.verify import verify
from beebox.vm.batch import reads_only

SOURCE = """
struct xdp_md { unsigned data, data_end, data_meta, ingress_ifindex, rx_queue_index; };
struct { int (*type)[2]; int (*max_entries)[1]; int *key; long *value; } values SEC(".maps");
static int (*bpf_xdp_adjust_head)(struct xdp_md *, int) = (void *)44;
static __noinline int bump(int *at)
{
    *at += 3;
    return *at & 255;
}
__noinline int change(int *at, int by)
{
    if (!at)
        return 1000;
    *at += by;
    return bump(at);
}
__noinline int outer(struct xdp_md *ctx, int *at)
{
    int here = ctx->rx_queue_index + 5;
    return change(&here, 2) + change(at, here);
}
__noinline int longer(struct xdp_md *ctx)
{
    return bpf_xdp_adjust_head(ctx, -4) ? 0 : change(0, 1);
}
SEC("xdp") int memory(struct xdp_md *ctx)
{
    int *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    int key = 0, here = 7;
    int *there = bpf_map_lookup_elem(&values, &key);
    long sum = outer(ctx, &here) + change(there, 4) + change(0, 4);
    if (data + 1 > end)
        return 0;
    return sum + change(data, 9) + here * 2 + *data;
}
SEC("xdp") int moving(struct xdp_md *ctx)
{
    return longer(ctx) + longer(ctx);
}
SEC("xdp") int reading(struct xdp_md *ctx)
{
    int here = 7;
    return bump(&here) + ctx->rx_queue_index;
}
"""
PACKET = bytes(range(1, 65))
KERNELS = [
    pytest.param("userspace", "jit", id="jit"),
    pytest.param("userspace", "interpreter", id="interpreter"),
    pytest.param("linux", "jit", id="linux", marks=pytest.mark.linux),
]
RESULTS = {"memory": 67307087, "moving": 2000, "reading": 10}


@pytest.fixture(scope="module")
def spec():
    return reader.read(compile_c(SOURCE))


@pytest.mark.parametrize(("kernel", "engine"), KERNELS)
@pytest.mark.parametrize("name", RESULTS)
def test_results(spec, kernel, engine, name):
    with api.load(spec, kernel=kernel, engine=engine, programs=[name]) as live:
        run = live.programs[name].test_run(PACKET)
    assert run.retval == RESULTS[name]
    if name == "memory":
        assert run.data_out[:4] == (int.from_bytes(PACKET[:4], "little") + 12).to_bytes(4, "little")


def test_a_packet_in_disguise_is_written(spec):
    """A run may work on the caller's bytes only where nothing can be a packet that is changed."""
    verified = verify(link(spec, "memory")).require_accepted()
    assert not reads_only(verified)
    assert RegKind.MEM in {fact.kind for row in verified.regs for fact in row or () if fact}
    assert reads_only(verify(link(spec, "reading")).require_accepted())
