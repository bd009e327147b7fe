"""Structs and arrays as CPython runs them: views of bytes in C layout."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from beebox.compiler.integers import BIG_ENDIAN, FixedInt


class StructView:
    """An instance of a ``@struct`` class: ``size`` bytes of ``memory``, its own or another's.

    A field may have any name, such as ``start``: what is ours is asked of the class, or of
    :func:`place_of`.
    """

    size: ClassVar[int] = 0
    align: ClassVar[int] = 1
    offsets: ClassVar[dict[str, tuple[Any, int]]] = {}
    defaults: ClassVar[dict[str, int]] = {}
    memory: bytearray
    start: int

    def __init__(self, **fields: Any) -> None:
        vars(self)["memory"], vars(self)["start"] = bytearray(type(self).size), 0
        for name, value in {**type(self).defaults, **fields}.items():
            setattr(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        offsets = type(self).offsets
        if name in offsets:
            type_, offset = offsets[name]
            memory, start = place_of(self)
            return view(type_, memory, start + offset)
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        offsets = type(self).offsets
        if name not in offsets:
            raise AttributeError(f"{type(self).__name__} has no field '{name}'")
        type_, offset = offsets[name]
        memory, start = place_of(self)
        store(type_, memory, start + offset, value)

    def __bytes__(self) -> bytes:
        memory, start = place_of(self)
        return bytes(memory[start : start + type(self).size])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self).offsets)
        return f"{type(self).__name__}({shown})"


class ArrayView:
    """A fixed-length array; ``array[T, Literal[n]]`` names its type, ``array[...]()`` makes one."""

    element: ClassVar[Any] = None
    count: ClassVar[int] = 0

    def __class_getitem__(cls, types: tuple[Any, Any]) -> type[ArrayView]:
        element, length = types
        assert get_origin(length) is Literal, "an array's length is a Literal"
        return type("array", (ArrayView,), {"element": element, "count": get_args(length)[0]})

    def __init__(self, memory: bytearray | None = None, start: int = 0) -> None:
        self.memory = bytearray(size_in_memory(type(self))) if memory is None else memory
        self.start = start

    def _place(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"index {index} in an array of {self.count}")
        return self.start + index * size_in_memory(self.element)

    def __getitem__(self, index: int) -> Any:
        return view(self.element, self.memory, self._place(index))

    def __setitem__(self, index: int, value: Any) -> None:
        store(self.element, self.memory, self._place(index), value)

    def __len__(self) -> int:
        return self.count

    def __bytes__(self) -> bytes:
        return bytes(self.memory[self.start : self.start + size_in_memory(type(self))])


def place_of(value: StructView | ArrayView) -> tuple[bytearray, int]:
    """The memory that a view looks at, and where in it."""
    return vars(value)["memory"], vars(value)["start"]


def size_in_memory(type_: Any) -> int:
    """Bytes of a type."""
    if issubclass(type_, StructView):
        return int(type_.size)
    if issubclass(type_, ArrayView):
        return int(type_.count) * size_in_memory(type_.element)
    return int(type_.bits) // 8 if issubclass(type_, FixedInt) else 1


def align_in_memory(type_: Any) -> int:
    """C alignment of a type."""
    if issubclass(type_, StructView):
        return int(type_.align)
    return align_in_memory(type_.element) if issubclass(type_, ArrayView) else size_in_memory(type_)


def lay_out(cls: type) -> type[StructView]:
    """The struct class with the fields that ``cls`` annotates."""
    offsets: dict[str, tuple[Any, int]] = {}
    end, align = 0, 1
    for name, hint in get_type_hints(cls, include_extras=True).items():
        type_, covered = hint, None
        if get_origin(hint) is Annotated:
            type_, place = get_args(hint)
            covered = offsets[place.field][1]
        wanted = align_in_memory(type_)
        offsets[name] = (type_, -(-end // wanted) * wanted if covered is None else covered)
        end = max(end, offsets[name][1] + size_in_memory(type_))
        align = max(align, wanted)
    kept = {name: value for name, value in vars(cls).items() if name in ("__doc__", "__module__")}
    defaults = {name: vars(cls)[name] for name in offsets if name in vars(cls)}
    facts = {"size": -(-end // align) * align, "align": align, "offsets": offsets}
    return type(cls.__name__, (StructView,), {**kept, **facts, "defaults": defaults})


def view(type_: Any, memory: bytearray, start: int) -> Any:
    """What lies in memory: an integer's value, or a view of a struct or array."""
    if issubclass(type_, StructView):
        made = type_.__new__(type_)
        vars(made)["memory"], vars(made)["start"] = memory, start
        return made
    if issubclass(type_, ArrayView):
        return type_(memory, start)
    stored = memory[start : start + size_in_memory(type_)]
    number = int.from_bytes(stored, "big" if issubclass(type_, BIG_ENDIAN) else "little")
    return type_(number)


def store(type_: Any, memory: bytearray, start: int, value: Any) -> None:
    """Write a value into memory: integers wrap, structs and arrays are copied."""
    if issubclass(type_, StructView | ArrayView):
        data = bytes(value)
    else:
        order = "big" if issubclass(type_, BIG_ENDIAN) else "little"
        size = size_in_memory(type_)
        data = (int(value) & ((1 << 8 * size) - 1)).to_bytes(size, order)  # type: ignore[arg-type]  # one of two literals
    memory[start : start + len(data)] = data


def coerce(type_: Any, value: Any) -> Any:
    """A copy of a value in its declared type; None gives zeros."""
    memory = bytearray(size_in_memory(type_))
    if value is not None:
        store(type_, memory, 0, value)
    return view(type_, memory, 0)


def in_bytes(value: Any) -> bytes:
    """A value as it lies in memory: a struct, an array, or an integer of some width."""
    if isinstance(value, FixedInt):
        memory = bytearray(size_in_memory(type(value)))
        store(type(value), memory, 0, value)
        return bytes(memory)
    return bytes(value)
