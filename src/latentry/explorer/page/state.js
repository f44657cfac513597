// What is being looked at: one latent, how it came to be, and how it is moved. Every part of the page reads it and is told
// when it changes.

import { moved, tell } from "./latent.js";

export class State extends EventTarget {
  runs = [];
  trainingData = false;
  z = null; // of the current picture, before it is moved
  told = null; // with it, before the wish
  source = { kind: "seed", seed: 0 }; // or photograph, analogy, morph, map
  doses = {}; // by the key of a control
  wish = { class_name: null, attributes: {}, numbers: {} };
  truncation = 1;
  sampler = null;
  discovered = false; // whether the sliders that take seconds to find are there

  /** Change some of it; `what` of those who are told names what changed. */
  set(changes) {
    Object.assign(this, changes);
    this.dispatchEvent(new CustomEvent("change", { detail: new Set(Object.keys(changes)) }));
  }

  /** Call when one of these has changed. */
  when(names, call) {
    this.addEventListener("change", ({ detail }) => names.some((name) => detail.has(name)) && call());
  }

  get first() {
    return this.runs[0];
  }

  /** Every slider once, the first run's before those that only others have. */
  get controls() {
    const all = new Map();
    for (const run of this.runs) for (const each of run.controls) if (!all.has(each.key)) all.set(each.key, each);
    return [...all.values()];
  }

  /** The latent as a run shall decode it, along the run's own directions. */
  moved(run = this.first) {
    return moved(this.z, run.controls, this.doses);
  }

  /** What the model is told with it. */
  get saying() {
    return tell(this.first.condition, this.told, this.wish);
  }

  /** What is moved, as [control, dose]. */
  get moves() {
    return this.controls.filter(({ key }) => this.doses[key]).map((control) => [control, this.doses[control.key]]);
  }

  /** Take a latent as the current picture. Of one that was made of moved ones, the moves are in it already. */
  take(z, told, source, { keepMoves = false } = {}) {
    this.set({ z, told, source, ...(keepMoves ? {} : { doses: {} }) });
  }

  /** The current picture in words. */
  get label() {
    const { kind, seed, name } = this.source;
    const from = kind === "seed" ? `seed ${seed}` : name || kind;
    const moves = this.moves.map(([control, dose]) => `${control.name} ${dose.toFixed(2)}`);
    return ["generated picture", from, ...moves].join(", ");
  }
}
