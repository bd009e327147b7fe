"""Refusals while verifying: where the exploration stops, and with which finding."""

from __future__ import annotations

from beebox.verifier.states.value import Reg


class Refusal(Exception):  # noqa: N818 -- a verdict that unwinds the exploration, not an error
    """The program is refused at ``pc``. ``code`` is a row of ``tables.findings``.

    ``values`` are the abstract values at fault, whose history explains the finding. ``access`` is
    what was asked of the first of them: the first byte, how many, and how many there are.
    """

    def __init__(
        self,
        code: str,
        pc: int,
        message: str,
        *,
        kernel: str = "",
        values: tuple[Reg | None, ...] = (),
        reg: int | None = None,
        hint: str = "",
        access: tuple[int, int, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.pc = pc
        self.message = message
        self.kernel = kernel
        self.values = tuple(value for value in values if value is not None)
        self.reg = reg
        self.hint = hint
        self.access = access
