"""Names for generated code in :mod:`beebox.cache`: they tell everything that it depends on."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

from beebox.errors import NotSupportedError


def key(ir: bytes, options: Mapping[str, str | int]) -> str:
    """The name of what ``ir`` compiles to under ``options``, in hex."""
    digest = hashlib.sha256()
    digest.update(json.dumps([_generator(), dict(options)], sort_keys=True).encode())
    digest.update(b"\0")
    digest.update(ir)
    return digest.hexdigest()


@functools.cache
def _generator() -> str:
    """What turns IR into objects, as a digest: our server's text and llvmlite's version.

    Read as files, since importing llvmlite or the package metadata costs more than a hit saves.
    """
    spec = importlib.util.find_spec("llvmlite")
    if spec is None or spec.origin is None:
        raise NotSupportedError("code generation without llvmlite")
    version = Path(spec.origin).with_name("_version.py").read_bytes()
    server = Path(__file__).with_name("serve.py").read_bytes()
    return hashlib.sha256(server + b"\0" + version).hexdigest()
