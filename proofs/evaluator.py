"""Runs beebox's own functions on symbolic numbers, all paths at once.

The functions are read from their source files: what is proved is the code that ships. Only the part
of Python that they use is known here; anything else raises ``Unsupported``, which fails the proof.

Where a condition is symbolic, both sides run and their results are merged (``If`` of z3), so the
number of paths never multiplies. A ``return`` ends its side; what follows runs for the rest.
``contracts`` puts a proved lemma in place of a call. ``mutants`` are edits of the source text.
Calls with concrete arguments go to CPython, except into a mutated module.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any

import z3

from merging import (
    TRUE,
    Choice,
    Instance,
    StandIn,
    as_flag,
    formula,
    is_symbolic,
    merge,
    truth,
)
from sources import Mutant, source_of
from terms import Flag, Term, Unsupported, Whole, as_term, from_bytes

_COMPARE = {
    ast.Lt: "__lt__",
    ast.LtE: "__le__",
    ast.Gt: "__gt__",
    ast.GtE: "__ge__",
    ast.Eq: "__eq__",
    ast.NotEq: "__ne__",
}
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitXor: lambda a, b: a ^ b,
    ast.LShift: lambda a, b: a << b,
    ast.RShift: lambda a, b: a >> b,
}


@dataclass(slots=True)
class Frame:
    """One call: ``done`` holds where it has returned, ``broken`` where the loop has ended."""

    names: dict[str, Any]
    scope: dict[str, Any]
    returns: list[tuple[z3.BoolRef, Any]] = field(default_factory=list)
    done: z3.BoolRef = field(default_factory=lambda: z3.BoolVal(False))


class Evaluator:
    """``facts`` are what the proof assumes: of its inputs, and by lemmas of contracts."""

    def __init__(
        self,
        *,
        contracts: dict[Any, Callable[..., Any]] | None = None,
        mutants: Sequence[Mutant] = (),
    ) -> None:
        self.contracts = contracts or {}
        self.mutants = mutants
        self.mutated = {edit.module for edit in mutants}
        self.facts: list[z3.BoolRef] = []
        self.guard: z3.BoolRef = TRUE
        self.objects: list[Instance] = []
        self.products: dict[int, Term] = {}  # by width: what lemmas about one number speak of
        self.undecided = False  # facts are not asked whether they decide a condition

    # calls

    def call(self, function: Any, *args: Any, **options: Any) -> Any:
        """What ``function(*args, **options)`` returns."""
        if isinstance(function, Choice):
            raise Unsupported("a call of one of several functions")
        contract = _entry(self.contracts, function)
        if contract is not None:
            return contract(self, *args, **options)
        if isinstance(function, MethodType) and isinstance(function.__self__, Instance):
            return self._run(function.__func__, (function.__self__, *args), options)
        everything = (*args, *options.values(), function)
        symbolic = any(map(is_symbolic, everything))
        if function in (min, max):
            return self._extreme(function, args)
        if function is abs and symbolic:
            return args[0].magnitude()
        if function == int.from_bytes and symbolic:
            return from_bytes(*args)
        if function is bool and symbolic:
            return Flag(formula(truth(args[0])))
        module = getattr(function, "__module__", "") or ""
        if isinstance(function, functools._lru_cache_wrapper):
            function = function.__wrapped__ if symbolic or module in self.mutated else function
        if module.startswith("beebox.") and (symbolic or module in self.mutated):
            if isinstance(function, FunctionType):
                return self._run(function, args, options)
            if isinstance(function, type) and "__dataclass_fields__" not in vars(function):
                made = Instance(function, {})
                self.objects.append(made)
                self._run(function.__init__, (made, *args), options)
                return made
        return function(*args, **options)

    def interpret(self, function: FunctionType, *args: Any) -> Any:
        """As :meth:`call`, where only what stands in for the arguments is symbolic."""
        return self._run(function, args, {})

    def _extreme(self, function: Any, args: Sequence[Any]) -> Any:
        values = list(args[0]) if len(args) == 1 else list(args)
        result = values[0]
        op = ast.Gt if function is max else ast.Lt
        for value in values[1:]:
            better = truth(self._compare(op, value, result))
            if isinstance(better, bool):
                result = value if better else result
            else:
                result = merge(better, value, result)
        return _narrowed(function, values, result)

    def _run(self, function: FunctionType, args: Sequence[Any], options: dict[str, Any]) -> Any:
        node = source_of(function, self.mutants)
        bound = inspect.signature(function).bind(*args, **options)
        bound.apply_defaults()
        scope = dict(function.__globals__)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            scope[name] = cell.cell_contents
        frame = Frame(dict(bound.arguments), scope)
        if isinstance(node, ast.Lambda):
            return self.eval(node.body, frame)
        outer = self.guard
        ended = self.block(node.body, frame)
        self.guard = outer
        returns = frame.returns if ended else [*frame.returns, (TRUE, None)]
        if not returns:
            return None
        result = returns[-1][1]
        for condition, value in reversed(returns[:-1]):
            result = merge(condition, value, result)
        return result

    # statements

    def block(self, body: Sequence[ast.stmt], frame: Frame) -> bool:
        """Run statements; True when no path goes on behind them."""
        return any(self.statement(statement, frame) for statement in body)

    def statement(self, node: ast.stmt, frame: Frame) -> bool:
        """Run one statement; True when no path goes on behind it."""
        match node:
            case ast.Return():
                value = None if node.value is None else self.eval(node.value, frame)
                self.returned(frame, value)
                return True
            case ast.If():
                return self._if(node.test, node.body, node.orelse, frame)
            case ast.Assign():
                value = self.eval(node.value, frame)
                for target in node.targets:
                    self.assign(target, value, frame)
            case ast.AnnAssign():
                if node.value is not None:
                    self.assign(node.target, self.eval(node.value, frame), frame)
            case ast.AugAssign():
                old = self.eval(_as_load(node.target), frame)
                value = self._binary(type(node.op), old, self.eval(node.value, frame))
                self.assign(node.target, value, frame)
            case ast.Match():
                return self._match(node.cases, self.eval(node.subject, frame), frame)
            case ast.For():
                for item in self._items(self.eval(node.iter, frame)):
                    self.assign(node.target, item, frame)
                    if self.block(node.body, frame):
                        return True
            case ast.FunctionDef():
                raise Unsupported("a function inside a function")
            case ast.Expr():
                self.eval(node.value, frame)
            case ast.Raise():
                self.ended(frame)
                return True
            case ast.Pass():
                pass
            case _:
                raise Unsupported(f"statement {ast.unparse(node)}")
        return False

    def returned(self, frame: Frame, value: Any) -> None:
        """The current paths return ``value``."""
        frame.returns.append((z3.And(self.guard, z3.Not(frame.done)), value))
        self.ended(frame)

    def ended(self, frame: Frame) -> None:
        """The current paths go no further in this frame."""
        frame.done = z3.simplify(z3.Or(frame.done, self.guard))

    def _if(self, test: ast.expr | Any, then: Any, other: Any, frame: Frame) -> bool:
        condition = truth(self.eval(test, frame)) if isinstance(test, ast.AST) else test
        if not isinstance(condition, bool):
            condition = self._decided(condition, frame)
        if isinstance(condition, bool):
            return self.block(then if condition else other, frame)
        outer, before = self.guard, self._save(frame)
        self.guard = z3.And(outer, condition)
        then_ended = self.block(then, frame)
        after_then = self._save(frame)
        self._restore(frame, before)
        self.guard = z3.And(outer, z3.Not(condition))
        other_ended = self.block(other, frame)
        self.guard = outer
        if then_ended and other_ended:
            return True
        if other_ended:
            self._restore(frame, after_then)
        elif not then_ended:
            self._join(condition, frame, after_then)
        if then_ended or other_ended:
            self.guard = z3.And(outer, z3.Not(condition) if then_ended else condition)
        return False

    def _decided(self, condition: z3.BoolRef, frame: Frame) -> bool | z3.BoolRef:
        """A condition that the facts decide is no choice: its impossible side never runs."""
        if self.undecided:
            return condition
        solver = z3.SolverFor("QF_BV")
        solver.set("timeout", 300)
        solver.add(*self.facts, self.guard, z3.Not(frame.done))
        if solver.check(condition) == z3.unsat:
            return False
        return True if solver.check(z3.Not(condition)) == z3.unsat else condition

    def _match(self, arms: Sequence[ast.match_case], subject: Any, frame: Frame) -> bool:
        if is_symbolic(subject):
            raise Unsupported("match on a symbolic value")
        for index, arm in enumerate(arms):
            if not self._fits(arm.pattern, subject, frame):
                continue
            if arm.guard is None:
                return self.block(arm.body, frame)
            condition = truth(self.eval(arm.guard, frame))
            if isinstance(condition, bool):
                if condition:
                    return self.block(arm.body, frame)
                continue
            rest = ast.Match(ast.Constant(subject), arms[index + 1 :])
            return self._if(condition, arm.body, [rest], frame)
        return False

    def _fits(self, pattern: ast.pattern, subject: Any, frame: Frame) -> bool:
        match pattern:
            case ast.MatchValue():
                return bool(subject == self.eval(pattern.value, frame))
            case ast.MatchOr():
                return any(self._fits(part, subject, frame) for part in pattern.patterns)
            case ast.MatchAs(pattern=None, name=None):
                return True
            case _:
                raise Unsupported(f"pattern {ast.unparse(pattern)}")

    def _save(self, frame: Frame) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return dict(frame.names), [dict(instance.fields) for instance in self.objects]

    def _restore(self, frame: Frame, saved: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
        frame.names.clear()
        frame.names.update(saved[0])
        for instance, fields in zip(self.objects, saved[1], strict=False):
            instance.fields.update(fields)

    def _join(
        self, condition: z3.BoolRef, frame: Frame, then: tuple[dict[str, Any], list[dict[str, Any]]]
    ) -> None:
        _join_names(condition, frame.names, then[0])
        for instance, fields in zip(self.objects, then[1], strict=False):
            _join_names(condition, instance.fields, fields)

    def assign(self, target: ast.expr, value: Any, frame: Frame) -> None:
        """Bind a name, a tuple of them, or a field."""
        match target:
            case ast.Name():
                frame.names[target.id] = value
            case ast.Tuple():
                items = self._items(value)
                if len(items) != len(target.elts):
                    raise Unsupported(f"{ast.unparse(target)} from {len(items)} values")
                for part, item in zip(target.elts, items, strict=True):
                    self.assign(part, item, frame)
            case ast.Attribute():
                owner = self.eval(target.value, frame)
                if not isinstance(owner, Instance):
                    raise Unsupported(f"a field of {owner!r} is set")
                owner.fields[target.attr] = value
            case ast.Subscript():
                owner = self.eval(target.value, frame)
                if isinstance(owner, StandIn):
                    owner.store(self.eval(target.slice, frame), value)
                elif not isinstance(owner, dict):  # a memo table: here it stays as it is
                    raise Unsupported(f"{ast.unparse(target)} is set")
            case _:
                raise Unsupported(f"assignment to {ast.unparse(target)}")

    @staticmethod
    def _items(value: Any) -> list[Any]:
        if isinstance(value, Choice) or not isinstance(value, Iterable):
            raise Unsupported(f"iteration over {value!r}")
        return list(value)

    # expressions

    def eval(self, node: ast.expr, frame: Frame) -> Any:
        """The value of an expression."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node.id, frame)
            case ast.Attribute():
                return self._attribute(self.eval(node.value, frame), node.attr)
            case ast.BinOp():
                left = self.eval(node.left, frame)
                return self._binary(type(node.op), left, self.eval(node.right, frame))
            case ast.UnaryOp():
                return self._unary(node.op, self.eval(node.operand, frame))
            case ast.BoolOp():
                return self._bool(node.op, node.values, frame)
            case ast.Compare():
                return self._chain(node, frame)
            case ast.IfExp():
                return self._if_expression(node, frame)
            case ast.Tuple() | ast.List():
                return tuple(self._spliced(node.elts, frame))
            case ast.Call():
                function = self.eval(node.func, frame)
                options = {o.arg: self.eval(o.value, frame) for o in node.keywords if o.arg}
                return self.call(function, *self._spliced(node.args, frame), **options)
            case ast.Subscript():
                return self._subscript(node, frame)
            case ast.ListComp():
                return tuple(self._comprehension(node.elt, node.generators, frame))
            case ast.JoinedStr():
                return ""
            case _:
                raise Unsupported(f"expression {ast.unparse(node)}")

    @staticmethod
    def _name(name: str, frame: Frame) -> Any:
        for scope in (frame.names, frame.scope, vars(builtins)):
            if name in scope:
                return scope[name]
        raise Unsupported(f"{name} has no value")

    def _attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Choice):
            return self._each(owner, lambda value: self._attribute(value, name))
        if isinstance(owner, Instance):
            if name in owner.fields:
                return owner.fields[name]
            return MethodType(inspect.getattr_static(owner.cls, name), owner)
        if isinstance(owner, dict) and name == "get":
            return lambda key, default=None: (
                default if is_symbolic(key) else owner.get(key, default)
            )
        return getattr(owner, name)

    @staticmethod
    def _each(choice: Choice, apply: Callable[[Any], Any]) -> Any:
        """``apply`` on every alternative; one that Python would refuse gives no result."""
        result: Any = None
        first = True
        for condition, value in choice.cases:
            try:
                mapped = apply(value)
            except (TypeError, AttributeError):
                continue
            result = mapped if first else merge(condition, mapped, result)
            first = False
        if first:
            raise Unsupported("no alternative fits")
        return result

    def _binary(self, op: type, left: Any, right: Any) -> Any:
        if isinstance(left, Choice):
            return self._each(left, lambda value: self._binary(op, value, right))
        if isinstance(right, Choice):
            return self._each(right, lambda value: self._binary(op, left, value))
        if isinstance(left, Flag) or isinstance(right, Flag):
            left, right = as_term(left), as_term(right)
        return _BINARY[op](left, right)

    def _unary(self, op: ast.unaryop, value: Any) -> Any:
        if isinstance(op, ast.Not):
            condition = truth(value)
            return not condition if isinstance(condition, bool) else Flag(z3.Not(condition))
        if isinstance(value, Choice):
            return self._each(value, lambda one: self._unary(op, one))
        value = as_term(value) if isinstance(value, Flag) else value
        return -value if isinstance(op, ast.USub) else ~value

    def _bool(self, op: ast.boolop, parts: Sequence[ast.expr], frame: Frame) -> Any:
        value = self.eval(parts[0], frame)
        if len(parts) == 1:
            return value
        condition = truth(value)
        if isinstance(op, ast.Or):
            condition = not condition if isinstance(condition, bool) else z3.Not(condition)
        if isinstance(condition, bool):
            return self._bool(op, parts[1:], frame) if condition else value
        outer = self.guard
        self.guard = z3.And(outer, condition)
        rest = self._bool(op, parts[1:], frame)
        self.guard = outer
        return merge(condition, rest, value)

    def _chain(self, node: ast.Compare, frame: Frame) -> Any:
        left = self.eval(node.left, frame)
        result: Any = True
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self.eval(part, frame)
            one = self._compare(type(op), left, right)
            condition = truth(result)
            if condition is False:
                return False
            result = one if condition is True else merge(formula(condition), one, False)
            left = right
        return result

    def _compare(self, op: type, left: Any, right: Any) -> Any:
        if isinstance(left, Choice):
            return self._each(left, lambda value: self._compare(op, value, right))
        if isinstance(right, Choice):
            return self._each(right, lambda value: self._compare(op, left, value))
        if op in (ast.Is, ast.IsNot):
            return self._same(left, right, wanted=op is ast.Is)
        if op in (ast.In, ast.NotIn):
            return (left in right) is (op is ast.In)
        name = _COMPARE[op]
        if isinstance(left, tuple) and isinstance(right, tuple):
            if op is not ast.Eq or len(left) != len(right):
                raise Unsupported("tuples are compared")
            parts = [self._compare(op, x, y) for x, y in zip(left, right, strict=True)]
            return Flag(z3.And([formula(truth(part)) for part in parts]))
        if isinstance(left, (Term, Flag)) or isinstance(right, (Term, Flag)):
            return _comparison(name, left, right)
        return getattr(left, name)(right)

    @staticmethod
    def _same(left: Any, right: Any, *, wanted: bool) -> Any:
        if isinstance(left, (Term, Flag)) or isinstance(right, (Term, Flag)):
            bools = [value for value in (left, right) if isinstance(value, (bool, Flag))]
            if len(bools) == 2:
                return Flag((as_flag(left) == as_flag(right)) == z3.BoolVal(wanted))
            return (not wanted) if left is None or right is None else _refuse_identity()
        return (left is right) is wanted

    def _if_expression(self, node: ast.IfExp, frame: Frame) -> Any:
        condition = truth(self.eval(node.test, frame))
        if isinstance(condition, bool):
            return self.eval(node.body if condition else node.orelse, frame)
        outer = self.guard
        self.guard = z3.And(outer, condition)
        then = self.eval(node.body, frame)
        self.guard = z3.And(outer, z3.Not(condition))
        other = self.eval(node.orelse, frame)
        self.guard = outer
        return merge(condition, then, other)

    def _spliced(self, nodes: Sequence[ast.expr], frame: Frame) -> list[Any]:
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values += self._items(self.eval(node.value, frame))
            else:
                values.append(self.eval(node, frame))
        return values

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Any:
        owner = self.eval(node.value, frame)
        if isinstance(node.slice, ast.Slice):
            ends = [
                None if part is None else self.eval(part, frame)
                for part in (node.slice.lower, node.slice.upper)
            ]
            return owner[slice(*ends)]
        return owner[self.eval(node.slice, frame)]

    def _comprehension(
        self, result: ast.expr, loops: Sequence[ast.comprehension], frame: Frame
    ) -> list[Any]:
        if not loops:
            return [self.eval(result, frame)]
        if loops[0].ifs:
            raise Unsupported("a comprehension with a condition")
        found: list[Any] = []
        for item in self._items(self.eval(loops[0].iter, frame)):
            self.assign(loops[0].target, item, frame)
            found += self._comprehension(result, loops[1:], frame)
        return found


def _comparison(name: str, left: Any, right: Any) -> Flag:
    if isinstance(right, Whole) and not isinstance(left, Whole):
        left = right.lifted(left)
    return as_term(left).compare(name, right)


def _narrowed(function: Any, values: Sequence[Any], result: Any) -> Any:
    """The extreme's interval is the extreme of the intervals."""
    if not isinstance(result, Term) or isinstance(result, Whole):
        return result
    terms = [as_term(value) for value in values]
    return Term(
        result.bits, function(term.low for term in terms), function(term.high for term in terms)
    )


def _refuse_identity() -> Any:
    raise Unsupported("identity of symbolic numbers")


def _join_names(condition: z3.BoolRef, names: dict[str, Any], then: dict[str, Any]) -> None:
    for name in {*names, *then}:
        if name in names and name in then:
            names[name] = merge(condition, then[name], names[name])
        else:  # set on one side only: Python would refuse to read it on the other
            names[name] = then.get(name, names.get(name))


def _as_load(target: ast.expr) -> ast.expr:
    copied = ast.parse(ast.unparse(target), mode="eval")
    return copied.body


def _entry(table: dict[Any, Any], key: Any) -> Any:
    try:
        return table.get(key)
    except TypeError:
        return None
