"""Random XDP programs, valid by construction, as assembly text.

Invariant between statements: r0-r5 and r8 hold initialised numbers, r6 the packet (64 bytes of it
checked), r9 a value of the map ``values`` (64 bytes), and stack bytes r10-64 to r10-8 any numbers.
Every program ends by storing all numbers into the map, so wide differences show, and returns one.
"""

from __future__ import annotations

import random

NUMBERS = ("r0", "r1", "r2", "r3", "r4", "r5")
INTERESTING = (0, 1, -1, 2, 7, 31, 32, 63, 64, 255, 256, 0x7FFF, 0x8000, 0x7FFFFFFF, -0x80000000)
SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
ALU = ("+=", "-=", "*=", "/=", "s/=", "|=", "&=", "^=", "%=", "s%=", "=", "<<=", ">>=", "s>>=")
COMPARE = ("==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&")


class Generator:
    """One program per seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.labels = 0
        self.loops = 0
        self.called: set[str] = set()

    def program(self) -> str:
        """At least 50 instructions."""
        self._prologue()
        for _ in range(self.random.randint(12, 30)):
            self._statement(depth=0)
        while self._count() < 60:
            self._statement(depth=1)
        self._epilogue()
        self._subprograms()
        return "\n".join(self.lines) + "\n"

    def _count(self) -> int:
        return sum(not line.endswith(":") for line in self.lines)

    def _emit(self, *lines: str) -> None:
        self.lines += lines

    def _label(self) -> str:
        self.labels += 1
        return f"label{self.labels}"

    def _number(self) -> str:
        return self.random.choice(NUMBERS)

    def _constant(self) -> int:
        if self.random.random() < 0.7:
            return self.random.choice(INTERESTING)
        return self.random.randint(-0x80000000, 0x7FFFFFFF)

    def _prologue(self) -> None:
        self._emit(
            "*(u64 *)(r10 - 104) = r1",
            "r6 = *(u32 *)(r1 + 0)",
            "r7 = *(u32 *)(r1 + 4)",
            "r2 = r6",
            "r2 += 64",
            "r0 = 1",
            "if r2 > r7 goto leave",
            f"*(u32 *)(r10 - 4) = {self.random.randint(0, 1)}",
            "r2 = r10",
            "r2 += -4",
            "r1 = map[values] ll",
            "call 1",
            "if r0 == 0 goto leave",
            "r9 = r0",
            "r8 = 0",
        )
        for offset in range(-64, 0, 8):
            self._emit(f"*(u64 *)(r10 {offset:+d}) = {self._constant()}".replace("+-", "- "))
        self._numbers()

    def _numbers(self) -> None:
        """All of r0-r5 again, from the packet, the map, the stack or constants."""
        for reg in NUMBERS:
            match self.random.randrange(4):
                case 0:
                    self._emit(f"{reg} = *(u64 *)(r6 + {self.random.randint(0, 56)})")
                case 1:
                    self._emit(f"{reg} = *(u64 *)(r9 + {8 * self.random.randint(0, 7)})")
                case 2:
                    self._emit(f"{reg} = *(u64 *)(r10 - {8 * self.random.randint(1, 8)})")
                case _:
                    self._emit(f"{reg} = {self.random.getrandbits(64):#x} ll")

    def _statement(self, depth: int) -> None:
        kinds = [self._alu, self._alu, self._alu, self._swap, self._load, self._load, self._store]
        kinds += [self._atomic, self._indexed, self._spill, self._extend]
        if depth < 2:
            kinds += [self._branch, self._branch]
        if depth == 0:
            kinds += [self._loop, self._call, self._table, self._call]
        kind = self.random.choice(kinds)
        kind(depth)

    def _alu(self, _depth: int = 0) -> None:
        op, wide = self.random.choice(ALU), self.random.random() < 0.5
        dst, bits = self._number(), 64 if wide else 32
        if self.random.random() < 0.1:
            dst = dst if wide else "w" + dst[1:]
            self._emit(f"{dst} = -{dst}")
            return
        if self.random.random() < 0.5:
            src = self._number()
            src = src if wide else "w" + src[1:]
        elif op in {"<<=", ">>=", "s>>="}:
            src = str(self.random.randrange(bits))
        elif op in {"/=", "%=", "s/=", "s%="}:
            src = str(self._constant() or 3)
        else:
            src = str(self._constant())
        self._emit(f"{dst if wide else 'w' + dst[1:]} {op} {src}")

    def _extend(self, _depth: int = 0) -> None:
        bits = self.random.choice((8, 16, 32))
        dst, src = self._number(), self._number()
        if bits < 32 and self.random.random() < 0.5:
            dst, src = "w" + dst[1:], "w" + src[1:]
        self._emit(f"{dst} = (s{bits}){src}")

    def _swap(self, _depth: int = 0) -> None:
        reg = self._number()
        word = self.random.choice(("be", "le", "bswap"))
        self._emit(f"{reg} = {word}{self.random.choice((16, 32, 64))} {reg}")

    def _place(self) -> tuple[str, int, str]:
        """Base, size and text of an access to packet, map value or stack."""
        kind, size = self.random.choice(list(SIZES.items()))
        base = self.random.choice(("r6", "r9", "r10"))
        if base == "r10":
            offset = -64 + size * self.random.randrange(64 // size)
        elif base == "r9":
            offset = size * self.random.randrange(64 // size)
        else:
            offset = self.random.randint(0, 64 - size)
        sign = "-" if offset < 0 else "+"
        return kind, size, f"({base} {sign} {abs(offset)})"

    def _load(self, _depth: int = 0) -> None:
        kind, size, where = self._place()
        if size < 8 and self.random.random() < 0.3:
            kind = "s" + kind[1:]
        self._emit(f"{self._number()} = *({kind} *){where}")

    def _store(self, _depth: int = 0) -> None:
        kind, _, where = self._place()
        value = self._number() if self.random.random() < 0.7 else str(self._constant())
        self._emit(f"*({kind} *){where} = {value}")

    def _atomic(self, _depth: int = 0) -> None:
        kind, size = self.random.choice((("u32", 4), ("u64", 8)))
        base, start = self.random.choice((("r9", 0), ("r10", -64)))
        offset = start + size * self.random.randrange(64 // size)
        where = f"({base} {'-' if offset < 0 else '+'} {abs(offset)})"
        reg = self._number()
        letter = "r" if size == 8 else "w"
        name = letter + reg[1:]
        match self.random.randrange(4):
            case 0:
                self._emit(
                    f"lock *({kind} *){where} {self.random.choice(('+=', '|=', '&=', '^='))} {name}"
                )
            case 1:
                op = self.random.choice(("add", "or", "and", "xor"))
                self._emit(f"{name} = atomic_fetch_{op}(({kind} *){where}, {name})")
            case 2:
                exchange = "xchg_64" if size == 8 else "xchg32_32"
                self._emit(f"{name} = {exchange}{where[:-1]}, {name})")
            case _:
                acc = "r0" if size == 8 else "w0"
                fn = "cmpxchg_64" if size == 8 else "cmpxchg32_32"
                self._emit(f"{acc} = {fn}{where[:-1]}, {acc}, {name})")

    def _indexed(self, _depth: int = 0) -> None:
        """An access at a variable offset that a mask bounds; packets need a new check."""
        index, value = self.random.sample(NUMBERS, 2)
        self._emit(f"{index} &= {self.random.choice((7, 31, 63))}")
        if self.random.random() < 0.5:
            self._emit("r8 = r9", f"r8 += {index}")
            if self.random.random() < 0.5:
                self._emit(f"{value} = *(u8 *)(r8 + 0)")
            else:
                self._emit(f"*(u8 *)(r8 + 0) = {value}")
        else:
            end = self._label()
            self._emit(f"{value} = *(u64 *)(r10 - 104)", f"{value} = *(u32 *)({value} + 4)")
            self._emit("r8 = r6", f"r8 += {index}", "r8 += 1", f"if r8 > {value} goto {end}")
            self._emit(f"{value} = *(u8 *)(r8 - 1)", f"*(u8 *)(r9 + {index[1:]}) = {value}")
            self._emit(f"*(u8 *)(r8 - 1) = {index}", f"{end}:", f"{value} = 7")
        self._emit("r8 = 0")

    def _spill(self, _depth: int = 0) -> None:
        """A pointer or number through the stack."""
        if self.random.random() < 0.5:
            self._emit("*(u64 *)(r10 - 72) = r9", "r9 = 0", "r9 = *(u64 *)(r10 - 72)")
        else:
            a, b = self._number(), self._number()
            self._emit(f"*(u64 *)(r10 - 80) = {a}", f"{b} = *(u64 *)(r10 - 80)")

    def _branch(self, depth: int) -> None:
        end = self._label()
        left = self._number()
        right = self._number() if self.random.random() < 0.5 else str(self._constant())
        if self.random.random() < 0.4:
            left = "w" + left[1:]
            right = "w" + right[1:] if right.startswith("r") else right
        self._emit(f"if {left} {self.random.choice(COMPARE)} {right} goto {end}")
        for _ in range(self.random.randint(1, 4)):
            self._statement(depth + 1)
        if self.random.random() < 0.4:
            other = self._label()
            self._emit(f"goto {other}", f"{end}:")
            for _ in range(self.random.randint(1, 3)):
                self._statement(depth + 1)
            end = other
        self._emit(f"{end}:")

    def _loop(self, depth: int) -> None:
        if self.loops >= 2:
            return
        self.loops += 1
        top = self._label()
        self._emit("r7 = 0", f"{top}:")
        for _ in range(self.random.randint(1, 4)):
            self._statement(depth + 2)
        self._emit("r7 += 1", f"if r7 < {self.random.randint(2, 6)} goto {top}")

    def _call(self, _depth: int = 0) -> None:
        name = self.random.choice(("mix", "fold"))
        self.called.add(name)
        if name == "fold":
            base = self.random.choice(("r10", "r9"))
            self._emit(f"r1 = {base}", f"r1 += {-64 if base == 'r10' else 0}")
        self._emit(f"call {name}", f"*(u64 *)(r9 + {8 * self.random.randrange(8)}) = r0")
        self._numbers()

    def _table(self, _depth: int = 0) -> None:
        """An operation on the hash; its result goes into the map value."""
        key = self._number()
        self._emit(
            f"{key} &= 15", f"*(u32 *)(r10 - 84) = {key}", f"*(u64 *)(r10 - 96) = {self._number()}"
        )
        self._emit("r2 = r10", "r2 += -84", "r1 = map[table] ll")
        match self.random.randrange(3):
            case 0:
                end = self._label()
                self._emit("call 1", f"if r0 == 0 goto {end}", "r1 = *(u64 *)(r0 + 0)", "r1 += 1")
                self._emit("*(u64 *)(r0 + 0) = r1", "*(u64 *)(r9 + 48) = r1", f"{end}:")
            case 1:
                flags = self.random.choice((0, 0, 1, 2))
                self._emit("r3 = r10", "r3 += -96", f"r4 = {flags}", "call 2")
                self._emit("*(u64 *)(r9 + 40) = r0")
            case _:
                self._emit("call 3", "*(u64 *)(r9 + 32) = r0")
        self._numbers()

    def _epilogue(self) -> None:
        for number, reg in enumerate(NUMBERS):
            self._emit(f"*(u64 *)(r9 + {8 * number}) = {reg}")
        self._emit("r0 ^= r3", "leave:", "exit")

    def _subprograms(self) -> None:
        """``mix`` of five numbers; ``fold`` of 64 bytes behind a pointer, which it changes."""
        if "mix" in self.called:
            self._emit("mix:", "r0 = r1", "*(u64 *)(r10 - 16) = r2")
            for _ in range(self.random.randint(3, 8)):
                self._alu()
            self._emit("r1 = *(u64 *)(r10 - 16)", "r0 += r1", "exit")
        if "fold" in self.called:
            self._emit("fold:", "r0 = *(u64 *)(r1 + 8)", "r2 = *(u32 *)(r1 + 20)", "r0 ^= r2")
            self._emit("*(u64 *)(r10 - 8) = r0", "r3 = *(u8 *)(r10 - 7)")
            self._emit("*(u8 *)(r1 + 33) = r3", "exit")
