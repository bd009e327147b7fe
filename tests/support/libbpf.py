"""libbpf as an oracle, in a process of its own: it crashes on some input that we refuse or take."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import pytest

LIBRARY = ctypes.util.find_library("bpf")
needs_libbpf = pytest.mark.skipif(LIBRARY is None, reason="there is no libbpf to compare with")


def dedup(tables: Sequence[tuple[bytes, bytes | None]]) -> list[bytes | None]:
    """What ``btf__dedup`` makes of each (table, its base); None where it refuses."""
    request = [[_text(own), None if base is None else _text(base)] for own, base in tables]
    done = subprocess.run(
        [sys.executable, "-P", __file__],
        input=json.dumps(request).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"libbpf died: {done.returncode}"
    return [None if text is None else base64.b64decode(text) for text in json.loads(done.stdout)]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _serve() -> None:
    library = ctypes.CDLL(LIBRARY)
    pointer = ctypes.c_void_p
    library.btf__new.restype = pointer
    library.btf__new.argtypes = [ctypes.c_char_p, ctypes.c_uint32]
    library.btf__parse_split.restype = pointer
    library.btf__parse_split.argtypes = [ctypes.c_char_p, pointer]
    library.btf__dedup.argtypes = [pointer, pointer]
    library.btf__raw_data.restype = pointer
    library.btf__raw_data.argtypes = [pointer, ctypes.POINTER(ctypes.c_uint32)]
    library.libbpf_set_print(None)
    results = []
    for own, base in json.load(sys.stdin):
        data = base64.b64decode(own)
        if base is None:
            table = library.btf__new(data, len(data))
        else:
            under = base64.b64decode(base)
            with tempfile.NamedTemporaryFile() as file:
                file.write(data)
                file.flush()
                name = os.fsencode(file.name)
                table = library.btf__parse_split(name, library.btf__new(under, len(under)))
        assert table
        if library.btf__dedup(table, None):
            results.append(None)
            continue
        size = ctypes.c_uint32()
        place = library.btf__raw_data(table, ctypes.byref(size))
        results.append(_text(ctypes.string_at(place, size.value)))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    _serve()
