"""The socket of a packet: the same fields and helper results in both engines and in Linux."""

import pytest
import skb

from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.sockets import SOCK, SOCK_COMMON

KINDS = {1: "u8", 2: "u16", 4: "u32", 8: "u64"}


def call(name):
    return f"call {HELPER_BY_NAME[name].id}"


def loads(struct):
    body = []
    for size, kind in KINDS.items():
        for at in range(0, struct.size, size):
            if struct.field_at(at, size) is not None:
                body += [f"r0 = *({kind} *)(r7 + {at})"]
                if at == 76:  # Linux sets all 64 bits where there is no queue, whatever the width
                    body += [f"r0 &= {(1 << 8 * size) - 1}" if size < 4 else "w0 = w0"]
                body += ["store"]
    return body


GET = ["r7 = *(u64 *)(r6 + 168)", "if r7 == 0 goto out"]
FULL = [*GET, "r1 = r7", call("sk_fullsock"), "if r0 == 0 goto out", "r7 = r0"]


@pytest.mark.linux
@pytest.mark.parametrize("section", ["tc", "cgroup_skb/ingress", "lwt_xmit"])
def test_every_load_of_the_common_part(section):
    body = loads(SOCK_COMMON)
    for first in range(0, len(body), 200):
        spec = skb.program(section, [*GET, *body[first : first + 200]])
        skb.same_everywhere(spec, skb.FRAMES)


@pytest.mark.linux
@pytest.mark.parametrize("section", ["tc", "cgroup_skb/egress"])
def test_every_load_of_the_whole_socket(section):
    body = loads(SOCK)
    for first in range(0, len(body), 200):
        spec = skb.program(section, [*FULL, *body[first : first + 200]])
        skb.same_everywhere(spec, skb.FRAMES)


@pytest.mark.linux
def test_what_else_it_is():
    body = [*GET, "r1 = r7", call("tcp_sock"), "if r0 == 0 goto none", "r0 = 1", "store"]
    body += ["none:", "r1 = r7", call("get_listener_sock"), "if r0 == 0 goto neither", "r0 = 1"]
    body += ["store", "neither:", "r0 = 9", "store"]
    skb.same_everywhere(skb.program("tc", body), skb.FRAMES)
    body = [*FULL]
    for level in (0, 1, 7):
        body += ["r1 = r7", f"r2 = {level}", call("sk_ancestor_cgroup_id"), "store"]
    body += ["r1 = r7", call("sk_cgroup_id"), "store"]
    skb.same_everywhere(skb.program("cgroup_skb/egress", body), skb.FRAMES)


@pytest.mark.linux
@pytest.mark.parametrize("section", ["tc", "xdp", "cgroup_skb/ingress"])
@pytest.mark.parametrize("name", ["sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp"])
def test_no_socket_is_found(section, name):
    body = [f"*(u64 *)(r10 - {at}) = {at}" for at in range(8, 49, 8)]
    for size in (12, 36):
        body += ["r1 = r6", "r2 = r10", "r2 += -48", f"r3 = {size}", "r4 = -1", "r5 = 0"]
        body += [call(name), f"if r0 == 0 goto none{size}", "r1 = r0", call("sk_release")]
        body += ["r0 = 1", "store", f"none{size}:", "r0 = 2", "store"]
    verdict = 2 if section == "xdp" else 0
    skb.same_everywhere(skb.program(section, body, verdict=verdict), (skb.UDP4, skb.TCP6))
