"""Random expressions over random frames, beside tcpdump where there is one."""

import os
import random
import shutil
import subprocess

import pytest
from capturefiles import pcap
from frames import some_frame

from beebox.errors import InputError
from beebox.lib.filter import compile_filter
from beebox.obj.linker import link
from beebox.userspace.captures import parse_capture
from beebox.userspace.filtering import PacketFilter
from beebox.verifier.verify import verify

EXPRESSIONS = int(os.environ.get("BEEBOX_FILTERS", "60"))
PRIMITIVES = """
ip;ip6;arp;rarp;tcp;udp;sctp;icmp;icmp6;igmp;esp;ah;pim;vrrp;vlan;vlan 7;vlan 1
host 10.0.0.1;src host 10.0.1.2;dst 192.168.1.1;host 2001:db8::1;src 2001:db8::2;ip6 host ff02::1
src and dst host 10.0.0.1;arp host 10.0.0.1;rarp src host 10.0.0.1;ip dst host 10.0.1.2
net 10;net 10.0.0.0/24;src net 192.168.1;dst net 10.0.1.0 mask 255.255.255.0;net 2001:db8::/32
net 2001:db8::/127;src net ff02::/16
port 80;tcp port 443;udp src port 53;dst port 22;src and dst port 80;sctp port 8080
src or dst port 53
portrange 50-90;tcp portrange 22-53;dst portrange 100-9000;port 22 or 53;tcp port (80 or 443)
ether src 02:00:00:00:00:01;ether dst 02:00:00:00:00:02;ether host ff:ff:ff:ff:ff:ff
ether proto 0x800;ether proto \\arp;ether broadcast;ether multicast;broadcast;multicast;ip multicast
ip6 multicast;ip proto 17;ip6 proto 6;proto 6;proto \\udp;ip proto \\icmp
less 60;greater 100;len > 80;len - 14 <= 46;len & 1 = 1
ip[0] & 0xf > 5;ip[8] = 64;ip[6:2] & 0x1fff = 0;ip[12:4] = 0x0a000001;ip[16] >= 224;ip[2:2] > 60
tcp[tcpflags] & tcp-syn != 0;tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn;tcp[0:2] > 79;tcp[13] = 2
udp[4:2] > 20;udp[0:2] = udp[2:2];icmp[icmptype] = icmp-echo;icmp6[icmp6type] = icmp6-echo
ip6[6] = 17;ip6[40:2] < ip6[42:2];ether[0] & 1 = 0;ether[12:2] = 0x86dd;arp[6:2] = 2
ip[2:2] - ((ip[0] & 0xf) << 2) > 30;tcp[((tcp[12] & 0xf0) >> 2)] > 100;ip[ip[0] & 15] = 0
ip[8] / ip[9] > 5;ip[8] % (ip[9] - 5) = 1;1 + 2 * 3 = 7;ip[0] * 4 - 4 > 270;ip[8] ^ 64 = 0
tcp[4:4] + 0xffffffff = 0;-1 > len;ip[9] >> 1 = 3;ip[9] << 28 > 5;ip[20] | ip[21] != 0
"""


def primitives():
    return [word for line in PRIMITIVES.split("\n") for word in line.split(";") if word]


def expression(rng, depth=0):
    if depth > 2 or rng.random() < 0.3:
        return rng.choice(primitives())
    match rng.randrange(5):
        case 0:
            return f"not {expression(rng, 3)}"
        case 1:
            return f"({expression(rng, depth + 1)})"
        case 2:
            return f"not ({expression(rng, depth + 1)})"
        case _:
            joined = rng.choice(("and", "or", "&&", "||"))
            return f"{expression(rng, depth + 1)} {joined} {expression(rng, depth + 1)}"


def test_tcpdump_agrees(tmp_path):
    tcpdump = shutil.which("tcpdump")
    if tcpdump is None:
        pytest.skip("tcpdump not found")
    rng = random.Random("filters")
    # Without libpcap's optimizer and behind every frame some bytes more: what a packet does not
    # hold rejects it, but its optimizer and ours drop different loads.
    data = pcap(packets=[(n * 1000, some_frame(rng) + bytes(64)) for n in range(1500)])
    path = tmp_path / "in.pcap"
    path.write_bytes(data)
    capture = parse_capture(data)
    texts = [*primitives(), *(expression(rng) for _ in range(EXPRESSIONS))]
    matched = 0
    for text in texts:
        done = subprocess.run(
            [tcpdump, "-O", "-r", path, "-w", "-", "--", text], capture_output=True, check=False
        )
        if b"expression rejects all packets" in done.stderr:
            theirs = []
        else:
            assert done.returncode == 0, (text, done.stderr)
            theirs = [time // 1000 for time in parse_capture(done.stdout).times_ns.tolist()]
        with PacketFilter(text) as chosen:
            ours = chosen.matches(capture).nonzero()[0].tolist()
        assert ours == theirs, text
        matched += len(ours)
    assert matched > 1000


def test_random_expressions_are_accepted_by_our_verifier():
    rng = random.Random("verify")
    for text in [*primitives(), *(expression(rng) for _ in range(60))]:
        verify(link(compile_filter(text), "filter")).require_accepted()


def test_any_text_is_a_filter_or_an_input_error():
    rng = random.Random("text")
    words = [
        *" ".join(primitives()).split(),
        "(",
        ")",
        "[",
        "]",
        "/",
        "-",
        "0",
        "99999999999",
        "\\",
    ]
    refused = 0
    for _ in range(3000):
        text = " ".join(rng.choice(words) for _ in range(rng.randrange(1, 12)))
        if rng.random() < 0.5:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice("()[]:=!&|<>-/\\.xé\0 ") + text[at + 1 :]
        try:
            compile_filter(text)
        except InputError:
            refused += 1
    assert 0 < refused < 3000
