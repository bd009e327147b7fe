"""The network's block: a lookup in it is the longest prefix, whatever the table holds."""

import ctypes
import random
import struct
from ipaddress import IPv4Network, IPv6Network, ip_address

import pytest

from beebox.userspace.native_helpers import helper_call
from beebox.userspace.network.block import NetworkBlock
from beebox.userspace.network.model import Interface, Network, Route
from beebox.vm.memory import Runtime, address_of

INTERFACE = Interface(7, "eth0")
SKIP_NEIGH = 4


def metric_found(block, address):
    """The metric of the route that the native lookup takes, None where there is none."""
    runtime = Runtime()
    runtime.network = block.address
    version = 2 if address.version == 4 else 10
    params = struct.pack("<BBHHHI", version, 0, 0, 0, 0, 7) + bytes(20)
    params += address.packed.ljust(16, b"\0") + bytes(16)
    room = ctypes.create_string_buffer(params, 64)
    lookup = helper_call("fib_lookup", "xdp_md")
    code = lookup(address_of(runtime), 0, ctypes.addressof(room), 64, SKIP_NEIGH)
    return struct.unpack_from("<I", room.raw, 12)[0] if code == 0 else None


@pytest.mark.parametrize("family", [IPv4Network, IPv6Network])
def test_random_tables_against_a_scan(family):
    rng = random.Random(family.__name__)
    bits = 32 if family is IPv4Network else 128
    base = 0x0A000000 if family is IPv4Network else 0x20010DB8 << 96
    for _ in range(40):
        prefixes = {}
        for number in range(rng.randrange(0, 60)):
            length = rng.choice([0, 1, 8, bits - 20, bits - 8, bits - 4, bits - 1, bits])
            host = base | rng.randrange(1 << 10) << rng.choice([0, bits - 42 if bits > 32 else 8])
            net = family((host >> (bits - length) << (bits - length), length))
            prefixes[net] = 1000 + number
        routes = tuple(Route(net, ifindex=7, metric=metric) for net, metric in prefixes.items())
        block = NetworkBlock(Network((INTERFACE,), routes))
        for _ in range(60):
            address = ip_address(base | rng.randrange(1 << 12))
            if prefixes and rng.random() < 0.5:
                net = rng.choice(sorted(prefixes))
                edge = rng.choice([int(net[0]), int(net[-1]), int(net[-1]) + 1, int(net[0]) - 1])
                address = type(address)(edge % (1 << bits))
            if address.is_multicast or address.is_link_local or address.is_loopback:
                continue
            holding = [net for net in prefixes if address in net]
            best = max(holding, key=lambda net: net.prefixlen, default=None)
            assert metric_found(block, address) == prefixes.get(best)


def test_a_large_table_is_quick_to_search():
    rng = random.Random(5)
    routes = tuple(
        Route(IPv4Network((rng.randrange(1 << 24) << 8, 24)), ifindex=7, metric=number)
        for number in range(20_000)
    )
    block = NetworkBlock(Network((INTERFACE,), routes))
    least = {}
    for route in routes:
        least.setdefault(route.prefix, route.metric)
    for prefix in rng.sample(sorted(least), 200):
        if not (prefix.is_multicast or prefix.is_loopback):
            assert metric_found(block, prefix[3]) == least[prefix]
