"""Who and where a program runs, as native code: the runtime block says it, or nothing does."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    clear,
    constant,
    export,
    i64,
    inline,
    load_u8,
    load_u64,
    ptr,
    store_u8,
    u32,
    u64,
)

TIME: Final = constant("TIME")
TAI_OFFSET: Final = constant("TAI_OFFSET_NS")
PID_TGID: Final = constant("PID_TGID")
UID_GID: Final = constant("UID_GID")
COMM: Final = constant("COMM")

COMM_BYTES: Final = 16  # TASK_COMM_LEN
TICK_NS: Final = 4_000_000  # HZ 250, Linux's default
FIRST_JIFFY: Final = 0xFFFE_DB08  # of 64 bits: 300 seconds before 32 of them overflow
ROOT_CGROUP: Final = 1


@export
@inline
def ktime_get_boot_ns(rt: ptr) -> i64:
    """The clock the run was given, which never sleeps."""
    return i64(load_u64(rt + TIME))


@export
@inline
def ktime_get_coarse_ns(rt: ptr) -> i64:
    """The clock the run was given, as exact as the others."""
    return i64(load_u64(rt + TIME))


@export
@inline
def ktime_get_tai_ns(rt: ptr) -> i64:
    """The clock of the world, without leap seconds."""
    return i64(load_u64(rt + TIME) + load_u64(rt + TAI_OFFSET))


@export
@inline
def jiffies64(rt: ptr) -> i64:
    """The clock in ticks."""
    return i64(FIRST_JIFFY + load_u64(rt + TIME) // TICK_NS)


@export
@inline
def get_numa_node_id(rt: ptr) -> i64:
    """There is one node."""
    return i64(0)


@export
@inline
def get_current_pid_tgid(rt: ptr) -> i64:
    """Process and thread that the run interrupted."""
    return i64(load_u64(rt + PID_TGID))


@export
@inline
def get_current_uid_gid(rt: ptr) -> i64:
    """Its group and user."""
    return i64(load_u64(rt + UID_GID))


@export
def get_current_comm(rt: ptr, to: ptr, size: i64) -> i64:
    """Its name, cut and padded with zeros."""
    room = u64(u32(size))
    clear(to, room)
    at = u64(0)
    while at + 1 < room and at < COMM_BYTES - 1:
        store_u8(to + at, load_u8(rt + COMM + at))
        at += 1
    return i64(0)


@export
@inline
def get_current_cgroup_id(rt: ptr) -> i64:
    """All that runs here is in the root cgroup."""
    return i64(ROOT_CGROUP)


@export
@inline
def get_current_ancestor_cgroup_id(rt: ptr, level: i64) -> i64:
    """The root cgroup is at level 0; there are no others."""
    return i64(ROOT_CGROUP) if u32(level) == 0 else i64(0)


@export
@inline
def get_cgroup_classid(rt: ptr, ctx: ptr) -> i64:
    """No net_cls cgroup has a class here."""
    return i64(0)
