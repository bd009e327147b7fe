"""Programs as bpftool shows them after libbpf has loaded them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path


def xlated(bpftool: str, folder: Path, data: bytes, names: Sequence[str]) -> dict[str, str]:
    """Load with libbpf and dump each program: all in a mount namespace that ends with it."""
    objects, pins = folder / "o.o", folder / "bpffs"
    objects.write_bytes(data)
    pins.mkdir(exist_ok=True)
    dumps = "".join(
        f"echo '== {name}'; {bpftool} prog dump xlated pinned {pins}/p/{name} opcodes\n"
        for name in names
    )
    script = f"set -e\nmount -t bpf bpf {pins}\n{bpftool} prog loadall {objects} {pins}/p 1>&2\n"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script + dumps],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    parts = re.split(r"^== (.*)$", done.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], map(without_ids, parts[2::2]), strict=True))


def without_ids(text: str) -> str:
    """The dump without what differs between two loads: ids, addresses, names made of tags."""
    text = re.sub(r"\[id:\d+\]", "[id]", text)
    text = re.sub(r"bpf_prog_[0-9a-f]+", "bpf_prog", text)
    return re.sub(r"^( +18 .* 00 00 00 00 )(.. ){3}..", r"\1", text, flags=re.MULTILINE)


def without_map_bytes(dumps: dict[str, str]) -> dict[str, list[str]]:
    """Instructions and source lines; a map's 16 bytes hold the id that this load gave it."""
    return {
        name: [
            line
            for before, line in zip(["", *text.splitlines()], text.splitlines(), strict=False)
            if "[id]" not in before
        ]
        for name, text in dumps.items()
    }
