// How a run trains or has trained: its curves, what the doctor finds, and its pictures through time.

import { complain, h, svg } from "./dom.js";
import { paint } from "./sliders.js";

const EVERY_MS = 4000;
const [WIDE, HIGH] = [280, 96];

export function makeTraining(panel, state, backend, { offer }) {
  const facts = h("p.hint", { id: "facts" });
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of the training" });
  const findings = h("div.findings", { "aria-live": "polite" });
  const image = h("canvas.history", { width: 1, height: 1, role: "img", "aria-label": "pictures that the run saved" });
  const when = h("input", { type: "range", id: "history", min: 0, step: 1, "aria-label": "Which of the saved pictures" });
  const whenText = h("p.hint");
  const curves = h("div.curves");
  const pick = h("select", { "aria-label": "Run", hidden: true });
  panel.append(pick, bar, facts, findings, h("div", { id: "past", hidden: true }, image, when, whenText), curves);

  let grids = [];
  let timer = null;
  let follow = true; // the newest picture, until the reader looks at an older one

  async function refresh() {
    clearTimeout(timer);
    if (panel.hidden || document.hidden) return;
    try {
      const run = Number(pick.value) || 0;
      const live = await backend.live(run);
      render(live);
      offer(run, live.newer_weights);
      if (!live.finished) timer = setTimeout(refresh, EVERY_MS);
    } catch (error) {
      complain(error);
      timer = setTimeout(refresh, 2 * EVERY_MS);
    }
  }

  function render(live) {
    bar.value = live.progress;
    bar.hidden = live.finished;
    const rate = live.images_per_sec ? `, ${Math.round(live.images_per_sec)} a second` : "";
    const how = live.finished ? "Finished" : `Training, ${Math.round(100 * live.progress)} %`;
    facts.textContent = `${how}: ${live.images.toLocaleString("en")} pictures in ${minutes(live.seconds)}${rate}.`;
    findings.replaceChildren(...(live.findings.length ? live.findings.map(card) : [h("p.good", {}, "The doctor finds nothing wrong.")]));
    curves.replaceChildren(...live.curves.map(plot));
    grids = live.grids;
    document.getElementById("past").hidden = !grids.length;
    when.max = Math.max(0, grids.length - 1);
    if (follow) when.value = grids.length - 1;
    showGrid();
  }

  let loaded = null;
  async function showGrid() {
    const name = grids[Number(when.value)];
    paint(when, 0);
    whenText.textContent = name ? (/^\d+$/.test(name) ? `after ${Number(name).toLocaleString("en")} pictures` : name) : "";
    const wanted = `${pick.value}/${name}`;
    if (!name || loaded === wanted) return;
    loaded = wanted;
    try {
      const bitmap = await createImageBitmap(await backend.grid(Number(pick.value) || 0, name));
      if (loaded !== wanted) return;
      [image.width, image.height] = [bitmap.width, bitmap.height];
      image.getContext("2d").drawImage(bitmap, 0, 0);
      image.setAttribute("aria-label", `what the run drew ${whenText.textContent}`);
    } catch (error) {
      complain(error);
    }
  }

  when.oninput = () => ((follow = Number(when.value) === grids.length - 1), showGrid());
  pick.onchange = () => ((loaded = null), refresh());
  document.addEventListener("visibilitychange", refresh);
  state.when(["runs"], () => {
    const logged = state.runs.map((run, i) => [run, i]).filter(([run]) => run.log);
    const chosen = pick.value;
    pick.replaceChildren(...logged.map(([run, i]) => h("option", { value: i }, run.name)));
    pick.value = chosen || logged[0]?.[1] || 0;
    pick.hidden = logged.length < 2;
  });
  return { opened: refresh };
}

function card({ name, evidence, cause, change }) {
  return h("article", {}, h("h3", {}, name), h("p", {}, evidence), h("p", {}, cause), h("pre", { tabIndex: 0 }, change));
}

/** A small chart of one number: training as a line, held-out pictures dashed. */
function plot({ name, images, train, held_out }) {
  const all = [...train, ...held_out].filter((value) => value != null);
  if (!all.length) return h("figure", { hidden: true });
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const last = images[images.length - 1] || 1;
  const line = (values, kind) => {
    let pen = "M";
    const steps = values.map((value, i) => {
      if (value == null) return ((pen = "M"), "");
      const [x, y] = [4 + (images[i] / last) * (WIDE - 8), 6 + (1 - (value - low) / (high - low || 1)) * (HIGH - 12)];
      const step = `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
      return step;
    });
    return svg("path", { d: steps.join(""), class: kind });
  };
  const newest = [...train].reverse().find((value) => value != null) ?? all[all.length - 1];
  const title = `${name.replaceAll("_", " ")}: now ${short(newest)}, from ${short(low)} to ${short(high)}`;
  const chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": title }, line(train, "train"), line(held_out, "held"));
  const dashed = held_out.some((value) => value != null) ? "dashed: held out" : "";
  return h("figure.curve", {}, h("figcaption", {}, h("b", {}, name.replaceAll("_", " ")), h("span", {}, short(newest)), h("span", {}, dashed)), chart);
}

const short = (value) => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString());
const minutes = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`);
