"""A kernel log as a finding: our code for the message, and how the value at fault came to be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from beebox.diagnose.kernel_log import Executed, KernelLog, code_of
from beebox.tables.findings import FINDINGS
from beebox.tables.helpers import HELPER_BY_NAME

_MOST_STEPS: Final = 8
_MOST_DIGITS: Final = 20  # of 64 bits
_REGISTER: Final = re.compile(r"\bR(\d{1,2})\b")
_DEFINES: Final = re.compile(r"([rw])(\d+) (\S*=) ?(.*)")
_USES: Final = re.compile(r"\b[rw](\d+)\b")
_STACK: Final = re.compile(r"\*\(\w+ \*\)\(r10 ?(-\d+)\)")
_STORE: Final = re.compile(r"\*\(\w+ \*\)\(r10 ?(-\d+)\) = r(\d+)")
_BRANCH: Final = re.compile(r"if [rw](\d+) \S+ (?:[rw](\d+)|\S+) goto")
_VALUE: Final = re.compile(r"(P?)(\w+?)\((.*)\)$")
_FIELD: Final = re.compile(r"((?:[a-z0-9_]+=)+)(\([^)]*\)|[^,]*)")
_PACKET: Final = re.compile(
    r"invalid access to packet, off=(-?\d{1,18}) size=(\d{1,18}), R\d+\(.*?r=(\w+)\)"
)
_REGION: Final = re.compile(r"value_size=(\d{1,18}) off=(-?\d{1,18}) size=(\d{1,18})")
_CALL: Final = re.compile(r"call bpf_(\w+)#\d+")
_UNRELEASED: Final = re.compile(r"alloc_insn=(\d{1,7})")
_KINDS: Final = {
    "inv": "a number",
    "scalar": "a number",
    "ctx": "the context",
    "pkt": "packet pointer",
    "pkt_meta": "packet metadata pointer",
    "pkt_end": "the end of the packet",
    "map_ptr": "a map",
    "map_value": "pointer to a value of a map",
    "map_key": "pointer to a key of a map",
    "fp": "stack pointer",
    "mem": "pointer to memory",
    "ringbuf_mem": "pointer to a record",
    "alloc_mem": "pointer to a record",
    "sock": "pointer to a socket",
    "func": "the address of a function",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """``code`` is a row of ``tables.findings``, None for a message that no row is known for.

    ``steps``: (position in the log's path, text), oldest first. ``reg`` is the register at fault.
    """

    log: KernelLog
    code: str | None
    steps: tuple[tuple[int, str], ...]
    reg: int | None
    missing: str
    hint: str

    @property
    def pc(self) -> int | None:
        """The refused instruction."""
        return self.log.path[-1].pc if self.log.path else None


def read(log: KernelLog) -> Reading:
    """Read a log that refuses."""
    code = code_of(log.message)
    if code == "map-value-bounds":
        code = _kind_of_bounds(log) or code
    named = _REGISTER.search(log.message)
    reg = int(named[1]) if named is not None else None
    hint = FINDINGS[code].hint if code is not None else ""
    steps = _steps(log.path, reg)
    if code == "not-a-pointer" and reg is not None:
        steps = _with_end(log.path, steps, reg)
    if code == "reference-leak":
        steps = (*_acquired(log), *steps)
    return Reading(log, code, steps, reg, _missing(log), hint)


def _with_end(
    path: tuple[Executed, ...], steps: tuple[tuple[int, str], ...], reg: int
) -> tuple[tuple[int, str], ...]:
    """A number that was a pointer: with the call that ended it, which the log does not say."""
    held = _held(path, f"R{reg}", len(path) - 1)
    made = steps[-1][0] if steps else 0
    if held is None or not held.startswith(("pkt", "sock", "ringbuf_mem", "alloc_mem")):
        return steps
    for at in range(len(path) - 2, made, -1):
        called = _CALL.match(path[at].text)
        row = HELPER_BY_NAME.get(called[1]) if called is not None else None
        if row is not None and (row.changes_packet or any(arg.releases for arg in row.args)):
            return (*steps, (at, f"bpf_{row.name} ends it: just a number from here on"))
    return steps


def _acquired(log: KernelLog) -> tuple[tuple[int, str], ...]:
    """Where the reference was acquired that is not released."""
    told = _UNRELEASED.search(" ".join((*log.details, log.message)))
    if told is None:
        return ()
    pc = int(told[1])
    found = next((at for at, step in enumerate(log.path) if step.pc == pc), None)
    return () if found is None else ((found, "acquires the reference"),)


def _kind_of_bounds(log: KernelLog) -> str | None:
    """Which memory an offset left, where the message does not say so."""
    named = _REGISTER.search(log.message)
    details = " ".join(log.details)
    if "invalid access to packet" in details:
        return "packet-bounds"
    if "invalid access to memory" in details:
        return "memory-bounds"
    held = _held(log.path, f"R{named[1]}") if named is not None else None
    if held is None:
        return None
    if held.startswith("pkt"):
        return "packet-bounds"
    if held.startswith(("mem", "ringbuf_mem", "alloc_mem", "rdonly_mem")):
        return "memory-bounds"
    return "map-value-bounds"


def _held(path: tuple[Executed, ...], name: str, before: int | None = None) -> str | None:
    """What the log last showed of a register."""
    for step in reversed(path[:before]):
        if name in step.after:
            return step.after[name]
    return None


def _missing(log: KernelLog) -> str:
    told = " ".join((*log.details, log.message))
    packet = _PACKET.search(told)
    if packet is not None:
        start, size, proven = int(packet[1]), int(packet[2]), packet[3]
        return f"bytes {start}..{start + size} of the packet must be proven: {proven} are"
    region = _REGION.search(told)
    if region is not None:
        limit, start, size = (int(number) for number in region.groups())
        if start < 0:
            return f"the access starts at byte {start}: {-start} before the first"
        return f"the access ends at byte {start + size}, and there are {limit}"
    return ""


def _steps(path: tuple[Executed, ...], reg: int | None) -> tuple[tuple[int, str], ...]:
    """How the value at fault came to be: followed back through what was computed from what."""
    if not path:
        return ()
    wanted = {f"R{reg}"} if reg is not None else set()
    found: list[tuple[int, str]] = []
    for at in range(len(path) - 2, -1, -1):
        if not wanted or len(found) >= _MOST_STEPS:
            break
        step = path[at]
        made = _made(step)
        if made in wanted:
            value = step.after.get(made)
            found.append((at, value_words(value) if value is not None else "made here"))
            wanted.discard(made)
            wanted |= _from(step)
            continue
        branch = _BRANCH.match(step.text)
        if branch is not None:
            both = {f"R{number}" for number in branch.groups() if number is not None}
            for name in sorted(both & wanted):
                if name in step.after:
                    turn = path[at + 1].pc
                    words = value_words(step.after[name])
                    found.append((at, f"{words} from here on; goes on at insn {turn}"))
    return tuple(reversed(found))


def _made(step: Executed) -> str | None:
    """The register or slot that an instruction writes."""
    if step.text.startswith("call "):
        return "R0"
    stored = _STORE.match(step.text)
    if stored is not None:
        return f"fp{stored[1]}"
    defined = _DEFINES.match(step.text)
    return f"R{defined[2]}" if defined is not None else None


def _from(step: Executed) -> set[str]:
    """What the written value was computed from."""
    if step.text.startswith("call "):
        return set()
    stored = _STORE.match(step.text)
    if stored is not None:
        return {f"R{stored[2]}"}
    slot = _STACK.search(step.text)
    if slot is not None:
        return {f"fp{slot[1]}"}
    defined = _DEFINES.match(step.text)
    if defined is None:
        return set()
    used = {f"R{number}" for number in _USES.findall(defined[4])}
    if "*(" in defined[4]:
        return used - {"R10"}
    return used | ({f"R{defined[2]}"} if defined[3] != "=" else set())


def value_words(text: str) -> str:
    """A value of the log in words, in any of the kernel's notations."""
    text = text.lstrip("P")
    if re.fullmatch(r"-?[1-9]\d{0,19}|0|0x[0-9a-f]{1,16}", text):
        return f"the number {int(text, 0)}"
    constant = re.fullmatch(r"(?:inv|scalar)P?(-?\d+)", text)
    if constant is not None:
        return f"the number {constant[1]}"
    if text in ("inv", "scalar()", "inv(id=0)", "scalar"):
        return "a number, nothing known of it"
    stack = re.fullmatch(r"fp(?:\[\d+\])?(-?\d+)", text)
    if stack is not None:
        return f"stack pointer at offset {stack[1]}"
    parts = _VALUE.match(text)
    if parts is None:
        return text
    kind, fields = parts[2], _fields(parts[3])
    low, high = _bounds(fields)
    if kind in ("inv", "scalar"):
        if low is None and high is None:
            return "a number, nothing known of it"
        return f"a number in {_end(low)}..={_end(high)}"
    words, null = _KINDS.get(kind.removesuffix("_or_null"), kind), ""
    if kind.endswith("_or_null"):
        null = ", or NULL"
    if kind in ("pkt_end", "func"):
        return words
    if "map" in fields:
        words = words.replace("of a map", f"of map {fields['map']}")
    where = f" at offset {fields.get('off', '0')}"
    if "var_off" in fields and (low is not None or high is not None):
        where += f" + ({_end(low)}..={_end(high)})"
    out = words + where + null
    if kind in ("pkt", "pkt_meta"):
        proven = fields.get("r", "0")
        out += f": bytes 0..{proven} proven" if proven != "0" else ": nothing proven"
    return out


def _end(number: int | None) -> str:
    return "any" if number is None else str(number)


def _fields(text: str) -> dict[str, str]:
    out = {}
    for names, value in _FIELD.findall(text):
        for name in names.rstrip("=").split("="):
            out[name.removesuffix("_value")] = value
    return out


def _bounds(fields: dict[str, str]) -> tuple[int | None, int | None]:
    low = _number(fields.get("umin", fields.get("smin")))
    high = _number(fields.get("umax", fields.get("smax")))
    smin = _number(fields.get("smin"))
    if smin is not None and (smin < 0 or smin >> 63):
        low = smin - (1 << 64) if smin >> 63 == 1 else smin
        high = _number(fields.get("smax"))
    elif low is None and high is not None:
        low = 0
    return low, high


def _number(text: str | None) -> int | None:
    if text is None or len(text) > _MOST_DIGITS:
        return None
    try:
        return int(text, 0)
    except ValueError:
        return None
