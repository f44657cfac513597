// The page, put together.

import { ServerBackend, takeToken } from "./backend.js";
import { complain, h, whileBusy } from "./dom.js";
import { makeArithmetic } from "./arithmetic.js";
import { makeMap } from "./map.js";
import { makeMorph } from "./morph.js";
import { newest } from "./newest.js";
import { makePhotograph } from "./photograph.js";
import { makeSamples } from "./samples.js";
import { makeSliders } from "./sliders.js";
import { makeStage } from "./stage.js";
import { State } from "./state.js";
import { makeTraining } from "./training.js";

const TABS = [
  ["samples", "Samples", makeSamples],
  ["photograph", "Photograph", makePhotograph],
  ["arithmetic", "A − B + C", makeArithmetic],
  ["morph", "Morph", makeMorph],
  ["map", "Map", makeMap],
  ["training", "Training", makeTraining],
];

const byId = (id) => document.getElementById(id);

async function start(backend) {
  const state = new State();
  makeTheme();
  const manifest = await backend.manifest();
  const sliders = makeSliders(byId("sliders"), state);
  makeStage(byId("stage"), state, backend);
  const tabs = makeTabs(manifest, state, backend);
  byId("subject").textContent = manifest.runs.map((run) => `${run.recipe} on ${run.data}`).join(" · ");
  document.title = `${manifest.runs.map((run) => run.name).join(", ")} · latentry`;
  const ready = manifest.runs.every((run) => run.ready);
  document.body.classList.toggle("waiting", !ready);

  const redraw = newest(async () => {
    // What is drawn from a seed is drawn anew; a photograph's latent, say, does not depend on how seeds are drawn.
    if (state.source.kind !== "seed" || !state.z) return;
    const { truncation, sampler, wish, source } = state;
    const { z, told } = await backend.latents(0, { seeds: [source.seed], truncation, sampler, wish });
    if (state.source === source) state.set({ z: z[0], told: told && told[0] });
  }, complain);
  state.when(["truncation", "sampler", "wish"], redraw);

  if (!ready) return tabs.open(manifest.runs.some((run) => run.log) ? "training" : "samples");
  state.set({ runs: manifest.runs, trainingData: manifest.training_data });
  tabs.open(manifest.runs[0].finished || !manifest.runs[0].log ? "samples" : "training");
  await discover(state, backend, sliders);
}

/** Add the sliders that take seconds to find. */
async function discover(state, backend, sliders) {
  sliders.looking(true);
  try {
    const found = await Promise.all(state.runs.map((run, i) => backend.controls(i)));
    // Of one that was found twice, the model's own counts.
    const runs = state.runs.map((run, i) => {
      const known = new Set(run.controls.map(({ key }) => key));
      const fresh = found[i].controls.filter(({ key }) => !known.has(key));
      return { ...run, controls: [...run.controls, ...fresh.map((each) => ({ ...each, found: true }))] };
    });
    state.runs = runs; // the runs are the same ones: only sliders care
    state.set({ discovered: true });
    sliders.note(found.flatMap(({ said }) => said));
  } catch (error) {
    complain(error);
  } finally {
    sliders.looking(false);
  }
}

function makeTabs(manifest, state, backend) {
  const [list, panels] = [byId("tabs"), byId("panels")];
  const kept = TABS.filter(([id]) => id !== "training" || manifest.runs.some((run) => run.log));
  const made = new Map();
  const open = (id, focus = false) => {
    for (const [other] of kept) {
      const [tab, panel] = [byId(`tab-${other}`), byId(`panel-${other}`)];
      tab.setAttribute("aria-selected", String(other === id));
      tab.tabIndex = other === id ? 0 : -1;
      panel.hidden = other !== id;
      if (other === id && focus) tab.focus();
    }
    made.get(id)?.opened?.();
  };
  for (const [id, title, make] of kept) {
    const tab = h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}` }, title);
    const panel = h("div.panel", { role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, hidden: true });
    tab.onclick = () => open(id);
    list.append(tab);
    panels.append(panel);
    made.set(id, make(panel, state, backend, { open: () => open(id), offer: makeOffer(backend) }));
  }
  list.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = kept.findIndex(([id]) => byId(`tab-${id}`) === document.activeElement);
    open(kept[(at + step + kept.length) % kept.length][0], true);
  };
  return { open };
}

/** Offer the newest weights of a run that trains. */
function makeOffer(backend) {
  return (run, there) => {
    const box = byId("newer");
    box.hidden = !there;
    if (!there || box.childElementCount) return;
    const press = h("button.primary", { type: "button" }, "Use them");
    press.onclick = () => whileBusy(press, async () => (await backend.reload(run), location.reload()));
    box.replaceChildren(h("span", {}, "This run has saved newer weights."), press);
  };
}

/** Light or dark: as the system has it, until the reader chooses. */
function makeTheme() {
  const press = byId("theme");
  const dark = () => (localStorage.getItem("latentry-theme") || system()) === "dark";
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const show = () => {
    document.documentElement.dataset.theme = dark() ? "dark" : "light";
    press.textContent = dark() ? "Light" : "Dark";
    press.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
    dispatchEvent(new Event("theme"));
  };
  press.onclick = () => (localStorage.setItem("latentry-theme", dark() ? "light" : "dark"), show());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}

/** What answers: the server that the page came from, or files beside the page (`latentry export --to page`). */
async function openBackend() {
  if (document.querySelector("meta[name=latentry]").content === "server") return new ServerBackend(takeToken());
  return (await import("./static.js")).PageBackend.open();
}

openBackend().then(start).catch(complain);
