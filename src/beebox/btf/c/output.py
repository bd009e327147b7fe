"""A type table as a C header: ``vmlinux.h``, as ``bpftool btf dump ... format c`` writes it.

The text compiles, and the compiler then gives every struct the size and every member the offset
that BTF says. Total: any table gives text or :exc:`BtfError`, in time bounded by its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from beebox.btf.c.definitions import Definitions
from beebox.btf.types import Btf, DeclTag, Func
from beebox.btf.wire import Kind

_OPENING: Final = """\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

"""
_CLOSING: Final = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
"""
_KFUNC_OPENING: Final = """\
#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif

#ifndef __weak
#define __weak __attribute__((weak))
#endif

#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

/* BPF kfuncs */
#ifndef BPF_NO_KFUNC_PROTOTYPES
"""
_KFUNC_CLOSING: Final = "#endif /* BPF_NO_KFUNC_PROTOTYPES */\n\n"

_DEFINE_NOTHING: Final = {
    *(Kind.INT, Kind.FLOAT, Kind.FUNC, Kind.VAR, Kind.DATASEC, Kind.DECL_TAG),
}


def header(btf: Btf, *, roots: Iterable[int] | None = None, kfuncs: bool = True) -> str:
    """The header that defines every type of ``btf``, or ``roots`` and what they need.

    ``kfuncs`` adds prototypes of the functions tagged ``bpf_kfunc`` (of those among ``roots``),
    which the tables of kernels since 6.9 name. Raises :exc:`BtfError`.
    """
    return "".join(parts(btf, roots=roots, kfuncs=kfuncs))


def parts(btf: Btf, *, roots: Iterable[int] | None = None, kfuncs: bool = True) -> Iterator[str]:
    """The text of :func:`header` piece by piece: one definition each."""
    writer = Definitions(btf)
    wanted = None if roots is None else tuple(roots)
    tagged = _kfuncs(btf, wanted) if kfuncs else []
    yield _OPENING
    for root in _definers(btf) if wanted is None else wanted:
        yield from writer.define(root)
    if tagged:
        if wanted is not None:
            for _, row, _ in tagged:
                yield from writer.define(row.type)
        yield _KFUNC_OPENING
        for func_id, row, fast in tagged:
            text = writer.prototype(row, func_id)
            if text:
                lead = "extern __bpf_fastcall" if fast else "extern"
                yield f"{lead} {text} __weak __ksym;\n"
        yield _KFUNC_CLOSING
    yield _CLOSING


def _definers(btf: Btf) -> list[int]:
    """The types that have something to define, themselves or behind them, in order."""
    base = _definers(btf.base) if btf.base is not None else []
    return base + list(btf.of_kind(*(kind for kind in Kind if kind not in _DEFINE_NOTHING)))


def _kfuncs(btf: Btf, roots: tuple[int, ...] | None) -> list[tuple[int, Func, bool]]:
    """Functions tagged ``bpf_kfunc``: ``(id, row, whether also bpf_fastcall)``, by name."""
    tags: dict[str, list[int]] = {"bpf_kfunc": [], "bpf_fastcall": []}
    for name, found in tags.items():
        for tag_id in btf.named(name):
            row = btf.type(tag_id)
            if isinstance(row, DeclTag) and row.component == -1:
                found.append(row.type)
    fast = set(tags["bpf_fastcall"])
    wanted = None if roots is None else set(roots)
    rows = {i: btf.type(i) for i in tags["bpf_kfunc"] if wanted is None or i in wanted}
    tagged = [(i, row, i in fast) for i, row in rows.items() if isinstance(row, Func)]
    return sorted(tagged, key=lambda each: each[1].name)
