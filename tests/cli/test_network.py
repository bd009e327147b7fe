"""``beebox replay --network`` and what replays say of redirections and flows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import beebox as beebox_api
from beebox import XdpAction
from beebox.userspace.network.files import read_network

Beebox = Callable[..., Any]
ROUTER = ("examples/router.py", "examples/capture.pcap")
DISSECTOR = """
.section flow_dissector
main:
r6 = *(u64 *)(r1 + 144)
r1 = *(u32 *)(r1 + 76)
r0 = 129
exit
"""


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_a_router_sends_packets_by_the_route(beebox: Beebox, engine: str) -> None:
    told = beebox("replay", "-j", "--engine", engine, "--network", "examples/router.net", *ROUTER)
    (target,) = told.json["redirects"]
    assert target["ifindex"] == 3
    assert target["packets"] == told.json["verdicts"]["REDIRECT"] > 3000


def test_without_a_network_nothing_is_routed(beebox: Beebox) -> None:
    told = beebox("replay", "-j", *ROUTER).json
    assert "REDIRECT" not in told["verdicts"]
    assert told["redirects"] == []


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("route 10.0.0.0/8 dev eth7", ":1"),
        ("interface 2 eth0\nroute 10.0.0.1/8 dev eth0", ":2"),
        ("{", "JSON"),
        (None, "No such file"),
    ],
)
def test_a_wrong_network_is_named(
    beebox: Beebox, tmp_path: Path, text: str | None, evidence: str
) -> None:
    file = tmp_path / "network"
    if text is not None:
        file.write_text(text)
    done = beebox("replay", "--network", str(file), *ROUTER)
    assert done.status == 2
    assert evidence in done.err
    assert str(file) in done.err


def test_what_a_dissector_made_of_packets(beebox: Beebox, tmp_path: Path) -> None:
    source = tmp_path / "dissector.s"
    source.write_text(DISSECTOR)
    told = beebox("replay", "-j", str(source), "examples/capture.pcap").json
    assert sum(flow["packets"] for flow in told["flows"]) == told["packets"]
    assert {flow["verdict"] for flow in told["flows"]} == {"FLOW_DISSECTOR_CONTINUE"}
    assert 0x0800 in {flow["n_proto"] for flow in told["flows"]}
    shown = beebox("replay", str(source), "examples/capture.pcap").out
    assert "IPv6" in shown
    assert beebox("replay", "-j", *ROUTER).json["flows"] is None


def test_one_packet_in_a_network(beebox: Beebox, tmp_path: Path) -> None:
    packet = tmp_path / "packet"
    packet.write_bytes(
        bytes(12)
        + bytes.fromhex("0800 4500 0028 0000 0000 4006 0000 c000020a c0000201")
        + bytes(20)
    )
    words = ("prog", "run", "-j", "examples/router.py", "data_in", str(packet))
    network = ("--network", "examples/router.net")
    assert beebox(*words).json["retval"] == XdpAction.PASS
    assert beebox(*words, *network).json["retval"] == XdpAction.REDIRECT
    refused = beebox(*words, *network, "--kernel", "linux")
    assert refused.status == 2


def test_from_python_a_network_is_a_file_or_a_value(repository: Path) -> None:
    frame = bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0])
    frame += bytes([192, 0, 2, 10, 192, 0, 2, 1]) + bytes(20)
    source, file = repository / "examples/router.py", repository / "examples/router.net"
    for network in (file, str(file), read_network(file)):
        with beebox_api.load(source, network=network) as live:
            run = live.programs["route"].test_run(frame)
            assert run.retval == XdpAction.REDIRECT
            assert run.data_out[:6] == bytes.fromhex("020000000201")
            assert run.data_out[22] == 63
    with beebox_api.load(source) as live:
        assert live.programs["route"].test_run(frame).retval == XdpAction.PASS
