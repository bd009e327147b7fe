"""Maps as a source declares them: the classes of the language, their types and arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from beebox.compiler.annotations import annotation
from beebox.compiler.constants import evaluate, integer
from beebox.compiler.diagnostics import words
from beebox.compiler.ir import ArrayType, IntType, MapDecl, StructType, Type
from beebox.compiler.symbols import Keyword, MapName, Scope, Text
from beebox.compiler.types import BIG_ENDIAN, U32, VOID, name_of, size_of
from beebox.tables.limits import MAX_KEY_AND_VALUE_BYTES
from beebox.tables.map_types import MapFlags, MapType

MAX_KEY_BYTES: Final = 512
MAX_SLOTS: Final = 4096


@dataclass(frozen=True, slots=True)
class MapClass:
    """A class of the language: the map type, and what stands between its brackets."""

    type: MapType
    types: tuple[str, ...]  # of "K", "V" and "Map"
    keywords: tuple[str, ...] = ()  # besides max_entries and flags


MAPS: Final[Mapping[str, MapClass]] = {
    "Hash": MapClass(MapType.HASH, ("K", "V")),
    "Array": MapClass(MapType.ARRAY, ("V",)),
    "PerCpuHash": MapClass(MapType.PERCPU_HASH, ("K", "V")),
    "PerCpuArray": MapClass(MapType.PERCPU_ARRAY, ("V",)),
    "LruHash": MapClass(MapType.LRU_HASH, ("K", "V")),
    "LruPerCpuHash": MapClass(MapType.LRU_PERCPU_HASH, ("K", "V")),
    "LpmTrie": MapClass(MapType.LPM_TRIE, ("K", "V")),
    "Queue": MapClass(MapType.QUEUE, ("V",)),
    "Stack": MapClass(MapType.STACK, ("V",)),
    "BloomFilter": MapClass(MapType.BLOOM_FILTER, ("V",), ("hashes",)),
    "ArrayOfMaps": MapClass(
        MapType.ARRAY_OF_MAPS, ("Map",), ("inner_max_entries", "inner_flags", "maps")
    ),
    "HashOfMaps": MapClass(
        MapType.HASH_OF_MAPS, ("K", "Map"), ("inner_max_entries", "inner_flags", "maps")
    ),
    "ProgArray": MapClass(MapType.PROG_ARRAY, (), ("programs",)),
    "DevMap": MapClass(MapType.DEVMAP, ()),
    "DevMapHash": MapClass(MapType.DEVMAP_HASH, ()),
    "CpuMap": MapClass(MapType.CPUMAP, ()),
    "XskMap": MapClass(MapType.XSKMAP, ()),
}


def map_class(node: ast.expr, scope: Scope) -> str | None:
    """The map class that a name stands for, if it is one."""
    symbol = scope.names.get(node.id) if isinstance(node, ast.Name) else None
    return symbol.name if isinstance(symbol, Keyword) and symbol.name in MAPS else None


def declare_map(name: str, node: ast.Call, scope: Scope) -> MapName | None:
    """``Hash[K, V](max_entries=...)`` and its family; None where the call is something else."""
    types = node.func.slice if isinstance(node.func, ast.Subscript) else None
    word = map_class(node.func.value if isinstance(node.func, ast.Subscript) else node.func, scope)
    if word is None:
        return None
    row = MAPS[word]
    if types is None and row.types:
        wanted = ", ".join(row.types)
        raise scope.source.error(
            node, f"{word} needs its types", f"{name} = {word}[{wanted}](max_entries=...)"
        )
    return MapName(_Declaration(name, word, node, types, scope).made())


class _Declaration:
    """One declaration while it is read."""

    def __init__(
        self, name: str, word: str, node: ast.Call, types: ast.expr | None, scope: Scope
    ) -> None:
        self._name = name
        self._word = word
        self._class = MAPS[word]
        self._node = node
        self._types = types
        self._scope = scope
        self._error = scope.source.error
        self._given = self._keywords()

    def _keywords(self) -> dict[str, ast.expr]:
        known = ("max_entries", "flags", *self._class.keywords)
        given: dict[str, ast.expr] = {}
        for argument in self._node.keywords:
            if argument.arg not in known:
                problem = f"a map has no argument '{argument.arg}'"
                raise self._error(argument.value, problem, f"{self._word} has: {', '.join(known)}")
            given[argument.arg] = argument.value
        if self._node.args or "max_entries" not in given:
            example = f"{self._name} = ...(max_entries=1024)"
            raise self._error(self._node, "a map needs max_entries", example)
        return given

    def made(self) -> MapDecl:
        row = self._class.type.value
        key_node, value_node, inner = self._arguments()
        key: Type = VOID if row.key_size == 0 else U32
        value: Type = U32
        if key_node is not None:
            key = self._key(key_node)
        if value_node is not None:
            value = self._storable(value_node)
            if size_of(value) > row.most_value_bytes:
                problem = f"a value of this map has at most {row.most_value_bytes} bytes"
                raise self._error(value_node, problem)
        entries = self._entries("max_entries", size_of(key) + size_of(value), row.most_entries)
        return MapDecl(
            self._name,
            self._class.type,
            key,
            value,
            entries,
            self._scope.source.span(self._node),
            self._flags("flags", self._class.type),
            self._hashes(),
            self._template(inner) if inner is not None else None,
            self._slots(key),
        )

    def _arguments(self) -> tuple[ast.expr | None, ast.expr | None, ast.expr | None]:
        """The nodes of the key's, the value's and the inner map's type."""
        listed: list[ast.expr] = []
        if self._types is not None:
            tuple_ = isinstance(self._types, ast.Tuple)
            listed = self._types.elts if isinstance(self._types, ast.Tuple) else [self._types]
            assert listed or tuple_
        wanted = self._class.types
        if len(listed) != len(wanted):
            one = "one type, its value's (the key is a u32)"
            hints = {("V",): one, ("K", "V"): "a key and a value type", (): "no types"}
            what = hints.get(wanted, ", ".join(wanted))
            raise self._error(self._types or self._node, f"this map takes {what}")
        named = dict(zip(wanted, listed, strict=True))
        return named.get("K"), named.get("V"), named.get("Map")

    def _key(self, node: ast.expr) -> Type:
        key = self._storable(node)
        if self._class.type is not MapType.LPM_TRIE:
            if size_of(key) > MAX_KEY_BYTES:
                raise self._error(node, f"a key has at most {MAX_KEY_BYTES} bytes")
            return key
        first = key.fields[0] if isinstance(key, StructType) else None
        if first is None or first.name != "prefixlen" or first.type != U32:
            hint = "class Prefix: prefixlen: u32; addr: be32 -- or lpm_ipv4 of beebox.lib.net"
            raise self._error(node, "the key of an LPM trie starts with its prefixlen: u32", hint)
        if not self._class.type.value.key.takes(size_of(key)):
            raise self._error(node, "an LPM trie's key has 1 to 256 bytes behind its prefixlen")
        return key

    def _storable(self, node: ast.expr) -> Type:
        type_ = annotation(node, self._scope)
        if type_ in BIG_ENDIAN.values():
            hint = f"use u{name_of(type_)[2:]}: fields convert themselves; or put it in a struct"
            raise self._error(node, "maps hold integers in the host's order", hint)
        if isinstance(type_, IntType | StructType | ArrayType):
            return type_
        raise self._error(node, f"a map cannot hold {name_of(type_)}")

    def _entries(self, word: str, element_bytes: int, most: int) -> int:
        if word not in self._given:
            raise self._error(self._node, f"this map needs {word}", f"{word}=1024")
        node = self._given[word]
        entries = integer(node, self._scope).value
        if not 0 < entries <= most:
            raise self._error(node, f"{word} is 1 to {'2**32 - 1' if most == 0xFFFFFFFF else most}")
        if entries * element_bytes > MAX_KEY_AND_VALUE_BYTES:
            raise self._error(node, "this map would take more than 1 GiB")
        return entries

    def _flags(self, word: str, map_type: MapType) -> MapFlags:
        row = map_type.value
        if word not in self._given:
            return row.required
        node = self._given[word]
        number = integer(node, self._scope).value
        if number & ~int(row.flags):
            allowed = ", ".join(f"MapFlags.{flag.name}" for flag in row.flags)
            raise self._error(node, f"this map cannot have these flags: {number:#x}", allowed)
        return MapFlags(number) | row.required

    def _hashes(self) -> int:
        if "hashes" not in self._given:
            return 0
        node = self._given["hashes"]
        hashes = integer(node, self._scope).value
        most = self._class.type.value.most_extra
        if not 1 <= hashes <= most:
            raise self._error(node, f"a bloom filter has 1 to {most} hashes")
        return hashes

    def _template(self, node: ast.expr) -> MapDecl:
        """What the inner maps are like: ``Hash[u32, u64]`` with ``inner_max_entries``."""
        word = map_class(node.value, self._scope) if isinstance(node, ast.Subscript) else None
        if word is None or not isinstance(node, ast.Subscript):
            raise self._error(node, f"{words(node)} is no map", "Hash[u32, u64]")
        row = MAPS[word].type.value
        if row.has_inner or MAPS[word].type in {MapType.PROG_ARRAY, MapType.XSKMAP}:
            raise self._error(node, f"a map of maps cannot hold {word}")
        call = ast.copy_location(ast.Call(node, [], []), node)
        for outer, inner in (("inner_max_entries", "max_entries"), ("inner_flags", "flags")):
            if outer in self._given:
                call.keywords.append(ast.keyword(inner, self._given[outer]))
        if not call.keywords:
            raise self._error(
                self._node, "this map needs inner_max_entries", "inner_max_entries=64"
            )
        return _Declaration(f"{self._name}[]", word, call, node.slice, self._scope).made()

    def _slots(self, key: Type) -> tuple[tuple[int, str], ...]:
        """``maps={0: blue}`` and ``programs={0: "parse"}``: what the first elements are."""
        if "maps" in self._given:
            return self._pairs(self._given["maps"], self._map_symbol, key)
        if "programs" in self._given:
            return self._pairs(self._given["programs"], self._program_symbol, key)
        return ()

    def _pairs(
        self, node: ast.expr, symbol: Callable[[ast.expr], str], key: Type
    ) -> tuple[tuple[int, str], ...]:
        if not isinstance(node, ast.Dict) or key != U32:
            raise self._error(node, "first elements are a dict by index", "{0: ...}")
        pairs: dict[int, str] = {}
        limit = integer(self._given["max_entries"], self._scope).value
        for index_node, value in zip(node.keys, node.values, strict=True):
            if index_node is None:
                raise self._error(node, "first elements are written out", "{0: ..., 1: ...}")
            index = integer(index_node, self._scope).value
            if not 0 <= index < min(limit, MAX_SLOTS):
                raise self._error(index_node, f"the index {index} is outside the map")
            pairs[index] = symbol(value)
        return tuple(sorted(pairs.items()))

    def _map_symbol(self, node: ast.expr) -> str:
        found = self._scope.names.get(node.id) if isinstance(node, ast.Name) else None
        if not isinstance(found, MapName):
            raise self._error(node, f"{words(node)} is no map", "declare it above")
        return found.decl.name

    def _program_symbol(self, node: ast.expr) -> str:
        text = evaluate(node, self._scope)
        if not (isinstance(text, Text) and isinstance(text.value, str)):
            raise self._error(node, "a program is named by a string", '{0: "parse"}')
        return text.value
