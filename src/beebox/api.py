"""What ``import beebox`` offers besides the language: compile, open, verify, load, replay.

Each function imports the rooms it needs when it is called, so that a command which only verifies
never loads LLVM.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from beebox.errors import CompileWarning, InputError
from beebox.obj.model import ObjectSpec, ProgramSpec

if TYPE_CHECKING:
    from beebox.backend import Collection
    from beebox.obj.static_linker.link import Linked
    from beebox.obj.targets.target import Target
    from beebox.userspace.kernel import UserspaceCollection
    from beebox.userspace.network.model import Network
    from beebox.verifier.observer import Observer
    from beebox.verifier.result import Report

KernelName: TypeAlias = Literal["userspace", "linux"]
ProfileName: TypeAlias = Literal["kernel", "strict", "unprivileged"]
EngineName: TypeAlias = Literal["jit", "interpreter"]
SOURCE_SUFFIXES = (".py", ".c", ".s", ".o")
_MOST_SOURCE_BYTES = 64 << 20


def open_object(path: str | Path, *, btf: Target | str | Path | None = None) -> ObjectSpec:
    """The object in a Python, C or assembly source or an ELF file, by its suffix.

    A ``.py`` file is parsed, never executed. A ``.c`` file is compiled by clang, whose warnings
    become :exc:`CompileWarning`, with ``vmlinux.h`` made of ``btf`` where that is a file's name.
    Raises :exc:`InputError` (or a class below it) for unreadable or malformed files,
    :exc:`NotSupportedError` for C where there is no clang.
    """
    file = Path(path)
    if file.suffix not in SOURCE_SUFFIXES:
        known = ", ".join(SOURCE_SUFFIXES)
        raise InputError(f"{file}: not a kind of file that beebox knows; it takes {known}")
    if file.suffix == ".c":
        return read_object(compile_c(file, btf=btf), file)
    data = read_bytes(file)
    match file.suffix:
        case ".py":
            from beebox.compiler.source import compile_source  # noqa: PLC0415 -- on demand

            return compile_source(_text(data, file), file=str(file))
        case ".s":
            from beebox.obj.assembly.source import read_assembly  # noqa: PLC0415 -- on demand

            return read_assembly(_text(data, file), file=str(file))
        case _:
            return read_object(data, file)


def compile_c(
    path: str | Path,
    options: Sequence[str] = (),
    *,
    btf: Target | str | Path | None = None,
) -> bytes:
    """The ELF object that clang makes of a C source; ``options`` are clang's.

    Raises as :func:`open_object`.
    """
    from beebox.clang.run import compile_c as run_compiler  # noqa: PLC0415 -- on demand

    named = isinstance(btf, str | Path) and str(btf) not in {"kernel", "self"}
    chosen_btf = Path(str(btf)) if named else None
    made = run_compiler(Path(path), options, btf=chosen_btf, meanwhile=_import_reader)
    if made.warnings:
        warnings.warn(made.warnings, CompileWarning, stacklevel=_callers_level())
    return made.data


def _callers_level() -> int:
    """Which caller of ours is the user's: the first one outside this module."""
    from inspect import currentframe  # noqa: PLC0415 -- only where a compiler warns

    level, frame = 0, currentframe()
    while frame is not None and frame.f_globals is globals():
        level, frame = level + 1, frame.f_back
    return level


def _import_reader() -> None:
    import beebox.obj.reader  # noqa: F401, PLC0415 -- while clang runs


def read_object(data: bytes, file: Path) -> ObjectSpec:
    """The object that ELF bytes hold; ``file`` is for messages."""
    from beebox.obj.reader import read  # noqa: PLC0415 -- on demand

    return read(data, file=str(file))


def object_bytes(path: str | Path) -> bytes:
    """The ELF object of any source, as it is before any target: an ``.o`` file's own bytes.

    Raises as :func:`open_object`.
    """
    file = Path(path)
    if file.suffix == ".o":
        return read_bytes(file)
    if file.suffix == ".c":
        return compile_c(file)
    from beebox.obj.writer import write  # noqa: PLC0415 -- on demand

    return write(open_object(file))


def link(paths: Sequence[str | Path]) -> Linked:
    """One object from several sources or objects, by the rules of libbpf's static linker.

    Raises :exc:`LinkError` where two do not fit together, else as :func:`open_object`.
    """
    from beebox.obj.static_linker.link import link_objects  # noqa: PLC0415 -- on demand

    return link_objects([(str(path), object_bytes(path)) for path in paths])


def compile(path: str | Path) -> ObjectSpec:  # noqa: A001 -- the verb of the command line
    """The object of a Python (``.py``), C (``.c``) or assembly source (``.s``).

    Raises :exc:`CompileError` or :exc:`AssemblyError` with the place in the source.
    """
    if Path(path).suffix == ".o":
        raise InputError(f"{path}: is compiled already")
    return open_object(path)


def verify(
    spec: ObjectSpec | str | Path,
    *,
    programs: Sequence[str] | None = None,
    btf: Target | str | Path | None = None,
    profile: ProfileName = "kernel",
    kernel_version: str | None = None,
    cost_limit: int | None = None,
    timeout_s: float | None = None,
    observe: Callable[[ProgramSpec], Observer] | None = None,
    explain: bool = False,
) -> list[Report]:
    """A report for each program of the object (or each one named), in the object's order.

    Unasked, programs behind a ``?`` are passed over, unless the object has no others.
    ``btf`` is what the object is relocated against, as :func:`target_of` takes it.
    ``kernel_version`` ("5.15") refuses what that release lacks (finding ``since``). ``cost_limit``
    is for the profile "strict": instructions of one run. ``timeout_s`` is for each program: one
    without a verdict by then is refused (finding ``timeout``). ``observe`` gives who watches the
    exploration of a program. ``explain``: findings also have the branches of their path, changes
    that were tried and a counterexample, which takes some seconds at most.
    """
    from beebox.obj.linker import link  # noqa: PLC0415 -- on demand
    from beebox.obj.targets.host import host  # noqa: PLC0415 -- on demand
    from beebox.verifier.options import Options, Profile  # noqa: PLC0415 -- on demand
    from beebox.verifier.verify import verify as verify_program  # noqa: PLC0415 -- on demand

    spec = spec if isinstance(spec, ObjectSpec) else open_object(spec, btf=btf)
    names = chosen(spec, programs) or spec.program_names
    target = target_of(btf)
    spec = resolved(spec, programs=names, btf=target)
    options = Options(Profile(profile), target=target or host(), version=kernel_version)
    if cost_limit is not None:
        options = replace(options, cost_limit=cost_limit)
    reports = []
    for name in names:
        if timeout_s is not None:
            options = replace(options, deadline_ns=time.monotonic_ns() + int(timeout_s * 1e9))
        program = link(spec, name)
        observer = observe(program) if observe is not None else None
        report = verify_program(program, options, observer=observer)
        if explain and not report.accepted:
            from beebox.diagnose.explain import explained  # noqa: PLC0415 -- for rejections only

            report = explained(report, options)
        reports.append(report)
    return reports


def resolved(
    spec: ObjectSpec,
    *,
    programs: Sequence[str] | None = None,
    btf: Target | str | Path | None = None,
) -> ObjectSpec:
    """The object relocated for a target (CO-RE, externs), as far as ``programs`` need it.

    Raises :exc:`TargetError` where the target lacks what must be there.
    """
    from beebox.obj.targets.resolution import resolve  # noqa: PLC0415 -- on demand

    return resolve(spec, target_of(btf), chosen(spec, programs))


def target_of(
    btf: Target | str | Path | None, *, kconfig: str | Path | None = None
) -> Target | None:
    """What ``--btf`` names: a BTF file or an ELF file with one, "kernel", or "self".

    "kernel" is the running one; "self" are the types that the object itself has; None is the
    running kernel where its types can be read, else the object. A file gives types alone: build
    values, version and addresses stay the running kernel's, unless ``kconfig`` names the
    ``.config`` that a kernel was built with. Raises :exc:`InputError`.
    """
    if kconfig is None and btf is None:
        return None
    from beebox.obj.targets import host as running  # noqa: PLC0415 -- on demand
    from beebox.obj.targets.target import Target, target_of_file  # noqa: PLC0415 -- on demand

    here = running.host()
    if kconfig is not None:
        text = running.config_text(Path(kconfig))
        version = running.config_version(text)
        return replace(
            target_of(btf) or here,
            read_config=lambda: running.read_config(text),
            read_version=lambda: version,
        )
    if btf is None or isinstance(btf, Target):
        return btf
    if str(btf) == "self":
        return replace(here, name="the object's own types", read_btf=lambda: None)
    if str(btf) == "kernel":
        if here.btf is None:
            raise InputError("the running kernel's types (/sys/kernel/btf) cannot be read")
        return here
    given = target_of_file(Path(btf))
    return replace(here, name=given.name, read_btf=given.read_btf, read_modules=given.read_modules)


@overload
def load(
    spec: ObjectSpec | str | Path,
    *,
    kernel: Literal["userspace"] = "userspace",
    engine: EngineName = "jit",
    programs: Sequence[str] | None = None,
    network: Network | str | Path | None = None,
    cpus: int = 1,
    btf: Target | str | Path | None = None,
    pin_root: str | Path | None = None,
) -> UserspaceCollection: ...


@overload
def load(
    spec: ObjectSpec | str | Path,
    *,
    kernel: KernelName,
    engine: EngineName = "jit",
    programs: Sequence[str] | None = None,
    network: Network | str | Path | None = None,
    cpus: int = 1,
    btf: Target | str | Path | None = None,
    pin_root: str | Path | None = None,
) -> Collection: ...


def load(
    spec: ObjectSpec | str | Path,
    *,
    kernel: KernelName = "userspace",
    engine: EngineName = "jit",
    programs: Sequence[str] | None = None,
    network: Network | str | Path | None = None,
    cpus: int = 1,
    btf: Target | str | Path | None = None,
    pin_root: str | Path | None = None,
) -> Collection:
    """The object's programs and maps, live in one of the two kernels.

    ``engine``, ``network`` and ``cpus`` are the userspace kernel's; a network (or a file that
    describes one) answers ``bpf_fib_lookup`` and its like, ``cpus`` is how many runs there may be
    at once. ``btf`` is what the object is relocated against, as :func:`target_of` takes it; the
    Linux kernel's symbols are always its own. ``pin_root`` is the folder of a BPF file system for
    maps of Linux that ask to be pinned by name, /sys/fs/bpf by default.

    Raises :exc:`RejectedError` when a program is unsafe, :exc:`TargetError` when what it is
    relocated against lacks what it must have, :exc:`NotSupportedError` when the kernel lacks
    something. Close the result, or use ``with``.
    """
    spec = spec if isinstance(spec, ObjectSpec) else open_object(spec, btf=btf)
    names = chosen(spec, programs)
    match kernel:
        case "userspace":
            if pin_root is not None:
                raise InputError("only maps of Linux are pinned: pin_root does not apply")
            from beebox.userspace.kernel import UserspaceKernel  # noqa: PLC0415 -- on demand

            given = _network(network)
            kernel_here = UserspaceKernel(
                engine=engine, network=given, cpus=cpus, target=target_of(btf)
            )
            return kernel_here.load(spec, programs=names)
        case "linux":
            from beebox.linux.kernel import LinuxKernel  # noqa: PLC0415 -- on demand
            from beebox.linux.pins import DEFAULT_ROOT  # noqa: PLC0415 -- on demand

            if network is not None or cpus != 1:
                raise InputError(
                    "Linux has its own network and CPUs: network and cpus do not apply"
                )
            root = Path(pin_root) if pin_root is not None else DEFAULT_ROOT
            linux = LinuxKernel(pin_root=root, target=target_of(btf))
            return linux.load(spec, programs=names)
        case _:
            raise InputError(f"there is no kernel {kernel!r}; choose userspace or linux")


def chosen(spec: ObjectSpec, programs: Sequence[str] | None) -> tuple[str, ...]:
    """The program names asked for, all by default. Raises :exc:`InputError` for unknown ones."""
    if not spec.program_names:
        raise InputError(f"{spec.file}: holds no program")
    if isinstance(programs, str):
        raise InputError(f"programs={programs!r}: a list of names is wanted")
    for name in programs or ():
        if name not in spec.program_names:
            known = ", ".join(spec.program_names)
            raise InputError(f"{spec.file}: has no program {name!r}; it has {known}")
    return tuple(programs) if programs is not None else spec.autoload_names


def _network(given: Network | str | Path | None) -> Network | None:
    if not isinstance(given, str | Path):
        return given
    from beebox.userspace.network.files import read_network  # noqa: PLC0415 -- on demand

    return read_network(given)


def read_bytes(file: Path) -> bytes:
    """A source or object file, whole. Raises :exc:`InputError` when it cannot be read."""
    try:
        if file.stat().st_size > _MOST_SOURCE_BYTES:
            raise InputError(f"{file}: larger than {_MOST_SOURCE_BYTES >> 20} MiB")
        with file.open("rb") as stream:
            data = stream.read(_MOST_SOURCE_BYTES + 1)  # devices and pipes have no size
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise InputError(f"{file}: {reason}") from cause
    if len(data) > _MOST_SOURCE_BYTES:
        raise InputError(f"{file}: larger than {_MOST_SOURCE_BYTES >> 20} MiB")
    return data


def _text(data: bytes, file: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise InputError(f"{file}: offset {cause.start:#x}: not UTF-8 text") from cause
