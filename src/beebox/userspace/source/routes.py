"""A network as native code reads it: interfaces, neighbours, routes by longest prefix, rules.

The block is ``userspace.network.block``'s; its layout comes as constants. IP addresses are numbers
in host order, IPv6 ones in two halves. A lookup gives a route's number or a negative errno, as
inside Linux.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    i64,
    inline,
    load_u32,
    load_u64,
    ptr,
    store_u32,
    u32,
    u64,
)

INTERFACES: Final = constant("INTERFACES")
NEIGHBOURS4: Final = constant("NEIGHBOURS4")
NEIGHBOURS6: Final = constant("NEIGHBOURS6")
TABLES: Final = constant("TABLES")
RULES4: Final = constant("RULES4")
RULES6: Final = constant("RULES6")
NODES: Final = constant("NODES")
ROUTES: Final = constant("ROUTES")
IF_BYTES: Final = constant("IF_BYTES")
IF_MTU: Final = constant("IF_MTU")
IF_FLAGS: Final = constant("IF_FLAGS")
IF_MAC: Final = constant("IF_MAC")
NEIGHBOUR4_BYTES: Final = constant("NEIGHBOUR4_BYTES")
NEIGHBOUR6_BYTES: Final = constant("NEIGHBOUR6_BYTES")
TABLE_BYTES: Final = constant("TABLE_BYTES")
START4_BYTES: Final = constant("START4_BYTES")
START6_BYTES: Final = constant("START6_BYTES")
NODE_BYTES: Final = constant("NODE_BYTES")
ROUTE_BYTES: Final = constant("ROUTE_BYTES")
RULE_BYTES: Final = constant("RULE_BYTES")

IF_UP: Final = 1

NONE: Final = 0xFFFF_FFFF
AF_INET: Final = 2
AF_INET6: Final = 10
TABLE_DEFAULT: Final = 253
TABLE_MAIN: Final = 254
TABLE_LOCAL: Final = 255

# struct bpf_fib_lookup
IFINDEX: Final = 8
TOS: Final = 12
SRC: Final = 16
DST: Final = 32

# BPF_FIB_LKUP_RET_*

UNICAST: Final = 1
BLACKHOLE: Final = 6
UNREACHABLE: Final = 7
PROHIBIT: Final = 8
THROW: Final = 9

# a route's fields
R_TYPE: Final = 0
R_TOS: Final = 4
R_METRIC: Final = 8
R_INTERFACE: Final = 12
R_MTU: Final = 20
R_FLAGS: Final = 24
R_PREFERENCE: Final = 28
R_GATEWAY: Final = 32
R_SOURCE: Final = 48

EAGAIN: Final = 11
EACCES: Final = 13
EINVAL: Final = 22
ENETUNREACH: Final = 101
EHOSTUNREACH: Final = 113

DSCP_LEGACY: Final = 0x1C  # what a lookup compares of a TOS


def swap32(x: u32) -> u32:
    """The other byte order."""
    return (x >> 24) | ((x >> 8) & 0xFF00) | ((x & 0xFF00) << 8) | (x << 24)


@inline
def load_be32(at: ptr) -> u32:
    """A number in network order."""
    return swap32(load_u32(at))


@inline
def load_be64(at: ptr) -> u64:
    """A number in network order."""
    return (u64(load_be32(at)) << 32) | u64(load_be32(at + 4))


@inline
def store_be64(at: ptr, value: u64) -> None:
    """Write a number in network order."""
    store_u32(at, swap32(u32(value >> 32)))
    store_u32(at + 4, swap32(u32(value & 0xFFFF_FFFF)))


@inline
def array(net: ptr, header: u64) -> ptr:
    """An array's first byte."""
    return net + u64(load_u32(net + header + 4))


@inline
def route_at(net: ptr, number: u64) -> ptr:
    """A route by its number."""
    return array(net, ROUTES) + number * ROUTE_BYTES


# ---- interfaces and neighbours


def find_interface(net: ptr, ifindex: u32) -> ptr | None:
    """The interface with this index."""
    low = u64(0)
    high = u64(load_u32(net + INTERFACES))
    base = array(net, INTERFACES)
    while low < high:
        middle = (low + high) >> 1
        here = base + middle * IF_BYTES
        found = load_u32(here)
        if found == ifindex:
            return here
        if found < ifindex:
            low = middle + 1
        else:
            high = middle
    return None


def find_neighbour4(net: ptr, ifindex: u32, address: u32) -> ptr | None:
    """The link address of a valid neighbour."""
    key = (u64(ifindex) << 32) | u64(address)
    low = u64(0)
    high = u64(load_u32(net + NEIGHBOURS4))
    base = array(net, NEIGHBOURS4)
    while low < high:
        middle = (low + high) >> 1
        here = base + middle * NEIGHBOUR4_BYTES
        found = load_u64(here)
        if found == key:
            return here + 8
        if found < key:
            low = middle + 1
        else:
            high = middle
    return None


def find_neighbour6(net: ptr, ifindex: u32, upper: u64, lower: u64) -> ptr | None:
    """The link address of a valid neighbour."""
    low = u64(0)
    high = u64(load_u32(net + NEIGHBOURS6))
    base = array(net, NEIGHBOURS6)
    while low < high:
        middle = (low + high) >> 1
        here = base + middle * NEIGHBOUR6_BYTES
        first = load_u64(here)
        second = load_u64(here + 8)
        index = load_u32(here + 16)
        if first == upper and second == lower and index == ifindex:
            return here + 20
        if first < upper or (
            first == upper and (second < lower or (second == lower and index < ifindex))
        ):
            low = middle + 1
        else:
            high = middle
    return None


# ---- tables


def find_table(net: ptr, number: u32, family: u32) -> ptr | None:
    """A family's table; number 0 is the main one."""
    if number == 0:
        number = u32(TABLE_MAIN)
    count = u64(load_u32(net + TABLES))
    base = array(net, TABLES)
    at = u64(0)
    while at < count:
        here = base + at * TABLE_BYTES
        if load_u32(here) == number and load_u32(here + 4) == family:
            return here
        at += 1
    return None


def node4(net: ptr, table: ptr, address: u32) -> u32:
    """The node of the longest prefix that holds an address."""
    starts = net + u64(load_u32(table + 12))
    low = u64(0)  # the first start is address 0
    high = u64(load_u32(table + 8))
    index = load_u32(table + 16)
    if index != 0:
        entry = net + u64(index) + (u64(address >> 16) << 2)
        low = u64(load_u32(entry))
        high = u64(load_u32(entry + 4)) + 1
    while high - low > 1:
        middle = (low + high) >> 1
        if load_u32(starts + middle * START4_BYTES) <= address:
            low = middle
        else:
            high = middle
    return load_u32(starts + low * START4_BYTES + 4)


def node6(net: ptr, table: ptr, upper: u64, lower: u64) -> u32:
    """The node of the longest prefix that holds an address."""
    starts = net + u64(load_u32(table + 12))
    low = u64(0)
    high = u64(load_u32(table + 8))
    while high - low > 1:
        middle = (low + high) >> 1
        here = starts + middle * START6_BYTES
        first = load_u64(here)
        if first < upper or (first == upper and load_u64(here + 8) <= lower):
            low = middle
        else:
            high = middle
    return load_u32(starts + low * START6_BYTES + 16)


@inline
def ifindex_of(net: ptr, route: ptr) -> u32:
    """The index of the interface that a route leads to; 0 for none."""
    place = load_u32(route + R_INTERFACE)
    if place == NONE:
        return u32(0)
    return load_u32(array(net, INTERFACES) + u64(place) * IF_BYTES)


def lookup4(net: ptr, table: ptr, address: u32, tos: u32, oif: u32) -> i64:
    """fib_table_lookup: a route's number, or why there is none."""
    node = node4(net, table, address)
    while node != NONE:
        here = array(net, NODES) + u64(node) * NODE_BYTES
        number = u64(load_u32(here))
        end = number + u64(load_u32(here + 4))
        while number < end:
            route = route_at(net, number)
            wanted = load_u32(route + R_TOS)
            if wanted == 0 or wanted == tos & DSCP_LEGACY:
                kind = load_u32(route + R_TYPE)
                if kind == BLACKHOLE:
                    return i64(-EINVAL)
                if kind == UNREACHABLE:
                    return i64(-EHOSTUNREACH)
                if kind == PROHIBIT:
                    return i64(-EACCES)
                if kind == THROW:
                    return i64(-EAGAIN)
                if oif == 0 or ifindex_of(net, route) == oif:
                    return i64(number)
            number += 1
        node = load_u32(here + 8)
    return i64(-EAGAIN)


def lookup6(net: ptr, table: ptr, upper: u64, lower: u64, oif: u32) -> i64:
    """fib6_table_lookup: of the longest prefix, the least metric, the best score."""
    node = node6(net, table, upper, lower)
    while node != NONE:
        here = array(net, NODES) + u64(node) * NODE_BYTES
        number = u64(load_u32(here))
        end = number + u64(load_u32(here + 4))
        best = i64(-EAGAIN)
        score = u32(0)
        metric = u32(0)
        while number < end:
            route = route_at(net, number)
            if best >= 0 and load_u32(route + R_METRIC) != metric:
                break
            points = (load_u32(route + R_PREFERENCE) << 2) + 1
            if oif == 0 or ifindex_of(net, route) == oif:
                points += 2
            if best < 0 or points > score:
                best = i64(number)
                score = points
                metric = load_u32(route + R_METRIC)
            number += 1
        if best >= 0:
            return best
        node = load_u32(here + 8)
    return i64(-EAGAIN)


# ---- rules

RULE_TABLE: Final = 1


@inline
def in_prefix(upper: u64, lower: u64, prefix: ptr) -> bool:
    """Whether an address is in a rule's prefix: an address and a mask."""
    return (upper & load_u64(prefix + 16)) == load_u64(prefix) and (
        lower & load_u64(prefix + 24)
    ) == load_u64(prefix + 8)


@inline
def rule_matches(rule: ptr, mark: u32, iif: u32, oif: u32) -> bool:
    """What rules of both families compare."""
    if ((load_u32(rule + 8) ^ mark) & load_u32(rule + 12)) != 0:
        return False
    if load_u32(rule + 16) != 0 and load_u32(rule + 16) != iif:
        return False
    return load_u32(rule + 20) == 0 or load_u32(rule + 20) == oif


@inline
def rule_refuses(rule: ptr) -> i64:
    """The errno of a rule that names no table."""
    kind = load_u32(rule)
    if kind == BLACKHOLE:
        return i64(-EINVAL)
    if kind == PROHIBIT:
        return i64(-EACCES)
    return i64(-ENETUNREACH)


def by_rules4(net: ptr, dst: u32, src: u32, tos: u32, mark: u32, iif: u32, oif: u32) -> i64:
    """fib_lookup: the tables in the order of the rules."""
    count = u64(load_u32(net + RULES4))
    if count == 0:
        main = find_table(net, TABLE_MAIN, AF_INET)
        result = i64(-EAGAIN)
        if main is not None:
            result = lookup4(net, main, dst, tos, oif)
        if result == -EAGAIN:
            last = find_table(net, TABLE_DEFAULT, AF_INET)
            if last is not None:
                result = lookup4(net, last, dst, tos, oif)
        return result
    base = array(net, RULES4)
    at = u64(0)
    while at < count:
        rule = base + at * RULE_BYTES
        at += 1
        if not rule_matches(rule, mark, iif, oif):
            continue
        if load_u32(rule + 24) != 0 and load_u32(rule + 24) != tos & DSCP_LEGACY:
            continue
        if not in_prefix(0, u64(src), rule + 32) or not in_prefix(0, u64(dst), rule + 64):
            continue
        if load_u32(rule) != RULE_TABLE:
            return rule_refuses(rule)
        table = find_table(net, load_u32(rule + 4), AF_INET)
        if table is not None:
            found = lookup4(net, table, dst, tos, oif)
            if found != -EAGAIN:
                return found
    return i64(-ENETUNREACH)


def by_rules6(net: ptr, params: ptr, mark: u32, iif: u32, oif: u32, strict: u32) -> i64:
    """fib6_lookup: the tables in the order of the rules.

    ``oif`` is what a rule compares, ``strict`` whether the packet comes from outside; routes
    prefer the interface it comes from, or leaves by.
    """
    device = load_u32(params + IFINDEX)
    upper = load_be64(params + DST)
    lower = load_be64(params + DST + 8)
    count = u64(load_u32(net + RULES6))
    if count == 0:
        found = i64(-EAGAIN)
        local = find_table(net, TABLE_LOCAL, AF_INET6)
        if local is not None:
            found = lookup6(net, local, upper, lower, device)
        main = find_table(net, TABLE_MAIN, AF_INET6)
        if found < 0 and main is not None:
            found = lookup6(net, main, upper, lower, device)
        return found
    tos = (load_be32(params + TOS) >> 20) & 0xFC
    base = array(net, RULES6)
    at = u64(0)
    while at < count:
        rule = base + at * RULE_BYTES
        at += 1
        if not rule_matches(rule, mark, iif, oif):
            continue
        if load_u32(rule + 24) != 0 and load_u32(rule + 24) != tos:
            continue
        if not in_prefix(upper, lower, rule + 64):
            continue
        if (load_u64(rule + 48) | load_u64(rule + 56)) != 0:
            if strict == 0:
                continue
            if not in_prefix(load_be64(params + SRC), load_be64(params + SRC + 8), rule + 32):
                continue
        if load_u32(rule) != RULE_TABLE:
            return rule_refuses(rule)
        table = find_table(net, load_u32(rule + 4), AF_INET6)
        if table is not None:
            result = lookup6(net, table, upper, lower, device)
            if result >= 0:
                return result
    return i64(-ENETUNREACH)
