"""eBPF as one Python package: everything here is loaded on first use (PEP 562)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beebox.api import compile as compile
    from beebox.api import load as load
    from beebox.api import open_object as open_object
    from beebox.api import verify as verify
    from beebox.compiler.language import Array as Array
    from beebox.compiler.language import Constant as Constant
    from beebox.compiler.language import Global as Global
    from beebox.compiler.language import Hash as Hash
    from beebox.compiler.language import PerCpuArray as PerCpuArray
    from beebox.compiler.language import PerCpuHash as PerCpuHash
    from beebox.compiler.language import XdpAction as XdpAction
    from beebox.compiler.language import XdpContext as XdpContext
    from beebox.compiler.language import array as array
    from beebox.compiler.language import atomic as atomic
    from beebox.compiler.language import be16 as be16
    from beebox.compiler.language import be32 as be32
    from beebox.compiler.language import be64 as be64
    from beebox.compiler.language import i8 as i8
    from beebox.compiler.language import i16 as i16
    from beebox.compiler.language import i32 as i32
    from beebox.compiler.language import i64 as i64
    from beebox.compiler.language import ipv4 as ipv4
    from beebox.compiler.language import section as section
    from beebox.compiler.language import sizeof as sizeof
    from beebox.compiler.language import struct as struct
    from beebox.compiler.language import u8 as u8
    from beebox.compiler.language import u16 as u16
    from beebox.compiler.language import u32 as u32
    from beebox.compiler.language import u64 as u64
    from beebox.compiler.language import xdp as xdp
    from beebox.compiler.stubs import csum_diff as csum_diff
    from beebox.compiler.stubs import get_prandom_u32 as get_prandom_u32
    from beebox.compiler.stubs import get_smp_processor_id as get_smp_processor_id
    from beebox.compiler.stubs import ktime_get_ns as ktime_get_ns
    from beebox.compiler.stubs import trace_printk as trace_printk
    from beebox.compiler.stubs import xdp_adjust_head as xdp_adjust_head
    from beebox.compiler.stubs import xdp_adjust_meta as xdp_adjust_meta
    from beebox.compiler.stubs import xdp_adjust_tail as xdp_adjust_tail

_EXPORTS = {
    "beebox.api": "compile load open_object verify",
    "beebox.compiler.language": (
        "Array Constant Global Hash PerCpuArray PerCpuHash XdpAction XdpContext array atomic "
        "be16 be32 be64 i8 i16 i32 i64 ipv4 section sizeof struct u8 u16 u32 u64 xdp"
    ),
    "beebox.compiler.stubs": (
        "csum_diff get_prandom_u32 get_smp_processor_id ktime_get_ns trace_printk "
        "xdp_adjust_head xdp_adjust_meta xdp_adjust_tail"
    ),
}
_HOME = {name: module for module, names in _EXPORTS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'beebox' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
