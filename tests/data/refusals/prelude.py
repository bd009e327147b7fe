from __future__ import annotations
from enum import IntEnum
from typing import Annotated, Final, Literal
from beebox import (Array, Constant, Global, Hash, PerCpuArray, XdpAction, XdpContext, array, atomic,
    csum_diff, get_prandom_u32, ipv4, ktime_get_ns, sizeof, struct, trace_printk, u8, u16, u32, u64,
    i16, i32, i64, be16, be32, xdp, xdp_adjust_head)
from beebox import (CgroupSkbVerdict, LwtVerdict, SkbContext, TcAction, cgroup_skb_egress,
    cgroup_skb_ingress, lwt_xmit, over, skb_load_bytes, skb_pull_data, skb_store_bytes,
    skb_vlan_pop, socket_filter, tc, zeroed)
from beebox import (ArrayOfMaps, BloomFilter, DevMap, LpmTrie, MapFlags, ProgArray, Queue, Stack,
    PacketContext, UpdateFlags, tail_call)
from beebox.lib.net import ETH_P_IP, ethhdr, iphdr, ipv6hdr, tcphdr
@struct
class Counter:
    packets: u64
    bytes: u64
@struct
class Table:
    slots: array[u64, Literal[8]]
    mark: u8
counters = Hash[u32, Counter](max_entries=16)
hits = Hash[u32, u64](max_entries=16)
tables = Array[Table](max_entries=1)
total = Global(u64(0))
limit = Constant(u32(100))
