// A - B + C: what is to C as A is to B.

import { complain, h } from "./dom.js";
import { analogy } from "./latent.js";
import { newest } from "./newest.js";
import { easel, show } from "./picture.js";

const SLOTS = ["A", "B", "C"];

export function makeArithmetic(panel, state, backend) {
  const slots = SLOTS.map((name) => {
    const canvas = easel(`${name}: empty`);
    const put = h("button", { type: "button", title: `Put the current picture here` }, `Put here`);
    put.setAttribute("aria-label", `Put the current picture into ${name}`);
    const from = h("figcaption", {}, "empty");
    return { name, canvas, put, from, z: null, told: null, figure: h("figure", {}, h("b", {}, name), canvas, from, put) };
  });
  const result = easel("A − B + C: not made yet");
  const use = h("button.primary", { type: "button", disabled: true }, "Take it");
  const [a, b, c] = slots;
  const sign = (text) => h("span.sign", { "aria-hidden": "true" }, text);
  panel.append(
    h("p.hint", {}, "What is to C as A is to B. Make a picture current, then put it into a place."),
    h("div.sum", {}, a.figure, sign("−"), b.figure, sign("+"), c.figure),
    h("div.sum", {}, sign("="), h("figure", {}, result, use)),
  );

  let sum = null;
  const drawn = newest(async () => {
    const filled = slots.filter((slot) => slot.z);
    if (!filled.length) return;
    const full = filled.length === 3;
    // Every condition is the first picture's, as of `latentry edit --analogy`; the pictures in the places keep their own.
    sum = full ? { z: analogy(a.z, b.z, c.z), told: a.told } : null;
    const all = full ? [...filled, sum] : filled;
    const pictures = await backend.decode(0, all.map(({ z }) => z), all[0].told && all.map(({ told }) => told));
    filled.forEach((slot, i) => show(slot.canvas, pictures[i], `${slot.name}: ${slot.from.textContent}`));
    if (full) show(result, pictures[3], `A − B + C of ${slots.map((slot) => slot.from.textContent).join(", ")}`);
    use.disabled = !full;
  }, complain);

  function put(slot) {
    slot.z = state.moved();
    slot.told = state.saying;
    const { kind, seed, name } = state.source;
    slot.from.textContent = [kind === "seed" ? `seed ${seed}` : name || kind, ...state.moves.map(([control]) => control.name)].join(", ");
    drawn();
  }
  for (const slot of slots) slot.put.onclick = () => put(slot);
  use.onclick = () => sum && state.take(sum.z, sum.told, { kind: "analogy", name: `A − B + C of ${slots.map((slot) => slot.from.textContent).join("; ")}` });
}
