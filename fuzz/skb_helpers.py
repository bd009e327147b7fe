"""Sequences of skb and XDP helper calls in native code and in Linux, for a while.

``python fuzz/skb_helpers.py --seconds 60`` draws sequences by their seeds, in turn for tc, lwt_xmit
and xdp.frags, with and without a checksum of the device, and prints the first one that the two
kernels disagree on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

import skb
import skb_ops
from skb_sequences import LWT, TC, XDP, cases, xdp_cases

CHUNK = 500


def drawn(section: str, seed: int) -> Sequence[skb_ops.Case]:
    """Cases for one section."""
    if section == "xdp.frags":
        return xdp_cases(seed, CHUNK)
    return cases(seed, CHUNK, NAMES[section])


NAMES = {"tc": TC, "lwt_xmit": LWT, "xdp.frags": XDP}


def main() -> None:
    """Fuzz for ``--seconds``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1_000_000)
    parser.add_argument("--engine", default="jit", choices=("jit", "interpreter"))
    options = parser.parse_args()
    deadline, seed, ran = time.monotonic() + options.seconds, options.seed, 0
    while time.monotonic() < deadline:
        for section, names in NAMES.items():
            spec, chosen = skb_ops.driver(section, names), drawn(section, seed)
            checksum = bool(seed % 2) and section != "xdp.frags"
            kernels = (skb.KERNELS[options.engine], skb.KERNELS["linux"])
            ours, linux = (
                skb_ops.outcomes(kernel, spec, chosen, checksum=checksum) for kernel in kernels
            )
            for case, mine, theirs in zip(chosen, ours, linux, strict=True):
                if mine != theirs:
                    text = skb_ops.explain(options.engine, case, mine, theirs)
                    raise SystemExit(f"{section}, seed {seed}, checksum {checksum}\n{text}")
            ran += len(chosen)
        seed += 1
    print(f"{ran} sequences agree (seeds {options.seed} to {seed - 1})")


if __name__ == "__main__":
    main()
