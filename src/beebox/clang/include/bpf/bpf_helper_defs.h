/* Written from beebox's tables by `make docs`: edit those. */
#ifndef __BPF_HELPER_DEFS__
#define __BPF_HELPER_DEFS__

struct bpf_dynptr;
struct bpf_sock;
struct bpf_spin_lock;
struct bpf_tcp_sock;
struct bpf_timer;
struct cgroup;
struct file;
struct inode;
struct linux_binprm;
struct mptcp_sock;
struct path;
struct seq_file;
struct sk_buff;
struct socket;
struct task_struct;
struct tcp6_sock;
struct tcp_request_sock;
struct tcp_sock;
struct tcp_timewait_sock;
struct udp6_sock;
struct unix_sock;
struct xdp_buff;

#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif


/* Find the value of a key. */
static void *(* const bpf_map_lookup_elem)(void *map, const void *key) = (void *) 1;

/* Create or replace the value of a key. */
static long (* const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *) 2;

/* Remove a key. */
static long (* const bpf_map_delete_elem)(void *map, const void *key) = (void *) 3;

/* Copy from any address; older than the two for user and kernel memory. */
static long (* const bpf_probe_read)(void *dst, __u32 size, const void *unsafe_ptr) = (void *) 4;

/* Nanoseconds since boot, without time spent suspended. */
static __u64 (* const bpf_ktime_get_ns)(void) = (void *) 5;

/* Print a line to the trace log; for debugging. */
static long (* const bpf_trace_printk)(const void *fmt, __u32 fmt_size, ...) = (void *) 6;

/* A pseudo-random number. */
static __u32 (* const bpf_get_prandom_u32)(void) = (void *) 7;

/* The CPU that runs the program. */
__bpf_fastcall static __u32 (* const bpf_get_smp_processor_id)(void) = (void *) 8;

/* Write bytes into a packet, and mend its checksum on request. */
static long (* const bpf_skb_store_bytes)(void *ctx, __u32 offset, const void *from, __u32 len, __u64 flags) = (void *) 9;

/* Mend an IPv4 header's checksum after a change. */
static long (* const bpf_l3_csum_replace)(void *ctx, __u32 offset, __u64 from, __u64 to, __u64 size) = (void *) 10;

/* Mend a TCP, UDP or ICMP checksum after a change. */
static long (* const bpf_l4_csum_replace)(void *ctx, __u32 offset, __u64 from, __u64 to, __u64 flags) = (void *) 11;

/* Continue as the program at an index of a prog array; on success it does not return. */
static long (* const bpf_tail_call)(void *ctx, void *prog_array_map, __u32 index) = (void *) 12;

/* Send a copy of the packet out of a device. */
static long (* const bpf_clone_redirect)(void *ctx, __u32 ifindex, __u64 flags) = (void *) 13;

/* Process id in the upper, thread id in the lower 32 bits. */
static __u64 (* const bpf_get_current_pid_tgid)(void) = (void *) 14;

/* Group id in the upper, user id in the lower 32 bits. */
static __u64 (* const bpf_get_current_uid_gid)(void) = (void *) 15;

/* The current task's name. */
static long (* const bpf_get_current_comm)(void *buf, __u32 size_of_buf) = (void *) 16;

/* The net_cls class of the sender's control group. */
static __u32 (* const bpf_get_cgroup_classid)(void *ctx) = (void *) 17;

/* Add a VLAN tag. */
static long (* const bpf_skb_vlan_push)(void *ctx, __u16 vlan_proto, __u16 vlan_tci) = (void *) 18;

/* Remove the outermost VLAN tag. */
static long (* const bpf_skb_vlan_pop)(void *ctx) = (void *) 19;

/* The tunnel's addresses and id that the packet came with. */
static long (* const bpf_skb_get_tunnel_key)(void *ctx, void *key, __u32 size, __u64 flags) = (void *) 20;

/* The tunnel's addresses and id that the packet leaves with. */
static long (* const bpf_skb_set_tunnel_key)(void *ctx, const void *key, __u32 size, __u64 flags) = (void *) 21;

/* Read a perf counter. */
static __u64 (* const bpf_perf_event_read)(void *map, __u64 flags) = (void *) 22;

/* Send the packet to a device when the program returns. */
static long (* const bpf_redirect)(__u32 ifindex, __u64 flags) = (void *) 23;

/* The realm of the packet's route. */
static __u32 (* const bpf_get_route_realm)(void *ctx) = (void *) 24;

/* Send a record through a perf event array. */
static long (* const bpf_perf_event_output)(void *ctx, void *map, __u64 flags, const void *data, __u64 size) = (void *) 25;

/* Copy bytes out of a packet, also from its paged part. */
static long (* const bpf_skb_load_bytes)(void *ctx, __u32 offset, void *to, __u32 len) = (void *) 26;

/* Keep the call stack in a map, and give its id. */
static long (* const bpf_get_stackid)(void *ctx, void *map, __u64 flags) = (void *) 27;

/* A checksum's difference between two pieces of memory. */
static long (* const bpf_csum_diff)(const void *from, __u32 from_size, const void *to, __u32 to_size, __u32 seed) = (void *) 28;

/* Options of the tunnel that the packet came with. */
static long (* const bpf_skb_get_tunnel_opt)(void *ctx, void *opt, __u32 size) = (void *) 29;

/* Options of the tunnel that the packet leaves with. */
static long (* const bpf_skb_set_tunnel_opt)(void *ctx, const void *opt, __u32 size) = (void *) 30;

/* Turn IPv4 into IPv6 or back: the room for the header, not its fields. */
static long (* const bpf_skb_change_proto)(void *ctx, __u16 proto, __u64 flags) = (void *) 31;

/* Say whom the packet is for: this host, others, all. */
static long (* const bpf_skb_change_type)(void *ctx, __u32 type) = (void *) 32;

/* Whether the packet's socket is below a control group of an array. */
static long (* const bpf_skb_under_cgroup)(void *ctx, void *map, __u32 index) = (void *) 33;

/* The packet's flow hash, computed if it has none. */
static __u32 (* const bpf_get_hash_recalc)(void *ctx) = (void *) 34;

/* The address of the current task. */
static __u64 (* const bpf_get_current_task)(void) = (void *) 35;

/* Write into the memory of the current process. */
static long (* const bpf_probe_write_user)(void *dst, const void *src, __u32 len) = (void *) 36;

/* Whether the current task is below a control group of an array. */
static long (* const bpf_current_task_under_cgroup)(void *map, __u32 index) = (void *) 37;

/* Make the packet longer or shorter at its end. */
static long (* const bpf_skb_change_tail)(void *ctx, __u32 len, __u64 flags) = (void *) 38;

/* Bring bytes of the paged part into direct reach. */
static long (* const bpf_skb_pull_data)(void *ctx, __u32 len) = (void *) 39;

/* Add to the checksum of the whole packet. */
static long (* const bpf_csum_update)(void *ctx, __u32 csum) = (void *) 40;

/* Forget the packet's flow hash. */
static void (* const bpf_set_hash_invalid)(void *ctx) = (void *) 41;

/* The memory node of this CPU. */
static long (* const bpf_get_numa_node_id)(void) = (void *) 42;

/* Make room for headers in front of the packet. */
static long (* const bpf_skb_change_head)(void *ctx, __u32 len, __u64 flags) = (void *) 43;

/* Move the packet's start. */
static long (* const bpf_xdp_adjust_head)(void *ctx, int delta) = (void *) 44;

/* Copy a string from any address. */
static long (* const bpf_probe_read_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *) 45;

/* A number that stays with the socket. */
static __u64 (* const bpf_get_socket_cookie)(void *ctx) = (void *) 46;

/* The owner of the packet's socket. */
static __u32 (* const bpf_get_socket_uid)(void *ctx) = (void *) 47;

/* Set the packet's flow hash. */
static long (* const bpf_set_hash)(void *ctx, __u32 hash) = (void *) 48;

/* Set a socket option. */
static long (* const bpf_setsockopt)(void *ctx, int level, int optname, const void *optval, int optlen) = (void *) 49;

/* Add or remove room behind the link or the network header. */
static long (* const bpf_skb_adjust_room)(void *ctx, int len_diff, __u32 mode, __u64 flags) = (void *) 50;

/* Send the packet to a target in a map when the program returns. */
static long (* const bpf_redirect_map)(void *map, __u64 key, __u64 flags) = (void *) 51;

/* Pass the message on to a socket of a map. */
static long (* const bpf_sk_redirect_map)(void *ctx, void *map, __u32 key, __u64 flags) = (void *) 52;

/* Put this socket into a map. */
static long (* const bpf_sock_map_update)(void *ctx, void *map, const void *key, __u64 flags) = (void *) 53;

/* Move the start of the metadata in front of the packet. */
static long (* const bpf_xdp_adjust_meta)(void *ctx, int delta) = (void *) 54;

/* Read a perf counter with its times. */
static long (* const bpf_perf_event_read_value)(void *map, __u64 flags, void *buf, __u32 buf_size) = (void *) 55;

/* Read the counter that this program hangs on. */
static long (* const bpf_perf_prog_read_value)(void *ctx, void *buf, __u32 buf_size) = (void *) 56;

/* Read a socket option. */
static long (* const bpf_getsockopt)(void *ctx, int level, int optname, void *optval, int optlen) = (void *) 57;

/* Let the probed function return at once with a value. */
static long (* const bpf_override_return)(void *ctx, __u64 rc) = (void *) 58;

/* Choose the events that the program is called for. */
static long (* const bpf_sock_ops_cb_flags_set)(void *ctx, int argval) = (void *) 59;

/* Pass the message on to a socket of a map. */
static long (* const bpf_msg_redirect_map)(void *ctx, void *map, __u32 key, __u64 flags) = (void *) 60;

/* How many bytes the verdict holds for. */
static long (* const bpf_msg_apply_bytes)(void *ctx, __u32 bytes) = (void *) 61;

/* Wait for so many bytes before a verdict. */
static long (* const bpf_msg_cork_bytes)(void *ctx, __u32 bytes) = (void *) 62;

/* Bring a range of the message into direct reach. */
static long (* const bpf_msg_pull_data)(void *ctx, __u32 start, __u32 end, __u64 flags) = (void *) 63;

/* Choose the local address of an outgoing connection. */
static long (* const bpf_bind)(void *ctx, const void *addr, int addr_len) = (void *) 64;

/* Move the packet's end. */
static long (* const bpf_xdp_adjust_tail)(void *ctx, int delta) = (void *) 65;

/* The IPsec state that decrypted the packet. */
static long (* const bpf_skb_get_xfrm_state)(void *ctx, __u32 index, void *xfrm_state, __u32 size, __u64 flags) = (void *) 66;

/* Copy the call stack into memory. */
static long (* const bpf_get_stack)(void *ctx, void *buf, __u32 size, __u64 flags) = (void *) 67;

/* Copy bytes out of a packet, counted from its link or network header. */
static long (* const bpf_skb_load_bytes_relative)(void *ctx, __u32 offset, void *to, __u32 len, __u32 start_header) = (void *) 68;

/* Ask the routing table for the way of a packet, and the neighbour's address. */
static long (* const bpf_fib_lookup)(void *ctx, void *params, int plen, __u32 flags) = (void *) 69;

/* Put this socket into a hash. */
static long (* const bpf_sock_hash_update)(void *ctx, void *map, const void *key, __u64 flags) = (void *) 70;

/* Pass the message on to a socket of a hash. */
static long (* const bpf_msg_redirect_hash)(void *ctx, void *map, const void *key, __u64 flags) = (void *) 71;

/* Pass the message on to a socket of a hash. */
static long (* const bpf_sk_redirect_hash)(void *ctx, void *map, const void *key, __u64 flags) = (void *) 72;

/* Put headers around the packet. */
static long (* const bpf_lwt_push_encap)(void *ctx, __u32 type, const void *hdr, __u32 len) = (void *) 73;

/* Write into the segment routing header, where that is allowed. */
static long (* const bpf_lwt_seg6_store_bytes)(void *ctx, __u32 offset, const void *from, __u32 len) = (void *) 74;

/* Make the segment routing header longer or shorter. */
static long (* const bpf_lwt_seg6_adjust_srh)(void *ctx, __u32 offset, int delta) = (void *) 75;

/* Apply a segment routing action to the packet. */
static long (* const bpf_lwt_seg6_action)(void *ctx, __u32 action, const void *param, __u32 param_len) = (void *) 76;

/* Report that a remote control's key is held. */
static long (* const bpf_rc_repeat)(void *ctx) = (void *) 77;

/* Report a remote control's key. */
static long (* const bpf_rc_keydown)(void *ctx, __u32 protocol, __u64 scancode, __u32 toggle) = (void *) 78;

/* The control group of the packet's socket. */
static __u64 (* const bpf_skb_cgroup_id)(void *ctx) = (void *) 79;

/* The control group of the current task. */
static __u64 (* const bpf_get_current_cgroup_id)(void) = (void *) 80;

/* The storage that belongs to this program and its control group. */
static void *(* const bpf_get_local_storage)(void *map, __u64 flags) = (void *) 81;

/* Choose the socket that gets the packet. */
static long (* const bpf_sk_select_reuseport)(void *ctx, void *map, const void *key, __u64 flags) = (void *) 82;

/* The ancestor, at a level, of that control group. */
static __u64 (* const bpf_skb_ancestor_cgroup_id)(void *ctx, int ancestor_level) = (void *) 83;

/* Find a TCP socket by its addresses; to be released. */
static struct bpf_sock *(* const bpf_sk_lookup_tcp)(void *ctx, const void *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *) 84;

/* Find a UDP socket by its addresses; to be released. */
static struct bpf_sock *(* const bpf_sk_lookup_udp)(void *ctx, const void *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *) 85;

/* Release a socket that was looked up. */
static long (* const bpf_sk_release)(void *sock) = (void *) 86;

/* Add an element to a queue, a stack or a bloom filter. */
static long (* const bpf_map_push_elem)(void *map, const void *value, __u64 flags) = (void *) 87;

/* Take the first element out of a queue or the last out of a stack. */
static long (* const bpf_map_pop_elem)(void *map, void *value) = (void *) 88;

/* Read the next element of a queue or stack; ask a bloom filter for a value. */
static long (* const bpf_map_peek_elem)(void *map, void *value) = (void *) 89;

/* Make room inside the message. */
static long (* const bpf_msg_push_data)(void *ctx, __u32 start, __u32 len, __u64 flags) = (void *) 90;

/* Remove bytes from the message. */
static long (* const bpf_msg_pop_data)(void *ctx, __u32 start, __u32 len, __u64 flags) = (void *) 91;

/* Report a movement of a remote control's pointer. */
static long (* const bpf_rc_pointer_rel)(void *ctx, int rel_x, int rel_y) = (void *) 92;

/* Take the lock in a map value. */
static long (* const bpf_spin_lock)(struct bpf_spin_lock *lock) = (void *) 93;

/* Release the lock in a map value. */
static long (* const bpf_spin_unlock)(struct bpf_spin_lock *lock) = (void *) 94;

/* The full socket behind a socket of any kind. */
static struct bpf_sock *(* const bpf_sk_fullsock)(void *sk) = (void *) 95;

/* The TCP state of a socket. */
static struct bpf_tcp_sock *(* const bpf_tcp_sock)(void *sk) = (void *) 96;

/* Mark congestion in the IP header, if the flow knows the mark. */
static long (* const bpf_skb_ecn_set_ce)(void *ctx) = (void *) 97;

/* The listener behind a request. */
static struct bpf_sock *(* const bpf_get_listener_sock)(void *sk) = (void *) 98;

/* Find a TCP socket, requests and closed ones included; to be released. */
static struct bpf_sock *(* const bpf_skc_lookup_tcp)(void *ctx, const void *tuple, __u32 tuple_size, __u64 netns, __u64 flags) = (void *) 99;

/* Whether an ACK carries a valid SYN cookie for a listener. */
static long (* const bpf_tcp_check_syncookie)(void *sk, const void *iph, __u32 iph_len, const void *th, __u32 th_len) = (void *) 100;

/* The name of the setting that is being read or written. */
static long (* const bpf_sysctl_get_name)(void *ctx, void *buf, __u64 buf_len, __u64 flags) = (void *) 101;

/* The setting's value. */
static long (* const bpf_sysctl_get_current_value)(void *ctx, void *buf, __u64 buf_len) = (void *) 102;

/* The value that is being written. */
static long (* const bpf_sysctl_get_new_value)(void *ctx, void *buf, __u64 buf_len) = (void *) 103;

/* Replace the value that is being written. */
static long (* const bpf_sysctl_set_new_value)(void *ctx, const void *buf, __u64 buf_len) = (void *) 104;

/* Read a signed number from text. */
static long (* const bpf_strtol)(const void *buf, __u64 buf_len, __u64 flags, void *res) = (void *) 105;

/* Read an unsigned number from text. */
static long (* const bpf_strtoul)(const void *buf, __u64 buf_len, __u64 flags, void *res) = (void *) 106;

/* The storage that belongs to a socket, made on request. */
static void *(* const bpf_sk_storage_get)(void *map, void *sk, const void *value, __u64 flags) = (void *) 107;

/* Drop the storage that belongs to a socket. */
static long (* const bpf_sk_storage_delete)(void *map, void *sk) = (void *) 108;

/* Send a signal to the current process. */
static long (* const bpf_send_signal)(__u32 sig) = (void *) 109;

/* Make a SYN cookie for a listener. */
static long (* const bpf_tcp_gen_syncookie)(void *sk, const void *iph, __u32 iph_len, const void *th, __u32 th_len) = (void *) 110;

/* Send a record and bytes of a packet through a perf event array. */
static long (* const bpf_skb_output)(struct sk_buff *ctx, void *map, __u64 flags, const void *data, __u64 size) = (void *) 111;

/* Copy from user memory. */
static long (* const bpf_probe_read_user)(void *dst, __u32 size, const void *unsafe_ptr) = (void *) 112;

/* Copy from kernel memory. */
static long (* const bpf_probe_read_kernel)(void *dst, __u32 size, const void *unsafe_ptr) = (void *) 113;

/* Copy a string from user memory. */
static long (* const bpf_probe_read_user_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *) 114;

/* Copy a string from kernel memory. */
static long (* const bpf_probe_read_kernel_str)(void *dst, __u32 size, const void *unsafe_ptr) = (void *) 115;

/* Send an ACK. */
static long (* const bpf_tcp_send_ack)(struct tcp_sock *tp, __u32 rcv_nxt) = (void *) 116;

/* Send a signal to the current thread. */
static long (* const bpf_send_signal_thread)(__u32 sig) = (void *) 117;

/* The kernel's tick counter. */
static __u64 (* const bpf_jiffies64)(void) = (void *) 118;

/* Copy the sample's branch records. */
static long (* const bpf_read_branch_records)(void *ctx, void *buf, __u32 size, __u64 flags) = (void *) 119;

/* Process and thread id as a given pid namespace sees them. */
static long (* const bpf_get_ns_current_pid_tgid)(__u64 dev, __u64 ino, void *nsdata, __u32 size) = (void *) 120;

/* Send a record and bytes of an XDP packet through a perf event array. */
static long (* const bpf_xdp_output)(struct xdp_buff *ctx, void *map, __u64 flags, const void *data, __u64 size) = (void *) 121;

/* A number that stays with the network namespace. */
static __u64 (* const bpf_get_netns_cookie)(void *ctx) = (void *) 122;

/* The current control group's ancestor at a level. */
static __u64 (* const bpf_get_current_ancestor_cgroup_id)(int ancestor_level) = (void *) 123;

/* Give the packet, or the lookup, to a socket. */
static long (* const bpf_sk_assign)(void *ctx, void *sk, __u64 flags) = (void *) 124;

/* Nanoseconds since boot, with time spent suspended. */
static __u64 (* const bpf_ktime_get_boot_ns)(void) = (void *) 125;

/* Print formatted text into an iterator's file. */
static long (* const bpf_seq_printf)(struct seq_file *m, const void *fmt, __u32 fmt_size, const void *data, __u32 data_len) = (void *) 126;

/* Write bytes into an iterator's file. */
static long (* const bpf_seq_write)(struct seq_file *m, const void *data, __u32 len) = (void *) 127;

/* The control group of a socket. */
static __u64 (* const bpf_sk_cgroup_id)(void *sk) = (void *) 128;

/* The ancestor, at a level, of that control group. */
static __u64 (* const bpf_sk_ancestor_cgroup_id)(void *sk, int ancestor_level) = (void *) 129;

/* Copy a record into a ring buffer. */
static long (* const bpf_ringbuf_output)(void *ringbuf, const void *data, __u64 size, __u64 flags) = (void *) 130;

/* Reserve room in a ring buffer, to be submitted or discarded. */
static void *(* const bpf_ringbuf_reserve)(void *ringbuf, __u64 size, __u64 flags) = (void *) 131;

/* Make a reserved record visible to the reader. */
static void (* const bpf_ringbuf_submit)(void *data, __u64 flags) = (void *) 132;

/* Give up a reserved record. */
static void (* const bpf_ringbuf_discard)(void *data, __u64 flags) = (void *) 133;

/* A ring buffer's size, positions or unread bytes. */
static __u64 (* const bpf_ringbuf_query)(void *ringbuf, __u64 flags) = (void *) 134;

/* How many checksums of the packet are known to be right; change or reset that. */
static long (* const bpf_csum_level)(void *ctx, __u64 level) = (void *) 135;

/* The socket as a TCP socket over IPv6. */
static struct tcp6_sock *(* const bpf_skc_to_tcp6_sock)(void *sk) = (void *) 136;

/* The socket as a TCP socket. */
static struct tcp_sock *(* const bpf_skc_to_tcp_sock)(void *sk) = (void *) 137;

/* The socket as one in TIME_WAIT. */
static struct tcp_timewait_sock *(* const bpf_skc_to_tcp_timewait_sock)(void *sk) = (void *) 138;

/* The socket as a connection request. */
static struct tcp_request_sock *(* const bpf_skc_to_tcp_request_sock)(void *sk) = (void *) 139;

/* The socket as a UDP socket over IPv6. */
static struct udp6_sock *(* const bpf_skc_to_udp6_sock)(void *sk) = (void *) 140;

/* Copy another task's call stack into memory. */
static long (* const bpf_get_task_stack)(struct task_struct *task, void *buf, __u32 size, __u64 flags) = (void *) 141;

/* Read an option of the TCP header. */
static long (* const bpf_load_hdr_opt)(void *ctx, void *searchby_res, __u32 len, __u64 flags) = (void *) 142;

/* Write an option into the TCP header. */
static long (* const bpf_store_hdr_opt)(void *ctx, const void *from, __u32 len, __u64 flags) = (void *) 143;

/* Reserve room for options of the TCP header. */
static long (* const bpf_reserve_hdr_opt)(void *ctx, __u32 len, __u64 flags) = (void *) 144;

/* The storage that belongs to an inode, made on request. */
static void *(* const bpf_inode_storage_get)(void *map, struct inode *inode, const void *value, __u64 flags) = (void *) 145;

/* Drop the storage that belongs to an inode. */
static int (* const bpf_inode_storage_delete)(void *map, struct inode *inode) = (void *) 146;

/* The path of a file. */
static long (* const bpf_d_path)(struct path *path, void *buf, __u32 sz) = (void *) 147;

/* Copy from user memory, waiting for pages. */
static long (* const bpf_copy_from_user)(void *dst, __u32 size, const void *user_ptr) = (void *) 148;

/* Write a kernel object as text, by its BTF type. */
static long (* const bpf_snprintf_btf)(void *str, __u32 str_size, const void *ptr, __u32 btf_ptr_size, __u64 flags) = (void *) 149;

/* Print a kernel object into an iterator's file, by its BTF type. */
static long (* const bpf_seq_printf_btf)(struct seq_file *m, const void *ptr, __u32 ptr_size, __u64 flags) = (void *) 150;

/* The net_cls class of the packet's socket. */
static __u64 (* const bpf_skb_cgroup_classid)(void *ctx) = (void *) 151;

/* Send the packet to a device, with the neighbour's address filled in. */
static long (* const bpf_redirect_neigh)(__u32 ifindex, const void *params, int plen, __u64 flags) = (void *) 152;

/* Where a per-CPU variable of the kernel lies on a given CPU. */
static void *(* const bpf_per_cpu_ptr)(const void *percpu_ptr, __u32 cpu) = (void *) 153;

/* Where a per-CPU variable of the kernel lies on this CPU. */
static void *(* const bpf_this_cpu_ptr)(const void *percpu_ptr) = (void *) 154;

/* Send the packet to a device's peer in another namespace. */
static long (* const bpf_redirect_peer)(__u32 ifindex, __u64 flags) = (void *) 155;

/* The storage that belongs to a task, made on request. */
static void *(* const bpf_task_storage_get)(void *map, struct task_struct *task, const void *value, __u64 flags) = (void *) 156;

/* Drop the storage that belongs to a task. */
static long (* const bpf_task_storage_delete)(void *map, struct task_struct *task) = (void *) 157;

/* The current task as a typed pointer. */
static struct task_struct *(* const bpf_get_current_task_btf)(void) = (void *) 158;

/* Set options of the program that is being started. */
static long (* const bpf_bprm_opts_set)(struct linux_binprm *bprm, __u64 flags) = (void *) 159;

/* Nanoseconds since boot as of the last tick: cheaper and coarser. */
static __u64 (* const bpf_ktime_get_coarse_ns)(void) = (void *) 160;

/* The measured hash of an inode. */
static long (* const bpf_ima_inode_hash)(struct inode *inode, void *dst, __u32 size) = (void *) 161;

/* The socket behind a file. */
static struct socket *(* const bpf_sock_from_file)(struct file *file) = (void *) 162;

/* Whether the packet fits through a device. */
static long (* const bpf_check_mtu)(void *ctx, __u32 ifindex, void *mtu_len, int len_diff, __u64 flags) = (void *) 163;

/* Call a function for every element of a map. */
static long (* const bpf_for_each_map_elem)(void *map, void *callback_fn, void *callback_ctx, __u64 flags) = (void *) 164;

/* Write formatted text into memory. */
static long (* const bpf_snprintf)(void *str, __u32 str_size, const char *fmt, const void *data, __u32 data_len) = (void *) 165;

/* Call bpf(2). */
static long (* const bpf_sys_bpf)(__u32 cmd, const void *attr, __u32 attr_size) = (void *) 166;

/* Find a type of the kernel or of its modules by name. */
static long (* const bpf_btf_find_by_name_kind)(const void *name, int name_sz, __u32 kind, int flags) = (void *) 167;

/* Close a descriptor. */
static long (* const bpf_sys_close)(__u32 fd) = (void *) 168;

/* Prepare the timer in a map value. */
static long (* const bpf_timer_init)(struct bpf_timer *timer, void *map, __u64 flags) = (void *) 169;

/* Say what a timer calls. */
static long (* const bpf_timer_set_callback)(struct bpf_timer *timer, void *callback_fn) = (void *) 170;

/* Let a timer run out after some nanoseconds. */
static long (* const bpf_timer_start)(struct bpf_timer *timer, __u64 nsecs, __u64 flags) = (void *) 171;

/* Stop a timer, and wait for its callback. */
static long (* const bpf_timer_cancel)(struct bpf_timer *timer) = (void *) 172;

/* The address of the function that is traced. */
static __u64 (* const bpf_get_func_ip)(void *ctx) = (void *) 173;

/* The number that was given when the program was attached. */
static __u64 (* const bpf_get_attach_cookie)(void *ctx) = (void *) 174;

/* The user registers of a task. */
static long (* const bpf_task_pt_regs)(struct task_struct *task) = (void *) 175;

/* Copy the processor's latest branch records. */
static long (* const bpf_get_branch_snapshot)(void *entries, __u32 size, __u64 flags) = (void *) 176;

/* Print a line with any number of values to the trace log. */
static long (* const bpf_trace_vprintk)(const void *fmt, __u32 fmt_size, const void *data, __u32 data_len) = (void *) 177;

/* The socket as a Unix socket. */
static struct unix_sock *(* const bpf_skc_to_unix_sock)(void *sk) = (void *) 178;

/* The address of a kernel symbol. */
static long (* const bpf_kallsyms_lookup_name)(const void *name, int name_sz, int flags, void *res) = (void *) 179;

/* Call a function for the mapping that holds an address. */
static long (* const bpf_find_vma)(struct task_struct *task, __u64 addr, void *callback_fn, void *callback_ctx, __u64 flags) = (void *) 180;

/* Call a function a number of times. */
static long (* const bpf_loop)(__u32 nr_loops, void *callback_fn, void *callback_ctx, __u64 flags) = (void *) 181;

/* Compare text with a constant string. */
static long (* const bpf_strncmp)(const void *s1, __u32 s1_sz, const char *s2) = (void *) 182;

/* An argument of the traced function. */
static long (* const bpf_get_func_arg)(void *ctx, __u32 n, void *value) = (void *) 183;

/* The result of the traced function. */
static long (* const bpf_get_func_ret)(void *ctx, void *value) = (void *) 184;

/* How many arguments the traced function has. */
static long (* const bpf_get_func_arg_cnt)(void *ctx) = (void *) 185;

/* The errno that the operation will end with. */
static int (* const bpf_get_retval)(void) = (void *) 186;

/* Set the errno that the operation will end with. */
static int (* const bpf_set_retval)(int retval) = (void *) 187;

/* The packet's length, all buffers together. */
static __u64 (* const bpf_xdp_get_buff_len)(void *ctx) = (void *) 188;

/* Copy bytes out of a packet of several buffers. */
static long (* const bpf_xdp_load_bytes)(void *ctx, __u32 offset, void *buf, __u32 len) = (void *) 189;

/* Copy bytes into a packet of several buffers. */
static long (* const bpf_xdp_store_bytes)(void *ctx, __u32 offset, const void *buf, __u32 len) = (void *) 190;

/* Copy from the memory of another task, waiting for pages. */
static long (* const bpf_copy_from_user_task)(void *dst, __u32 size, const void *user_ptr, struct task_struct *tsk, __u64 flags) = (void *) 191;

/* Set the packet's time, and what clock it is of. */
static long (* const bpf_skb_set_tstamp)(void *ctx, __u64 tstamp, __u32 tstamp_type) = (void *) 192;

/* The measured hash of a file, computed if need be. */
static long (* const bpf_ima_file_hash)(struct file *file, void *dst, __u32 size) = (void *) 193;

/* Exchange the kernel pointer in a map value, passing ownership both ways. */
static void *(* const bpf_kptr_xchg)(void *map_value, void *ptr) = (void *) 194;

/* Find the value of a key for a given CPU. */
static void *(* const bpf_map_lookup_percpu_elem)(void *map, const void *key, __u32 cpu) = (void *) 195;

/* The socket as a multipath TCP socket. */
static struct mptcp_sock *(* const bpf_skc_to_mptcp_sock)(void *sk) = (void *) 196;

/* A dynptr over memory of the program. */
static long (* const bpf_dynptr_from_mem)(void *data, __u32 size, __u64 flags, struct bpf_dynptr *ptr) = (void *) 197;

/* Reserve room whose size is known at run time. */
static long (* const bpf_ringbuf_reserve_dynptr)(void *ringbuf, __u32 size, __u64 flags, struct bpf_dynptr *ptr) = (void *) 198;

/* Make the record behind a dynptr visible to the reader. */
static void (* const bpf_ringbuf_submit_dynptr)(const struct bpf_dynptr *ptr, __u64 flags) = (void *) 199;

/* Give up the record behind a dynptr. */
static void (* const bpf_ringbuf_discard_dynptr)(const struct bpf_dynptr *ptr, __u64 flags) = (void *) 200;

/* Copy bytes out of a dynptr. */
static long (* const bpf_dynptr_read)(void *dst, __u32 len, const struct bpf_dynptr *src, __u32 offset, __u64 flags) = (void *) 201;

/* Copy bytes into a dynptr. */
static long (* const bpf_dynptr_write)(const struct bpf_dynptr *dst, __u32 offset, const void *src, __u32 len, __u64 flags) = (void *) 202;

/* Direct access to a slice of a dynptr. */
static void *(* const bpf_dynptr_data)(const struct bpf_dynptr *ptr, __u32 offset, __u32 len) = (void *) 203;

/* Make a SYN cookie from bare IPv4 and TCP headers. */
static long (* const bpf_tcp_raw_gen_syncookie_ipv4)(const void *iph, const void *th, __u32 th_len) = (void *) 204;

/* Make a SYN cookie from bare IPv6 and TCP headers. */
static long (* const bpf_tcp_raw_gen_syncookie_ipv6)(const void *iph, const void *th, __u32 th_len) = (void *) 205;

/* Check a SYN cookie from bare IPv4 and TCP headers. */
static long (* const bpf_tcp_raw_check_syncookie_ipv4)(const void *iph, const void *th) = (void *) 206;

/* Check a SYN cookie from bare IPv6 and TCP headers. */
static long (* const bpf_tcp_raw_check_syncookie_ipv6)(const void *iph, const void *th) = (void *) 207;

/* International atomic time in nanoseconds. */
static __u64 (* const bpf_ktime_get_tai_ns)(void) = (void *) 208;

/* Call a function for each record that user space wrote. */
static long (* const bpf_user_ringbuf_drain)(void *map, void *callback_fn, void *ctx, __u64 flags) = (void *) 209;

/* The storage that belongs to a control group, made on request. */
static void *(* const bpf_cgrp_storage_get)(void *map, struct cgroup *cgroup, const void *value, __u64 flags) = (void *) 210;

/* Drop the storage that belongs to a control group. */
static long (* const bpf_cgrp_storage_delete)(void *map, struct cgroup *cgroup) = (void *) 211;

#endif
