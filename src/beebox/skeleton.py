"""What modules made by ``beebox gen skeleton`` are written with: an embedded object, opened.

Such a module declares the object's maps, programs and variables as descriptors of this module
(:class:`MapOf`, :class:`ProgramOf`, :class:`Variable`, ...), which type checkers understand and
which read and write the one :class:`OpenObject` behind them. Values are those of
:mod:`beebox.btf.values`: integers, text, lists, dicts by member.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, Generic, Protocol, Self, TypeVar, cast, overload

from beebox import api
from beebox.backend import Collection, Map, Program
from beebox.btf import values
from beebox.btf.types import Btf, SectionVar
from beebox.errors import InputError, KeyNotFound
from beebox.obj.globals import get_global, set_global
from beebox.obj.maps import section_variables
from beebox.obj.model import ExternSpec, KconfigPlace, ObjectSpec
from beebox.tables.map_types import UpdateFlags

K = TypeVar("K")
V = TypeVar("V")
_ONLY_KEY: Final = bytes(4)  # of a data map: an array of one value
_KCONFIG: Final = ".kconfig"
_SLOT_BYTES: Final = 8  # what a CPU's value is padded to


class OpenObject:
    """An object that is open, then loaded, then closed; a spec until it is loaded."""

    def __init__(self, data: bytes, name: str) -> None:
        self._spec = api.read_object(data, Path(name))
        self._live: Collection | None = None
        self._programs: tuple[str, ...] = ()
        self._closed = False

    @property
    def spec(self) -> ObjectSpec:
        """The object; set it before load to change maps, programs or sections."""
        return self._spec

    @spec.setter
    def spec(self, spec: ObjectSpec) -> None:
        self._not_loaded("the object is changed before it is loaded")
        self._spec = spec

    @property
    def live(self) -> Collection:
        """The loaded programs and maps. Raises :exc:`InputError` before load and after close."""
        if self._live is None:
            word = "closed" if self._closed else "not loaded yet"
            raise InputError(f"{self._spec.file}: is {word}")
        return self._live

    @property
    def btf(self) -> Btf:
        """The object's types; none where it has none."""
        return self._spec.btf if self._spec.btf is not None else Btf()

    def load(
        self,
        kernel: api.KernelName = "userspace",
        *,
        programs: Sequence[str] | None = None,
        engine: api.EngineName = "jit",
        btf: str | Path | None = None,
    ) -> None:
        """Load it as :func:`beebox.load` does. Raises :exc:`InputError` the second time."""
        self._not_loaded("it is loaded already")
        self._programs = api.chosen(self._spec, programs)
        self._live = api.load(self._spec, kernel=kernel, programs=programs, engine=engine, btf=btf)

    def close(self) -> None:
        """Let go of programs and maps; twice is harmless."""
        self._closed = True
        if self._live is not None:
            self._live.close()
            self._live = None

    def _not_loaded(self, problem: str) -> None:
        if self._live is not None or self._closed:
            raise InputError(f"{self._spec.file}: {problem}")

    def map(self, name: str) -> Map:
        """The live map. Raises :exc:`InputError` for one that the kernel does not have."""
        made = self.live.maps.get(name)
        if made is None:
            raise InputError(f"{self._spec.file}: map {name} was not made")
        return made

    def program(self, name: str) -> Program:
        """A loaded program. Raises :exc:`InputError` for one that was left out."""
        if name not in self.live.programs:
            raise InputError(f"{self._spec.file}: program {name} was not loaded")
        return self.live.programs[name]

    def variable(self, section: str, name: str) -> values.Value:
        """A variable's value: at load before it, afterwards the live one."""
        if self._live is None and not self._closed:
            return get_global(self._spec, name)
        place, data = self._live_value(section, name)
        return values.decode(self.btf, place.type, data[place.offset : place.offset + place.size])

    def set_variable(self, section: str, name: str, value: object) -> None:
        """Set a variable, before load or live.

        Live, the whole section is read and written back: what programs write in between is lost.
        Raises :exc:`InputError` for a constant after load.
        """
        if self._live is None and not self._closed:
            self._spec = set_global(self._spec, name, value)
            return
        place, data = self._live_value(section, name)
        if self._spec.maps[section].frozen:
            raise InputError(f"{section}.{name}: constants are set before the object is loaded")
        changed = bytearray(data)
        encoded = values.encode(self.btf, place.type, value)
        changed[place.offset : place.offset + place.size] = encoded
        self.live.maps[section].update(_ONLY_KEY, bytes(changed))

    def _live_value(self, section: str, name: str) -> tuple[SectionVar, bytes]:
        place = section_variables(self._spec.btf, section)[name]
        return place, self.live.maps[section].lookup(_ONLY_KEY)

    def kconfig(self, name: str) -> values.Value:
        """A value of the kernel's build, known after load."""
        row = self._settled.get(name)
        if row is None or not isinstance(row.resolved, KconfigPlace):
            raise InputError(f"{self._spec.file}: no program uses {name}")
        place = row.resolved
        data = self.live.maps[_KCONFIG].lookup(_ONLY_KEY)
        return values.decode(self.btf, row.type_id, data[place.offset : place.offset + place.size])

    @cached_property
    def _settled(self) -> dict[str, ExternSpec]:
        """The externs with their places in ``.kconfig``, which depend on their types alone."""
        if not self.live.programs:
            return {}
        return dict(api.resolved(self._spec, programs=self._programs).externs)


class _Holder(Protocol):
    """A class that a skeleton declares: what its descriptors stand in."""

    opened: OpenObject


class Variable(Generic[V]):
    """A global variable: set before load, read (and outside of .rodata set) afterwards."""

    def __init__(self, section: str, name: str) -> None:
        self._section = section
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: _Holder, owner: type[object]) -> V: ...
    def __get__(self, holder: _Holder | None, owner: type[object]) -> Self | V:
        """The value now."""
        if holder is None:
            return self
        return cast("V", holder.opened.variable(self._section, self._name))

    def __set__(self, holder: _Holder, value: V) -> None:
        """Set it."""
        holder.opened.set_variable(self._section, self._name, value)


class KconfigValue(Generic[V]):
    """A value of the kernel's build, read after load."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: _Holder, owner: type[object]) -> V: ...
    def __get__(self, holder: _Holder | None, owner: type[object]) -> Self | V:
        """The value."""
        return self if holder is None else cast("V", holder.opened.kconfig(self._name))


class ProgramOf:
    """A program, live after load."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: _Holder, owner: type[object]) -> Program: ...
    def __get__(self, holder: _Holder | None, owner: type[object]) -> Self | Program:
        """The live program."""
        return self if holder is None else holder.opened.program(self._name)


class RawMap:
    """A map without keys and values of a type: ring buffers, maps of maps, programs or sockets."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: _Holder, owner: type[object]) -> Map: ...
    def __get__(self, holder: _Holder | None, owner: type[object]) -> Self | Map:
        """The live map."""
        return self if holder is None else holder.opened.map(self._name)


class MapOf(Generic[K, V]):
    """A map with keys and values of these types; live after load."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: _Holder, owner: type[object]) -> TypedMap[K, V]: ...
    def __get__(self, holder: _Holder | None, owner: type[object]) -> Self | TypedMap[K, V]:
        """The live map."""
        return self if holder is None else TypedMap(holder.opened, self._name)


class QueueOf(Generic[V]):
    """A queue, stack or bloom filter of values of this type; live after load."""

    def __init__(self, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: _Holder, owner: type[object]) -> TypedQueue[V]: ...
    def __get__(self, holder: _Holder | None, owner: type[object]) -> Self | TypedQueue[V]:
        """The live map."""
        return self if holder is None else TypedQueue(holder.opened, self._name)


class TypedMap(Generic[K, V]):
    """A live map whose keys and values are Python's; of a per-CPU map a value is a list of them.

    ``map`` is the same map in bytes. Errors are those of :class:`beebox.backend.Map`;
    :exc:`BtfError` for what does not fit the type.
    """

    def __init__(self, opened: OpenObject, name: str) -> None:
        self.map: Final = opened.map(name)
        self._btf = opened.btf

    def _key(self, key: K) -> bytes:
        return _encoded(self._btf, self.map.spec.key_type_id, key)

    def _value(self, data: bytes) -> V:
        spec = self.map.spec
        if not spec.type.value.per_cpu:
            return cast("V", _decoded(self._btf, spec.value_type_id, data))
        step = (spec.value_size + _SLOT_BYTES - 1) // _SLOT_BYTES * _SLOT_BYTES
        parts = [data[at : at + spec.value_size] for at in range(0, len(data), step)]
        return cast("V", [_decoded(self._btf, spec.value_type_id, part) for part in parts])

    def _data(self, value: V) -> bytes:
        spec = self.map.spec
        if not spec.type.value.per_cpu:
            return _encoded(self._btf, spec.value_type_id, value)
        step = (spec.value_size + _SLOT_BYTES - 1) // _SLOT_BYTES * _SLOT_BYTES
        if not isinstance(value, list):
            raise InputError(f"map {spec.name}: a value is a list, one element for each CPU")
        parts = [_encoded(self._btf, spec.value_type_id, part) for part in value]
        return b"".join(part.ljust(step, b"\0") for part in parts)

    def __getitem__(self, key: K) -> V:
        """The value. Raises :exc:`KeyNotFound`, which is a :exc:`KeyError`."""
        return self._value(self.map.lookup(self._key(key)))

    def __setitem__(self, key: K, value: V) -> None:
        """Set it, new or old."""
        self.map.update(self._key(key), self._data(value))

    def __delitem__(self, key: K) -> None:
        """Remove it. Raises :exc:`KeyNotFound`."""
        self.map.delete(self._key(key))

    def __contains__(self, key: K) -> bool:
        """Whether there is a value."""
        return self.get(key) is not None

    def __iter__(self) -> Iterator[K]:
        """Every key."""
        return (key for key, _ in self.items())

    def get(self, key: K) -> V | None:
        """The value, or None."""
        try:
            return self[key]
        except KeyNotFound:
            return None

    def update(self, key: K, value: V, flags: UpdateFlags = UpdateFlags.ANY) -> None:
        """Set it as bpf(2) does with ``flags``. Raises :exc:`KeyExists`, :exc:`KeyNotFound`."""
        self.map.update(self._key(key), self._data(value), flags)

    def items(self) -> Iterator[tuple[K, V]]:
        """Every element."""
        type_id = self.map.spec.key_type_id
        for key, data in self.map.items():
            yield cast("K", _decoded(self._btf, type_id, key)), self._value(data)


class TypedQueue(Generic[V]):
    """A live queue, stack or bloom filter whose values are Python's; ``map`` has them in bytes."""

    def __init__(self, opened: OpenObject, name: str) -> None:
        self.map: Final = opened.map(name)
        self._btf = opened.btf

    def _value(self, data: bytes) -> V:
        return cast("V", _decoded(self._btf, self.map.spec.value_type_id, data))

    def push(self, value: V) -> None:
        """Put a value in. Raises :exc:`MapFull`."""
        self.map.push(_encoded(self._btf, self.map.spec.value_type_id, value))

    def pop(self) -> V:
        """Take the next value out. Raises :exc:`KeyNotFound` when there is none."""
        return self._value(self.map.pop())

    def peek(self) -> V:
        """The next value. Raises :exc:`KeyNotFound` when there is none."""
        return self._value(self.map.peek())

    def __contains__(self, value: V) -> bool:
        """Whether a bloom filter may have it."""
        return self.map.contains(_encoded(self._btf, self.map.spec.value_type_id, value))


def _encoded(btf: Btf, type_id: int, value: object) -> bytes:
    if type_id and not isinstance(value, bytes):
        return values.encode(btf, type_id, value)
    if not isinstance(value, bytes):
        raise InputError("bytes are wanted where the object gives no type")
    return value


def _decoded(btf: Btf, type_id: int, data: bytes) -> object:
    return values.decode(btf, type_id, data) if type_id else data
