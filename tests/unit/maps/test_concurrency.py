"""Maps under threads that call their native code without the GIL."""

import ctypes
import threading

import pytest

from beebox.llvm import native, worker
from beebox.maps.code import operations
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType

# Native loops over the map's own code: keys are n * 2654435761 >> 7 mod `span`, values key * 7.
WORKLOADS = """
define i64 @churn(ptr %rt, i64 %first, i64 %span, i64 %rounds) {
entry:
  %key = alloca i64, align 8
  %value = alloca i64, align 8
  br label %loop
loop:
  %n = phi i64 [0, %entry], [%next, %again]
  %mixed = mul i64 %n, 2654435761
  %high = lshr i64 %mixed, 7
  %rest = urem i64 %high, %span
  %k = add i64 %rest, %first
  store i64 %k, ptr %key
  %v = mul i64 %k, 7
  store i64 %v, ptr %value
  %odd = trunc i64 %n to i1
  br i1 %odd, label %remove, label %insert
insert:
  %r1 = call i64 @map_update(ptr %rt, ptr %key, ptr %value, i64 0)
  br label %again
remove:
  %r2 = call i64 @map_delete(ptr %rt, ptr %key)
  br label %again
again:
  %next = add i64 %n, 1
  %more = icmp ult i64 %next, %rounds
  br i1 %more, label %loop, label %done
done:
  ret i64 0
}
define i64 @check(ptr %rt, i64 %first, i64 %span, i64 %rounds) {
entry:
  %key = alloca i64, align 8
  br label %loop
loop:
  %n = phi i64 [0, %entry], [%next, %again]
  %bad = phi i64 [0, %entry], [%bad2, %again]
  %mixed = mul i64 %n, 2654435761
  %high = lshr i64 %mixed, 9
  %rest = urem i64 %high, %span
  %k = add i64 %rest, %first
  store i64 %k, ptr %key
  %p = call ptr @map_lookup(ptr %rt, ptr %key)
  %none = icmp eq ptr %p, null
  br i1 %none, label %missing, label %found
missing:
  br label %again
found:
  %v = load i64, ptr %p
  %expected = mul i64 %k, 7
  %wrong = icmp ne i64 %v, %expected
  %one = zext i1 %wrong to i64
  br label %again
again:
  %add = phi i64 [1, %missing], [%one, %found]
  %bad2 = add i64 %bad, %add
  %next = add i64 %n, 1
  %more = icmp ult i64 %next, %rounds
  br i1 %more, label %loop, label %done
done:
  ret i64 %bad2
}
"""


class Native:
    """A map with the workloads linked to its storage."""

    def __init__(self, live, workloads=WORKLOADS, names=("churn", "check")):
        compiled = worker.compile_native(operations(live.spec, "map") + workloads)
        imports = {"map_storage": live.storage.address}
        self.code = native.link(compiled, imports=imports, exports=names)
        types = (ctypes.c_int64, [ctypes.c_void_p, *[ctypes.c_uint64] * 3])
        self.functions = {name: self.code.function(name, *types) for name in names}

    def together(self, jobs):
        """Run ``name: (function, first, span, rounds)`` in threads; what each gave."""
        results = {}

        def run(name, function, *arguments):
            runtime = ctypes.create_string_buffer(192)
            results[name] = self.functions[function](runtime, *arguments)

        threads = [threading.Thread(target=run, args=(name, *job)) for name, job in jobs.items()]
        for thread in threads:
            thread.start()
        return threads, results


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "key_size", "flags"),
    [(MapType.HASH, 8, MapFlags.NONE), (MapType.LPM_TRIE, 8, MapFlags.NO_PREALLOC)],
)
def test_lookups_always_find_settled_keys_while_others_churn(kind, key_size, flags):
    """An LPM key's first word is its length, 0 to 32 here, so prefixes of all lengths churn."""
    trie = kind is MapType.LPM_TRIE
    settled, churning, rounds = 5000, 5000, 100_000 if trie else 400_000
    spec = MapSpec("m", kind, key_size, 8, settled + churning, flags)
    base = 32 if trie else 0  # the settled keys' numbers start here, in steps of 2**32 for a trie
    workloads = LPM_WORKLOADS if trie else WORKLOADS
    with LiveMap(spec) as live:
        live.update_batch(
            [
                (
                    number_key(k, base).to_bytes(8, "little"),
                    (number_key(k, base) * 7 % (1 << 64)).to_bytes(8, "little"),
                )
                for k in range(settled)
            ]
        )
        half = churning // 2
        threads, results = Native(live, workloads).together(
            {
                "w1": ("churn", settled, churning, rounds),
                "w2": ("churn", settled + half, half, rounds),
                "r1": ("check", 0, settled, 4 * rounds),
                "r2": ("check", 0, settled, 4 * rounds),
            }
        )
        snapshots = [dict(live.items()) for _ in range(5 if trie else 20)]
        for thread in threads:
            thread.join()
        assert results == {"w1": 0, "w2": 0, "r1": 0, "r2": 0}
        snapshots.append(dict(live.items()))
        for snapshot in snapshots:
            assert len(snapshot) >= settled
            for key, value in snapshot.items():
                number = int.from_bytes(key, "little")
                assert int.from_bytes(value, "little") == number * 7 % (1 << 64)
        assert len(live) == len(snapshots[-1])


def number_key(number, base):
    """The key of a number, as the workloads make it."""
    return number if not base else base | number << 32


# The same over IPv4 prefixes: the number is the address, in the machine's order; a churning one has
# a length that its own low bits choose, a settled one all 32 bits.
LPM_WORKLOADS = WORKLOADS.replace(
    "  %k = add i64 %rest, %first\n",
    """\
  %n1 = add i64 %rest, %first
  %high2 = shl i64 %n1, 32
  %settled = icmp ult i64 %n1, 5000
  %low5 = and i64 %n1, 31
  %len = select i1 %settled, i64 32, i64 %low5
  %k = or i64 %high2, %len
""",
)


QUEUE_WORKLOADS = """
define i64 @fill(ptr %rt, i64 %first, i64 %span, i64 %rounds) {
entry:
  %value = alloca i64, align 8
  br label %loop
loop:
  %n = phi i64 [0, %entry], [%next, %loop]
  %sum = phi i64 [0, %entry], [%sum2, %loop]
  %v = add i64 %n, %first
  store i64 %v, ptr %value
  %r = call i64 @map_push(ptr %rt, ptr %value, i64 0)
  %ok = icmp eq i64 %r, 0
  %add = select i1 %ok, i64 %v, i64 0
  %sum2 = add i64 %sum, %add
  %next = add i64 %n, 1
  %more = icmp ult i64 %next, %rounds
  br i1 %more, label %loop, label %done
done:
  ret i64 %sum2
}
define i64 @drain(ptr %rt, i64 %first, i64 %span, i64 %rounds) {
entry:
  %value = alloca i64, align 8
  br label %loop
loop:
  %n = phi i64 [0, %entry], [%next, %loop]
  %sum = phi i64 [0, %entry], [%sum2, %loop]
  %r = call i64 @map_pop(ptr %rt, ptr %value)
  %ok = icmp eq i64 %r, 0
  %v = load i64, ptr %value
  %add = select i1 %ok, i64 %v, i64 0
  %sum2 = add i64 %sum, %add
  %next = add i64 %n, 1
  %more = icmp ult i64 %next, %rounds
  br i1 %more, label %loop, label %done
done:
  ret i64 %sum2
}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MapType.QUEUE, MapType.STACK])
def test_what_is_pushed_is_popped_once(kind):
    with LiveMap(MapSpec("m", kind, 0, 8, 64)) as live:
        threads, results = Native(live, QUEUE_WORKLOADS, ("fill", "drain")).together(
            {
                "f1": ("fill", 1, 0, 200_000),
                "f2": ("fill", 1 << 32, 0, 200_000),
                "d1": ("drain", 0, 0, 200_000),
                "d2": ("drain", 0, 0, 200_000),
            }
        )
        for thread in threads:
            thread.join()
        left = sum(int.from_bytes(value, "little") for _, value in live.items())
        assert results["f1"] + results["f2"] == results["d1"] + results["d2"] + left


@pytest.mark.slow
def test_a_full_lru_under_threads_stays_whole():
    """Values are only ever those of their keys, and the map stays full, not fuller."""
    entries = 1000
    with LiveMap(MapSpec("m", MapType.LRU_HASH, 8, 8, entries)) as live:
        threads, results = Native(live).together(
            dict.fromkeys(("w1", "w2", "w3"), ("churn", 0, 4 * entries, 150000))
        )
        for thread in threads:
            thread.join()
        assert set(results.values()) == {0}
        items = live.lookup_batch()
        assert len(items) == len(dict(items)) == len(live) <= entries
        for key, value in items:
            assert int.from_bytes(value, "little") == int.from_bytes(key, "little") * 7
        for number in range(10 * entries, 11 * entries):
            live.update(number.to_bytes(8, "little"), bytes(8))
        assert len(live) == len(dict(live.items())) == entries


def test_inserts_from_many_threads_never_lose_or_double_a_key():
    with LiveMap(MapSpec("m", MapType.HASH, 4, 4, 1000)) as live:

        def insert():
            live.update_batch([(k.to_bytes(4, "little"), bytes(4)) for k in range(1000)])

        threads = [threading.Thread(target=insert) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        items = live.lookup_batch()
        assert len(items) == 1000
        assert len(dict(items)) == 1000
