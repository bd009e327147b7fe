"""bpf_fib_lookup: a forwarding decision, its source address and link addresses.

IPv6 addresses are two halves in host order.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    i64,
    inline,
    load_ptr,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    ptr,
    store_u8,
    store_u16,
    store_u32,
    u16,
    u32,
    u64,
)
from beebox.userspace.source.routes import (
    AF_INET,
    AF_INET6,
    BLACKHOLE,
    DST,
    EACCES,
    EAGAIN,
    EHOSTUNREACH,
    EINVAL,
    IF_BYTES,
    IF_FLAGS,
    IF_MAC,
    IF_MTU,
    IFINDEX,
    INTERFACES,
    PROHIBIT,
    R_FLAGS,
    R_GATEWAY,
    R_INTERFACE,
    R_METRIC,
    R_MTU,
    R_SOURCE,
    R_TYPE,
    SRC,
    TABLE_MAIN,
    TOS,
    UNICAST,
    UNREACHABLE,
    array,
    by_rules4,
    by_rules6,
    find_interface,
    find_neighbour4,
    find_neighbour6,
    find_table,
    load_be32,
    load_be64,
    lookup4,
    lookup6,
    route_at,
    store_be64,
    swap32,
)

NETWORK: Final = constant("NETWORK")  # of the runtime block: the network's block
SOURCES6: Final = constant("SOURCES6")
SOURCE6_BYTES: Final = constant("SOURCE6_BYTES")

IF_FORWARD4: Final = 2
IF_FORWARD6: Final = 4
IF_NO_NEIGHBOURS: Final = 8

LOOPBACK: Final = 1

# struct bpf_fib_lookup
PARAMS_BYTES: Final = 64
TOT_LEN: Final = 6
TBID: Final = 48
SMAC: Final = 52
MARK: Final = 52
DMAC: Final = 58

DIRECT: Final = 1
OUTPUT: Final = 2
SKIP_NEIGH: Final = 4
WITH_TBID: Final = 8
WITH_SRC: Final = 16
WITH_MARK: Final = 32
ALL_FLAGS: Final = 63

# BPF_FIB_LKUP_RET_*
SUCCESS: Final = 0
RET_BLACKHOLE: Final = 1
RET_UNREACHABLE: Final = 2
RET_PROHIBIT: Final = 3
NOT_FWDED: Final = 4
FWD_DISABLED: Final = 5
UNSUPP_LWT: Final = 6
NO_NEIGH: Final = 7
FRAG_NEEDED: Final = 8
NO_SRC_ADDR: Final = 9

# a route's fields
R_GATEWAY_FAMILY: Final = 16
ROUTE_ENCAP: Final = 1
ROUTE_SOURCE: Final = 2

ENODEV: Final = 19
EAFNOSUPPORT: Final = 97

IP_MAX_MTU: Final = 0xFFFF
IP6_MAX_MTU: Final = 0xFFFF + 40


# ---- IPv6 source addresses


@inline
def scope6(upper: u64, lower: u64) -> u32:
    """__ipv6_addr_src_scope of a unicast address."""
    if (upper >> 54) == 0x3FA:  # fe80::/10
        return u32(2)
    if (upper >> 54) == 0x3FB:  # fec0::/10
        return u32(5)
    if upper == 0 and lower == 1:
        return u32(2)
    return u32(14)


@inline
def label6(upper: u64, lower: u64) -> u32:
    """ipv6_addr_label, by the table that Linux starts with."""
    if upper == 0:
        if lower == 1:
            return u32(0)
        if (lower >> 32) == 0xFFFF:
            return u32(4)
        if (lower >> 32) == 0:
            return u32(3)
    if (upper >> 36) == 0x200_1001:
        return u32(7)
    if (upper >> 32) == 0x2001_0000:
        return u32(6)
    if (upper >> 48) == 0x2002:
        return u32(2)
    if (upper >> 57) == 0x7E:  # fc00::/7
        return u32(5)
    if (upper >> 54) == 0x3FB:  # fec0::/10
        return u32(11)
    if (upper >> 48) == 0x3FFE:
        return u32(12)
    return u32(1)


@inline
def leading(x: u64) -> u64:
    """How many of the upper bits are zero."""
    count = u64(0)
    while count < 64 and (x >> (63 - count)) == 0:
        count += 1
    return count


def source6(net: ptr, ifindex: u32, upper: u64, lower: u64) -> ptr | None:
    """ipv6_dev_get_saddr (RFC 6724): the own address that suits a destination best."""
    scope = scope6(upper, lower)
    label = label6(upper, lower)
    orchid = (upper >> 36) == 0x200_1001
    count = u64(load_u32(net + SOURCES6))
    base = array(net, SOURCES6)
    best = base
    most = u64(0)
    at = u64(0)
    while at < count:
        here = base + at * SOURCE6_BYTES
        at += 1
        first = load_u64(here)
        second = load_u64(here + 8)
        index = load_u32(here + 16)
        if scope <= 2 and index != ifindex:
            continue
        own = load_u32(here + 24)
        reach = u64(128) + u64(own)  # the smaller of those that reach, else the larger
        if own >= scope:
            reach = u64(512) - u64(own)
        score = u64(1)
        score = (score << 1) | u64(first == upper and second == lower)
        score = (score << 10) | reach
        score = (score << 1) | u64((load_u32(here + 32) & 1) == 0)
        score = (score << 1) | u64(index == ifindex)
        score = (score << 1) | u64(load_u32(here + 28) == label)
        score = (score << 1) | u64((load_u32(here + 32) & 2) == 0)
        score = (score << 1) | u64(((first >> 36) == 0x200_1001) == orchid)
        same = leading(first ^ upper)
        if same == 64:
            same += leading(second ^ lower)
        length = u64(load_u32(here + 20))
        if same > length:
            same = length
        score = (score << 8) | same
        if score > most:
            most = score
            best = here
    if most == 0:
        return None
    return best


# ---- the helper


@inline
def copy_mac(to: ptr, source: ptr) -> None:
    """Six bytes."""
    store_u32(to, load_u32(source))
    store_u16(to + 4, load_u16(source + 4))


@inline
def finish(params: ptr, mtu: u32) -> i64:
    """bpf_fib_set_fwd_params."""
    store_u32(params + TBID, 0)
    if mtu != 0:
        store_u16(params + TOT_LEN, u16(mtu & 0xFFFF))
    return i64(SUCCESS)


@inline
def to_neighbour6(net: ptr, params: ptr, device: ptr, mtu: u32) -> i64:
    """Fill in the link addresses for the IPv6 next hop in ``params``."""
    upper = load_be64(params + DST)
    lower = load_be64(params + DST + 8)
    found = find_neighbour6(net, load_u32(device), upper, lower)
    if found is None:
        return i64(NO_NEIGH)
    copy_mac(params + DMAC, found)
    copy_mac(params + SMAC, device + IF_MAC)
    return finish(params, mtu)


@inline
def to_neighbour4(net: ptr, params: ptr, device: ptr, mtu: u32) -> i64:
    """Fill in the link addresses for the IPv4 next hop in ``params``."""
    address = load_be32(params + DST)
    if (load_u32(device + IF_FLAGS) & IF_NO_NEIGHBOURS) != 0:
        address = u32(0)
    found = find_neighbour4(net, load_u32(device), address)
    if found is None:
        return i64(NO_NEIGH)
    copy_mac(params + DMAC, found)
    copy_mac(params + SMAC, device + IF_MAC)
    return finish(params, mtu)


def fib4(net: ptr, params: ptr, flags: u32, check_mtu: bool) -> i64:
    """bpf_ipv4_fib_lookup."""
    ifindex = load_u32(params + IFINDEX)
    incoming = find_interface(net, ifindex)
    if incoming is None:
        return i64(-ENODEV)
    if (load_u32(incoming + IF_FLAGS) & IF_FORWARD4) == 0:
        return i64(FWD_DISABLED)
    iif = ifindex
    oif = u32(0)
    if (flags & OUTPUT) != 0:
        iif = u32(LOOPBACK)
        oif = ifindex
    dst = load_be32(params + DST)
    tos = u32(load_u8(params + TOS)) & 0xFC

    result = i64(-EAGAIN)
    if (flags & DIRECT) != 0:
        number = u32(TABLE_MAIN)
        if (flags & WITH_TBID) != 0:
            number = load_u32(params + TBID)
            store_u32(params + TBID, 0)
        table = find_table(net, number, AF_INET)
        if table is None:
            return i64(NOT_FWDED)
        result = lookup4(net, table, dst, tos, oif)
    else:
        mark = u32(0)
        if (flags & WITH_MARK) != 0:
            mark = load_u32(params + MARK)
        result = by_rules4(net, dst, load_be32(params + SRC), tos, mark, iif, oif)
    if result < 0:
        if result == -EINVAL:
            return i64(RET_BLACKHOLE)
        if result == -EHOSTUNREACH:
            return i64(RET_UNREACHABLE)
        if result == -EACCES:
            return i64(RET_PROHIBIT)
        return i64(NOT_FWDED)
    route = route_at(net, u64(result))
    if load_u32(route + R_TYPE) != UNICAST:
        return i64(NOT_FWDED)
    device = array(net, INTERFACES) + u64(load_u32(route + R_INTERFACE)) * IF_BYTES
    mtu = u32(0)
    if check_mtu:
        mtu = load_u32(route + R_MTU)
        if mtu == 0:
            mtu = load_u32(device + IF_MTU)
            if mtu > IP_MAX_MTU:
                mtu = u32(IP_MAX_MTU)
        if u32(load_u16(params + TOT_LEN)) > mtu:
            store_u16(params + TOT_LEN, u16(mtu & 0xFFFF))
            return i64(FRAG_NEEDED)
    if (load_u32(route + R_FLAGS) & ROUTE_ENCAP) != 0:
        return i64(UNSUPP_LWT)

    store_u32(params + TOS, load_u32(route + R_METRIC))
    store_u32(params + IFINDEX, load_u32(device))
    if (flags & WITH_SRC) != 0:
        store_u32(params + SRC, swap32(u32(load_u64(route + R_SOURCE + 8) & 0xFFFF_FFFF)))
    family = load_u32(route + R_GATEWAY_FAMILY)
    if family == AF_INET:
        store_u32(params + DST, swap32(u32(load_u64(route + R_GATEWAY + 8) & 0xFFFF_FFFF)))
    if family == AF_INET6:
        store_u8(params, AF_INET6)
        store_be64(params + DST, load_u64(route + R_GATEWAY))
        store_be64(params + DST + 8, load_u64(route + R_GATEWAY + 8))
    if (flags & SKIP_NEIGH) != 0:
        return finish(params, mtu)
    if family == AF_INET6:
        return to_neighbour6(net, params, device, mtu)
    return to_neighbour4(net, params, device, mtu)


@inline
def is_strict(address: ptr) -> bool:
    """rt6_need_strict: link-local, multicast or the loopback address."""
    upper = load_be64(address)
    if (upper >> 56) == 0xFF or (upper >> 54) == 0x3FA:
        return True
    return upper == 0 and load_be64(address + 8) == 1


def fib6(net: ptr, params: ptr, flags: u32, check_mtu: bool) -> i64:
    """bpf_ipv6_fib_lookup."""
    if is_strict(params + DST) or is_strict(params + SRC):
        return i64(NOT_FWDED)
    upper = load_be64(params + DST)
    lower = load_be64(params + DST + 8)
    ifindex = load_u32(params + IFINDEX)
    incoming = find_interface(net, ifindex)
    if incoming is None:
        return i64(-ENODEV)
    if (load_u32(incoming + IF_FLAGS) & IF_FORWARD6) == 0:
        return i64(FWD_DISABLED)
    result = i64(-EAGAIN)
    if (flags & DIRECT) != 0:
        number = u32(TABLE_MAIN)
        if (flags & WITH_TBID) != 0:
            number = load_u32(params + TBID)
            store_u32(params + TBID, 0)
        table = find_table(net, number, AF_INET6)
        if table is None:
            return i64(NOT_FWDED)
        result = lookup6(net, table, upper, lower, ifindex)
    else:
        mark = u32(0)
        if (flags & WITH_MARK) != 0:
            mark = load_u32(params + MARK)
        if (flags & OUTPUT) != 0:
            result = by_rules6(net, params, mark, u32(LOOPBACK), ifindex, u32(0))
        else:
            result = by_rules6(net, params, mark, ifindex, u32(0), u32(1))
    if result < 0:
        return i64(NOT_FWDED)
    route = route_at(net, u64(result))
    kind = load_u32(route + R_TYPE)
    if kind == BLACKHOLE:
        return i64(RET_BLACKHOLE)
    if kind == UNREACHABLE:
        return i64(RET_UNREACHABLE)
    if kind == PROHIBIT:
        return i64(RET_PROHIBIT)
    if kind != UNICAST:
        return i64(NOT_FWDED)
    device = array(net, INTERFACES) + u64(load_u32(route + R_INTERFACE)) * IF_BYTES
    mtu = u32(0)
    if check_mtu:
        mtu = load_u32(route + R_MTU)
        if mtu == 0:
            mtu = load_u32(device + IF_MTU)
            if mtu > IP6_MAX_MTU:
                mtu = u32(IP6_MAX_MTU)
        if u32(load_u16(params + TOT_LEN)) > mtu:
            store_u16(params + TOT_LEN, u16(mtu & 0xFFFF))
            return i64(FRAG_NEEDED)
    if (load_u32(route + R_FLAGS) & ROUTE_ENCAP) != 0:
        return i64(UNSUPP_LWT)

    if load_u32(route + R_GATEWAY_FAMILY) != 0:
        store_be64(params + DST, load_u64(route + R_GATEWAY))
        store_be64(params + DST + 8, load_u64(route + R_GATEWAY + 8))
    store_u32(params + TOS, load_u32(route + R_METRIC))
    store_u32(params + IFINDEX, load_u32(device))
    if (flags & WITH_SRC) != 0:
        if (load_u32(route + R_FLAGS) & ROUTE_SOURCE) != 0:
            store_be64(params + SRC, load_u64(route + R_SOURCE))
            store_be64(params + SRC + 8, load_u64(route + R_SOURCE + 8))
        else:
            own = source6(net, load_u32(device), upper, lower)  # not the gateway
            if own is None:
                return i64(NO_SRC_ADDR)
            store_be64(params + SRC, load_u64(own))
            store_be64(params + SRC + 8, load_u64(own + 8))
    if (flags & SKIP_NEIGH) != 0:
        return finish(params, mtu)
    return to_neighbour6(net, params, device, mtu)


@inline
def lookup(rt: ptr, params: ptr, size: i64, flags: i64, check_mtu: bool) -> i64:
    """What both kinds of program share."""
    if (u64(size) & 0xFFFF_FFFF) < PARAMS_BYTES:
        return i64(-EINVAL)
    wanted = u32(u64(flags) & 0xFFFF_FFFF)
    if wanted > ALL_FLAGS:
        return i64(-EINVAL)
    net = load_ptr(rt + NETWORK)
    family = load_u8(params)
    if family == AF_INET:
        return fib4(net, params, wanted, check_mtu)
    if family == AF_INET6:
        return fib6(net, params, wanted, check_mtu)
    return i64(-EAFNOSUPPORT)
