// Task work in map values: a function that is called in the context of a task.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_task_work_schedule_signal_impl(struct task_struct *task, struct bpf_task_work *tw,
					      void *map__map, bpf_task_work_callback_t callback,
					      void *aux__prog) __ksym;

struct element {
	__u64 done;
	struct bpf_task_work work;
};

struct table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
};

struct table elements SEC(".maps"), others SEC(".maps");

static int later(struct bpf_map *map, void *key, void *value)
{
	struct element *element = value;
	char bytes[8];

	bpf_copy_from_user(bytes, sizeof(bytes), (void *)1);
	element->done++;
	return 7;
}

static int beyond(struct bpf_map *map, void *key, void *value)
{
	__u64 *words = value;

	return words[2];
}

static struct element *find(void)
{
	int zero = 0;

	return bpf_map_lookup_elem(&elements, &zero);
}

SEC("perf_event")
int ok_later(void *ctx)
{
	struct element *element = find();

	if (element)
		bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &element->work,
						   &elements, later, 0);
	return 0;
}

SEC("perf_event")
int bad_beyond(void *ctx)
{
	struct element *element = find();

	if (element)
		bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &element->work,
						   &elements, beyond, 0);
	return 0;
}

SEC("perf_event")
int bad_other_map(void *ctx)
{
	struct element *element = find();

	if (element)
		bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &element->work,
						   &others, later, 0);
	return 0;
}

SEC("perf_event")
int bad_no_task(void *ctx)
{
	struct element *element = find();

	if (element)
		bpf_task_work_schedule_signal_impl(0, &element->work, &elements, later, 0);
	return 0;
}

SEC("perf_event")
int bad_not_the_work(void *ctx)
{
	struct element *element = find();

	if (element)
		bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), (void *)element,
						   &elements, later, 0);
	return 0;
}

SEC("perf_event")
int bad_no_function(void *ctx)
{
	struct element *element = find();

	if (element)
		bpf_task_work_schedule_signal_impl(bpf_get_current_task_btf(), &element->work,
						   &elements, 0, 0);
	return 0;
}
