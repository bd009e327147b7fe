"""Random networks, random questions: our route lookup is Linux's."""

import ctypes
import random

import fib
import namespaces
import pytest
import random_networks
from hypothesis import given, settings
from hypothesis import strategies as st

from beebox.linux.kernel import LinuxKernel
from beebox.userspace.native_helpers import helper_call
from beebox.userspace.network.block import NetworkBlock
from beebox.userspace.network.files import parse_network
from beebox.vm.memory import Runtime, address_of

QUESTIONS = 150


def asked_of(text):
    """Our lookup in a network, called as the engines call it."""
    block = NetworkBlock(parse_network(text))
    runtime = Runtime()
    runtime.network = block.address
    lookup = helper_call("fib_lookup", "xdp_md")

    def ask(parameters, flags, alive=block):
        room = ctypes.create_string_buffer(parameters, fib.PARAMS_BYTES)
        code = lookup(address_of(runtime), 0, ctypes.addressof(room), fib.PARAMS_BYTES, flags)
        assert alive.size
        return fib.Answer(code, room.raw)

    return ask


@pytest.mark.linux
@settings(max_examples=40)
@given(st.integers(0, 1 << 32))
def test_our_lookup_is_linux_lookup(seed):
    rng = random.Random(seed)
    made = random_networks.random_network(rng)
    with namespaces.namespace():
        made.configure()
        for name, families in made.forwarding.items():
            namespaces.forward(name, *families)
        ours = asked_of(made.text())
        told = asked_of(namespaces.description())
        with fib.asking(LinuxKernel(), fib.program("xdp")) as linux:
            for _ in range(QUESTIONS):
                question, flags = random_networks.random_question(rng)
                answer = linux(question, flags)
                assert ours(question, flags) == answer, (question.hex(), flags, made.text())
                if "mtu lock" not in made.text():  # which ip -j does not tell
                    assert told(question, flags) == answer, (question.hex(), flags)
