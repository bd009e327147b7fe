"""BTF of kernel modules, as descriptors: what kfuncs and structs of modules are named by."""

from __future__ import annotations

import errno
from contextlib import ExitStack
from typing import Final

from beebox.errors import NotSupportedError, SyscallError
from beebox.linux import attrs
from beebox.linux.syscall import Bpf, Command, Fd, bpf

_VMLINUX: Final = "vmlinux"


class ModuleTypes:
    """Descriptors of modules' BTF by name, opened when first asked for and closed together."""

    def __init__(self, door: Bpf = bpf) -> None:
        self._door = door
        self._fds: dict[str, int] = {}
        self._resources = ExitStack()

    def fd(self, module: str) -> int:
        """The descriptor of the BTF of ``module``; 0 for the kernel itself ("").

        Raises :exc:`NotSupportedError` when no such module is loaded.
        """
        if not module or module == _VMLINUX:
            return 0
        if module not in self._fds:
            found = self._find(module)
            self._resources.callback(found.close)
            self._fds[module] = found.number
        return self._fds[module]

    def close(self) -> None:
        """Close them; twice is harmless."""
        self._fds.clear()
        self._resources.close()

    def _find(self, module: str) -> Fd:
        number = 0
        while True:
            attr = attrs.get_next_id(number)
            try:
                self._door(Command.BTF_GET_NEXT_ID, attr)
            except SyscallError as error:
                if error.errno != errno.ENOENT:
                    raise
                hint = "the symbol was resolved against a kernel that has it"
                raise NotSupportedError(f"BTF of module {module}", hint=hint) from None
            number = attrs.next_id(attr)
            try:
                found = Fd(self._door(Command.BTF_GET_FD_BY_ID, attrs.get_fd_by_id(number)), module)
            except SyscallError as error:
                if error.errno == errno.ENOENT:  # gone in between
                    continue
                raise
            info = attrs.btf_get_info(found.number)
            self._door(Command.OBJ_GET_INFO_BY_FD, info)
            if attrs.btf_info(info) == (module, True):
                return found
            found.close()
