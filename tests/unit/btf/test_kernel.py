"""Files of BTF opened lazily, and their indices in the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.btf import codec, kernel, lazy
from beebox.btf.types import Btf, Func, FuncProto, Typedef
from beebox.errors import InputError, NotSupportedError

TABLE = Btf((FuncProto(0, ()), *(Func(f"function_number_{i}", 1) for i in range(50_000))))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache"
    monkeypatch.setenv("BEEBOX_CACHE_DIR", str(path))
    return path


@pytest.fixture(scope="module")
def data() -> bytes:
    return codec.encode(TABLE)


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry per walk over a section's types."""
    done: list[int] = []
    walk = lazy.index

    def counted(raw: bytes, first: int) -> lazy.Index:
        done.append(first)
        return walk(raw, first)

    monkeypatch.setattr(lazy, "index", counted)
    return done


def test_the_index_is_kept(folder: Path, data: bytes, walks: list[int], tmp_path: Path) -> None:
    file = tmp_path / "vmlinux"
    file.write_bytes(data)
    assert kernel.open_btf(file).named("function_number_7") == (9,)
    assert len(list(folder.iterdir())) == 1
    assert kernel.open_btf(file).named("function_number_7") == (9,)
    assert walks == [1]


def test_other_contents_have_another_index(folder: Path, data: bytes, walks: list[int]) -> None:
    kernel.open_bytes(data)
    other = codec.encode(Btf((*TABLE.types, Typedef("one_more", 0))))
    assert kernel.open_bytes(other).named("one_more") == (50_002,)
    assert walks == [1, 1]
    assert len(list(folder.iterdir())) == 2


def test_a_spoilt_index_is_not_used(
    folder: Path, data: bytes, walks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.open_bytes(data)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-4])
    assert kernel.open_bytes(data).named("function_number_7") == (9,)
    monkeypatch.setattr(kernel.cache, "get", lambda _: b"\xff" * 80)
    assert kernel.open_bytes(data).named("function_number_7") == (9,)
    assert walks == [1, 1, 1]


def test_small_tables_are_not_kept(folder: Path) -> None:
    kernel.open_bytes(codec.encode(Btf((Typedef("t", 0),))))
    assert not folder.exists()


def test_without_a_cache_it_is_only_slower(
    data: bytes, walks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEEBOX_CACHE_DIR", "")
    for _ in range(2):
        assert kernel.open_bytes(data).named("function_number_7") == (9,)
    assert walks == [1, 1]


def test_the_running_kernel_is_known_by_its_build_id(
    folder: Path, data: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vmlinux").write_bytes(data)
    own = Btf((Typedef("of_module", 1),), codec.view(data))
    (tmp_path / "module").write_bytes(codec.encode(own))
    notes = tmp_path / "notes"
    notes.write_bytes(bytes.fromhex("040000001400000003000000474e5500") + bytes(range(20)))
    monkeypatch.setattr(kernel, "FOLDER", tmp_path)
    monkeypatch.setattr(kernel, "_NOTES", notes)
    assert kernel.open_running().named("function_number_7") == (9,)
    (file,) = folder.iterdir()
    assert bytes(range(20)).hex() in file.name
    assert kernel.open_running("module").named("of_module") == (50_002,)
    notes.unlink()
    kernel.open_running()
    assert len(list(folder.iterdir())) == 2  # by its contents now


@pytest.mark.parametrize("name", ["", ".", "..", "../vmlinux"])
def test_names_of_modules_are_no_paths(name: str) -> None:
    with pytest.raises(InputError):
        kernel.open_running(name)


def test_what_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel, "FOLDER", tmp_path / "nowhere")
    with pytest.raises(NotSupportedError):
        kernel.open_running()
    assert kernel.running_modules() == ()
    with pytest.raises(InputError):
        kernel.open_btf(tmp_path / "nowhere")
