"""``beebox verify --explore``: the page, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import browser as browsers
import pytest

from beebox.diagnose.explorer.page import render
from beebox.diagnose.explorer.record import Recorder
from beebox.isa.assembler import assemble
from beebox.obj.model import LineInfo, ProgramSpec
from beebox.tables.program_types import ProgramType
from beebox.verifier.verify import verify

EXAMPLES = Path(__file__).parents[2] / "examples"
LOOP = """
r6 = 0
r7 = 0
call bpf_get_prandom_u32
if r0 > 5 goto +1
r7 = 8
r6 += 1
if r6 < 4 goto -5
r0 = r7
exit
"""


def _recorded(code: str, lines: tuple[LineInfo, ...] = (), **limits: int) -> Recorder:
    spec = ProgramSpec("p", "xdp", ProgramType.XDP, assemble(code), {}, lines=lines)
    recorder = Recorder(spec, **limits)
    recorder.finish(verify(spec, observer=recorder))
    return recorder


def test_every_step_is_counted_and_the_paths_are_whole():
    recorder = _recorded(LOOP)
    assert recorder.report is not None
    assert recorder.report.accepted
    assert sum(recorder.visits) == recorder.report.insns_processed == len(recorder.steps)
    assert sum(path.insns for path in recorder.paths) == len(recorder.steps)
    assert {path.end for path in recorder.paths} == {"exit", "pruned"}
    assert recorder.paths[0].origin == -1
    for path in recorder.paths[1:]:
        assert path.origin in {3, 6}  # the jumps
    for path in recorder.paths:
        assert recorder.steps[path.steps[0]].pc == path.begin


def test_values_are_told_with_where_they_come_from():
    recorder = _recorded(LOOP)
    last = next(step for step in reversed(recorder.steps) if step.pc == 7)
    made = recorder.values[last.regs[6]]
    chain = [made]
    while chain[-1].sources:
        chain.append(recorder.values[chain[-1].sources[0]])
    assert made.text == "4"
    assert [value.pc for value in chain] == [5, 5, 5, 5, 0]


def test_what_is_beyond_the_limits_is_counted():
    recorder = _recorded(LOOP, max_steps=10)
    assert recorder.report is not None
    assert len(recorder.steps) == 10
    assert recorder.forgotten == recorder.report.insns_processed - 10
    assert sum(recorder.visits) == recorder.report.insns_processed
    few = _recorded(LOOP, max_visits=2)
    assert max(few.visits) > 2
    assert max(sum(step.pc == pc for step in few.steps) for pc in range(9)) == 2


def test_an_object_cannot_put_markup_into_the_page():
    evil = "</script><script>alert(1)</script>"
    page = render([_recorded("r0 = 0\nexit", (LineInfo(0, evil, 1, 1, evil),))])
    assert evil not in page
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])[0]["source"] == [[evil, 1, evil]]
    assert re.findall(r'(?:src|href)="', page) == []


def test_a_page_that_cannot_be_written_is_an_error(tmp_path, beebox):
    target = tmp_path / "none" / "page.html"
    done = beebox("verify", "--explore", target, EXAMPLES / "count.py")
    assert done.status == 2
    assert str(target) in done.err


def test_a_page_on_standard_output_is_alone_there(beebox):
    done = beebox("verify", "--explore", "-", EXAMPLES / "count.py")
    assert done.status == 0
    assert done.out.startswith("<!doctype html>")
    assert done.out.rstrip().endswith("</html>")
    assert "accepted" in done.err
    assert beebox("verify", "-j", "--explore", "-", EXAMPLES / "count.py").status == 2


def test_a_page_does_not_take_the_place_of_its_source(tmp_path, beebox):
    source = tmp_path / "count.py"
    source.write_text((EXAMPLES / "count.py").read_text())
    assert beebox("verify", "--explore", source, source).status == 2
    assert source.read_text() == (EXAMPLES / "count.py").read_text()


@pytest.fixture(scope="module")
def browser():
    program = browsers.found()
    if program is None:
        pytest.skip("no browser: none of " + ", ".join(browsers.NAMES) + " on PATH")
    with browsers.Browser(program) as running:
        yield running


@pytest.mark.slow
def test_a_rejection_in_a_browser(tmp_path, beebox, browser):
    page = tmp_path / "page.html"
    done = beebox("verify", "--explore", page, EXAMPLES / "unsafe.py")
    assert done.status == 1, done.err
    browser.open(page)
    text = "document.getElementById('{}').textContent".format
    assert browser.run(text("verdict")) == "rejected"
    assert "map-value-bounds" in browser.run(text("findings"))
    assert "r1 = *(u64 *)(r0 + 0)" in browser.run(text("where"))
    assert "histogram.slots[ip.tos]" in browser.run(text("why"))  # of the register at fault
    # an instruction: the state before it; its source line is marked
    browser.click("document.querySelector('#code [data-pc=\"18\"]')")
    assert browser.run(text("where")).startswith("before insn 18")
    cells = "[...document.querySelectorAll('#state tr')].map((e) => e.textContent)"
    assert "R6pkt(r=34)" in browser.run(cells)
    assert "36" in browser.run("document.querySelector('#source .chosen').textContent")
    # a value: where it comes from; a step of that: the instruction that made it
    browser.click("document.querySelector('#state [data-reg=\"R6\"]')")
    assert "proves bytes 0..34 of the packet" in browser.run(text("why"))
    browser.click("document.querySelector('#why .row')")
    assert browser.run(text("where")).startswith("before insn 0")
    # what no path reached
    browser.click("document.querySelector('#code [data-pc=\"25\"]')")
    assert browser.run(text("visit")) == "never reached"
    assert browser.problems == []


@pytest.mark.slow
def test_paths_in_a_browser(tmp_path, browser):
    page = tmp_path / "page.html"
    recorder = _recorded(LOOP)
    page.write_text(render([recorder, _recorded("r0 = 1\nexit")]))
    browser.open(page)
    text = "document.getElementById('{}').textContent".format
    assert browser.run(text("verdict")) == "accepted"
    rows = browser.run("document.querySelectorAll('#paths .row').length")
    assert rows == len(recorder.paths)
    # a path: its steps, with the keyboard too; what is not on it pales
    second = recorder.paths[1]
    browser.click("document.querySelectorAll('#paths .row')[1]")
    assert browser.run(text("visit")) == f"step 1 of {len(second.steps)} of path 2"
    browser.key("ArrowRight")
    assert browser.run(text("visit")) == f"step 2 of {len(second.steps)} of path 2"
    browser.click("document.getElementById('previous')")
    assert browser.run(text("visit")) == f"step 1 of {len(second.steps)} of path 2"
    on = {recorder.steps[number].pc for number in second.steps}
    pale = "[...document.querySelectorAll('#code .offpath')].map((e) => Number(e.dataset.pc))"
    assert set(browser.run(pale)) == set(range(9)) - on
    # heat follows the visits
    heat = browser.run(
        "[...document.querySelectorAll('#code .row')].map("
        "(e) => Number((/, ([0-9.]+)\\)/.exec(e.getAttribute('style')) || [0, 0])[1]))"
    )
    assert heat.index(max(heat)) == recorder.visits.index(max(recorder.visits))
    assert heat[0] == 0
    # another program of the object
    browser.run(
        "(() => { const s = document.getElementById('program'); s.value = '1';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run("document.querySelectorAll('#code .row').length") == 2
    assert browser.problems == []


@pytest.mark.slow
def test_a_small_window_shows_the_verdict_first(tmp_path, browser):
    code = "r6 = 0\n" * 200 + "r0 = r7\nexit"
    lines = tuple(LineInfo(pc, "a.c", pc + 1, 1, f"line {pc}") for pc in range(200))
    page = tmp_path / "page.html"
    page.write_text(render([_recorded(code, lines)]))
    browser.size(500, 400)
    try:
        browser.open(page)
        assert browser.run("document.querySelector('#code .fault').dataset.pc") == "200"
        assert browser.run("window.scrollY") == 0
        inside = (
            "(() => { const r = document.querySelector('#code .fault'), p = r.closest('.pane');"
            "const a = r.getBoundingClientRect(), b = p.getBoundingClientRect();"
            "return a.top >= b.top && a.bottom <= b.bottom; })()"
        )
        assert browser.run(inside)
    finally:
        browser.size(0, 0)
