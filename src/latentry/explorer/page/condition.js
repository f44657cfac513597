// What a conditional model is told: a class, attributes, or numbers. What is not chosen is drawn as often as the data have it.

import { h } from "./dom.js";
import { paint, shownName } from "./sliders.js";

export function makeCondition(state) {
  const box = h("details", { open: true, id: "condition", hidden: true });
  state.when(["runs"], () => {
    const spec = state.first.condition;
    box.hidden = !spec;
    if (!spec || box.dataset.built) return;
    box.dataset.built = "yes";
    const make = { class: classes, attributes, numbers }[spec.kind];
    const title = { class: "Class", attributes: "Told attributes", numbers: "Told numbers" }[spec.kind];
    box.append(h("summary", {}, title), h("p.hint", {}, "What the model is told; unset is drawn as in the data."));
    box.append(make(spec, state));
  });
  return box;
}

function classes(spec, state) {
  return choices("Class", [["any", null], ...spec.names.map((name) => [shownName(name), name])], (value) => {
    state.set({ wish: { ...state.wish, class_name: value } });
  });
}

function attributes(spec, state) {
  return h(
    "div",
    {},
    spec.names.map((name) => {
      const pick = choices(shownName(name), [["no", 0], ["any", null], ["yes", 1]], (value) => {
        state.set({ wish: { ...state.wish, attributes: changed(state.wish.attributes, name, value) } });
      }, 1);
      return h("div.told", {}, h("span", { "aria-hidden": "true" }, shownName(name)), pick);
    }),
  );
}

function numbers(spec, state) {
  return h(
    "div",
    {},
    spec.names.map((name, i) => {
      const [low, high] = [-3, 3].map((reach) => spec.centre[i] + reach * spec.spread[i]);
      const id = `told-${name.replace(/\W+/g, "-")}`;
      const input = h("input", { type: "range", id });
      Object.assign(input, { min: low, max: high, step: (high - low) / 120, value: spec.centre[i] });
      const value = h("button.value", { type: "button", title: "As in the data", disabled: true }, "any");
      const set = (number) => {
        state.set({ wish: { ...state.wish, numbers: changed(state.wish.numbers, name, number) } });
        value.textContent = number == null ? "any" : number.toPrecision(3);
        value.disabled = number == null;
        paint(input, spec.centre[i]);
      };
      input.oninput = () => set(Number(input.value));
      value.onclick = () => ((input.value = spec.centre[i]), set(null));
      return h("div.slider", {}, h("div.head", {}, h("label", { htmlFor: id }, shownName(name)), value), input);
    }),
  );
}

function changed(values, name, value) {
  const { [name]: _, ...others } = values;
  return value == null ? others : { ...others, [name]: value };
}

/** A row of choices of which one is taken; arrow keys go through them. */
export function choices(label, options, take, chosen = 0) {
  const group = h("div.choices", { role: "radiogroup", "aria-label": label });
  const pick = (index) => {
    [...group.children].forEach((each, i) => {
      each.setAttribute("aria-checked", String(i === index));
      each.tabIndex = i === index ? 0 : -1;
    });
  };
  options.forEach(([text, value], i) => {
    const choice = h("button", { type: "button", role: "radio" }, text);
    choice.onclick = () => (pick(i), take(value));
    group.append(choice);
  });
  group.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...group.children];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    next.click();
  };
  pick(chosen);
  return group;
}
