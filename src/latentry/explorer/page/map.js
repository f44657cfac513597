// A flat map of the latent space; dragging on it moves the current picture.

import { complain, h, whileBusy } from "./dom.js";
import { choices } from "./condition.js";
import { newest } from "./newest.js";
import { easel, show } from "./picture.js";

const MARGIN = 0.06;
const CELLS = 10; // across the map, of which each shows one of its pictures
const MOST_SHOWN = 60;

export function makeMap(panel, state, backend) {
  const surface = h("canvas.map", { tabIndex: 0, role: "application" });
  surface.setAttribute("aria-roledescription", "map");
  surface.setAttribute("aria-label", "Map of the latent space: arrow keys move the current picture, with shift further");
  const about = h("p.hint", { "aria-live": "polite" });
  const legend = h("ul.legend", { hidden: true });
  const asked = { of: "samples", by: "pca" };
  const of = choices("Map of", [["Samples", "samples"], ["Data", "data"]], (value) => ((asked.of = value), load()));
  const by = choices("Map by", [["Plane (PCA)", "pca"], ["Neighbours (t-SNE)", "tsne"]], (value) => ((asked.by = value), load()));
  panel.append(h("div.bar", {}, of, by), surface, about, legend);

  let drawn = null; // the map that is shown
  let marker = null;
  let base = null; // the latent that a drag began with
  let placing = false;

  async function load() {
    const wanted = { ...asked };
    about.textContent = wanted.by === "tsne" ? "Drawing the map; t-SNE takes some seconds …" : "Drawing the map …";
    await whileBusy(surface, async () => {
      const map = await backend.map(0, wanted.of, wanted.by);
      if (wanted.of !== asked.of || wanted.by !== asked.by) return;
      drawn = { ...map, ...wanted, ...extent(map.places), pictures: [] };
      marker = null;
      about.textContent = explain(map, wanted);
      name(map.group_names);
      find();
      if (wanted.of === "samples") await illustrate(drawn);
    });
    if (!drawn) about.textContent = "There is no map.";
  }

  function explain({ places, shown }, { of: what, by: way }) {
    const points = `${places.length} ${what === "data" ? "held-out pictures of the data" : "samples"}.`;
    if (way === "tsne") return `${points} Neighbours are alike; distances between groups mean little. Drag to mix what lies near.`;
    const share = `${Math.round(1000 * shown) / 10} % of what varies lies in this plane`;
    return `${points} ${share}; dragging keeps the rest of the picture as it is.`;
  }

  function name(names) {
    legend.hidden = !names.length;
    legend.replaceChildren(
      ...names.map((each, i) => {
        const dot = h("i");
        dot.style.background = colour(i, names.length);
        return h("li", {}, dot, each);
      }),
    );
  }

  /** Pictures at some of the places, one in each cell of a grid; the places of samples are those of seeds from 0. */
  async function illustrate(map) {
    const cells = new Map();
    map.places.forEach(([x, y], seed) => {
      const [across, up] = [(CELLS * (x - map.left)) / map.wide, (CELLS * (y - map.low)) / map.high];
      const cell = `${Math.floor(across)} ${Math.floor(up)}`;
      const off = Math.hypot((across % 1) - 0.5, (up % 1) - 0.5); // pictures in the middle of their cells overlap least
      if (!(cells.get(cell)?.off <= off)) cells.set(cell, { seed, off });
    });
    const seeds = [...cells.values()].map(({ seed }) => seed).slice(0, MOST_SHOWN);
    const { z, told } = await backend.latents(0, { seeds });
    const pictures = await backend.decode(0, z, told);
    map.pictures = seeds.map((seed, i) => {
      const canvas = easel("");
      show(canvas, pictures[i]);
      return [map.places[seed], canvas];
    });
    paintMap();
  }

  const find = newest(async () => {
    if (drawn && state.z) marker = await backend.where(0, drawn.of, drawn.by, state.z);
    paintMap();
  }, complain);

  const place = newest(async (to) => {
    const z = await backend.place(0, drawn.of, drawn.by, to, base);
    placing = true;
    state.set({ z, source: { kind: "map", name: "From the map" } });
    placing = false;
  }, complain);

  function go(x, y) {
    marker = { x: clamp(x, drawn.left, drawn.left + drawn.wide), y: clamp(y, drawn.low, drawn.low + drawn.high) };
    paintMap();
    place(marker);
  }

  function paintMap() {
    const ratio = devicePixelRatio || 1;
    const side = Math.round(surface.clientWidth * ratio);
    if (!side) return; // another tab is open
    if (surface.width !== side) surface.width = surface.height = side;
    const pen = surface.getContext("2d");
    pen.clearRect(0, 0, side, side);
    if (!drawn) return;
    const style = getComputedStyle(surface);
    drawn.places.forEach(([x, y], i) => {
      pen.fillStyle = drawn.group_names.length ? colour(drawn.groups[i], drawn.group_names.length) : style.getPropertyValue("--dot");
      pen.globalAlpha = 0.75;
      pen.beginPath();
      pen.arc(...onScreen(x, y, side), 2.6 * ratio, 0, 7);
      pen.fill();
    });
    pen.globalAlpha = 1;
    for (const [at, canvas] of drawn.pictures) {
      const [x, y] = onScreen(...at, side);
      const high = (0.8 * side) / CELLS;
      const wide = (high * canvas.width) / canvas.height;
      pen.drawImage(canvas, x - wide / 2, y - high / 2, wide, high);
    }
    if (!marker) return;
    const [x, y] = onScreen(marker.x, marker.y, side).map((each) => clamp(each, 0, side));
    pen.beginPath();
    pen.arc(x, y, 8 * ratio, 0, 7);
    pen.fillStyle = style.getPropertyValue("--accent");
    pen.fill();
    pen.lineWidth = 3 * ratio;
    pen.strokeStyle = style.getPropertyValue("--card");
    pen.stroke();
  }

  const onScreen = (x, y, side) => [((x - drawn.left) / drawn.wide) * side, (1 - (y - drawn.low) / drawn.high) * side];
  function toMap(event) {
    const box = surface.getBoundingClientRect();
    go(
      drawn.left + ((event.clientX - box.left) / box.width) * drawn.wide,
      drawn.low + (1 - (event.clientY - box.top) / box.height) * drawn.high,
    );
  }

  surface.onpointerdown = (event) => {
    if (!drawn || !state.z) return;
    surface.setPointerCapture(event.pointerId);
    base = state.z;
    toMap(event);
  };
  surface.onpointermove = (event) => drawn && surface.hasPointerCapture(event.pointerId) && toMap(event);
  surface.onkeydown = (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (!by || !drawn || !marker) return;
    event.preventDefault();
    base = state.z;
    go(marker.x + by[0] * drawn.wide, marker.y + by[1] * drawn.high);
  };
  addEventListener("resize", paintMap);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintMap);
  addEventListener("theme", paintMap);

  state.when(["z"], () => !placing && drawn && !panel.hidden && find());
  state.when(["runs"], () => (of.hidden = !state.first.maps_data));
  return { opened: () => (drawn ? find() : load()) };
}

function extent(places) {
  const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
  const [left, right, low, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const [padX, padY] = [(right - left || 1) * MARGIN, (top - low || 1) * MARGIN];
  return { left: left - padX, wide: right - left + 2 * padX || 1, low: low - padY, high: top - low + 2 * padY || 1 };
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const colour = (i, n) => `hsl(${Math.round((360 * i) / n + 250) % 360} 65% ${i % 2 ? 45 : 60}%)`;
