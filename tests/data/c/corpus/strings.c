/* Text: formats, string helpers, literals that are compared. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char text[64];
static const char prefix[] = "beebox";
long number;

SEC("tp/syscalls/sys_enter_write")
int format(void *record)
{
	static const char pattern[] = "%d: %s %llx\n";
	__u64 args[3] = {1, (unsigned long)prefix, 255};
	char comm[16];

	bpf_snprintf(text, sizeof(text), pattern, args, sizeof(args));
	bpf_get_current_comm(comm, sizeof(comm));
	if (bpf_strncmp(comm, sizeof(comm), "beebox") == 0)
		bpf_printk("%d %d %d %d", 1, 2, comm[0], 4);
	bpf_strtol("-123", 4, 10, &number);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
