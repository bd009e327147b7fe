"""What the running kernel offers this process; so far: whether bpf(2) can be used at all."""

from __future__ import annotations

import errno

from beebox.errors import NotSupportedError, SyscallError
from beebox.linux import attrs
from beebox.linux.syscall import Bpf, Command, Fd, bpf
from beebox.tables.map_types import MapType
from beebox.tables.program_types import ProgramType

_RETURN_XDP_PASS = bytes.fromhex("b700000002000000 9500000000000000")


def why_not(door: Bpf = bpf) -> str | None:
    """None when this process may create maps and load XDP programs, else the reason it may not."""
    try:
        Fd(
            door(Command.MAP_CREATE, attrs.map_create(MapType.ARRAY.value.id, 4, 4, 1)), "map"
        ).close()
        load = attrs.prog_load(ProgramType.XDP.value.id, _RETURN_XDP_PASS)
        Fd(door(Command.PROG_LOAD, load), "program").close()
    except NotSupportedError as error:
        return str(error)
    except SyscallError as error:
        match error.errno:
            case errno.EPERM | errno.EACCES:
                return (
                    f"{error}: this process needs CAP_BPF and CAP_NET_ADMIN "
                    "(and a sandbox may forbid bpf(2))"
                )
            case errno.ENOSYS:
                return f"{error}: the kernel was built without bpf(2), or a sandbox hides it"
            case _:
                return str(error)
    return None
