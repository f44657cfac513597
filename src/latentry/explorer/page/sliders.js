// Sliders for everything that moves the latent, and for how it is drawn.

import { h, signed } from "./dom.js";
import { makeCondition } from "./condition.js";

const GROUPS = [
  ["attribute", "Attributes", "Learnt from labels. Marks: the recommended dose."],
  ["direction", "Directions", "Found without labels; dose 1 is a standard deviation of the latents."],
  ["dimension", "Most active dimensions", "Single coordinates, in standard deviations."],
];

export function makeSliders(root, state) {
  const inputs = new Map();
  const moving = h("div", { id: "moving" });
  const waiting = h("p.hint", { id: "looking", hidden: true }, "Looking for what varies most …");
  const notes = h("div.hint");
  root.append(makeCondition(state), moving, waiting, notes, drawing(state));

  function build() {
    const opened = new Set([...moving.querySelectorAll("details[open]")].map((each) => each.dataset.kind));
    const kept = moving.childElementCount > 0;
    inputs.clear();
    moving.replaceChildren(
      ...GROUPS.flatMap(([kind, title, about]) => {
        const controls = state.controls.filter((control) => control.kind === kind);
        if (!controls.length) return [];
        const open = kept && moving.querySelector(`[data-kind=${kind}]`) ? opened.has(kind) : kind !== "dimension";
        const group = h("details", { open }, h("summary", {}, title, h("span.count", {}, String(controls.length))));
        group.dataset.kind = kind;
        group.append(h("p.hint", {}, about), ...controls.map((control) => row(control)));
        return [group];
      }),
    );
  }

  function row(control) {
    const id = `slider-${control.key.replace(/\W+/g, "-")}`;
    const input = h("input", { type: "range", id, "aria-describedby": `${id}-note` });
    Object.assign(input, { min: control.low, max: control.high, step: 0.05, value: state.doses[control.key] || 0 });
    const value = h("button.value", { type: "button", title: "Back to zero" });
    const note = h("small", { id: `${id}-note`, title: `dose 1: ${control.unit}` }, describe(control));
    const marks = h("div.marks", { "aria-hidden": "true" });
    for (const at of control.recommended ? [-control.recommended, 0, control.recommended] : [0]) {
      const mark = h("i");
      mark.style.setProperty("--at", (at - control.low) / (control.high - control.low));
      marks.append(mark);
    }
    input.oninput = () => state.set({ doses: { ...state.doses, [control.key]: Number(input.value) } });
    value.onclick = () => state.set({ doses: { ...state.doses, [control.key]: 0 } });
    inputs.set(control.key, () => {
      const dose = state.doses[control.key] || 0;
      if (Number(input.value) !== dose) input.value = dose;
      paint(input);
      value.textContent = signed(dose) || "0";
      value.disabled = !dose;
      value.setAttribute("aria-label", `${control.name} ${signed(dose)}, back to zero`);
    });
    inputs.get(control.key)();
    return h("div.slider", {}, h("div.head", {}, h("label", { htmlFor: id }, shownName(control.name)), value), input, marks, note);
  }

  function describe(control) {
    const lacking = state.runs.filter((run) => !run.controls.some(({ key }) => key === control.key));
    return lacking.length ? `${control.note}; unknown to ${lacking.map((run) => run.name).join(", ")}` : control.note;
  }

  state.when(["runs", "discovered"], build);
  state.when(["doses"], () => inputs.forEach((refresh) => refresh()));
  return {
    looking: (on) => (waiting.hidden = !on),
    note: (lines) => notes.replaceChildren(...lines.map((line) => h("p", {}, line))),
  };
}

/** Truncation and the sampler. */
function drawing(state) {
  const truncation = h("input", { type: "range", id: "truncation", min: 0, max: 1.5, step: 0.05, value: 1 });
  const value = h("button.value", { type: "button", title: "Back to 1" });
  const sampler = h("select", { id: "sampler" });
  const box = h("div.field", {}, h("label", { htmlFor: "sampler" }, "Drawn from"), sampler);
  truncation.oninput = () => state.set({ truncation: Number(truncation.value) });
  value.onclick = () => state.set({ truncation: 1 });
  sampler.onchange = () => state.set({ sampler: sampler.value === state.first.sampler ? null : sampler.value });
  const refresh = () => {
    truncation.value = state.truncation;
    paint(truncation, 0);
    value.textContent = state.truncation.toFixed(2);
    value.disabled = state.truncation === 1;
    value.setAttribute("aria-label", `truncation ${state.truncation}, back to 1`);
  };
  refresh();
  state.when(["truncation"], refresh);
  state.when(["runs"], () => {
    const { samplers, sampler: chosen } = state.first;
    sampler.replaceChildren(...samplers.map((name) => h("option", { value: name }, name === chosen ? `${name} (the run's choice)` : name)));
    sampler.value = state.sampler || chosen;
    box.hidden = samplers.length < 2;
  });
  const about = "Below 1, seeds draw nearer to the mean: safer and less varied.";
  const head = h("div.head", {}, h("label", { htmlFor: "truncation" }, "Truncation"), value);
  const slider = h("div.slider", {}, head, truncation, h("small", {}, about));
  return h("details", { open: true }, h("summary", {}, "Drawing"), slider, box);
}

/** Fill the track between where zero is and where the slider stands. */
export function paint(input, zero = null) {
  const [low, high] = [Number(input.min), Number(input.max)];
  const share = (value) => (value - low) / (high - low);
  const [a, b] = [share(zero ?? Math.min(Math.max(0, low), high)), share(Number(input.value))];
  input.style.setProperty("--from", Math.min(a, b));
  input.style.setProperty("--to", Math.max(a, b));
}

export const shownName = (name) => name.replaceAll("_", " ");
