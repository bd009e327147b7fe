"""The hash under threads that call its native code without the GIL."""

import ctypes
import threading

import pytest

from beebox.llvm import native, worker
from beebox.maps.code import operations
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType

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


@pytest.mark.slow
def test_lookups_always_find_settled_keys_while_others_churn():
    settled, churning, rounds = 5000, 5000, 400_000
    spec = MapSpec("m", MapType.HASH, 8, 8, settled + churning)
    with LiveMap(spec) as live:
        live.update_batch(
            [(k.to_bytes(8, "little"), (k * 7).to_bytes(8, "little")) for k in range(settled)]
        )
        compiled = worker.compile_native(operations(spec, "map") + WORKLOADS)
        imports = {"map_storage": live.storage.address}
        code = native.link(compiled, imports=imports, exports=["churn", "check"])
        types = (ctypes.c_int64, [ctypes.c_void_p, *[ctypes.c_uint64] * 3])
        churn, check = code.function("churn", *types), code.function("check", *types)
        runtimes = [ctypes.create_string_buffer(64) for _ in range(4)]
        results = {}

        def run(name, function, *arguments):
            results[name] = function(*arguments)

        half = churning // 2
        jobs = [
            ("w1", churn, runtimes[0], settled, churning, rounds),
            ("w2", churn, runtimes[1], settled + half, half, rounds),
            ("r1", check, runtimes[2], 0, settled, 4 * rounds),
            ("r2", check, runtimes[3], 0, settled, 4 * rounds),
        ]
        threads = [threading.Thread(target=run, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        snapshots = [dict(live.items()) for _ in range(20)]
        for thread in threads:
            thread.join()
        assert results == {"w1": 0, "w2": 0, "r1": 0, "r2": 0}
        snapshots.append(dict(live.items()))
        for snapshot in snapshots:
            assert len(snapshot) >= settled
            for key, value in snapshot.items():
                assert int.from_bytes(value, "little") == int.from_bytes(key, "little") * 7
        assert len(live) == len(snapshots[-1])


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
