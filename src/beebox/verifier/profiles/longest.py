"""The longest way through a graph whose circles are gone round a known number of times.

What bounds a circle is a budget: the rounds of a call back, the numbers of an iterator, the steps
of ``may_goto``. An edge may take one from a budget, and another may fill it again. A circle ends
after as many rounds as there is in the budgets that its edges take from and none of them fills; the
circles within it, by the same rule again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

Budget = Hashable
"""What names a budget."""

_NONE: Final[frozenset[Budget]] = frozenset()


class UnboundedError(Exception):
    """A circle of which nothing says how often it is gone round. ``pc``: an instruction of it."""

    def __init__(self, pc: int) -> None:
        super().__init__(f"a loop at insn {pc}")
        self.pc = pc


@dataclass(frozen=True, slots=True)
class Edge:
    """A way of ``cost`` to a node, or to the end (None). ``calls``: functions called on it.

    ``takes`` are the budgets that going this way takes one from, ``fills`` those that are full
    behind it.
    """

    cost: int
    target: int | None
    calls: tuple[int, ...] = ()
    takes: frozenset[Budget] = _NONE
    fills: frozenset[Budget] = _NONE


_Value = Callable[[Edge], int | None]
"""What is still to come behind an edge that leaves the region; None: the way is not counted."""


class Graph:
    """Nodes with the edges that leave them. Each function that is explored has a root."""

    __slots__ = ("_budgets", "_edges", "_endless", "_known", "_places", "_roots")

    def __init__(self) -> None:
        self._edges: list[list[Edge]] = []
        self._places: list[int] = []  # by node: the pc
        self._roots: dict[int, int] = {}
        self._budgets: dict[Budget, int] = {}
        self._endless: set[Budget] = set()
        self._known: dict[int, int] = {}  # by function

    def node(self, pc: int) -> int:
        """A new node, for a state at ``pc``."""
        self._edges.append([])
        self._places.append(pc)
        return len(self._places) - 1

    def root(self, function: int) -> int:
        """Where the exploration of a function begins."""
        found = self._roots.get(function)
        if found is None:
            found = self._roots[function] = self.node(-1)
        return found

    def add(self, source: int, edge: Edge) -> None:
        """An edge from ``source``."""
        self._edges[source].append(edge)

    def budget(self, budget: Budget, most: int) -> None:
        """There is so much in a budget when it is full, or more as said before."""
        self._budgets[budget] = max(self._budgets.get(budget, 0), most)

    def endless(self, budget: Budget) -> None:
        """Nothing says how much there is in a budget, whatever was said."""
        self._endless.add(budget)

    def longest(self, function: int) -> int:
        """The cost of the longest way from a function's root to the end.

        Raises :exc:`UnboundedError`.
        """
        found = self._known.get(function)
        if found is None:
            if function not in self._roots:
                return 0  # never called
            root = self._roots[function]
            best = self._solve(self._reachable(root), _NONE, lambda _: 0)
            found = self._known[function] = best[root] or 0
        return found

    def _reachable(self, root: int) -> set[int]:
        seen, work = {root}, [root]
        while work:
            for edge in self._edges[work.pop()]:
                if edge.target is not None and edge.target not in seen:
                    seen.add(edge.target)
                    work.append(edge.target)
        return seen

    def _cost(self, edge: Edge) -> int:
        return edge.cost + sum(self.longest(callee) for callee in edge.calls)

    def _solve(
        self, region: set[int], cut: frozenset[Budget], outside: _Value
    ) -> dict[int, int | None]:
        """By node: the cost of the longest way from it; None where no way is counted.

        Edges that take from a budget in ``cut`` leave the region.
        """
        best: dict[int, int | None] = {}

        def inside(edge: Edge) -> bool:
            return edge.target in region and edge.takes.isdisjoint(cut)

        def beyond(edge: Edge) -> int | None:
            target = edge.target
            return best[target] if target is not None and inside(edge) else outside(edge)

        for part in self._parts(region, cut):
            members = set(part)
            circles = any(
                edge.target in members and inside(edge)
                for node in part
                for edge in self._edges[node]
            )
            if circles:
                best.update(self._circle(members, cut, beyond))
            else:
                best[part[0]] = self._most(part[0], beyond)
        return best

    def _most(self, node: int, beyond: _Value) -> int | None:
        ways = [
            self._cost(edge) + rest
            for edge in self._edges[node]
            if (rest := beyond(edge)) is not None
        ]
        return max(ways, default=None)

    def _circle(
        self, part: set[int], cut: frozenset[Budget], beyond: _Value
    ) -> dict[int, int | None]:
        """Nodes that all reach each other: round by round through the edges that take."""
        inside = [
            edge
            for node in part
            for edge in self._edges[node]
            if edge.target in part and edge.takes.isdisjoint(cut)
        ]
        taken = _NONE.union(*(edge.takes for edge in inside))
        budgets = taken - _NONE.union(self._endless, *(edge.fills for edge in inside))
        if not budgets:
            raise UnboundedError(self._places[min(part)])
        turns = [edge for edge in inside if not edge.takes.isdisjoint(budgets)]
        marked = {id(edge) for edge in turns}
        narrower = cut | budgets
        back = self._solve(part, narrower, lambda edge: 0 if id(edge) in marked else None)
        leaving = self._solve(
            part, narrower, lambda edge: None if id(edge) in marked else beyond(edge)
        )
        starts = {edge.target for edge in turns if edge.target is not None}
        turn = max((cost for node in starts if (cost := back[node]) is not None), default=0)
        exits = max((cost for node in starts if (cost := leaving[node]) is not None), default=None)
        rounds = sum(self._budgets.get(budget, 0) for budget in budgets)
        found: dict[int, int | None] = {}
        for node in part:
            most, reached = leaving[node], back[node]
            if rounds > 0 and reached is not None and exits is not None:
                way = reached + (rounds - 1) * turn + exits
                most = way if most is None or way > most else most
            found[node] = most
        return found

    def _parts(self, region: set[int], cut: frozenset[Budget]) -> list[list[int]]:
        """The strongly connected parts of the region, those reached last first (Tarjan)."""
        order: dict[int, int] = {}
        low: dict[int, int] = {}
        stack: list[int] = []
        on_stack: set[int] = set()
        found: list[list[int]] = []
        for root in region:
            if root in order:
                continue
            work = [(root, iter(self._edges[root]))]
            order[root] = low[root] = len(order)
            stack.append(root)
            on_stack.add(root)
            while work:
                node, edges = work[-1]
                for edge in edges:
                    target = edge.target
                    if target is None or target not in region:
                        continue
                    if not edge.takes.isdisjoint(cut):
                        continue
                    if target not in order:
                        order[target] = low[target] = len(order)
                        stack.append(target)
                        on_stack.add(target)
                        work.append((target, iter(self._edges[target])))
                        break
                    if target in on_stack:
                        low[node] = min(low[node], order[target])
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[node])
                    if low[node] == order[node]:
                        part = [stack.pop()]
                        while part[-1] != node:
                            part.append(stack.pop())
                        on_stack.difference_update(part)
                        found.append(part)
        return found
