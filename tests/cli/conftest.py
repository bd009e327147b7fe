"""The installed command, run as users run it: a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Beebox = Callable[..., Done]


@pytest.fixture(scope="session")
def command() -> Path:
    """The ``beebox`` script beside the interpreter that runs these tests."""
    return Path(sys.executable).parent / "beebox"


@pytest.fixture
def beebox(command: Path, repository: Path) -> Beebox:
    def run(*words: str | Path, data: bytes | None = None) -> Done:
        done = subprocess.run(
            [command, *words],
            cwd=repository,
            input=data,
            capture_output=True,
            check=False,
            timeout=100,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def packet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 bytes that are no IP packet."""
    path = tmp_path_factory.mktemp("packets") / "packet.bin"
    path.write_bytes(bytes(range(60)))
    return path
