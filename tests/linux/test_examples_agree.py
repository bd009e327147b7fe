"""Each example in CPython, userspace and Linux: the same verdicts, packets and map contents."""

from __future__ import annotations

import importlib.util
import struct
import sys

import pytest

import beebox
from beebox import SkbContext, XdpContext, ipv4
from beebox.compiler.views import coerce, in_bytes

pytestmark = pytest.mark.linux

ADDRESSES = {name: ipv4(name) for name in ("10.0.0.5", "10.0.0.6", "192.0.2.1", "198.51.100.7")}
INSIDE, OTHER, PUBLIC, PEER = ADDRESSES.values()


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(
    source: int,
    target: int,
    protocol: int,
    sport: int,
    dport: int,
    payload: bytes = b"payload",
    *,
    ttl: int = 64,
    vlan: bool = False,
    no_check: bool = False,
) -> bytes:
    """An Ethernet frame with IPv4 and TCP or UDP, checksums right."""
    if protocol == 6:
        l4 = struct.pack(">HHIIBBHHH", sport, dport, 1, 2, 0x50, 0x10, 512, 0, 0) + payload
        at = 16
    else:
        l4 = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
        at = 6
    pseudo = struct.pack(">IIBBH", source, target, 0, protocol, len(l4))
    if not no_check:
        l4 = l4[:at] + struct.pack(">H", checksum(pseudo + l4)) + l4[at + 2 :]
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(l4), 7, 0, ttl, protocol, 0, source, target)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    tag = b"\x81\x00\x00\x05" if vlan else b""
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + tag + b"\x08\0" + ip + l4


def other(ethertype: int, payload: bytes) -> bytes:
    return b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02" + struct.pack(">H", ethertype) + payload


FRAMES = [
    frame(INSIDE, PEER, 17, 5000, 53),
    frame(INSIDE, PEER, 17, 5000, 53, no_check=True),
    frame(INSIDE, PEER, 6, 5001, 80, b"GET /"),
    frame(OTHER, PEER, 6, 5002, 80, vlan=True),
    frame(PEER, PUBLIC, 17, 53, 5000),
    frame(PEER, PUBLIC, 6, 80, 5001, b"odd"),
    frame(PEER, PUBLIC, 6, 81, 5001),
    frame(PEER, INSIDE, 17, 1, 2, ttl=1),
    other(0x0806, bytes(28)),
    other(0x0806, bytes(10)),
    other(0x86DD, bytes([0x60, 0, 0, 0, 0, 8, 17, 64]) + bytes(40)),
    other(0x86DD, bytes([0x60, 0, 0, 0, 0, 8, 17, 1]) + bytes(40)),
    other(0x0800, bytes(30)),
    frame(INSIDE, PEER, 17, 5000, 53, bytes(100)),
] * 3


class Reference:
    """An example in CPython."""

    def __init__(self, module):
        self.module = module

    def put(self, name, key, value):
        getattr(self.module, name)[key] = value

    def run(self, program, data):
        function = getattr(self.module, program)
        network = data[14:]
        protocol = int.from_bytes(data[12:14], "big")
        if self.module.__name__.endswith(("tc_nat",)):
            ctx = SkbContext(data, protocol=protocol, network_header=14)
        elif self.module.__name__.endswith(("socket_sample", "cgroup_quota")):
            ctx = SkbContext(network, protocol=protocol)
        else:
            ctx = XdpContext(data)
        verdict = int(function(ctx)) & 0xFFFFFFFF
        kept = bytes(14) if len(ctx.data) == len(network) else b""
        return verdict, kept + bytes(ctx.data)

    def contents(self, name):
        held = getattr(self.module, name)
        return {in_bytes(key): in_bytes(value) for key, value in held._held.items()}


class Loaded:
    """The same in a kernel."""

    def __init__(self, collection, module):
        self.collection = collection
        self.module = module

    def put(self, name, key, value):
        key_type, value_type = getattr(self.module, name)._types()
        self.collection.maps[name].update(
            in_bytes(coerce(key_type, key)), in_bytes(coerce(value_type, value))
        )

    def run(self, program, data):
        ran = self.collection.programs[program].test_run(data)
        return ran.retval, ran.data_out

    def contents(self, name):
        return dict(self.collection.maps[name].items())


def fill_acl(put, example):
    for prefix, bits, action in (("10.0.0.0", 8, 1), ("10.0.0.6", 32, 2), ("198.51.100.0", 24, 1)):
        key = example.lpm_ipv4(prefixlen=bits, addr=ipv4(prefix))
        put("rules", key, example.Rule(action=action))


def fill_balancer(put, example):
    for port, protocol in ((80, 6), (53, 17)):
        endpoint = example.Endpoint(address=PEER, port=port, protocol=protocol)
        put("services", endpoint, example.Service(pool=0, servers=3))
    for index in range(3):
        server = beebox.zeroed(example.Server)
        server.mac[5] = index + 1
        put("first_pool", index, server)


def fill_quota(put, example):
    put("quotas", PEER, example.Quota(total=300, left=300))


def nothing(put, example):
    del put, example


SCENARIOS = {
    "lpm_acl": (["check_source"], fill_acl, ["rules"]),
    "tc_nat": (["leave", "arrive"], nothing, ["inside"]),
    "balancer": (["balance"], fill_balancer, ["services", "connections"]),
    "socket_sample": (["sample_dns"], nothing, []),
    "cgroup_quota": (["limit"], fill_quota, ["quotas"]),
    "dispatch": (["dispatch"], nothing, []),
}


@pytest.fixture
def example(repository, request):
    path = repository / "examples" / f"{request.param}.py"
    spec = importlib.util.spec_from_file_location(f"agreeing_{request.param}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("example", SCENARIOS, indirect=True)
def test_examples_agree(example):
    name = example.__name__.removeprefix("agreeing_")
    programs, fill, compared = SCENARIOS[name]
    with (
        beebox.load(example.__file__, kernel="linux") as linux,
        beebox.load(example.__file__) as jit,
        beebox.load(example.__file__, engine="interpreter") as interpreter,
    ):
        kernels = {
            "cpython": Reference(example),
            "jit": Loaded(jit, example),
            "interpreter": Loaded(interpreter, example),
        }
        oracle = Loaded(linux, example)
        for kernel in (oracle, *kernels.values()):
            fill(kernel.put, example)
        verdicts = set()
        for data in FRAMES:
            for program in programs:
                wanted = oracle.run(program, data)
                verdicts.add((wanted[0], wanted[1] == data))
                for named, kernel in kernels.items():
                    assert (named, *kernel.run(program, data)) == (named, *wanted), data.hex()
        assert len(verdicts) > 1  # the frames make a difference
        for held in compared:
            for named, kernel in kernels.items():
                assert (named, kernel.contents(held)) == (named, oracle.contents(held))
