"""bpf_fib_lookup in every kernel: a program that takes its parameters from the packet."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from beebox.backend import Backend
from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.network.model import Network

DIRECT, OUTPUT, SKIP_NEIGH, TBID, SRC, MARK = 1, 2, 4, 8, 16, 32
PARAMS_BYTES = 64
PASS = {"xdp": 2, "tc": 0}
_DATA = {"xdp": (0, 4), "tc": (76, 80)}

Ask = Callable[[bytes, int], "Answer"]


@dataclass(frozen=True)
class Answer:
    """What the helper returned, and ``struct bpf_fib_lookup`` after it."""

    returned: int
    params: bytes

    @property
    def tot_len(self) -> int:
        return struct.unpack_from("<H", self.params, 6)[0]

    @property
    def ifindex(self) -> int:
        return struct.unpack_from("<I", self.params, 8)[0]

    @property
    def metric(self) -> int:
        return struct.unpack_from("<I", self.params, 12)[0]

    def address(self, at: int) -> str:
        size = 4 if self.params[0] == 2 else 16
        return str(ip_address(self.params[at : at + size]))

    @property
    def src(self) -> str:
        return self.address(16)

    @property
    def dst(self) -> str:
        return self.address(32)

    @property
    def smac(self) -> bytes:
        return self.params[52:58]

    @property
    def dmac(self) -> bytes:
        return self.params[58:64]


def params(
    dst: str,
    ifindex: int,
    *,
    src: str | None = None,
    tot_len: int = 0,
    tos: int = 0,
    flowinfo: int = 0,
    tbid: int = 0,
    mark: int = 0,
) -> bytes:
    """``struct bpf_fib_lookup`` as a program fills it in."""
    to = ip_address(dst)
    family = 2 if to.version == 4 else 10
    kind = struct.pack("<I", tos) if family == 2 else struct.pack(">I", flowinfo)
    source = ip_address(src).packed if src is not None else b""
    return (
        struct.pack("<BBHHHI", family, 0, 0, 0, tot_len, ifindex)
        + kind
        + source.ljust(16, b"\0")
        + to.packed.ljust(16, b"\0")
        + struct.pack("<II", tbid, mark)
        + bytes(8)
    )


def program(section: str, size: int = PARAMS_BYTES) -> ObjectSpec:
    """Parameters and flags in, parameters and result out: 64 bytes, u32, 4 bytes, s64."""
    data, end = _DATA[section]
    words = range(0, PARAMS_BYTES, 8)
    into = [f"r2 = *(u64 *)(r6 + {at})\n*(u64 *)(r10 - {72 - at}) = r2" for at in words]
    back = [f"r2 = *(u64 *)(r10 - {72 - at})\n*(u64 *)(r6 + {at}) = r2" for at in words]
    text = f"""
r6 = *(u32 *)(r1 + {data})
r7 = *(u32 *)(r1 + {end})
r8 = r6
r8 += 80
r0 = {PASS[section]}
if r8 > r7 goto out
r2 = 0
*(u64 *)(r10 - 8) = r2
{chr(10).join(into)}
r2 = r10
r2 += -72
r3 = {size}
r4 = *(u32 *)(r6 + 64)
call 69
*(u64 *)(r6 + 72) = r0
{chr(10).join(back)}
r0 = {PASS[section]}
out:
exit
"""
    return ObjectSpec({"main": FunctionSpec("main", section, assemble(text))}, license="GPL")


@contextmanager
def asking(kernel: Backend, spec: ObjectSpec, *, pad: int = 0) -> Iterator[Ask]:
    """The program loaded into a kernel, as a function of parameters and flags."""
    with kernel.load(spec) as loaded:
        live = loaded.programs["main"]

        def ask(given: bytes, flags: int) -> Answer:
            data = live.test_run(given + struct.pack("<II", flags, 0) + bytes(8 + pad)).data_out
            return Answer(struct.unpack_from("<q", data, 72)[0], data[:PARAMS_BYTES])

        yield ask


@contextmanager
def everywhere(
    network: Network, section: str = "xdp", *, size: int = PARAMS_BYTES, pad: int = 0
) -> Iterator[Ask]:
    """The same in Linux (in this thread's namespace) and in both engines, which must agree."""
    spec = program(section, size)
    kernels: dict[str, Backend] = {
        "linux": LinuxKernel(),
        "jit": UserspaceKernel("jit", network=network),
        "interpreter": UserspaceKernel("interpreter", network=network),
    }
    with ExitStack() as stack:
        asks = {
            name: stack.enter_context(asking(kernel, spec, pad=pad))
            for name, kernel in kernels.items()
        }

        def ask(given: bytes, flags: int = 0) -> Answer:
            linux = asks["linux"](given, flags)
            for name in ("jit", "interpreter"):
                assert asks[name](given, flags) == linux, (name, given.hex(), flags)
            return linux

        yield ask
