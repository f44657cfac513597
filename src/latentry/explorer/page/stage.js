// The current picture, of every run, and what can be done with it.

import { complain, h, say, whileBusy } from "./dom.js";
import { newest } from "./newest.js";
import { easel, savePng, show } from "./picture.js";
import { openWords } from "./words.js";

export function makeStage(root, state, backend) {
  const figures = h("div.figures");
  const source = h("p.source", { id: "source" });
  const before = button("Before", "Show the picture before the sliders", { "aria-pressed": "false" });
  const reset = button("Reset sliders", "Put every slider back to zero");
  const save = button("Save PNG", "Save the picture as a PNG file");
  const words = button("Copy as code", "The seed and settings as a command and as Python");
  const near = button("Nearest training pictures", "Find the training pictures that are most like it");
  const neighbours = h("div.neighbours", { hidden: true });
  root.append(figures, source, h("div.actions", {}, before, reset, save, words, near), neighbours);

  let shown = [];
  let held = false;

  function build() {
    figures.replaceChildren(
      ...state.runs.map((run) =>
        h("figure", {}, easel("nothing drawn yet"), state.runs.length > 1 && h("figcaption", {}, run.name)),
      ),
    );
    figures.classList.toggle("several", state.runs.length > 1);
    near.hidden = !state.trainingData;
  }

  const draw = newest(async () => {
    if (!state.z) return;
    const bare = held || before.getAttribute("aria-pressed") === "true";
    const { saying, label } = state;
    const told = saying && [saying];
    const drawn = await Promise.all(
      state.runs.map((run, i) => backend.decode(i, [bare ? state.z : state.moved(run)], told)),
    );
    shown = drawn.map(([picture]) => picture);
    [...figures.querySelectorAll("canvas")].forEach((canvas, i) => {
      show(canvas, shown[i], bare ? `${label}: before the sliders` : label);
    });
  }, complain);

  function describe() {
    const { kind, seed, name } = state.source;
    source.textContent = kind === "seed" ? `Seed ${seed}` : name || `From the ${kind}`;
    const still = !state.moves.length;
    before.disabled = reset.disabled = still;
    if (still) before.setAttribute("aria-pressed", "false");
    neighbours.hidden = true;
  }

  before.onclick = () => {
    before.setAttribute("aria-pressed", String(before.getAttribute("aria-pressed") !== "true"));
    draw();
  };
  figures.onpointerdown = (event) => {
    if (event.target.tagName !== "CANVAS" || !state.moves.length) return;
    held = true;
    draw();
    addEventListener("pointerup", () => ((held = false), draw()), { once: true });
    addEventListener("pointercancel", () => ((held = false), draw()), { once: true });
  };
  reset.onclick = () => state.set({ doses: {} });
  save.onclick = () => shown.length && savePng(shown, `${fileName(state)}.png`);
  words.onclick = () => openWords(state);
  near.onclick = () =>
    whileBusy(near, async () => {
      say("Looking through the training pictures …");
      const found = await backend.neighbours(0, state.moved(), state.saying);
      neighbours.replaceChildren(
        ...found.pictures.map((picture, i) => {
          const apart = found.distances[i].toFixed(1);
          const canvas = easel("");
          show(canvas, picture, `training picture ${i + 1}, ${apart} of 255 apart`);
          return h("figure", {}, canvas, h("figcaption", {}, apart));
        }),
      );
      neighbours.hidden = false;
      say("Training pictures, nearest first, with the root mean squared difference of pixels of 255.");
    });

  state.when(["runs"], build);
  state.when(["z", "told", "doses", "wish", "source", "runs"], () => (describe(), draw()));
}

export function fileName(state) {
  const { kind, seed } = state.source;
  const moves = state.moves.map(([control, dose]) => `${control.name}${dose > 0 ? "+" : ""}${dose.toFixed(2)}`);
  return [kind === "seed" ? `seed-${seed}` : kind, ...moves].join("_").replace(/[^\w.+-]+/g, "-").slice(0, 120);
}

function button(text, title, attributes = {}) {
  return h("button", { type: "button", title, ...attributes }, text);
}
