"""Arguments that are fields of the kernel's in map values or in objects that the program made."""

from __future__ import annotations

from typing import NoReturn

from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.argument_classes import ArgClass
from beebox.verifier.kfuncs.invocation import Argument, KfuncCall
from beebox.verifier.value import Reg


def check_object(arg: Argument) -> None:
    """``__alloc``: an object that the program made, to be given back."""
    _refuse(arg, "an object of the program's")


def check_refcounted(arg: Argument) -> None:
    """``__refcounted_kptr``: an object with a bpf_refcount, owned or not."""
    _refuse(arg, "an object with a reference count")


def check_root(arg: Argument, class_: ArgClass) -> None:
    """A list head or a tree's root, with its lock held."""
    _refuse(arg, f"a {class_.name.lower()}")


def check_node(arg: Argument, class_: ArgClass) -> None:
    """A node of a list or tree."""
    _refuse(arg, f"a {class_.name.lower()}")


def check_field(arg: Argument, class_: ArgClass) -> None:
    """A bpf_wq or bpf_task_work of a map value."""
    _refuse(arg, f"a {class_.name.lower()}")


def check_lock(arg: Argument) -> None:
    """A bpf_res_spin_lock."""
    _refuse(arg, "a lock")


def check_callback(arg: Argument) -> None:
    """A function of the program."""
    _refuse(arg, "a function")


def finish(call: KfuncCall) -> None:
    """What such functions do between the arguments' checks and the result: callbacks, ownership."""


def result(call: KfuncCall) -> Reg | None:
    """A new object, or a node of a list or tree, before RET_NULL; None: another kind of result."""
    if call.name in ("bpf_obj_new_impl", "bpf_percpu_obj_new_impl", "bpf_refcount_acquire_impl"):
        raise Refusal("not-supported", call.path.pc, f"objects of {call.name}, not verified yet")
    return None


def _refuse(arg: Argument, what: str) -> NoReturn:
    raise Refusal(
        "not-supported", arg.call.path.pc, f"{arg.call.name} takes {what}, not verified yet"
    )
