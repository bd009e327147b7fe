"""Each map type against a Python model, operation by operation."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from beebox.errors import KeyExists, KeyNotFound, MapFull
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType, UpdateFlags

VALUES = st.binary(min_size=8, max_size=8)
FLAGS = st.sampled_from([UpdateFlags.ANY, UpdateFlags.NOEXIST, UpdateFlags.EXIST])
BUDGET = settings(max_examples=25, stateful_step_count=60)


class KeyedModel(RuleBasedStateMachine):
    """A map with keys: what a dict does, and Linux's refusals."""

    kinds: tuple[MapSpec, ...]
    keys: st.SearchStrategy[bytes]

    @initialize(data=st.data())
    def make(self, data):
        self.spec = data.draw(st.sampled_from(self.kinds))
        self.live = LiveMap(self.spec)
        self.model = {}

    def teardown(self):
        if hasattr(self, "live"):
            self.live.close()

    def key(self, data):
        return data.draw(self.keys)

    def same(self, key):
        """The model's name of a key."""
        return key

    @rule(data=st.data(), value=VALUES, flags=FLAGS)
    def update(self, data, value, flags):
        key = self.key(data)
        name = self.same(key)
        present = name in self.model
        if flags is UpdateFlags.NOEXIST and present:
            with pytest.raises(KeyExists):
                self.live.update(key, value, flags)
        elif flags is UpdateFlags.EXIST and not present:
            with pytest.raises(KeyNotFound):
                self.live.update(key, value, flags)
        elif not present and len(self.model) == self.spec.max_entries:
            with pytest.raises(MapFull):
                self.live.update(key, value, flags)
        else:
            self.live.update(key, value, flags)
            self.model[name] = value

    @rule(data=st.data())
    def delete(self, data):
        key = self.key(data)
        if self.same(key) in self.model:
            self.live.delete(key)
            del self.model[self.same(key)]
        else:
            with pytest.raises(KeyNotFound):
                self.live.delete(key)

    def expected(self, key):
        return self.model.get(self.same(key))

    @rule(data=st.data())
    def lookup(self, data):
        key = self.key(data)
        wanted = self.expected(key)
        if wanted is None:
            with pytest.raises(KeyNotFound):
                self.live.lookup(key)
        else:
            assert self.live.lookup(key) == wanted

    @invariant()
    def contents(self):
        if hasattr(self, "live"):
            assert {self.same(key): value for key, value in self.live.items()} == self.model
            assert len(self.live) == len(self.model)


class HashModel(KeyedModel):
    """Hashes; an LRU as long as there is room."""

    kinds = (
        MapSpec("m", MapType.HASH, 6, 8, 8),
        MapSpec("m", MapType.HASH, 6, 8, 8, MapFlags.NO_PREALLOC | MapFlags.ZERO_SEED),
        MapSpec("m", MapType.PERCPU_HASH, 6, 8, 8),
        MapSpec("m", MapType.LRU_PERCPU_HASH, 6, 8, 64),
        MapSpec("m", MapType.LRU_HASH, 6, 8, 64),
        MapSpec("m", MapType.LRU_HASH, 6, 8, 64, MapFlags.NO_COMMON_LRU),
    )
    keys = st.sampled_from([bytes([n]) * 6 for n in range(12)])

    @rule(data=st.data())
    def take(self, data):
        key = self.key(data)
        if key in self.model:
            assert self.live.lookup_and_delete(key) == self.model.pop(key)
        else:
            with pytest.raises(KeyNotFound):
                self.live.lookup_and_delete(key)

    @rule()
    def walk(self):
        seen, key = [], None
        try:
            while True:
                key = self.live.next_key(key)
                seen.append(key)
        except KeyNotFound:
            pass
        assert sorted(seen) == sorted(self.model)


def prefix(key):
    """Length and the bits that count."""
    length = int.from_bytes(key[:4], "little")
    address = int.from_bytes(key[4:], "big")
    drop = 8 * (len(key) - 4) - length
    return length, address >> drop


@st.composite
def prefixes(draw, size):
    """Prefixes that share bits with few others, so that they nest and part everywhere."""
    base = draw(st.sampled_from([bytes(size), b"\xff" * size, (b"\x5a\xc3" * size)[:size]]))
    flipped = int.from_bytes(base, "big") ^ (1 << draw(st.integers(0, 8 * size - 1)))
    length = draw(st.integers(0, 8 * size))
    return length.to_bytes(4, "little") + flipped.to_bytes(size, "big")


class LpmModel(KeyedModel):
    """An LPM trie: the longest prefix by trying all."""

    size = 4

    def key(self, data):
        return data.draw(prefixes(self.size))

    def same(self, key):
        return prefix(key)

    def expected(self, key):
        most, _ = prefix(key)
        address = int.from_bytes(key[4:], "big")
        width = 8 * self.size
        found = [
            length
            for length, bits in self.model
            if length <= most and address >> (width - length) == bits
        ]
        if not found:
            return None
        return self.model[max(found), address >> (width - max(found))]

    @rule()
    def order(self):
        """What lies inside a prefix comes before it; otherwise by address."""
        keys = [self.same(key) for key, _ in self.live.items()]
        width = 8 * self.size
        last = [((bits + 1 << width - length), -length) for length, bits in keys]
        assert last == sorted(last)


def lpm(size, entries):
    """A model of tries over addresses of ``size`` bytes."""
    spec = MapSpec("m", MapType.LPM_TRIE, 4 + size, 8, entries, MapFlags.NO_PREALLOC)
    return type(f"Lpm{size}Model", (LpmModel,), {"size": size, "kinds": (spec,)})


class ArrayModel(RuleBasedStateMachine):
    """An array: its elements are there from the start, as zeros."""

    @initialize(kind=st.sampled_from([MapType.ARRAY, MapType.PERCPU_ARRAY]))
    def make(self, kind):
        self.live = LiveMap(MapSpec("m", kind, 4, 8, 5))
        self.model = [bytes(8)] * 5

    def teardown(self):
        if hasattr(self, "live"):
            self.live.close()

    @rule(index=st.integers(0, 6), value=VALUES, flags=FLAGS)
    def update(self, index, value, flags):
        key = index.to_bytes(4, "little")
        if index >= 5:
            with pytest.raises(MapFull):
                self.live.update(key, value, flags)
        elif flags is UpdateFlags.NOEXIST:
            with pytest.raises(KeyExists):
                self.live.update(key, value, flags)
        else:
            self.live.update(key, value, flags)
            self.model[index] = value

    @rule(index=st.integers(0, 6))
    def lookup(self, index):
        key = index.to_bytes(4, "little")
        if index < 5:
            assert self.live.lookup(key) == self.model[index]
        else:
            with pytest.raises(KeyNotFound):
                self.live.lookup(key)

    @invariant()
    def contents(self):
        if hasattr(self, "live"):
            assert [value for _, value in self.live.items()] == self.model


class QueueModel(RuleBasedStateMachine):
    """A queue or stack: a deque with a limit."""

    kind = MapType.QUEUE
    entries = 4

    @initialize()
    def make(self):
        self.live = LiveMap(MapSpec("m", self.kind, 0, 8, self.entries))
        self.model = deque(maxlen=self.entries)

    def teardown(self):
        if hasattr(self, "live"):
            self.live.close()

    def next(self):
        return self.model[0] if self.kind is MapType.QUEUE else self.model[-1]

    @rule(value=VALUES, flags=st.sampled_from([UpdateFlags.ANY, UpdateFlags.EXIST]))
    def push(self, value, flags):
        if len(self.model) == self.entries and flags is UpdateFlags.ANY:
            with pytest.raises(MapFull):
                self.live.push(value, flags)
        else:
            self.live.push(value, flags)
            self.model.append(value)  # the oldest goes

    @rule(action=st.sampled_from(["pop", "peek"]))
    def get(self, action):
        if not self.model:
            with pytest.raises(KeyNotFound):
                getattr(self.live, action)()
            return
        assert getattr(self.live, action)() == self.next()
        if action == "pop":
            (self.model.popleft if self.kind is MapType.QUEUE else self.model.pop)()

    @invariant()
    def contents(self):
        if hasattr(self, "live"):
            wanted = list(self.model) if self.kind is MapType.QUEUE else list(self.model)[::-1]
            assert [value for _, value in self.live.items()] == wanted
            assert len(self.live) == len(wanted)


class BloomModel(RuleBasedStateMachine):
    """A bloom filter: what was pushed is there, most else is not."""

    @initialize(hashes=st.integers(0, 15))
    def make(self, hashes):
        self.live = LiveMap(MapSpec("m", MapType.BLOOM_FILTER, 0, 8, 1000, extra=hashes))
        self.model = set()

    def teardown(self):
        if hasattr(self, "live"):
            self.live.close()

    @rule(value=VALUES)
    def push(self, value):
        self.live.push(value)
        self.model.add(value)

    @rule()
    def check(self):
        assert all(self.live.contains(value) for value in self.model)
        others = (number.to_bytes(8, "big") for number in range(1 << 30, (1 << 30) + 100))
        if len(self.model) < 50:
            assert sum(self.live.contains(value) for value in others) < 30


class StackModel(QueueModel):
    """Last in, first out."""

    kind = MapType.STACK


CASES = {
    "TestHash": HashModel,
    "TestArray": ArrayModel,
    "TestIpv4": lpm(4, 24),
    "TestIpv6": lpm(16, 24),
    "TestByte": lpm(1, 24),
    "TestOddPrefixes": lpm(9, 24),
    "TestQueue": QueueModel,
    "TestStack": StackModel,
    "TestBloom": BloomModel,
}
for name, model in CASES.items():
    model.TestCase.settings = BUDGET
    globals()[name] = model.TestCase
