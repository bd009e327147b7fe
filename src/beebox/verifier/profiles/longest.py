"""The longest way through a graph whose circles are gone round a known number of times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class UnboundedError(Exception):
    """A circle of which nothing says how often it is gone round. ``pc``: an instruction of it."""

    def __init__(self, pc: int) -> None:
        super().__init__(f"a loop at insn {pc}")
        self.pc = pc


@dataclass(frozen=True, slots=True)
class Edge:
    """A way of ``cost`` to a node, or to the end (None). ``calls``: functions called on it."""

    cost: int
    target: int | None
    calls: tuple[int, ...] = ()


_Value = Callable[[int | None], int | None]
"""What is still to come from a node outside of the region, or from the end; None: not counted."""


class Graph:
    """Nodes with the edges that leave them. Each function that is explored has a root."""

    __slots__ = ("_edges", "_known", "_places", "_roots", "_rounds", "_shared")

    def __init__(self) -> None:
        self._edges: list[list[Edge]] = []
        self._places: list[tuple[int, int]] = []  # by node: how many calls deep, and the pc
        self._roots: dict[int, int] = {}
        self._rounds: dict[int, int] = {}  # by the pc where a circle begins
        self._shared: set[int] = set()
        self._known: dict[int, int] = {}  # by function

    def node(self, pc: int, depth: int) -> int:
        """A new node, for a state at ``pc``, ``depth`` calls deep."""
        self._edges.append([])
        self._places.append((depth, pc))
        return len(self._places) - 1

    def root(self, function: int) -> int:
        """Where the exploration of a function begins."""
        found = self._roots.get(function)
        if found is None:
            found = self._roots[function] = self.node(-1, 0)
        return found

    def add(self, source: int, edge: Edge) -> None:
        """An edge from ``source``."""
        self._edges[source].append(edge)

    def rounds(self, pc: int, most: int, *, shared: bool = False) -> None:
        """Circles that begin at ``pc`` are gone round so often, or more often as said before.

        ``shared``: together with all others of the function of which the same is said.
        """
        if shared:
            self._shared.add(pc)
        self._rounds[pc] = max(self._rounds.get(pc, 0), most)

    def longest(self, function: int) -> int:
        """The cost of the longest way from a function's root to the end.

        Raises :exc:`UnboundedError`.
        """
        found = self._known.get(function)
        if found is None:
            if function not in self._roots:
                return 0  # never called
            root = self._roots[function]
            region = self._reachable(root)
            found = self._solve(region, lambda target: 0 if target is None else None)[root] or 0
            self._known[function] = found
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

    def _solve(self, region: set[int], outside: _Value) -> dict[int, int | None]:
        """By node: the cost of the longest way from it; None where no way is counted."""
        best: dict[int, int | None] = {}

        def value(target: int | None) -> int | None:
            return best[target] if target is not None and target in best else outside(target)

        for part in self._parts(region):
            if len(part) == 1 and all(edge.target not in part for edge in self._edges[part[0]]):
                best[part[0]] = self._most(part[0], value)
            else:
                best.update(self._circle(set(part), value))
        return best

    def _most(self, node: int, value: _Value) -> int | None:
        ways = [
            self._cost(edge) + rest
            for edge in self._edges[node]
            if (rest := value(edge.target)) is not None
        ]
        return max(ways, default=None)

    def _circle(self, part: set[int], value: _Value) -> dict[int, int | None]:
        """Nodes that all reach each other: round by round through those where it begins."""
        heads, rounds = self._heads(part)

        def to_head(target: int | None) -> int | None:
            return 0 if target in heads else None

        def out(target: int | None) -> int | None:
            return None if target in part else value(target)

        back = self._solve_cut(part, heads, to_head)
        leaving = self._solve_cut(part, heads, out)
        turn = max((cost for head in heads if (cost := back[head]) is not None), default=0)
        exits = max((cost for head in heads if (cost := leaving[head]) is not None), default=None)
        found: dict[int, int | None] = {}
        for node in part:
            ways = [leaving[node]]
            reached = back[node]
            if reached is not None and exits is not None:
                ways.append(reached + rounds * turn + exits)
            found[node] = max((way for way in ways if way is not None), default=None)
        return found

    def _solve_cut(self, part: set[int], heads: set[int], outside: _Value) -> dict[int, int | None]:
        """The circle cut open: a way ends where it comes to a head again."""
        rest = part - heads
        best = self._solve(rest, outside)

        def value(target: int | None) -> int | None:
            return best[target] if target is not None and target in rest else outside(target)

        return best | {head: self._most(head, value) for head in heads}

    def _heads(self, part: set[int]) -> tuple[set[int], int]:
        """The nodes where the outermost circles begin, and how often the program comes to one.

        Those of the fewest calls: what such a loop encloses, or calls, is deeper. Loops of one
        function cannot be told apart here, so each may be inside of all others.
        """
        begins = [node for node in part if self._places[node][1] in self._rounds]
        if not begins:
            raise UnboundedError(self._places[min(part)][1])
        outermost = min(self._places[node][0] for node in begins)
        heads = {node for node in begins if self._places[node][0] == outermost}
        places = {self._places[node][1] for node in heads}
        shared = places & self._shared
        counted = [self._rounds[pc] for pc in places - shared]
        counted += [max(self._rounds[pc] for pc in shared)] if shared else []
        rounds = len(counted)
        for each in counted:
            rounds *= max(each, 1)
        return heads, rounds

    def _parts(self, region: set[int]) -> list[list[int]]:
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
