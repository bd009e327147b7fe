"""``atomic(x)`` as CPython runs it, on one thread: names of integers, and ways to change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from beebox.compiler.elements import Elements

T = TypeVar("T")


class Cell(Protocol):
    """An integer in shared memory; methods are named as in C11 and give the old value."""

    def fetch_add(self, value: int) -> int:
        """Add."""

    def fetch_sub(self, value: int) -> int:
        """Subtract."""

    def fetch_and(self, value: int) -> int:
        """Keep the bits that ``value`` has."""

    def fetch_or(self, value: int) -> int:
        """Set the bits that ``value`` has."""

    def fetch_xor(self, value: int) -> int:
        """Flip the bits that ``value`` has."""

    def exchange(self, value: int) -> int:
        """Write."""

    def compare_exchange(self, expected: int, value: int) -> int:
        """Write ``value`` where the old value is ``expected``."""

    def __getattr__(self, name: str) -> Cell: ...
    def __getitem__(self, key: object) -> Any: ...
    def __setitem__(self, key: object, value: Any) -> None: ...
    def __iadd__(self, value: int) -> Self: ...
    def __isub__(self, value: int) -> Self: ...
    def __iand__(self, value: int) -> Self: ...
    def __ior__(self, value: int) -> Self: ...
    def __ixor__(self, value: int) -> Self: ...


if TYPE_CHECKING:

    def atomic(target: T) -> Shared[T]:
        """What is changed at once: see the other branch."""

    class Shared(Generic[T]):
        """``atomic(x)``: any field or element of ``x`` counts."""

        def __getattr__(self, name: str) -> Cell: ...
        def __setattr__(self, name: str, value: Cell) -> None: ...
        def __getitem__(self, key: object) -> Any: ...
        def __setitem__(self, key: object, value: Any) -> None: ...
else:

    class _Shared:
        """``atomic(x)``: its fields and elements are cells."""

        def __init__(self, target: Any) -> None:
            vars(self)["target"] = target

        def __getattr__(self, name: str) -> _Cell:
            target = self.target
            return _Cell(lambda: getattr(target, name), lambda new: setattr(target, name, new))

        def __setattr__(self, name: str, cell: _Cell) -> None:
            assert isinstance(cell, _Cell), f"{name}: atomic(x) takes +=, -=, &=, |= and ^="

        def __getitem__(self, key: Any) -> _Cell:
            target = self.target
            if isinstance(target, Elements) and key not in target:
                return _Cell(lambda: 0, lambda _: None)  # what is missing stays missing
            return _Cell(lambda: target[key], lambda new: target.__setitem__(key, new))

        def __setitem__(self, key: Any, cell: _Cell) -> None:
            assert isinstance(cell, _Cell), f"{key}: atomic(x) takes +=, -=, &=, |= and ^="

    class _Cell:
        def __init__(self, get: Callable[[], Any], put: Callable[[Any], None]) -> None:
            self._get = get
            self._put = put

        def __getattr__(self, name: str) -> _Cell:
            return getattr(_Shared(self._get()), name)

        def __getitem__(self, key: Any) -> _Cell:
            return _Shared(self._get())[key]

        def __setitem__(self, key: Any, cell: _Cell) -> None:
            assert isinstance(cell, _Cell), f"{key}: atomic(x) takes +=, -=, &=, |= and ^="

        def _change(self, how: Callable[[Any], Any]) -> Any:
            old = self._get()
            self._put(how(old))
            return old

        def fetch_add(self, value: int) -> Any:
            return self._change(lambda old: old + value)

        def fetch_sub(self, value: int) -> Any:
            return self._change(lambda old: old - value)

        def fetch_and(self, value: int) -> Any:
            return self._change(lambda old: old & value)

        def fetch_or(self, value: int) -> Any:
            return self._change(lambda old: old | value)

        def fetch_xor(self, value: int) -> Any:
            return self._change(lambda old: old ^ value)

        def exchange(self, value: int) -> Any:
            return self._change(lambda _: value)

        def compare_exchange(self, expected: int, value: int) -> Any:
            return self._change(lambda old: value if old == expected else old)

        def __iadd__(self, value: int) -> Self:
            self.fetch_add(value)
            return self

        def __isub__(self, value: int) -> Self:
            self.fetch_sub(value)
            return self

        def __iand__(self, value: int) -> Self:
            self.fetch_and(value)
            return self

        def __ior__(self, value: int) -> Self:
            self.fetch_or(value)
            return self

        def __ixor__(self, value: int) -> Self:
            self.fetch_xor(value)
            return self

    def atomic(target: Any) -> Any:
        """``atomic(x).field += n``, ``atomic(m)[key] += n``, ``atomic(x).field.fetch_add(n)``.

        One indivisible change of an integer in a map value or global. On a map it changes the
        element if there is one, and does nothing otherwise.
        """
        return _Shared(target)
