"""The filter language, read: the useful core of pcap-filter(7) as conditions.

As there, ``and`` and ``or`` bind alike and from the left, ``not`` binds tighter, an id without
words before it takes those of the id before, and ``vlan`` moves everything behind it. Names of
hosts are not looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Literal, cast

from beebox.errors import FilterError
from beebox.lib.filter.conditions import And as AndCondition
from beebox.lib.filter.conditions import Binary, Compare, Condition, Length, Not, Number, Value
from beebox.lib.filter.conditions import Or as OrCondition
from beebox.lib.filter.folding import Operator, folded
from beebox.lib.filter.protocols import (
    CONSTANTS,
    ETHERTYPES,
    IP_PROTOCOLS,
    LEAST_ETHERTYPE,
    PORT_PROTOCOLS,
    PORTS,
    Direction,
    Frame,
    length,
)
from beebox.lib.filter.tokens import Token, closing, tokens

_MAX_DEPTH: Final = 50
_MAX_OPERATORS: Final = 200
_MAX_VLANS: Final = 8
_U32: Final = (1 << 32) - 1
_LINKS: Final = frozenset(ETHERTYPES)
_UPPER: Final = frozenset(IP_PROTOCOLS)
_INDEXED: Final = frozenset(
    {"ether", "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp"}
)
_TYPES: Final = ("host", "net", "port", "portrange", "proto")
_RELATIONS: Final = frozenset({"=", "!=", "<", ">", "<=", ">="})
_LEVELS: Final = (("|", "^"), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))
_ARITHMETIC: Final = frozenset(sign for level in _LEVELS for sign in level)
_MAC: Final = re.compile(r"[:.-]")
_NO_NAMES: Final = "names are not looked up: write an address"
_REFUSED: Final = frozenset(
    {
        "aarp", "atalk", "atm", "decnet", "gateway", "geneve", "ifname", "inbound", "ipx", "iso",
        "llc", "mpls", "netbeui", "outbound", "pppoed", "pppoes", "protochain", "stp", "vxlan",
        "wlan",
    }
)  # fmt: skip

_Relation = Literal["=", "!=", "<", ">", "<=", ">="]


@dataclass(frozen=True, slots=True)
class _Words:
    """The words before an id; empty: the language's default."""

    protocol: str = ""
    direction: Direction = "src or dst"
    type: str = ""


def parse(text: str) -> Condition | None:
    """What ``text`` asks of a packet; None: nothing. Raises :exc:`FilterError`."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0
        self.depth = 0
        self.operators = 0
        self.vlans = 0
        self.words: _Words | None = None
        self.closing = closing(self.tokens)

    def whole(self) -> Condition | None:
        if self.ended():
            return None
        found = self.expression()
        if not self.ended():
            raise self.error(f"{self.now.text!r} is not expected here")
        return found

    # Tokens

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def ended(self) -> bool:
        return self.now.kind == "end"

    @property
    def after(self) -> Token:
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.now
        if token.kind != "end":
            self.at += 1
        return token

    def word(self, *words: str) -> str | None:
        """The next token, taken, if it is one of these words."""
        if self.now.kind in {"name", "symbol"} and self.now.text in words:
            return self.take().text
        return None

    def symbol(self, text: str, what: str) -> None:
        if self.now.kind != "symbol" or self.now.text != text:
            raise self.error(f"{what} needs {text!r} here")
        self.take()

    def error(self, problem: str, token: Token | None = None, hint: str = "") -> FilterError:
        column = (token or self.now).column
        return FilterError(problem, text=self.text, column=column, hint=hint or None)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"nested more than {_MAX_DEPTH} deep")

    # Conditions

    def expression(self) -> Condition:
        left = self.term()
        while True:
            joined = self.word("and", "or")
            if joined is None:
                return left
            right = self.term()
            left = AndCondition(left, right) if joined == "and" else OrCondition(left, right)

    def term(self) -> Condition:
        self.deeper()
        try:
            if self.word("not"):
                return Not(self.term())
            if self.now.text == "(" and not self._starts_arithmetic():
                return self.group()
            if self._starts_arithmetic():
                return self.relation()
            return self.primitive()
        finally:
            self.depth -= 1

    def group(self) -> Condition:
        start = self.take()
        inner = self.expression()
        if self.now.text != ")":
            raise self.error("this parenthesis is not closed", start)
        self.take()
        return inner

    def _starts_arithmetic(self) -> bool:
        """Whether a comparison of numbers starts here."""
        token, after = self.now, self.after
        operators = _RELATIONS | _ARITHMETIC
        match token.kind:
            case "number":
                return after.kind == "symbol" and after.text in operators
            case "symbol" if token.text == "(":
                end = self.closing.get(self.at)
                if end is None:
                    return False
                behind = self.tokens[end + 1]
                return behind.kind == "symbol" and behind.text in operators
            case "symbol":
                return token.text == "-"
            case "name":
                indexed = token.text in _INDEXED and after.text == "["
                return indexed or token.text == "len" or token.text in CONSTANTS
            case _:
                return False

    # Comparisons

    def relation(self) -> Condition:
        self.operators = 0
        left, first = self.value(0)
        token = self.take()
        if token.kind != "symbol" or token.text not in _RELATIONS:
            raise self.error("a comparison is expected here, such as = or !=", token)
        right, second = self.value(0)
        result: Condition = Compare(cast("_Relation", token.text), left, right)
        for guard in reversed([*first, *second]):
            result = AndCondition(guard, result)
        return result

    def value(self, level: int) -> tuple[Value, list[Condition]]:
        """Arithmetic of a precedence level and above, with what must hold for its fields."""
        if level == len(_LEVELS):
            return self.atom()
        left, guards = self.value(level + 1)
        while self.now.kind == "symbol" and self.now.text in _LEVELS[level]:
            token = self.take()
            right, more = self.value(level + 1)
            guards += more
            left = self._binary(token, left, right)
            self.operators += 1
            if self.operators > _MAX_OPERATORS:
                problem = f"more than {_MAX_OPERATORS} operators in one comparison"
                raise self.error(problem, token)
        return left, guards

    def _binary(self, token: Token, left: Value, right: Value) -> Value:
        operator = cast("Operator", token.text)
        if isinstance(right, Number) and right.value == 0 and operator in {"/", "%"}:
            raise self.error("a division by zero", token)
        if isinstance(right, Number) and right.value > 31 and operator in {"<<", ">>"}:
            raise self.error("a shift by more than 31 bits", token)
        if isinstance(left, Number) and isinstance(right, Number):
            return Number(folded(operator, left.value, right.value))
        return Binary(operator, left, right)

    def atom(self) -> tuple[Value, list[Condition]]:
        self.deeper()
        try:
            token = self.take()
            if token.kind == "number":
                return Number(self.number(token)), []
            match token.text:
                case "(":
                    inner = self.value(0)
                    self.symbol(")", "the parenthesis")
                    return inner
                case "-":
                    value, guards = self.atom()
                    return self._binary(
                        Token("symbol", "-", token.column), Number(0), value
                    ), guards
                case "len":
                    return Length(), []
                case name if name in CONSTANTS:
                    return Number(CONSTANTS[name]), []
                case name if name in _INDEXED and self.now.text == "[":
                    return self.index(name)
                case _:
                    raise self.error("a number, len or bytes such as ip[0] are expected", token)
        finally:
            self.depth -= 1

    def index(self, name: str) -> tuple[Value, list[Condition]]:
        self.take()
        offset, guards = self.value(0)
        size = 1
        if self.word(":"):
            token = self.take()
            size = self.number(token) if token.kind == "number" else 0
            if size not in {1, 2, 4}:
                raise self.error("a field has 1, 2 or 4 bytes", token)
        self.symbol("]", "the field")
        guard, field = Frame(self.vlans).bytes_of(name, offset, size)
        return field, guards if guard is None else [*guards, guard]

    # Primitives

    def primitive(self) -> Condition:
        token = self.now
        match token.text:
            case "less" | "greater" if token.kind == "name":
                self.take()
                operator: Literal["<=", ">="] = "<=" if token.text == "less" else ">="
                return length(operator, self.number(self.take()))
            case "vlan":
                return self.vlan()
            case name if name in _REFUSED and token.kind == "name":
                raise self.error(f"{name!r} is not known here")
            case _:
                pass
        words = self.qualifiers()
        if words is None:
            if self.words is None and token.kind == "name":
                raise self.error(
                    f"{token.text!r} is no word of the filter language", hint=_NO_NAMES
                )
            return self.identifier(self.words or _Words())
        return words

    def vlan(self) -> Condition:
        token = self.take()
        number = None
        if self.now.kind == "number":
            number = self.number(self.now)
            if number > 0x0FFF:
                raise self.error("a VLAN's number is below 4096")
            self.take()
        if self.vlans == _MAX_VLANS:
            raise self.error(f"more than {_MAX_VLANS} VLAN tags", token)
        found = Frame(self.vlans).vlan(number)
        self.vlans += 1
        return found

    def qualifiers(self) -> Condition | None:
        """Words and what follows them; None where there are no words."""
        start = self.now
        protocol = self.word("ether", *_LINKS, *_UPPER) or ""
        cast_ = self.word("broadcast", "multicast")
        if cast_:
            return self.cast(protocol, cast_, start)
        direction = self.direction()
        type_ = self.word(*_TYPES) or ""
        if not (protocol or direction or type_):
            return None
        if protocol and not direction and not type_:
            if protocol == "ether":
                raise self.error("'ether' needs host, src, dst, proto, broadcast or multicast")
            if self.now.kind in {"number", "address", "address6", "mac"}:
                raise self.error(f"{protocol!r} needs a word such as host or port before this")
            frame = Frame(self.vlans)
            return frame.protocol(protocol) if protocol in _UPPER else frame.link(protocol)
        self.words = _Words(protocol, direction or "src or dst", type_)
        if self.now.text == "(":
            return self.group()
        return self.identifier(self.words)

    def cast(self, protocol: str, kind: str, start: Token) -> Condition:
        frame = Frame(self.vlans)
        if kind == "broadcast" and protocol in {"", "ether"}:
            return frame.mac("dst", (1 << 48) - 1)
        if kind == "multicast" and protocol in {"", "ether", "ip", "ip6"}:
            return frame.multicast(protocol)
        hint = "the netmask is not known" if kind == "broadcast" else ""
        raise self.error(f"{protocol!r} does not go with {kind!r}", start, hint)

    def direction(self) -> Direction | None:
        first = self.word("src", "dst")
        if first is None:
            return None
        joined, other = self.now.text, self.after.text
        if joined in {"and", "or"} and {first, other} == {"src", "dst"}:
            self.take()
            self.take()
            return "src or dst" if joined == "or" else "src and dst"
        return "src" if first == "src" else "dst"

    def identifier(self, words: _Words) -> Condition:
        match words.type:
            case "port" | "portrange":
                return self.ports(words)
            case "proto":
                return self.proto(words)
            case "net":
                return self.net(words)
            case _:
                return self.host(words)

    def host(self, words: _Words) -> Condition:
        token = self.take()
        match token.kind:
            case "mac":
                return self.mac(words, token)
            case "address" if token.text.count(".") == 3:
                return self._ipv4(words, self.octets(token), _U32, token)
            case "address6":
                return self._ipv6(words, int(IPv6Address(token.text)), (1 << 128) - 1, token)
            case "name" | "address":
                raise self.error(f"{token.text!r} is no address", token, _NO_NAMES)
            case _:
                raise self.error("an address is expected here", token)

    def mac(self, words: _Words, token: Token) -> Condition:
        if words.protocol not in {"ether", ""}:
            raise self.error(f"an Ethernet address does not go with {words.protocol!r}", token)
        parts = [int(part, 16) for part in _MAC.split(token.text)]
        return Frame(self.vlans).mac(words.direction, int.from_bytes(bytes(parts), "big"))

    def net(self, words: _Words) -> Condition:
        token = self.take()
        if token.kind == "address6":
            bits = self.prefix(128) if self.word("/") else 128
            mask = ((1 << bits) - 1) << (128 - bits)
            return self._ipv6(
                words, self.inside(int(IPv6Address(token.text)), mask, token), mask, token
            )
        if token.kind not in {"address", "number"}:
            raise self.error("a network is expected here", token, _NO_NAMES)
        octets = token.text.count(".") + 1
        address = self.octets(token)
        if self.word("/"):
            bits = self.prefix(32)
            mask = ((1 << bits) - 1) << (32 - bits)
        elif self.word("mask"):
            mask = self.octets(self.take())
        else:
            mask = ((1 << 8 * octets) - 1) << (32 - 8 * octets)
        return self._ipv4(words, self.inside(address, mask, token), mask, token)

    def inside(self, address: int, mask: int, token: Token) -> int:
        if address & ~mask:
            raise self.error("the network has bits outside its mask", token)
        return address

    def prefix(self, most: int) -> int:
        token = self.take()
        if token.kind != "number" or self.number(token) > most:
            raise self.error(f"a prefix length from 0 to {most} is expected", token)
        return self.number(token)

    def _ipv4(self, words: _Words, address: int, mask: int, token: Token) -> Condition:
        frame = Frame(self.vlans)
        if words.protocol in {"ip", "arp", "rarp"}:
            return frame.net(words.protocol, words.direction, address, mask)
        if words.protocol:
            raise self.error(f"an IPv4 address does not go with {words.protocol!r}", token)
        found = frame.net("ip", words.direction, address, mask)
        for link in ("arp", "rarp"):
            found = OrCondition(found, frame.net(link, words.direction, address, mask))
        return found

    def _ipv6(self, words: _Words, address: int, mask: int, token: Token) -> Condition:
        if words.protocol not in {"", "ip6"}:
            raise self.error(f"an IPv6 address does not go with {words.protocol!r}", token)
        return Frame(self.vlans).net6(words.direction, address, mask)

    def ports(self, words: _Words) -> Condition:
        if words.protocol not in {"", *PORT_PROTOCOLS}:
            raise self.error(f"{words.protocol!r} has no ports")
        low = high = self.port()
        if words.type == "portrange":
            self.symbol("-", "a range of ports")
            high = self.port()
        names = (words.protocol,) if words.protocol else PORT_PROTOCOLS
        frame = Frame(self.vlans)
        return frame.ports(names, words.direction, min(low, high), max(low, high))

    def port(self) -> int:
        token = self.take()
        if token.kind == "name" and token.text.lstrip("\\") in PORTS:
            return PORTS[token.text.lstrip("\\")]
        if token.kind != "number" or self.number(token) > 0xFFFF:
            raise self.error("a port from 0 to 65535 is expected here", token)
        return self.number(token)

    def proto(self, words: _Words) -> Condition:
        token = self.take()
        name = token.text.lstrip("\\")
        frame = Frame(self.vlans)
        known = ETHERTYPES if words.protocol == "ether" else IP_PROTOCOLS
        if token.kind == "number":
            value = self.number(token)
        elif name in known:
            value = known[name]
        else:
            raise self.error(f"{token.text!r} is no protocol here", token)
        least, most = (LEAST_ETHERTYPE, 0xFFFF) if words.protocol == "ether" else (0, 0xFF)
        if not least <= value <= most:
            raise self.error(f"a number from {least} to {most} is expected here", token)
        match words.protocol:
            case "ether":
                return frame.ethertype(value)
            case "ip":
                return frame.ip_protocol(value)
            case "ip6":
                return frame.ip6_protocol(value)
            case "":
                return OrCondition(frame.ip_protocol(value), frame.ip6_protocol(value))
            case other:
                raise self.error(f"{other!r} does not go with 'proto'", token)

    # Numbers

    def number(self, token: Token) -> int:
        text = token.text
        if token.kind != "number":
            raise self.error("a number is expected here", token)
        try:
            octal = len(text) > 1 and text.startswith("0") and text.isdecimal()
            value = int(text, 8 if octal else 0)
        except ValueError:
            raise self.error(f"{text} is no octal number", token) from None
        if value > _U32:
            raise self.error("larger than 32 bits", token)
        return value

    def octets(self, token: Token) -> int:
        """``10``, ``10.1``, ... as the upper bytes of an address."""
        if token.kind not in {"address", "number"}:
            raise self.error("an IPv4 address is expected here", token)
        parts = [int(part) for part in token.text.split(".") if part.isdecimal()]
        if len(parts) != token.text.count(".") + 1 or any(part > 255 for part in parts):
            raise self.error(f"{token.text} is no IPv4 address", token)
        return int.from_bytes(bytes(parts + [0] * (4 - len(parts))), "big")
