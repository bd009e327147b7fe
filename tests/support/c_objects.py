"""C for BPF compiled in tests, by the compiler that the development packages bring."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

PRELUDE = """
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32;
typedef unsigned long long __u64; typedef long long __s64;
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#define __array(name, value) typeof(value) *name[]
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define __ulong(name, value) enum { CONCAT(unique_value, __COUNTER__) = value } name
#define __noinline __attribute__((noinline))
#define __weak __attribute__((weak))
#define __hidden __attribute__((visibility("hidden")))
#define __ksym __attribute__((section(".ksyms")))
#define __kconfig __attribute__((section(".kconfig")))
#define __tag(text) __attribute__((btf_decl_tag(text)))
char LICENSE[] SEC("license") = "GPL";
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
"""


@cache
def compile_c(
    text: str, *options: str, target: str = "bpfel", prelude: str = PRELUDE, debug: bool = True
) -> bytes:
    """The object made of ``text`` behind the prelude."""
    command = [sys.executable, "-m", "ziglang", "clang", "-target", target, "-O2", "-mcpu=v3"]
    command += ["-g", *options] if debug else options
    done = subprocess.run(
        [*command, "-x", "c", "-c", "-o", "-", "-"],
        input=(prelude + text).encode(),
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
