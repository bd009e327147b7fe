.license "GPL"

.section "xdp"

.globl bad
.proto int bad(void)
bad:
    .loc "uninitialised-register.c" 9 2 "\tasm volatile(\"r6 = *(u32 *)(r1 + 16);\""
    r6 = *(u32 *)(r1 + 16)
    call bpf_ktime_get_ns#5
    r0 = r1
    exit

.globl good
.proto int good(void)
good:
    .loc "uninitialised-register.c" 18 2 "\tasm volatile(\"r6 = *(u32 *)(r1 + 16);\""
    r6 = *(u32 *)(r1 + 16)
    call bpf_ktime_get_ns#5
    r0 = r6
    exit
