"""Tunnel metadata: what a program sets is what it gets, in both engines and in Linux."""

import random
import struct

import pytest
import skb

from beebox.isa.assembler import assemble
from beebox.obj.model import FunctionSpec, ObjectSpec
from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.network.files import parse_network
from beebox.userspace.replay import replay

GET_KEY, SET_KEY, GET_OPT, SET_OPT, GET_XFRM = 20, 21, 29, 30, 66
KEY_BYTES = 44
SIZES = (44, 28, 24, 22, 8)  # of struct bpf_tunnel_key, in every version
KEY_AT = -48
ROOM_AT = -112
ROOM_BYTES = 64
FRAMES = (skb.UDP4, skb.TCP6)
SECTIONS = ("tc", "lwt_xmit")


def key(rng, *, label=0, ext=0):
    head = struct.pack("<I16sBBHI", rng.randrange(1 << 32), rng.randbytes(16), 9, 64, ext, label)
    return head + rng.randbytes(16)


def write(at, data):
    """Lines that put bytes onto the stack."""
    whole = data.ljust((len(data) + 7) // 8 * 8, b"\0")
    words = struct.unpack(f"<{len(whole) // 8}q", whole)
    lines = []
    for number, word in enumerate(words):
        lines += [f"r1 = {word} ll", f"*(u64 *)(r10 {at + 8 * number:+d}) = r1"]
    return lines


def pointer(register, at):
    return [f"r{register} = r10", f"r{register} += {at}"]


def call(helper, at, size, *rest):
    lines = ["r1 = r6", *pointer(2, at), f"r3 = {size}"]
    lines += [f"r{register} = {value} ll" for register, value in enumerate(rest, start=4)]
    return [*lines, f"call {helper}", "store"]


def room():
    """Lines that fill the room for results, and that store what is in it."""
    fill = write(ROOM_AT, b"\xee" * ROOM_BYTES)
    words = range(0, ROOM_BYTES, 8)
    show = [line for at in words for line in (f"r0 = *(u64 *)(r10 {ROOM_AT + at:+d})", "store")]
    return fill, show


def get_key(size, flags):
    fill, show = room()
    return [*fill, *call(GET_KEY, ROOM_AT, size, flags), *show]


def get_opt(size):
    fill, show = room()
    return [*fill, *call(GET_OPT, ROOM_AT, size), *show]


def same(body, section="tc"):
    return skb.same_everywhere(skb.program(section, body), FRAMES)


def errno(seen, slot):
    word = seen.stored[slot]
    return word - (1 << 64) if word >> 63 else word


@pytest.mark.linux
@pytest.mark.parametrize("section", SECTIONS)
def test_a_packet_without_metadata(section):
    body = []
    for size, flags in ((44, 0), (28, 1), (7, 0), (44, 16), (44, 2)):
        body += get_key(size, flags)
    body += get_opt(16)
    body += write(KEY_AT, bytes(8)) + call(SET_OPT, KEY_AT, 8)
    seen = same(body, section)[0]
    assert [errno(seen, 9 * number) for number in range(7)] == [-22] * 5 + [-2, -22]
    assert seen.stored[1:4] == (0, 0, 0)


@pytest.mark.linux
@pytest.mark.parametrize("size", [*SIZES, 1, 4, 20, 23, 40, 45, 48])
def test_keys_of_every_size(size):
    rng = random.Random(size)
    body = write(KEY_AT, key(rng)) + call(SET_KEY, KEY_AT, size, 0)
    body += get_key(44, 0) + get_key(size, 0) + get_key(size, 16) + get_key(size, 1)
    seen = same(body)[0]
    assert errno(seen, 0) == (0 if size in SIZES else -22)
    assert errno(seen, 10) == (0 if size in SIZES else -22)


@pytest.mark.linux
@pytest.mark.parametrize("first", range(0, 33, 3))
def test_keys_with_every_flag(first):
    rng = random.Random(first)
    body = []
    for flags in range(first, first + 3):
        label = 0x000F_1234 if flags & 1 else 0
        body += write(KEY_AT, key(rng, label=label))
        body += call(SET_KEY, KEY_AT, 44, flags) + get_key(44, 16) + get_key(44, 17)
    same(body)


@pytest.mark.linux
def test_keys_that_are_refused_change_nothing():
    rng = random.Random(9)
    good = key(rng)
    body = write(KEY_AT, good) + call(SET_KEY, KEY_AT, 44, 0)
    for bad, size, flags in (
        (key(rng, label=1), 44, 0),
        (key(rng, ext=1), 44, 0),
        (key(rng, ext=1), 44, 1),
        (good, 44, 32),
        (good, 44, 1 << 32),
        (good, 43, 0),
        (key(rng, label=0xFFFF_FFFF), 44, 1),
    ):
        body += write(KEY_AT, bad) + call(SET_KEY, KEY_AT, size, flags)
    seen = same(body + get_key(44, 1) + get_key(44, 0))[0]
    assert [errno(seen, slot) for slot in range(8)] == [0, -22, -22, -22, -22, -22, -22, 0]


@pytest.mark.linux
@pytest.mark.parametrize("size", [4, 8, 12, 2, 5, 32])
def test_options(size):
    rng = random.Random(size)
    body = write(KEY_AT, key(rng)) + call(SET_KEY, KEY_AT, 44, 0)
    body += get_opt(16)
    body += write(KEY_AT, rng.randbytes(40)) + call(SET_OPT, KEY_AT, size)
    body += get_opt(4) + get_opt(16) + get_opt(64) + get_key(44, 16)
    body += write(KEY_AT, key(rng)) + call(SET_KEY, KEY_AT, 44, 0)  # the options are gone
    same(body + get_opt(16))


@pytest.mark.linux
@pytest.mark.parametrize("size", [252, 255, 256, 260])
def test_long_options(size):
    whole = (size + 7) // 8 * 8
    body = write(-whole, bytes(range(whole % 256)).ljust(whole, b"\7"))
    body += [*write(-whole - 48, key(random.Random(1))), *call(SET_KEY, -whole - 48, 44, 0)]
    body += [*call(SET_OPT, -whole, size), *call(GET_OPT, -whole, whole)]
    same([*body, f"r0 = *(u64 *)(r10 {-whole + 8:+d})", "store"])


@pytest.mark.linux
def test_a_repeated_run_finds_what_the_last_one_set():
    body = get_key(44, 16)
    body += write(KEY_AT, key(random.Random(4))) + call(SET_KEY, KEY_AT, 44, 0)
    skb.same_everywhere(skb.program("tc", body), FRAMES, repeat=3)


@pytest.mark.linux
def test_no_packet_came_through_ipsec():
    fill, show = room()
    body = []
    for index, size, flags in ((0, 28, 0), (1, 64, 0), (0, 4, 1)):
        body += [*fill, "r1 = r6", f"r2 = {index}", *pointer(3, ROOM_AT), f"r4 = {size}"]
        body += [f"r5 = {flags}", f"call {GET_XFRM}", "store", *show]
    seen = same(body)[0]
    assert errno(seen, 0) == errno(seen, 9) == -22


RECEIVED = """
tunnel id 0x1234567890 remote 192.0.2.1 local 192.0.2.2 tos 8 ttl 63 flags 0x5 options 01020304
"""


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_metadata_that_the_user_gives_is_every_packets(engine):
    kernel = UserspaceKernel(engine, network=parse_network(RECEIVED))
    body = get_key(44, 0) + get_opt(8) + write(KEY_AT, bytes(8)) + call(SET_OPT, KEY_AT, 8)
    body += write(KEY_AT, bytes(44)) + call(SET_KEY, KEY_AT, 44, 0)
    first = skb.run(kernel, skb.program("tc", body), skb.UDP4)
    words = struct.pack("<8Q", *first.stored[1:9])
    assert struct.unpack_from("<II", words) == (0x34567890, 0xC0000201)
    assert words[20:22] == bytes([8, 63])
    assert struct.unpack_from("<I", words, 28) == (0xC0000202,)
    assert first.stored[9] == 4
    assert first.stored[10] == int.from_bytes(bytes([1, 2, 3, 4]), "little")
    assert errno(first, 18) == -22  # the options are not the program's own
    with kernel.load(skb.program("tc", body)) as live:
        for _ in range(2):  # what a program sets is gone with its packet
            live.programs["main"].test_run(skb.UDP4)
            stored = live.maps["results"].lookup(bytes(4))
            assert stored[8:72] == words


# Sets a key in packets whose first byte is odd; the verdict is what the getter says of it before.
MARKS = """
r6 = r1
r7 = *(u32 *)(r1 + 76)
r2 = *(u32 *)(r1 + 80)
r3 = r7
r3 += 14
r0 = 2
if r3 > r2 goto out
r8 = *(u8 *)(r7 + 0)
r1 = r6
r2 = r10
r2 += -48
r3 = 44
r4 = 0
call 20
r9 = r0
r8 &= 1
if r8 == 0 goto done
r1 = r6
r2 = r10
r2 += -48
r3 = 44
r4 = 0
call 21
done:
r0 = 0
if r9 == 0 goto out
r0 = 1
out:
exit
"""


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_in_a_replay_every_packet_starts_with_its_own_metadata(engine, given):
    kernel = UserspaceKernel(engine, network=parse_network(RECEIVED) if given else None)
    frames = [bytes([n % 3]) + bytes(59) for n in range(300)]
    capture = parse_capture(encode_capture(list(enumerate(frames))))
    main = FunctionSpec("main", "tc", assemble(MARKS))
    with kernel.load(ObjectSpec({"main": main}, license="GPL")) as live:
        result = replay(live.programs["main"], capture)
        assert set(result.retvals.tolist()) == ({0} if given else {1})
