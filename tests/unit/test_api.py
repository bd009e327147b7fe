"""What `import beebox` offers: refusals of what the chosen kernel cannot take."""

from __future__ import annotations

from pathlib import Path

import pytest

import beebox
from beebox.errors import CompileWarning, InputError

COUNT = Path(__file__).parents[2] / "examples" / "count.py"


def test_only_maps_of_linux_are_pinned(tmp_path):
    with pytest.raises(InputError, match="pin_root"):
        beebox.load(COUNT, pin_root=tmp_path)


@pytest.mark.parametrize("given", [{"cpus": 2}, {"network": "routes.json"}])
def test_linux_takes_no_settings_of_the_userspace_kernel(given):
    with pytest.raises(InputError, match="do not apply"):
        beebox.load(COUNT, kernel="linux", **given)


def test_an_unknown_kernel_is_refused():
    with pytest.raises(InputError, match="no kernel 'windows'"):
        beebox.load(COUNT, kernel="windows")


def test_programs_are_called_with_packets():
    with beebox.load(COUNT) as loaded:
        program = loaded.programs["count_packets"]
        assert program(bytes(64)) == beebox.XdpAction.PASS
        assert program.test_run(bytes(64)).retval == beebox.XdpAction.PASS


def test_programs_are_a_list_of_names():
    with pytest.raises(InputError, match="a list of names"):
        beebox.load(COUNT, programs="count_packets")


def test_a_compilers_warning_is_pythons(tmp_path: Path):
    source = tmp_path / "prog.c"
    source.write_text(COUNT.with_suffix(".c").read_text() + "static int idle;\n")
    with pytest.warns(CompileWarning, match=r"prog\.c:85:12: .*idle") as caught:
        spec = beebox.open_object(source)
    (warning,) = caught
    assert warning.filename == __file__  # the line that asked, not one of ours
    assert spec.program_names == ("count_packets",)
    assert beebox.compile(COUNT.with_suffix(".c")).program_names == ("count_packets",)


@pytest.mark.linux
@pytest.mark.parametrize("kernel", ["userspace", "linux"])
def test_test_runs_take_bytes_and_whole_numbers(kernel):
    with beebox.load(COUNT, kernel=kernel) as loaded:
        program = loaded.programs["count_packets"]
        for packet in (bytearray(64), memoryview(bytes(128))[::2]):
            assert program.test_run(packet).data_out == bytes(64)
        for wrong in ("x" * 64, [0] * 64, None, 64):
            with pytest.raises(TypeError):
                program.test_run(wrong)
        with pytest.raises(TypeError):
            program.test_run(bytes(64), repeat=1.5)


@pytest.mark.linux
def test_what_a_prompt_shows_fits_a_line():
    userspace, linux = beebox.load(COUNT), beebox.load(COUNT, kernel="linux")
    with userspace, linux:
        for loaded in (userspace, linux):
            for name, live in (*loaded.maps.items(), *loaded.programs.items()):
                assert name in repr(live)
                assert len(repr(live)) < 80
                assert len(repr(live.spec.type)) < 40
