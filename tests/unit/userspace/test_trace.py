"""The trace log and the format language of bpf_trace_printk."""

import pytest

from beebox.userspace.trace import TraceLog, format_message, print_message
from beebox.vm.memory import Runtime

U64 = (1 << 64) - 1


@pytest.mark.parametrize(
    ("fmt", "arguments", "text"),
    [
        (b"plain", (), b"plain"),
        (b"%d %u", (U64 - 4, U64 - 4), b"-5 4294967291"),
        (b"%lld %llu %ld", (U64, U64, U64 - 1), b"-1 18446744073709551615 -2"),
        (b"%x %X", (0xBEEF, 0xBEEF), b"beef BEEF"),
        (b"%5d|%-5d|%05d", (3, 3, 3), b"    3|3    |00003"),
        (b"%05d", (U64 - 2,), b"-0003"),
        (b"%+d% d", (3, 3), b"+3 3"),
        (b"%3c|%-3c|", (65, 66), b"  A|B  |"),
        (b"100%%", (), b"100%"),
        (b"%0-5d|", (1,), b"1    |"),
    ],
)
def test_text_is_printf_text(fmt, arguments, text):
    assert format_message(fmt + b"\0", (*arguments, 0, 0, 0)[:3]) == text


@pytest.mark.parametrize(
    "fmt",
    [b"%", b"%s\0", b"%p\0", b"%o\0", b"%hd\0", b"%.3d\0", b"\1\0", b"%d%d%d%d\0", b"%l\0", b"x"],
)
def test_other_formats_are_refused(fmt):
    assert format_message(fmt, (1, 2, 3)) is None


def test_records_carry_time_and_cpu():
    runtime = Runtime()
    log = TraceLog(runtime)
    runtime.time_ns, runtime.cpu = 17, 2
    assert print_message(log, b"n=%d\0", (5, 0, 0)) == 3
    (record,) = log.take()
    assert (record.text, record.time_ns, record.cpu) == ("n=5", 17, 2)
    assert log.records() == []


def test_a_full_log_counts_what_it_loses():
    log = TraceLog(Runtime(), capacity=64)
    assert [print_message(log, b"0123456789\0", (0, 0, 0)) for _ in range(4)] == [10] * 4
    assert len(log.records()) == 2
    assert log.lost == 2
    log.take()
    assert log.lost == 0
    assert print_message(log, b"again\0", (0, 0, 0)) == 5
    assert [record.text for record in log.records()] == ["again"]
