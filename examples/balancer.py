"""A load balancer on one link: packets for a service go to one of its servers, by MAC address.

Servers answer clients themselves (direct server return): they all hold the service's address. A
connection stays with its server while ``connections`` remembers it, also when servers come or go.
User space gives each service a map of servers.

    beebox replay examples/balancer.py examples/capture.pcap
"""

from __future__ import annotations

from typing import Final, Literal

from beebox import (
    Array,
    ArrayOfMaps,
    Hash,
    LruHash,
    XdpAction,
    XdpContext,
    array,
    atomic,
    struct,
    u8,
    u16,
    u32,
    u64,
    xdp,
    zeroed,
)
from beebox.lib.net import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, ethhdr, iphdr, udphdr
from beebox.lib.parse import cursor, parse_ethernet, parse_ip

MOST_SERVERS: Final = 64


@struct
class Endpoint:
    """A service: its address, port and protocol."""

    address: u32
    port: u16
    protocol: u16


@struct
class Service:
    """Where a service's servers are listed, and how many there are."""

    pool: u32
    servers: u32


@struct
class Server:
    """A server's link address, and what it was sent."""

    mac: array[u8, Literal[6]]
    packets: u64


@struct
class Connection:
    """A client's connection to a service."""

    client: u32
    client_port: u16
    protocol: u16
    address: u32
    port: u32


services = Hash[Endpoint, Service](max_entries=256)
first_pool = Array[Server](max_entries=MOST_SERVERS)
pools = ArrayOfMaps[Array[Server]](
    max_entries=256, inner_max_entries=MOST_SERVERS, maps={0: first_pool}
)
connections = LruHash[Connection, u32](max_entries=65536)  # the server's place in its pool


def mixed(connection: Connection) -> u32:
    """A number that spreads connections evenly (the finalizer of MurmurHash3)."""
    h = connection.client ^ u32(connection.client_port) << 16 ^ connection.port
    h = (h ^ h >> 16) * 0x85EBCA6B
    h = (h ^ h >> 13) * 0xC2B2AE35
    return h ^ h >> 16


def place_of(connection: Connection, servers: u32) -> u32:
    """The server that a connection has, or gets now."""
    known = connections[connection]
    if known is not None:
        return known
    chosen = mixed(connection) % servers
    connections[connection] = chosen
    return chosen


@xdp
def balance(ctx: XdpContext) -> XdpAction:
    """Send a packet for a service back out, to its server."""
    at = zeroed(cursor)
    if not parse_ethernet(ctx, at) or at.protocol != ETH_P_IP or not parse_ip(ctx, at):
        return XdpAction.PASS
    if at.fragment != 0 or at.protocol not in (IPPROTO_TCP, IPPROTO_UDP):
        return XdpAction.PASS
    ip = ctx.packet(iphdr, at.network)
    ports = ctx.packet(udphdr, at.offset)
    eth = ctx.packet(ethhdr)
    if ip is None or ports is None or eth is None:
        return XdpAction.PASS
    service = services[Endpoint(address=ip.daddr, port=ports.dest, protocol=at.protocol)]
    if service is None or service.servers == 0:
        return XdpAction.PASS
    pool = pools[service.pool]
    if pool is None:
        return XdpAction.ABORTED
    connection = Connection(
        client=ip.saddr,
        client_port=ports.source,
        protocol=at.protocol,
        address=ip.daddr,
        port=ports.dest,
    )
    server = pool[place_of(connection, service.servers)]
    if server is None:
        return XdpAction.ABORTED
    atomic(server).packets += 1
    for i in range(6):
        eth.h_source[i] = eth.h_dest[i]
        eth.h_dest[i] = server.mac[i]
    return XdpAction.TX
