"""Abstract numbers: what is known of a 64-bit value.

A :class:`Scalar` holds a tnum and four ranges: unsigned and signed, of all 64 bits and of the low
32. It stands for the numbers that satisfy all five. Scalars are interned, so that equality is
``is``, and immutable, so that states share them; ``uid`` keys the memo tables of ``transfer`` and
``branch``. Build them with :func:`const`, :func:`unsigned_range` and :func:`make`, which tightens
each view by the others.

The intern tables grow with the process; :func:`forget` empties them between verifications.
"""

from __future__ import annotations

from collections.abc import Mapping
from sys import getrefcount
from typing import Final, TypeVar

from beebox.verifier.numbers import tnum

U64: Final = (1 << 64) - 1
U32: Final = (1 << 32) - 1
S64_MIN: Final = -(1 << 63)
S64_MAX: Final = (1 << 63) - 1
S32_MIN: Final = -(1 << 31)
S32_MAX: Final = (1 << 31) - 1
_SIGN64: Final = 1 << 63
_SIGN32: Final = 1 << 31
_HIGH: Final = U64 ^ U32
_MAX_INTERNED: Final = 1 << 20
_Key = TypeVar("_Key")
_FIRST_SWEEP: Final = 1 << 16


class Scalar:
    """One abstract number. ``value``/``mask`` is the tnum; ``is_const`` means a single number."""

    __slots__ = (
        "is_const",
        "mask",
        "s32_max",
        "s32_min",
        "smax",
        "smin",
        "u32_max",
        "u32_min",
        "uid",
        "umax",
        "umin",
        "value",
    )

    def __init__(self, key: tuple[int, ...], uid: int) -> None:
        self.value, self.mask, self.umin, self.umax, self.smin, self.smax = key[:6]
        self.u32_min, self.u32_max, self.s32_min, self.s32_max = key[6:]
        self.uid = uid
        self.is_const = self.mask == 0

    def __repr__(self) -> str:
        if self.is_const:
            return str(self.smin)
        if self is ANY:
            return "any number"
        if (
            self.umin == 0
            and self.smin < 0
            and self.umax > U64 >> 1
            and (self.u32_max < U32 or self.s32_max < S32_MAX or self.s32_min > S32_MIN)
        ):
            unsigned = (
                self.s32_min < 0 and self.u32_max - self.u32_min <= self.s32_max - self.s32_min
            )
            low, high = (self.u32_min, self.u32_max) if unsigned else (self.s32_min, self.s32_max)
            return f"any number with its low 32 bits in {low}..={high}"
        unsigned = self.smin < -(1 << 62) and self.umax - self.umin <= self.smax - self.smin
        low, high = (self.umin, self.umax) if unsigned else (self.smin, self.smax)
        return f"{low}..={high}"


_interned: dict[tuple[int, ...], Scalar] = {}
_consts: dict[int, Scalar] = {}
_next_uid = [0]
_sweep_at = [_FIRST_SWEEP]


def _intern(key: tuple[int, ...]) -> Scalar:
    found = _interned.get(key)
    if found is None:
        found = _interned[key] = _new(key)
    return found


def _new(key: tuple[int, ...]) -> Scalar:
    found = Scalar(key, _next_uid[0])
    _next_uid[0] += 1
    return found


def s64(number: int) -> int:
    """The low 64 bits, as a signed number."""
    number &= U64
    return number - (1 << 64) if number & _SIGN64 else number


def s32(number: int) -> int:
    """The low 32 bits, as a signed number."""
    number &= U32
    return number - (1 << 32) if number & _SIGN32 else number


EMPTY: Final = _intern((1, 1, 1, 0, 1, 0, 1, 0, 1, 0))
"""No number at all: a path that contradicts itself."""

ANY: Final = _intern((0, U64, 0, U64, S64_MIN, S64_MAX, 0, U32, S32_MIN, S32_MAX))


def forget() -> bool:
    """Empty the intern tables when they have grown large; True when it did.

    Only between verifications: live states rely on identity. ``uid`` is never reused.
    """
    if len(_interned) + len(_consts) < _MAX_INTERNED:
        return False
    kept = (EMPTY, ANY, *_SIZED.values())
    _interned.clear()
    _consts.clear()
    for scalar in kept:
        _interned[_key(scalar)] = scalar
    return True


def has_grown() -> bool:
    """Whether the tables are twice what they were after the last :func:`sweep`."""
    return len(_interned) + len(_consts) >= _sweep_at[0]


def _references(table: Mapping[_Key, Scalar]) -> dict[_Key, int]:
    """How many references there are to each number, those of the counting included."""
    return {key: getrefcount(each) for key, each in table.items()}


def sweep() -> None:
    """Drop the numbers that nobody has any more. The memo tables, which have some, come first."""
    only_here = _references({0: Scalar(_key(ANY), 0)})[0]
    interned, numbers = _references(_interned), _references(_consts)
    used = {key: each for key, each in _interned.items() if interned[key] > only_here}
    _interned.clear()  # a table that only loses entries keeps its size
    _interned.update(used)
    exact = {key: each for key, each in _consts.items() if numbers[key] > only_here}
    _consts.clear()
    _consts.update(exact)
    _sweep_at[0] = max(_FIRST_SWEEP, 2 * (len(_interned) + len(_consts)))


def _key(x: Scalar) -> tuple[int, ...]:
    wide = (x.value, x.mask, x.umin, x.umax, x.smin, x.smax)
    return (*wide, x.u32_min, x.u32_max, x.s32_min, x.s32_max)


def const(number: int) -> Scalar:
    """Exactly ``number`` (any integer; its low 64 bits count)."""
    number &= U64
    found = _consts.get(number)
    if found is None:  # equal numbers are one object, and so are equal ends: that saves memory
        signed = number if number < _SIGN64 else number - (1 << 64)
        low = number if number <= U32 else number & U32
        signed32 = low if low < _SIGN32 else low - (1 << 32)
        key = (number, 0, number, number, signed, signed, low, low, signed32, signed32)
        found = _consts[number] = _new(key)
    return found


def make(
    value: int,
    mask: int,
    umin: int = 0,
    umax: int = U64,
    smin: int = S64_MIN,
    smax: int = S64_MAX,
    u32_min: int = 0,
    u32_max: int = U32,
    s32_min: int = S32_MIN,
    s32_max: int = S32_MAX,
    force: bool = False,
) -> Scalar:
    """The scalar with these views, each tightened by the others; EMPTY when they contradict.

    ``force``: of views that contradict, only the bits are kept, as Linux leaves them.

    The tightening follows the order of Linux's ``reg_bounds_sync``, so that ranges come out as
    there: ranges from the tnum, ranges from each other (three rounds), the tnum from the ranges.
    """
    if mask == 0 and umin <= value <= umax and not force:
        return const(value)
    for last in (False, True):
        smin = max(smin, s64(value | (mask & _SIGN64)))
        smax = min(smax, s64(value | (mask & S64_MAX)))
        umin = max(umin, value)
        umax = min(umax, value | mask)
        if umin > value or umax < value | mask:
            single = tnum.single(value, mask, umin, umax)
            if single is not None:
                return const(single)
        low_value, low_mask = value & U32, mask & U32
        u32_min = max(u32_min, low_value)
        u32_max = min(u32_max, low_value | low_mask)
        s32_min = max(s32_min, s32(low_value | (low_mask & _SIGN32)))
        s32_max = min(s32_max, s32(low_value | (low_mask & S32_MAX)))
        if last:
            break
        for _ in range(3):
            # the low half from the whole
            if umin >> 32 == umax >> 32:
                u32_min, u32_max = max(u32_min, umin & U32), min(u32_max, umax & U32)
                low, high = s32(umin), s32(umax)
                if low <= high:
                    s32_min, s32_max = max(s32_min, low), min(s32_max, high)
            if smin >> 32 == smax >> 32:
                u32_min, u32_max = max(u32_min, smin & U32), min(u32_max, smax & U32)
                low, high = s32(smin), s32(smax)
                if low <= high:
                    s32_min, s32_max = max(s32_min, low), min(s32_max, high)
            if (umin >> 32) + 1 == umax >> 32:
                low, high = s32(umin), s32(umax)
                if low < 0 <= high:
                    s32_min, s32_max = max(s32_min, low), min(s32_max, high)
            if (smin >> 32) + 1 == smax >> 32:
                low, high = s32(smin), s32(smax)
                if low < 0 <= high:
                    s32_min, s32_max = max(s32_min, low), min(s32_max, high)
            # unsigned and signed of the same width from each other
            u32_min, u32_max, s32_min, s32_max = _cross(
                u32_min, u32_max, s32_min, s32_max, U32, _SIGN32
            )
            umin, umax, smin, smax = _cross(umin, umax, smin, smax, U64, _SIGN64)
            # the whole from the low half
            umin, umax = max(umin, (umin & _HIGH) | u32_min), min(umax, (umax & _HIGH) | u32_max)
            smin, smax = max(smin, (smin & ~U32) | u32_min), min(smax, (smax & ~U32) | u32_max)
            if s32_min >= 0 and smin >= S32_MIN and smax <= S32_MAX:
                smin, smax = s32_min, s32_max  # Linux forgets what was tighter
                umin, umax = s32_min, s32_max
        if not force and (umin > umax or smin > smax or u32_min > u32_max or s32_min > s32_max):
            return EMPTY
        other_value, other_mask = tnum.from_range(umin, umax, U64)
        if (value ^ other_value) & ~(mask | other_mask) and not force:
            return EMPTY
        value, mask = (value | other_value) & ~(mask & other_mask), mask & other_mask
        other_value, other_mask = tnum.from_range(u32_min, u32_max, U32)
        other_mask |= _HIGH
        if (value ^ other_value) & ~(mask | other_mask) and not force:
            return EMPTY
        value, mask = (value | other_value) & ~(mask & other_mask), mask & other_mask
        if mask == 0 and not force:
            return const(value)
    if umin > umax or smin > smax or u32_min > u32_max or s32_min > s32_max:
        return make(value, mask) if force else EMPTY
    key = (value, mask, umin, umax, smin, smax, u32_min, u32_max, s32_min, s32_max)
    if mask == 0:
        exact = const(value)
        if _key(exact) == key:
            return exact
    return _intern(key)


def _cross(
    umin: int, umax: int, smin: int, smax: int, full: int, sign: int
) -> tuple[int, int, int, int]:
    """Tighten an unsigned and a signed range of one width by each other."""
    low = umin - full - 1 if umin & sign else umin
    high = umax - full - 1 if umax & sign else umax
    if low <= high:
        smin, smax = max(smin, low), min(smax, high)
    low, high = smin & full, smax & full
    if low <= high:
        umin, umax = max(umin, low), min(umax, high)
    elif umax < low:  # the signed range crosses zero; the numbers are all on its positive side
        smin, umax = max(smin, umin), min(umax, high)
    elif high < umin:  # ... or all on its negative side
        top = umax - full - 1 if umax & sign else umax
        smax, umin = min(smax, top), max(umin, low)
    return umin, umax, smin, smax


def unsigned_range(low: int, high: int) -> Scalar:
    """Every number of ``[low, high]``, unsigned."""
    return make(0, U64, low, high)


def signed_range(low: int, high: int) -> Scalar:
    """Every number of ``[low, high]``, signed, also as seen in 32 bits, where both ends fit."""
    return make(0, U64, smin=low, smax=high, s32_min=low, s32_max=high)


_SIZED: Final = {
    1: unsigned_range(0, 0xFF),
    2: unsigned_range(0, 0xFFFF),
    4: unsigned_range(0, U32),
}


def of_size(size_bytes: int) -> Scalar:
    """What a zero-extending load of 1, 2, 4 or 8 bytes can give."""
    return _SIZED.get(size_bytes, ANY)


def subset(inner: Scalar, outer: Scalar) -> bool:
    """Whether each view of ``inner`` lies in that of ``outer``."""
    if inner is outer or outer is ANY:
        return True
    return (
        outer.umin <= inner.umin
        and inner.umax <= outer.umax
        and outer.smin <= inner.smin
        and inner.smax <= outer.smax
        and outer.u32_min <= inner.u32_min
        and inner.u32_max <= outer.u32_max
        and outer.s32_min <= inner.s32_min
        and inner.s32_max <= outer.s32_max
        and not inner.mask & ~outer.mask
        and inner.value & ~outer.mask == outer.value
    )


def contains(scalar: Scalar, number: int) -> bool:
    """Whether the concrete 64-bit ``number`` is among those that ``scalar`` stands for."""
    return subset(const(number), scalar)
