"""What BPF_PROG_LOAD wants beside the instructions: BTF, ``func_info`` and ``line_info``."""

from __future__ import annotations

from dataclasses import dataclass

from beebox.btf import codec, ext
from beebox.btf.strings import StringTable
from beebox.obj.model import ProgramSpec


@dataclass(frozen=True, slots=True)
class LoadInfo:
    """Bytes as bpf(2) takes them; offsets count slots. All empty when the program has no BTF."""

    btf: bytes = b""
    func_info: bytes = b""
    line_info: bytes = b""
    func_info_record_size: int = 8
    line_info_record_size: int = 16


def load_info(program: ProgramSpec) -> LoadInfo:
    """The load information of a linked program.

    The kernel refuses partial information, so a table is empty unless every function has its row.
    Raises :exc:`BtfError` where the program's types cannot be written.
    """
    if program.btf is None or not len(program.btf):
        return LoadInfo()
    strings = StringTable()
    func_info = line_info = b""
    if program.functions and all(function.type_id for function in program.functions):
        func_info = b"".join(ext.pack_func(row.pc, row.type_id) for row in program.functions)
    if {row.pc for row in program.functions} <= {line.pc for line in program.lines}:
        line_info = b"".join(
            ext.pack_line(
                ext.LineRecord(line.pc, line.file, line.line, line.column, line.text),
                line.pc,
                strings,
            )
            for line in program.lines
        )
    return LoadInfo(codec.encode(program.btf, strings), func_info, line_info)
