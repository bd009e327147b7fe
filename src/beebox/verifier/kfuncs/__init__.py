"""Calls of kernel functions (kfuncs): who may call, what arguments must be, what is known after.

Linux's ``check_kfunc_call``. One call is one :class:`~invocation.KfuncCall`, made by :mod:`.call`,
which takes it through these steps, a module each:

1. :mod:`.prototype`: the function in the target kernel's BTF with its row of ``tables.kfuncs``;
   whether the program may call it (type, attach type, sleep);
2. :mod:`.arguments`: each parameter gets an :class:`~argument_classes.ArgClass` from its type and
   the end of its name (:mod:`.argument_classes`), then a check by class, in one ``match``. A check
   gets an :class:`~invocation.Argument` (the call, R's number, the parameter, the value), raises
   :exc:`Refusal`, and notes on the call what later steps ask for;
3. :mod:`.sections`: RCU, preemption and interrupts; what may not happen inside of them;
4. the release of a reference, then what only some functions do (``field_arguments.finish``);
5. :mod:`.results`: what R0 holds, by the result's type and flags, or by the function's name;
6. :mod:`.iterators`: open-coded iterators, which fork the path.

Classes that other modules check: ``dynptr_arguments`` (DYNPTR, and the results of slices) and
``field_arguments`` (lists, trees, locks, queues, task work, allocated objects, callbacks, and the
results that are nodes or new objects).
"""
