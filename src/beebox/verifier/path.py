"""The explored path: its state, how values are made on it, and how decisions mark precision.

One :class:`Path` serves the whole verification; ``state`` is the path being followed now. The other
modules of this room are functions on it, one per kind of instruction.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from beebox.btf.types import Btf
from beebox.isa.instruction import Operand
from beebox.isa.instruction import Reg as RegNumber
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.opcodes import AluOp
from beebox.verifier.btf_pointers.attach import resolve
from beebox.verifier.btf_pointers.walk import Found
from beebox.verifier.fields.record import Record
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import ANY, Scalar, const
from beebox.verifier.numbers.transfer import alu, truncate
from beebox.verifier.options import DEFAULT, Options
from beebox.verifier.profiles.speculation import Speculation
from beebox.verifier.profiles.versions import parse
from beebox.verifier.pruning.liveness import Liveness
from beebox.verifier.result import RegKind
from beebox.verifier.shape import rights
from beebox.verifier.states.state import (
    Checkpoint,
    Frame,
    Slot,
    State,
    mark_precise,
)
from beebox.verifier.states.value import SCALAR, PtrFlag, Reg, TypeRef

if TYPE_CHECKING:
    from beebox.verifier.kfuncs.prototype import Prototype

_NO_OFFSET = const(0)


class Path:
    """``regs`` are always those of the innermost frame of ``state``."""

    __slots__ = (
        "_ids",
        "_immediates",
        "_maps",
        "_serial",
        "_types",
        "allow_ptr_leaks",
        "allow_uninit_stack",
        "attach",
        "attach_type",
        "bases",
        "callbacks",
        "deferred",
        "exception_callback",
        "extends",
        "fields",
        "helpers",
        "liveness",
        "maps",
        "options",
        "pc",
        "prototypes",
        "records",
        "regs",
        "release",
        "shared",
        "spec",
        "speculation",
        "stack_bytes",
        "starts",
        "state",
        "trusts",
        "untyped",
        "walks",
    )

    def __init__(
        self, spec: ProgramSpec, options: Options = DEFAULT, starts: tuple[int, ...] = (0,)
    ) -> None:
        self.spec = spec
        self.options = options
        self.allow_ptr_leaks = options.allow_ptr_leaks
        self.release = parse(options.version) if options.version is not None else None
        self.allow_uninit_stack = options.allow_uninit_stack and self.offers("uninitialised_stack")
        self.speculation: Speculation | None = None  # what Exploration does with mispredictions
        self.attach_type = rights.attach_type(spec)
        self.attach = resolve(spec, options)
        self.extends = False  # whether it takes the place of a function of another program
        self.walks: dict[tuple[TypeRef, int, int], Found] = {}  # what loads of structs found
        self._serial = 0
        self._ids = 0
        self._immediates: dict[int, Reg] = {}
        self._maps: dict[str, MapSpec] = {}
        self._types: dict[tuple[int, int], TypeRef] = {}
        self.pc = 0
        self.shared: set[int] = set()  # the roots of numbers that were copied
        self.bases: dict[int, RegKind] = {}  # by load or store: what its address pointed to
        self.trusts: dict[int, int] = {}  # by store: the trust of its address, if it is typed
        self.liveness = Liveness(starts, spec.slots)
        self.stack_bytes: dict[int, int] = {}  # by function: how deep its frame was used
        self.helpers: set[int] = set()  # that the program may call, and the maps that it uses
        self.maps: set[str] = set()
        self.prototypes: dict[str, Prototype] = {}  # of kernel functions, as the target has them
        self.fields: dict[str, Record] = {}  # of the values of maps that have some
        self.untyped: set[str] = set()  # maps whose types the kernel does not take
        self.records: dict[tuple[int, int], Record | None] = {}  # of types that were looked at
        self.starts = starts
        self.exception_callback = -1  # the number of that function
        self.callbacks: set[int] = set()  # the functions that the kernel calls
        self.deferred: set[int] = set()  # the functions that the kernel calls later
        self.regs: list[Reg | None] = [None] * 11
        asleep = rights.sleepable(spec)
        self.state = State([Frame(self.regs, [], -1, 0)], None, 0, sleepable=asleep)

    @property
    def serial(self) -> int:
        """The newest value's serial."""
        return self._serial

    @property
    def sleepable(self) -> bool:
        """Whether what is called on the path may sleep."""
        return self.state.sleepable

    def offers(self, feature: str) -> bool:
        """Whether the verifier of the release that was asked for can do this."""
        return self.release is None or self.release.offers(feature)

    def function_of(self, pc: int) -> int:
        """The number of the function that ``pc`` belongs to."""
        return bisect_right(self.starts, pc) - 1

    def enter(self, state: State) -> None:
        """Go on with another state."""
        self.state = state
        self.pc = state.pc
        self.regs = state.frames[-1].regs
        self.liveness.leave()

    def new_id(self) -> int:
        """An identity that no earlier pointer has."""
        self._ids += 1
        return self._ids

    def number(self, scalar: Scalar, p1: Reg | None = None, p2: Reg | None = None) -> Reg:
        """A new number, computed from ``p1`` and ``p2``."""
        self._serial += 1
        return Reg(SCALAR, scalar, self._serial, self.pc, p1=p1, p2=p2)

    def linked(
        self, scalar: Scalar, p1: Reg, p2: Reg | None, *, root: int, off: int, range_: int = 0
    ) -> Reg:
        """A new number that stays ``off`` away from the base ``root``; ``range_``: see Reg."""
        self._serial += 1
        return Reg(
            SCALAR, scalar, self._serial, self.pc, off=off, range_=range_, id_=root, p1=p1, p2=p2
        )  # fmt: skip

    def copied(self, value: Reg) -> Reg:
        """A copy of a number: linked with it, but relied on or not by itself."""
        scalar = value.scalar
        if scalar.is_const:
            return self.number(scalar, value if value.serial else None)
        root = value.id or value.serial
        self.shared.add(root)
        return self.linked(scalar, value, None, root=root, off=value.off, range_=value.range)

    def refine(self, state: State, old: Reg, scalar: Scalar, other: Reg | None) -> None:
        """``old`` is now known to be ``scalar``; what is linked with it follows."""
        new = self.linked(scalar, old, other, root=old.root, off=old.off, range_=old.range)
        made = {old: new}
        for frame in state.frames:
            regs, stack = frame.regs, frame.stack
            for index in range(10):
                reg = regs[index]
                if reg is not None and reg.kind is SCALAR and (reg.id or reg.serial) == new.id:
                    if reg not in made:
                        made[reg] = self._followed(reg, old, new)
                    regs[index] = made[reg]
            for index, slot in enumerate(stack):
                reg = slot.reg if slot is not None else None
                if reg is not None and reg.kind is SCALAR and (reg.id or reg.serial) == new.id:
                    if reg not in made:
                        made[reg] = self._followed(reg, old, new)
                    stack[index] = Slot(made[reg], slot.kinds if slot is not None else "")

    def _followed(self, reg: Reg, old: Reg, new: Reg) -> Reg:
        """What is known of ``reg``, now that its relative ``old`` is known to be ``new``."""
        if reg.off and old.off and reg.range != old.range:
            return reg  # sums of 64 bits and of 32 are no constant apart
        moved = new.scalar
        if reg.off != old.off:
            distance = const(reg.off - old.off)
            moved = alu(AluOp.ADD, moved, distance, wide=True)
            if reg.range or old.range:
                moved = truncate(moved, 4)
        return self.linked(moved, reg, new, root=new.id, off=reg.off, range_=reg.range)

    def unlinked(self, value: Reg) -> Reg:
        """A number that is about to be copied: as in Linux, it leaves those a constant away."""
        if not value.off:
            return value
        new = self.number(value.scalar, value)
        self.state.replace(value, new)
        return new

    def unknown(self) -> Reg:
        """A number of which nothing is known."""
        return self.number(ANY)

    def pointer(
        self,
        kind: RegKind,
        *,
        scalar: Scalar = _NO_OFFSET,
        off: int = 0,
        range_: int = 0,
        id_: int = 0,
        ref: int = 0,
        map_: str = "",
        frame: int = 0,
        nullable: bool = False,
        flags: int = PtrFlag.NONE,
        type_: TypeRef | None = None,
        p1: Reg | None = None,
        p2: Reg | None = None,
    ) -> Reg:
        """A new pointer."""
        self._serial += 1
        return Reg(
            kind,
            scalar,
            self._serial,
            self.pc if self._serial > 2 else -1,
            off=off,
            range_=range_,
            id_=id_,
            ref=ref,
            map_=map_,
            frame=frame,
            nullable=nullable,
            flags=flags,
            type_=type_,
            p1=p1,
            p2=p2,
        )

    def moved(
        self,
        old: Reg,
        *,
        scalar: Scalar | None = None,
        off: int | None = None,
        range_: int | None = None,
        id_: int | None = None,
        ref: int | None = None,
        nullable: bool | None = None,
        flags: int | None = None,
        type_: TypeRef | None = None,
        p2: Reg | None = None,
    ) -> Reg:
        """A pointer like ``old`` with other fields, descending from it."""
        self._serial += 1
        return Reg(
            old.kind,
            old.scalar if scalar is None else scalar,
            self._serial,
            self.pc,
            off=old.off if off is None else off,
            range_=old.range if range_ is None else range_,
            id_=old.id if id_ is None else id_,
            ref=old.ref if ref is None else ref,
            map_=old.map,
            frame=old.frame,
            nullable=old.nullable if nullable is None else nullable,
            flags=old.flags if flags is None else flags,
            type_=old.type if type_ is None else type_,
            p1=old,
            p2=p2,
        )

    def voided(self, old: Reg) -> Reg | None:
        """What is left of a pointer that is valid no more: its bits, for who may see them."""
        return self.number(ANY, old) if self.allow_ptr_leaks else None

    def immediate(self, number: int) -> Reg:
        """The constant operand ``number``: one shared value, older than every checkpoint."""
        found = self._immediates.get(number)
        if found is None:
            found = self._immediates[number] = Reg(SCALAR, const(number), 0, -1)
        return found

    def read(self, number: int) -> Reg:
        """The value of a register. Refuses one that was never written."""
        reg = self.regs[number]
        if reg is None:
            raise Refusal(
                "uninitialised-register",
                self.pc,
                f"R{number} is read, but holds no value on this path",
                kernel=f"R{number} !read_ok",
                reg=number,
            )
        return reg

    def operand(self, src: Operand) -> Reg:
        """The value of a register or immediate operand."""
        return self.read(src) if isinstance(src, RegNumber) else self.immediate(src)

    def write(self, number: int, value: Reg | None) -> None:
        """Set a register. R10 cannot be set."""
        if number == 10:
            raise Refusal(
                "frame-pointer-write",
                self.pc,
                "R10 always points to the frame and cannot be changed",
                kernel="frame pointer is read only",
                reg=10,
            )
        self.regs[number] = value

    def precise(self, value: Reg) -> None:
        """A decision relied on the range of ``value``: earlier states must have it as tight."""
        if value.serial:
            mark_precise(value, self.state.parent)

    def map_spec(self, name: str) -> MapSpec:
        """The map called ``name``, or the template of inner maps that ``name`` stands for.

        Refuses names that the program does not declare.
        """
        spec = self._maps.get(name)
        if spec is None:
            spec = self.spec.map_named(name)
            if spec is None:
                raise Refusal("not-supported", self.pc, f"the program names no map {name!r}")
            self._maps[name] = spec
        return spec

    def type_ref(self, btf: Btf, type_id: int) -> TypeRef:
        """A type that pointers point to: one object for equal ones, a base's types too."""
        if btf.base is not None and type_id < btf.first_id:
            btf = self.options.kernel or btf.base
        key = (id(btf), type_id)
        found = self._types.get(key)
        if found is None:
            name = getattr(btf.type(type_id), "name", "") if type_id else "void"
            found = self._types[key] = TypeRef(btf, type_id, name)
        return found

    @property
    def parent(self) -> Checkpoint | None:
        """The newest checkpoint of the path."""
        return self.state.parent
