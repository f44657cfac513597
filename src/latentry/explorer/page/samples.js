// A grid of samples by seed; one of them is the current picture.

import { complain, h } from "./dom.js";
import { moved, tell } from "./latent.js";
import { newest } from "./newest.js";
import { easel, show } from "./picture.js";

const N = 24;

export function makeSamples(panel, state, backend) {
  const start = h("input", { type: "number", min: 0, step: 1, value: "0", id: "first-seed" });
  const fewer = h("button", { type: "button", "aria-label": "Earlier seeds" }, "‹");
  const more = h("button", { type: "button", "aria-label": "Later seeds" }, "›");
  const shuffle = h("button", { type: "button", title: "Seeds from anywhere" }, "Shuffle");
  const all = h("input", { type: "checkbox", id: "move-all" });
  const grid = h("div.grid", { role: "radiogroup", "aria-label": "Samples" });
  panel.append(
    h("div.bar", {}, h("label", { htmlFor: "first-seed" }, "From seed"), start, fewer, more, shuffle),
    grid,
    h("div.bar", {}, all, h("label", { htmlFor: "move-all" }, "Sliders move all of these")),
  );

  let seeds = [];
  let drawn = null;
  const cells = Array.from({ length: N }, (_, i) => {
    const cell = h("button.cell", { type: "button", role: "radio", "aria-checked": "false", tabIndex: -1 }, easel(""));
    cell.firstChild.setAttribute("aria-hidden", "true"); // the button says it
    cell.onclick = () => choose(i);
    return cell;
  });
  grid.append(...cells);

  const fetchLatents = newest(async () => {
    const first = Math.max(0, Math.floor(Number(start.value)) || 0);
    const next = Array.from({ length: N }, (_, i) => first + i);
    const { truncation, sampler, wish } = state;
    drawn = await backend.latents(0, { seeds: next, truncation, sampler, wish });
    seeds = next;
    mark();
    if (!state.z) choose(0);
    drawGrid();
  }, complain);

  const drawGrid = newest(async () => {
    if (!drawn) return;
    const { z, told } = drawn;
    const { first } = state;
    const shown = all.checked ? z.map((each) => moved(each, first.controls, state.doses)) : z;
    const pictures = await backend.decode(0, shown, told && told.map((row) => tell(first.condition, row, state.wish)));
    pictures.forEach((picture, i) => show(cells[i].firstChild, picture));
  }, complain);

  function choose(i) {
    if (!drawn) return;
    state.take(drawn.z[i], drawn.told && drawn.told[i], { kind: "seed", seed: seeds[i] }, { keepMoves: true });
  }

  function mark() {
    const current = state.source.kind === "seed" ? seeds.indexOf(state.source.seed) : -1;
    cells.forEach((cell, i) => {
      cell.setAttribute("aria-label", `seed ${seeds[i] ?? ""}`);
      cell.title = `seed ${seeds[i] ?? ""}`;
      cell.setAttribute("aria-checked", String(i === current));
      cell.tabIndex = i === Math.max(current, 0) ? 0 : -1;
    });
  }

  grid.onkeydown = (event) => {
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const to = cells.indexOf(document.activeElement) + step;
    if (!step || !cells[to]) return;
    event.preventDefault();
    cells[to].focus();
    choose(to);
  };
  const jump = (to) => ((start.value = String(Math.max(0, to))), fetchLatents());
  start.onchange = () => jump(Math.floor(Number(start.value)) || 0);
  fewer.onclick = () => jump(Number(start.value) - N);
  more.onclick = () => jump(Number(start.value) + N);
  shuffle.onclick = () => jump(Math.floor(Math.random() * 1e6));
  all.onchange = drawGrid;

  state.when(["runs", "truncation", "sampler", "wish"], fetchLatents);
  state.when(["doses"], () => all.checked && drawGrid());
  state.when(["source"], mark);
}
