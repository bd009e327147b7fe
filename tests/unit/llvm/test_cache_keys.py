"""Names of generated code: every input tells."""

from __future__ import annotations

import pytest

from beebox.llvm import cache_keys

OPTIONS: dict[str, str | int] = {"kind": "bpf", "cpu": "v3"}


def test_keys_tell_every_input_apart() -> None:
    keys = {
        cache_keys.key(b"ir", OPTIONS),
        cache_keys.key(b"ir2", OPTIONS),
        cache_keys.key(b"ir", {**OPTIONS, "cpu": "v4"}),
        cache_keys.key(b"ir", {**OPTIONS, "kind": "native"}),
    }
    assert len(keys) == 4


def test_keys_depend_on_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_keys.key(b"ir", OPTIONS)
    monkeypatch.setattr(cache_keys, "_generator", lambda: "another llvmlite")
    assert cache_keys.key(b"ir", OPTIONS) != before
