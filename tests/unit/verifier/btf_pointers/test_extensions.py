"""Programs that take the place of a function of another program."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kernel_types import TARGET, code_of

from beebox.btf.builder import Builder
from beebox.btf.types import Func, FuncProto, Linkage, Member, Param, Ptr, Struct
from beebox.isa.assembler import assemble
from beebox.obj.model import FuncInfo, ProgramSpec
from beebox.tables.program_types import AttachType, ProgramType
from beebox.verifier.options import Options
from beebox.verifier.verify import verify

END = "r0 = 0\nexit"


def described(
    code: str,
    type_: ProgramType,
    name: str = "policy",
    *,
    context: str = "xdp_md",
    numbers: int = 0,
    linkage: Linkage = Linkage.GLOBAL,
) -> ProgramSpec:
    """A program ``int NAME(struct CONTEXT *ctx, int, ...)``."""
    builder = Builder()
    number = builder.signed_int()
    struct = builder.add(Struct(context, 24, (Member("data", number, 0),)))
    params = (Param("ctx", builder.add(Ptr(struct))), *[Param("n", number)] * numbers)
    function = builder.add(Func(name, builder.add(FuncProto(number, params)), linkage))
    return ProgramSpec(
        name, "case", type_, assemble(code), {}, functions=(FuncInfo(0, name, function),),
        btf=builder.build(),
        attach_to="policy",
    )  # fmt: skip


def judged(code: str, target: ProgramSpec | None, **changes) -> str:
    """The verdict on an ext program that runs ``code`` in ``target``."""
    spec = described(code, ProgramType.EXT, "mine", **changes)
    return code_of(verify(spec, Options(target=TARGET, replaces=target)))


XDP = described(END, ProgramType.XDP)
READS = "r0 = *(u32 *)(r1 + 12)\nexit"


def test_it_is_judged_as_the_program_that_it_extends() -> None:
    """Its context and its helpers; it returns what it likes."""
    assert judged(READS, XDP) == "accepted"
    assert judged("r0 = *(u32 *)(r1 + 24)\nexit", XDP) == "context-access"
    assert judged("r0 = 77\nexit", XDP) == "accepted"
    assert judged("exit", XDP) == "return-value"
    call = "call bpf_get_socket_cookie\nexit"
    assert judged(call, XDP) == "helper-not-allowed"
    tc = described(END, ProgramType.SCHED_CLS, context="__sk_buff")
    assert judged(call, tc, context="__sk_buff") == "accepted"


def test_it_is_given_the_function_s_arguments() -> None:
    """Numbers besides the context; no more registers than arguments."""
    two = described(END, ProgramType.XDP, numbers=1)
    assert judged("r0 = r2\nexit", two, numbers=1) == "accepted"
    assert judged("r0 = r3\nexit", two, numbers=1) == "uninitialised-register"


@pytest.mark.parametrize(
    ("target", "changes"),
    [
        (None, {}),
        (described(END, ProgramType.XDP, "other"), {}),
        (described(END, ProgramType.XDP, linkage=Linkage.STATIC), {}),
        (XDP, {"linkage": Linkage.STATIC}),
        (XDP, {"numbers": 1}),
        (XDP, {"context": "__sk_buff"}),
        (described(END, ProgramType.EXT), {}),
        (replace(XDP, type=ProgramType.TRACING, attach_type=AttachType.TRACE_FENTRY), {}),
        (replace(XDP, btf=None), {}),
    ],
)
def test_what_is_not_replaced(target, changes) -> None:
    """Nothing, static functions, those of another type, other extensions."""
    assert judged(END, target, **changes) == "attach-target"
