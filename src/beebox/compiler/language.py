"""The language as its users import it, and as CPython runs it for reference.

The compiler reads sources as text and never executes them. These classes exist so that mypy can
check a source, and so that the same functions run in CPython on one thread: a struct is a view of
bytes in C layout, a map is a dict, a packet is a bytearray. mypy sees the integer types as ``int``;
width and sign are the compiler's to check.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
    overload,
)

from beebox.compiler.cells import atomic
from beebox.compiler.elements import (
    Array,
    ArrayOfMaps,
    BloomFilter,
    CpuMap,
    DevMap,
    DevMapHash,
    Hash,
    HashOfMaps,
    LpmTrie,
    LruHash,
    LruPerCpuHash,
    PerCpuArray,
    PerCpuHash,
    ProgArray,
    Queue,
    Stack,
    TailCalled,
    XskMap,
)
from beebox.compiler.integers import FixedInt
from beebox.compiler.packets import PacketContext, SkbContext, XdpContext
from beebox.compiler.views import ArrayView, StructView, coerce, lay_out, size_in_memory
from beebox.tables.map_types import MapFlags, UpdateFlags
from beebox.tables.program_types import (
    CgroupSkbVerdict,
    FlowDissectorVerdict,
    LwtVerdict,
    TcAction,
    XdpAction,
)

if TYPE_CHECKING:
    u8: TypeAlias = int
    u16: TypeAlias = int
    u32: TypeAlias = int
    u64: TypeAlias = int
    i8: TypeAlias = int
    i16: TypeAlias = int
    i32: TypeAlias = int
    i64: TypeAlias = int
    be16: TypeAlias = int
    be32: TypeAlias = int
    be64: TypeAlias = int
else:
    from beebox.compiler.integers import (
        be16,
        be32,
        be64,
        i8,
        i16,
        i32,
        i64,
        u8,
        u16,
        u32,
        u64,
    )

__all__ = [
    "Array",
    "ArrayOfMaps",
    "BloomFilter",
    "CgroupSkbVerdict",
    "Constant",
    "CpuMap",
    "DevMap",
    "DevMapHash",
    "FlowDissectorVerdict",
    "Global",
    "Hash",
    "HashOfMaps",
    "LpmTrie",
    "LruHash",
    "LruPerCpuHash",
    "LwtVerdict",
    "MapFlags",
    "PacketContext",
    "PerCpuArray",
    "PerCpuHash",
    "ProgArray",
    "Queue",
    "SkbContext",
    "Stack",
    "TcAction",
    "UpdateFlags",
    "XdpAction",
    "XdpContext",
    "XskMap",
    "array",
    "atomic",
    "be16",
    "be32",
    "be64",
    "bounded",
    "bswap64",
    "cgroup_skb_egress",
    "cgroup_skb_ingress",
    "copied",
    "flow_dissector",
    "htonl",
    "htons",
    "i8",
    "i16",
    "i32",
    "i64",
    "ipv4",
    "lwt_in",
    "lwt_out",
    "lwt_seg6local",
    "lwt_xmit",
    "ntohl",
    "ntohs",
    "over",
    "section",
    "sizeof",
    "socket_filter",
    "struct",
    "tc",
    "tcx_egress",
    "tcx_ingress",
    "u8",
    "u16",
    "u32",
    "u64",
    "xdp",
    "zeroed",
]

T = TypeVar("T")
N = TypeVar("N")
F = TypeVar("F", bound=Callable[..., Any])


def _program(function: F) -> F:
    """In CPython, a program whose tail calls end it."""

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        try:
            return function(*args)
        except TailCalled as called:
            return called.verdict

    return cast("F", run)


@overload
def xdp(function: F) -> F: ...
@overload
def xdp(*, frags: bool) -> Callable[[F], F]: ...
def xdp(function: F | None = None, *, frags: bool = False) -> F | Callable[[F], F]:
    """Mark an XDP program: ``SEC("xdp")``; ``@xdp(frags=True)`` is ``SEC("xdp.frags")``."""
    assert function is None or not frags
    return _program if function is None else _program(function)


def tc(function: F) -> F:
    """Mark a tc program: ``SEC("tc")``."""
    return _program(function)


def tcx_ingress(function: F) -> F:
    """Mark a tc program for packets that come in through tcx links: ``SEC("tcx/ingress")``."""
    return _program(function)


def tcx_egress(function: F) -> F:
    """Mark a tc program for packets that leave, through tcx links: ``SEC("tcx/egress")``."""
    return _program(function)


def socket_filter(function: F) -> F:
    """Mark a socket filter; it returns how many bytes to keep, 0 drops: ``SEC("socket")``."""
    return _program(function)


def cgroup_skb_ingress(function: F) -> F:
    """Mark a filter of what a control group's sockets receive: ``SEC("cgroup_skb/ingress")``."""
    return _program(function)


def cgroup_skb_egress(function: F) -> F:
    """Mark a filter of what a control group's sockets send: ``SEC("cgroup_skb/egress")``."""
    return _program(function)


def lwt_in(function: F) -> F:
    """Mark a lightweight tunnel program for packets that a route receives: ``SEC("lwt_in")``."""
    return _program(function)


def lwt_out(function: F) -> F:
    """Mark a lightweight tunnel program for packets that a route sends: ``SEC("lwt_out")``."""
    return _program(function)


def lwt_xmit(function: F) -> F:
    """Mark a lightweight tunnel program that may add headers: ``SEC("lwt_xmit")``."""
    return _program(function)


def lwt_seg6local(function: F) -> F:
    """Mark a program that acts for an IPv6 segment: ``SEC("lwt_seg6local")``."""
    return _program(function)


def flow_dissector(function: F) -> F:
    """Mark a flow dissector; it fills ``ctx.flow_keys``: ``SEC("flow_dissector")``."""
    return _program(function)


def section(name: str) -> Callable[[F], F]:
    """Mark a program by its section, spelled as libbpf's SEC(): ``"xdp.frags"``."""
    assert name
    return _program


@dataclass_transform(kw_only_default=True)
def struct(cls: type[T]) -> type[T]:
    """A class of annotated fields as a C struct; fields not named in a call are zero.

    ``be16``, ``be32`` and ``be64`` fields hold network byte order and read as plain integers.
    """
    return cast("type[T]", lay_out(cls))


class over:
    """``Annotated[T, over("name")]``: a field that lies over another, as in a C union."""

    def __init__(self, field: str) -> None:
        self.field = field


def htons(value: u16) -> u16:
    """A u16 with its bytes reversed: as helpers take it that want network byte order."""
    return u16(int.from_bytes(int(value).to_bytes(2, "big"), "little"))


def ntohs(value: u16) -> u16:
    """A u16 with its bytes reversed: what came in network byte order, in the host's."""
    return htons(value)


def htonl(value: u32) -> u32:
    """A u32 with its bytes reversed, as :func:`htons`."""
    return u32(int.from_bytes(int(value).to_bytes(4, "big"), "little"))


def ntohl(value: u32) -> u32:
    """A u32 with its bytes reversed, as :func:`ntohs`."""
    return htonl(value)


def bswap64(value: u64) -> u64:
    """A u64 with its bytes reversed."""
    return u64(int.from_bytes(int(value).to_bytes(8, "big"), "little"))


def zeroed(type_: type[T]) -> T:
    """A struct or an array that is all zeros."""
    return cast("T", coerce(type_, None))


def bounded() -> bool:
    """A condition that the kernel makes false when a loop has taken too long."""
    return True


def copied(value: T) -> T:
    """A struct or array of its own with the same bytes."""
    return cast("T", coerce(type(value), value))


def sizeof(type_: type) -> int:
    """Bytes of a type."""
    return size_in_memory(type_)


def ipv4(address: str) -> u32:
    """An address as a big-endian field reads it: ``ipv4("10.0.0.1")`` is 0x0A000001."""
    return u32(int(ipaddress.IPv4Address(address)))


if TYPE_CHECKING:

    class array(Generic[T, N]):
        """A fixed-length array: ``array[u8, Literal[6]]``."""

        def __getitem__(self, index: int) -> T: ...
        def __setitem__(self, index: int, value: T) -> None: ...
        def __len__(self) -> int: ...
else:
    array = ArrayView


class Global(Generic[T]):
    """A global variable; programs read and write ``value``, user space through the object."""

    def __init__(self, value: T) -> None:
        self._value = value

    @property
    def value(self) -> T:
        """What is stored, of the type of the first value."""
        return self._value

    @value.setter
    def value(self, value: T) -> None:
        if isinstance(self._value, FixedInt | StructView | ArrayView):
            value = cast("T", coerce(type(self._value), value))
        self._value = value


class Constant(Generic[T]):
    """A knob: set by user space before the program is loaded, fixed afterwards (``.rodata``)."""

    def __init__(self, value: T) -> None:
        self._value = value

    @property
    def value(self) -> T:
        """What user space has set, or the first value."""
        return self._value
