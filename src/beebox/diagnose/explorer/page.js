"use strict";
const programs = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
let program, chosen, path, visits, place, shown;

function make(tag, text, name) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (name) node.className = name;
  return node;
}

function row(parts, act) {
  const node = make("button", undefined, "row");
  for (const [text, name] of parts) node.append(make("span", text, name));
  node.onclick = act;
  return node;
}

function open_(index) {
  program = programs[index];
  chosen = path = shown = null;
  program.byPc = new Map();
  program.pathOf = new Map();
  program.steps.forEach((step, number) => {
    if (!program.byPc.has(step[0])) program.byPc.set(step[0], []);
    program.byPc.get(step[0]).push(number);
  });
  program.paths.forEach((each, number) => each[2].forEach((step) => program.pathOf.set(step, number)));
  program.text = new Map(program.insns.map(([pc, text]) => [pc, text]));
  program.line = new Map(program.insns.map(([pc, , line]) => [pc, line]));
  program.fault = new Set(program.verdict.findings.map((each) => each.insn));
  header();
  source();
  code();
  paths();
  const first = program.verdict.findings.length ? program.verdict.findings[0].insn : program.insns[0][0];
  choose(first, true);
  if (program.verdict.findings.length) blame(program.verdict.findings[0]);
}

function blame(finding) {
  const named = /^R\d+/.exec(finding.kernel_message);
  if (named) at("state").querySelector(`[data-reg="${named[0]}"]`)?.click();
}

function header() {
  const verdict = program.verdict;
  at("verdict").textContent = verdict.accepted ? "accepted" : "rejected";
  at("verdict").className = verdict.accepted ? "good" : "bad";
  at("facts").textContent = `${program.section} · ${verdict.processed} instructions processed · ${verdict.states} states`
    + (program.forgotten ? ` · ${program.forgotten} steps counted but not kept` : "");
  at("findings").replaceChildren(...verdict.findings.map((each) => {
    const node = make("button", `insn ${each.insn}: ${each.message} [${each.code}]`, "finding");
    node.onclick = () => {
      choose(each.insn, true);
      blame(each);
    };
    return node;
  }));
}

function source() {
  const nodes = [];
  let file;
  program.sourceRows = program.source.map(([name, line, text], number) => {
    if (name !== file) nodes.push(make("div", file = name, "file"));
    const node = row([[`${line}`, "n"], [text, "grow"]], () => {
      const insn = program.insns.find((each) => each[2] === number);
      if (insn) choose(insn[0], false);
    });
    nodes.push(node);
    return node;
  });
  if (!nodes.length) nodes.push(make("div", "The object has no line information.", "file"));
  at("source").replaceChildren(...nodes);
}

function code() {
  const names = new Map(program.functions);
  const most = Math.max(1, ...program.visits);
  const nodes = [];
  program.codeRows = new Map();
  for (const [pc, text] of program.insns) {
    if (names.has(pc)) nodes.push(make("div", names.get(pc), "function"));
    const seen = program.visits[pc];
    const node = row([[`${pc}`, "n"], [text, "grow"], [seen ? `${seen}×` : "never", "dim"]], () => choose(pc, false));
    node.dataset.pc = pc;
    if (seen > 1) node.style.background = `rgba(var(--heat), ${(0.45 * Math.log(seen) / Math.log(most)).toFixed(3)})`;
    if (!seen) node.classList.add("never");
    if (program.fault.has(pc)) node.classList.add("fault");
    nodes.push(node);
    program.codeRows.set(pc, node);
  }
  at("heat").textContent = `heat: visits, at most ${most}`;
  at("code").replaceChildren(...nodes);
}

const ENDS = { exit: "to the end", pruned: "an earlier state covers it", refused: "refused", open: "left" };

function paths() {
  at("count").textContent = `${program.paths.length}`;
  program.pathRows = program.paths.slice(0, 5000).map(([begin, origin, , insns, end, endPc], number) => {
    const from = origin < 0 ? "start" : `branch at ${origin}`;
    const node = row([[`${number + 1}`, "n"], [`${from}: ${begin} … ${endPc}, ${insns} insns, ${ENDS[end]}`, "grow"]],
      () => walk(path === number ? null : number));
    node.title = node.lastChild.textContent;
    if (end === "refused") node.classList.add("fault");
    return node;
  });
  at("paths").replaceChildren(...program.pathRows);
}

function walk(number) {
  path = number;
  program.pathRows.forEach((node, index) => node.classList.toggle("chosen", index === path));
  const on = path === null ? null : new Set(program.paths[path][2].map((step) => program.steps[step][0]));
  program.codeRows.forEach((node, pc) => node.classList.toggle("offpath", on !== null && !on.has(pc)));
  if (path !== null && program.paths[path][2].length) show(program.paths[path][2], 0, true);
  else if (chosen !== null) choose(chosen, false);
}

function choose(pc, last) {
  const steps = program.byPc.get(pc) || [];
  if (path !== null) {
    const own = program.paths[path][2];
    const index = own.findIndex((step) => program.steps[step][0] === pc);
    if (index >= 0) return show(own, index, false);
    path = null;
    program.pathRows.forEach((node) => node.classList.remove("chosen"));
    program.codeRows.forEach((node) => node.classList.remove("offpath"));
  }
  if (steps.length) return show(steps, last ? steps.length - 1 : 0, last);
  visits = [];
  mark(pc, last);
  at("where").textContent = `before insn ${pc}`;
  at("visit").textContent = "never reached";
  at("state").replaceChildren(make("div", "No path leads here.", "file"));
  at("why").replaceChildren();
}

function mark(pc, scroll) {
  chosen = pc;
  const line = program.line.get(pc);
  program.codeRows.forEach((node, each) => {
    node.classList.toggle("chosen", each === pc);
    node.classList.toggle("linked", each !== pc && line >= 0 && program.line.get(each) === line);
  });
  program.sourceRows.forEach((node, each) => node.classList.toggle("chosen", each === line));
  if (scroll) reveal(program.codeRows.get(pc), true);
  reveal(program.sourceRows[line], false);
}

// Scrolls the row's own pane alone: in a small window the page itself stays where the reader is.
function reveal(row, centered) {
  const pane = row?.closest(".pane");
  if (!pane) return;
  const own = row.getBoundingClientRect(), around = pane.getBoundingClientRect();
  const top = around.top + pane.querySelector("h2").offsetHeight;
  if (centered) pane.scrollTop += (own.top + own.bottom - top - around.bottom) / 2;
  else if (own.top < top) pane.scrollTop -= top - own.top;
  else if (own.bottom > around.bottom) pane.scrollTop += own.bottom - around.bottom;
}

function show(steps, index, scroll) {
  visits = steps;
  place = index;
  const number = steps[index];
  const [pc, regs, stack, frames, held] = program.steps[number];
  const own = program.paths[program.pathOf.get(number)][2];
  const before = program.steps[own[own.indexOf(number) - 1]];
  mark(pc, scroll);
  if (path !== null) reveal(program.codeRows.get(pc), false);
  at("where").textContent = `before insn ${pc}: ${program.text.get(pc)}`;
  at("visit").textContent = path === null
    ? `visit ${index + 1} of ${steps.length}${program.visits[pc] > steps.length ? ` kept, ${program.visits[pc]} in all` : ""}, on path ${program.pathOf.get(number) + 1}`
    : `step ${index + 1} of ${steps.length} of path ${path + 1}`;
  const table = make("table");
  regs.forEach((value, reg) => {
    if (value >= 0) table.append(line_(`R${reg}`, value, before && before[1][reg] !== value));
  });
  const old = new Map((before ? before[2] : []).map(([offset, kinds, value]) => [offset, `${kinds} ${value}`]));
  for (const [offset, kinds, value] of stack) {
    table.append(line_(`fp${offset}`, value, before && old.get(offset) !== `${kinds} ${value}`, kinds));
  }
  const nodes = [table];
  if (frames.length > 1) nodes.push(make("div", `call depth ${frames.length}`, "file"));
  for (const each of held) nodes.push(make("div", `held: ${each}`, "file"));
  at("state").replaceChildren(...nodes);
  at("why").replaceChildren();
  shown = null;
}

function line_(name, value, changed, kinds) {
  const node = make("tr", undefined, changed ? "changed" : "");
  node.append(make("td", name));
  const cell = make("td");
  if (value >= 0) {
    const link = make("button", program.values[value][0]);
    link.dataset.reg = name;
    link.onclick = () => why(value, link);
    cell.append(link);
    if (kinds && kinds !== "rrrrrrrr") cell.append(make("span", ` bytes ${kinds}`, "dim"));
  } else cell.textContent = kinds;
  node.append(cell);
  return node;
}

function why(value, link) {
  shown?.classList.remove("chosen");
  shown = link;
  link.classList.add("chosen");
  const seen = new Set(), work = [value];
  while (work.length && seen.size < 400) {
    const each = work.pop();
    if (seen.has(each)) continue;
    seen.add(each);
    work.push(...program.values[each][3]);
  }
  const nodes = [...seen].sort((a, b) => a - b).map((each) => {
    const [, words, pc] = program.values[each];
    const line = program.source[program.line.get(pc)];
    const text = pc < 0 ? "at the start" : line ? `${line[1]}: ${line[2].trim()}` : program.text.get(pc);
    return row([[pc < 0 ? "" : `${pc}`, "n"], [`${words}  —  ${text}`, "grow"]], () => pc >= 0 && choose(pc, true));
  });
  at("why").replaceChildren(...nodes);
}

function step(by) {
  if (visits.length && place + by >= 0 && place + by < visits.length) show(visits, place + by, false);
}

at("previous").onclick = () => step(-1);
at("next").onclick = () => step(1);
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "SELECT") return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
programs.forEach((each, index) => at("program").append(new Option(each.name, index)));
at("program").onchange = (event) => open_(Number(event.target.value));
open_(0);
