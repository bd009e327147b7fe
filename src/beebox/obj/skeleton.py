"""An object as a typed Python module: what ``beebox gen skeleton`` writes.

The module holds the object and declares its maps, programs and variables with the descriptors of
:mod:`beebox.skeleton`. It is formatted as ``ruff format`` would and the same for equal objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from beebox.btf.types import Linkage, Var
from beebox.errors import InputError
from beebox.obj.maps import section_variables
from beebox.obj.model import ExternKind, MapSpec, ObjectSpec
from beebox.obj.packed import pack
from beebox.obj.skeleton_types import WIDTH, TypeNames, call, class_name, plain, python_name, quoted
from beebox.obj.writer import write
from beebox.tables.map_types import MapType
from beebox.tables.sections import section_row

_KEYED: Final = frozenset(
    {
        MapType.HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_HASH,
        MapType.LRU_PERCPU_HASH,
        MapType.LPM_TRIE,
    }
)
_QUEUES: Final = frozenset({MapType.QUEUE, MapType.STACK, MapType.BLOOM_FILTER})
_RESERVED: Final = frozenset(
    {
        *(
            "Any",
            "KconfigValue",
            "KernelName",
            "EngineName",
            "Literal",
            "MapOf",
            "NotRequired",
            "OpenObject",
        ),
        *("Path", "ProgramOf", "QueueOf", "RawMap", "Self", "Sequence", "TracebackType"),
        *("TypeAlias", "TypedDict", "Variable", "Maps", "Progs", "unpack", "annotations"),
    }
)
_CHUNK: Final = WIDTH - 6
_DESCRIBED: Final = frozenset(
    {"opened", "KconfigValue", "MapOf", "ProgramOf", "QueueOf", "RawMap", "Variable"}
)
"""What the body of a class of descriptors still means something else by."""
_MEMBERS: Final = frozenset({"opened", "load", "close", "open", "maps", "progs", "spec"})


@dataclass(slots=True)
class _Part:
    """A class of the module whose one instance is an attribute of the skeleton."""

    attribute: str
    name: str
    text: str
    lines: list[str]


def write_skeleton(spec: ObjectSpec, name: str) -> str:
    """The module of ``spec``; ``name`` becomes its class's.

    Raises :exc:`InputError` for an object without programs, else as the writer of objects does.
    """
    if not spec.program_names:
        raise InputError(f"{spec.file}: holds no program")
    taken = dict.fromkeys(_RESERVED, 1)
    skeleton = class_name(name, taken)
    types = TypeNames(spec.btf, taken)
    parts = [_maps(spec, types), _programs(spec)]
    used = dict.fromkeys(_MEMBERS, 1)
    for row in spec.maps.values():
        part = _section(spec, row, types, taken, used) if row.is_global_data else None
        if part is not None:
            parts.append(part)
    if kconfig := _kconfig(spec, types, taken, used):
        parts.append(kconfig)
    body: list[str] = []
    for part in parts:
        body += _class(part)
    body += _skeleton(skeleton, f"{name}.o", parts)
    text = "\n".join([*types.lines, *body])
    head = _head(text, spec)
    return "\n".join([*head, *_embedded(write(spec)), text.lstrip("\n")]) + "\n"


def _head(text: str, spec: ObjectSpec) -> list[str]:
    """The docstring and the imports that ``text`` needs."""
    typing = [word for word in ("Literal", "NotRequired", "TypeAlias", "TypedDict") if word in text]
    typing = sorted([*typing, "Self"])
    ours = [word for word in ("KconfigValue", "MapOf", "ProgramOf", "QueueOf") if word in text]
    ours += [word for word in ("RawMap", "Variable") if word in text]
    names = sorted([*ours, "OpenObject"])
    programs = plain(", ".join(spec.program_names))
    summary = f'"""An eBPF object with the programs {programs}; made by `beebox gen skeleton`."""'
    if len(summary) > WIDTH:
        summary = '"""An eBPF object; made by `beebox gen skeleton`."""'
    return [
        summary,
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Sequence",
        "from pathlib import Path",
        "from types import TracebackType",
        f"from typing import {', '.join(typing)}",
        "",
        "from beebox.api import EngineName, KernelName",
        "from beebox.obj.packed import unpack",
        *_import("beebox.skeleton", names),
        "",
    ]


def _import(module: str, names: list[str]) -> list[str]:
    one = f"from {module} import {', '.join(names)}"
    if len(one) <= WIDTH:
        return [one]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _embedded(data: bytes) -> list[str]:
    text = pack(data)
    chunks = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    if len(chunks) == 1:
        return [f'_OBJECT = "{text}"', "", ""]
    return ["_OBJECT = (", *(f'    "{chunk}"' for chunk in chunks), ")", "", ""]


def _maps(spec: ObjectSpec, types: TypeNames) -> _Part:
    taken = dict.fromkeys(_DESCRIBED, 1)
    lines: list[str] = []
    for row in spec.maps.values():
        if not row.is_global_data:
            name = python_name(row.name, taken)
            annotated, kind = _map_type(row, types)
            lines += call(f"    {name}{annotated} = {kind}", [quoted(row.name)])
    return _Part("maps", "Maps", "The maps, live after load.", lines)


def _map_type(row: MapSpec, types: TypeNames) -> tuple[str, str]:
    value = types.name(row.value_type_id, f"{row.name} value")
    if value is None and not row.value_type_id:
        value = "bytes"
    if row.type in _QUEUES and value is not None:
        return f": QueueOf[{value}]", "QueueOf"
    key = types.name(row.key_type_id, f"{row.name} key")
    if key is None and not row.key_type_id:
        key = "bytes"
    if row.type not in _KEYED or key is None or value is None:
        return "", "RawMap"
    value = f"list[{value}]" if row.type.value.per_cpu else value
    return f": MapOf[{key}, {value}]", "MapOf"


def _programs(spec: ObjectSpec) -> _Part:
    taken = dict.fromkeys(_DESCRIBED, 1)
    lines: list[str] = []
    for name in spec.program_names:
        function = spec.functions[name]
        row = section_row(function.section)
        kind = row.program_type.value.name if row is not None else "of an unknown type"
        lines += call(f"    {python_name(name, taken)} = ProgramOf", [quoted(name)])
        shown = f'    """{kind}, SEC("{plain(function.section)}")."""'
        lines += [shown] if len(shown) <= WIDTH else [f'    """{kind}."""']
    return _Part("progs", "Progs", "The programs, live after load.", lines)


def _section(
    spec: ObjectSpec, row: MapSpec, types: TypeNames, taken: dict[str, int], used: dict[str, int]
) -> _Part | None:
    names = dict.fromkeys(_DESCRIBED, 1)
    lines: list[str] = []
    for name, placed in section_variables(spec.btf, row.name).items():
        variable = spec.btf.type(placed.type) if spec.btf is not None else None
        if not isinstance(variable, Var) or "." in name:
            continue  # a static of a function: clang gives it a name with a dot
        shown = types.name(variable.type, name)
        if shown is None or variable.linkage is Linkage.EXTERN:
            continue
        prefix = f"    {python_name(name, names)}: Variable[{shown}] = Variable"
        lines += call(prefix, [quoted(row.name), quoted(name)])
    if not lines:
        return None
    attribute = python_name(row.name.lstrip("."), used)
    text = f"Variables of {plain(row.name)}."
    if row.frozen:
        text = f"Constants of {plain(row.name)}: set them before load."
    return _Part(attribute, class_name(attribute, taken), text, lines)


def _kconfig(
    spec: ObjectSpec, types: TypeNames, taken: dict[str, int], used: dict[str, int]
) -> _Part | None:
    names = dict.fromkeys(_DESCRIBED, 1)
    lines: list[str] = []
    for row in spec.externs.values():
        if row.kind is ExternKind.KCONFIG and (shown := types.name(row.type_id, row.name)):
            prefix = f"    {python_name(row.name, names)}: KconfigValue[{shown}] = KconfigValue"
            lines += call(prefix, [quoted(row.name)])
    if not lines:
        return None
    text = "Values of the kernel's build, known after load."
    return _Part(python_name("kconfig", used), class_name("kconfig", taken), text, lines)


def _class(part: _Part) -> list[str]:
    return [
        "",
        "",
        f"class {part.name}:",
        f'    """{part.text}"""',
        "",
        *part.lines,
        *([""] if part.lines else []),
        "    def __init__(self, opened: OpenObject) -> None:",
        "        self.opened = opened",
    ]


def _skeleton(name: str, file: str, parts: Iterable[_Part]) -> list[str]:
    opened = call("        self.opened = OpenObject", ["unpack(_OBJECT)", quoted(file)])
    return [
        "",
        "",
        f"class {name}:",
        '    """The object: open, set variables, load, use, close."""',
        "",
        "    def __init__(self) -> None:",
        *opened,
        *(f"        self.{part.attribute} = {part.name}(self.opened)" for part in parts),
        "",
        "    @classmethod",
        "    def open(cls) -> Self:",
        '        """The object, not loaded yet."""',
        "        return cls()",
        "",
        "    def load(",
        "        self,",
        '        kernel: KernelName = "userspace",',
        "        *,",
        "        programs: Sequence[str] | None = None,",
        '        engine: EngineName = "jit",',
        "        btf: str | Path | None = None,",
        "    ) -> Self:",
        '        """Load maps and programs (all, or those named) into a kernel."""',
        "        self.opened.load(kernel, programs=programs, engine=engine, btf=btf)",
        "        return self",
        "",
        "    def close(self) -> None:",
        '        """Let go of everything; twice is harmless."""',
        "        self.opened.close()",
        "",
        "    def __enter__(self) -> Self:",
        "        return self",
        "",
        "    def __exit__(",
        "        self,",
        "        kind: type[BaseException] | None,",
        "        error: BaseException | None,",
        "        trace: TracebackType | None,",
        "    ) -> None:",
        "        self.close()",
    ]
