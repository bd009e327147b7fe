"""Limits of Linux 6.18 that verifier, loader and userspace share."""

from __future__ import annotations

from typing import Final

MAX_INSNS: Final = (
    1_000_000  # BPF_COMPLEXITY_LIMIT_INSNS: processed by the verifier, and program length
)
MAX_INSNS_UNPRIVILEGED: Final = 4096
MAX_JUMP_SEQUENCE: Final = 8192  # BPF_COMPLEXITY_LIMIT_JMP_SEQ
MAX_STATES: Final = 64  # BPF_COMPLEXITY_LIMIT_STATES: per insn, for privileged loads: advisory
MAX_STACK_BYTES: Final = 512  # MAX_BPF_STACK, over a whole call chain
MAX_CALL_FRAMES: Final = 8
MAX_SUBPROGRAMS: Final = 256
MAX_USED_MAPS: Final = 64
MAX_TAIL_CALLS: Final = 33  # MAX_TAIL_CALL_CNT, in one run
PAGE_BYTES: Final = 4096
MAX_LOOPS: Final = 8 << 20  # BPF_MAX_LOOPS: iterations of all may_goto of one frame
MAX_RUN_LOOPS: Final = 8 * MAX_LOOPS  # of a whole run: frames in loops of frames must end, too
MAX_PACKET_OFFSET: Final = 0xFFFF  # MAX_PACKET_OFF
MAX_VAR_OFFSET: Final = 1 << 29  # BPF_MAX_VAR_OFF
MAX_VAR_SIZE: Final = 1 << 29  # BPF_MAX_VAR_SIZ
MAX_KEY_AND_VALUE_BYTES: Final = 1 << 30
OBJECT_NAME_BYTES: Final = 16  # BPF_OBJ_NAME_LEN, with its NUL
XDP_HEADROOM_BYTES: Final = 256  # XDP_PACKET_HEADROOM
XDP_META_MAX_BYTES: Final = 255  # 252 in 4-byte steps
XDP_FRAME_HEADER_BYTES: Final = 40  # struct xdp_frame: headroom that stays free
XDP_LINEAR_BYTES: Final = 3520  # a page less headroom and struct skb_shared_info (320)
FLOW_KEYS_BYTES: Final = 56  # struct bpf_flow_keys
MAX_TAIL_CALL_STACK_BYTES: Final = 256  # of the frames above a subprogram with a tail call
NET_IP_ALIGN: Final = 2  # how far packets start past an aligned address, for strict alignment
