"""``--set MAP[KEY]=VALUE``: elements of maps, put in before the first packet."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Final

from beebox.backend import Map
from beebox.btf import values
from beebox.btf.types import Btf
from beebox.errors import BtfError, InputError
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType

_ELEMENT: Final = re.compile(r"([\w.]+)\[(.*?)\]=(.*)", re.DOTALL)


def is_element(knob: str) -> bool:
    """Whether a ``--set`` names an element of a map, not a variable."""
    return _ELEMENT.fullmatch(knob) is not None


def set_elements(maps: Mapping[str, Map], btf: Btf | None, knobs: tuple[str, ...]) -> None:
    """Put every MAP[KEY]=VALUE among ``knobs`` into its map.

    KEY is JSON by the map's BTF (a number, text, ``{"field": number}``), a prefix for an LPM trie
    (192.0.2.0/24), or ``hex`` and bytes; so is VALUE. A per-CPU map gets the value on every CPU.
    Raises :exc:`InputError` for what does not fit, :exc:`MapError` for what the map refuses.
    """
    for knob in knobs:
        found = _ELEMENT.fullmatch(knob)
        if found is None:
            continue
        name, key, value = found.groups()
        live = maps.get(name)
        if live is None:
            known = ", ".join(maps) or "none"
            raise InputError(f"--set {knob}: no map {name} (there are: {known})")
        spec = live.spec
        try:
            encoded = _key(spec, btf, key)
            data = _bytes(btf, spec.value_type_id, value, spec.value_size)
        except (BtfError, ValueError, OverflowError) as cause:
            raise InputError(f"--set {knob}: {cause}") from cause
        if spec.type.value.per_cpu:
            data = data.ljust(-(-len(data) // 8) * 8, b"\0")
            data *= live.value_bytes // len(data)
        live.update(encoded, data)


def _key(spec: MapSpec, btf: Btf | None, text: str) -> bytes:
    if spec.type is MapType.LPM_TRIE and "/" in text:
        network = ipaddress.ip_network(text, strict=False)
        address = network.network_address.packed
        if 4 + len(address) != spec.key_size:
            raise ValueError(f"the keys of {spec.name} hold {spec.key_size - 4} bytes of address")
        return network.prefixlen.to_bytes(4, "little") + address
    return _bytes(btf, spec.key_type_id, text, spec.key_size)


def _bytes(btf: Btf | None, type_id: int, text: str, size: int) -> bytes:
    """``text`` as a value of the type; without a type a number of ``size`` bytes."""
    if text.startswith("hex "):
        data = bytes.fromhex(text.removeprefix("hex "))
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes where {size} are wanted")
        return data
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        value = _plain(text)
    if btf is not None and type_id:
        return values.encode(btf, type_id, value)
    if not isinstance(value, int):
        raise ValueError(f"{text!r} is no number, and the map has no type information")  # noqa: TRY004 -- as text that does not fit
    return value.to_bytes(size, "little", signed=value < 0)


def _plain(text: str) -> int | str:
    try:
        return int(text, 0)
    except ValueError:
        return text
