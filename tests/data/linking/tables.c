/* The map and the variables, with their values at load. */
#include "shared.h"

struct counters counters SEC(".maps");
const volatile int limit = 60;
__u64 total = 5;

char LICENSE[] SEC("license") = "GPL";
