"""The cache: whole or not at all, private, bounded, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beebox import cache


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "objects"
    monkeypatch.setenv("BEEBOX_CACHE_DIR", str(path))
    return path


def only_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_what_was_put_is_got(folder: Path) -> None:
    name = "0" * 64
    assert cache.get(name) is None
    cache.put(name, b"object")
    assert cache.get(name) == b"object"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only_file(folder).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("keep", [0, 1, 31, 32, 33, -1])
def test_a_truncated_file_is_a_miss(folder: Path, keep: int) -> None:
    cache.put("name", b"object" * 10)
    file = only_file(folder)
    file.write_bytes(file.read_bytes()[:keep])
    assert cache.get("name") is None


@pytest.mark.parametrize("at", [0, 31, 32, 60])
def test_a_changed_byte_is_a_miss_that_the_next_put_mends(folder: Path, at: int) -> None:
    cache.put("name", b"object" * 10)
    file = only_file(folder)
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    assert cache.get("name") is None
    cache.put("name", b"object" * 10)
    assert cache.get("name") == b"object" * 10


def test_a_link_or_a_folder_in_a_files_place_is_a_miss(folder: Path, tmp_path: Path) -> None:
    cache.put("name", b"object")
    file = only_file(folder)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert cache.get("name") is None
    file.unlink()
    file.mkdir()
    assert cache.get("name") is None


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_may_write_is_not_used(folder: Path, mode: int) -> None:
    cache.put("name", b"object")
    folder.chmod(mode)
    assert cache.get("name") is None
    cache.put("other", b"object")
    assert len(list(folder.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_owner_is_not_used(folder: Path) -> None:
    cache.put("name", b"object")
    os.chown(folder, 65534, 65534)
    assert cache.get("name") is None


def test_a_linked_folder_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put("name", b"object")
    link = tmp_path / "link"
    link.symlink_to(folder)
    monkeypatch.setenv("BEEBOX_CACHE_DIR", str(link))
    assert cache.get("name") is None


@pytest.mark.parametrize("path", ["", "/proc/nowhere", "/dev/null/objects"])
def test_no_folder_means_no_cache(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEEBOX_CACHE_DIR", path)
    cache.put("name", b"object")
    assert cache.get("name") is None


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BEEBOX_CACHE_DIR", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache._path() is None


def test_the_platforms_folder_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEEBOX_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.put("name", b"object")
    assert len(list((tmp_path / "beebox" / "objects").iterdir())) == 1


def test_the_folder_is_bounded_and_the_least_used_go_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 1000)
    for number in range(9):
        cache.put(f"name{number}", bytes(100 - 32))
        os.utime(folder / f"name{number}.obj", (number, number))
    assert cache.get("name0") is not None  # used now
    cache.put("big", bytes(150))
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 750
    assert cache.get("name1") is None
    assert cache.get("name0") is not None
    assert cache.get("big") is not None
