"""Numbers and comparisons in text: the same results and errors in both engines and in Linux."""

import pytest
import skb

from beebox.obj.model import MapSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.map_types import MapFlags, MapType

TEXTS = [
    *("0", "1", "42", "-7", " \t12", "-", "", "abc", "0x1F", "0X1f", "0xg", "0x", "010", "08"),
    *("+5", "- 5", "12 34", "9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("-9223372036854775809", "18446744073709551615", "18446744073709551616", "ffffffffffffffff"),
    *("1" * 70, "0" * 70, "0x" + "f" * 17, "\u00a07", "7\x00", "00x5", "-0x10", "777", "7f"),
]
FLAGS = (0, 8, 10, 16, 2, 31, 32, 1 << 40)


def store(text: bytes, base: int) -> list[str]:
    """Put ``text`` on the stack, padded with NUL."""
    padded = text.ljust((len(text) + 8) // 8 * 8, b"\0")
    body = []
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        body += [f"r1 = {word} ll", f"*(u64 *)(r10 - {base - at}) = r1"]
    return body


@pytest.mark.linux
@pytest.mark.parametrize("name", ["strtol", "strtoul"])
def test_numbers(name):
    for text in TEXTS:
        raw = text.encode("latin-1")
        body = store(raw, 160)
        for flags in FLAGS:
            for size in sorted({max(1, len(raw)), len(raw) + 1, max(1, len(raw) - 1)}):
                body += ["r1 = 77", "*(u64 *)(r10 - 16) = r1"]
                body += ["r1 = r10", "r1 += -160", f"r2 = {size}", f"r3 = {flags} ll"]
                body += ["r4 = r10", "r4 += -16", f"call {HELPER_BY_NAME[name].id}", "store"]
                body += ["r0 = *(u64 *)(r10 - 16)", "store"]
        skb.same_everywhere(skb.program("tc", body), (skb.TINY,))


@pytest.mark.linux
def test_comparisons():
    words = [b"abc", b"abd", b"ab", b"abc\0x", b"", b"\xff\x01"]
    for constant in (b"abc\0", b"\xff\0", b"\0"):
        rows = MapSpec(
            "text", MapType.ARRAY, 4, 8, 1, MapFlags.RDONLY_PROG, contents=constant.ljust(8, b"\0"),
            frozen=True,
        )  # fmt: skip
        body = []
        for word in words:
            body += store(word, 160)
            for size in (1, 2, 3, 4, 5):
                body += ["r1 = r10", "r1 += -160", f"r2 = {size}", "r3 = global[text] ll"]
                body += [f"call {HELPER_BY_NAME['strncmp'].id}", "store"]
        skb.same_everywhere(skb.program("tc", body, maps=[rows]), (skb.TINY,))
