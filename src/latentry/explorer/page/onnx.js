// A model that `latentry export` wrote, computed in the browser: what `latentry.export.OnnxModel` does in Python.
// Latents and conditions are Float32Array, one a picture.

import { CONDITION, normal, uniform } from "./noise.js";
import { tell } from "./latent.js";

const MOST_ROWS = 32; // computed together: more would hold the page up

export class OnnxModel {
  #ort;
  #base;
  #providers;
  #sessions = new Map();
  #last = Promise.resolve(); // a session computes one thing at a time

  /** `ort` is onnxruntime-web, `base` the exported folder, `providers` what computes, best first. */
  constructor(ort, base, manifest, providers) {
    [this.#ort, this.#base, this.manifest, this.#providers] = [ort, base, manifest, providers];
    this.image = manifest.image;
    this.latentSize = manifest.latent.shape.reduce((product, size) => product * size, 1);
    const told = manifest.condition;
    this.condition = told && { kind: told.kind, names: told.names, centre: told.centre, spread: told.spread };
    this.examples = told && readArray(told.examples);
  }

  get encodes() {
    return "encoder" in this.manifest.graphs;
  }

  /** What the model is told for each seed, as wished for, the rest as often as the data have it. */
  conditions(seeds, wish) {
    if (!this.condition) return null;
    const [rows, width] = this.examples.shape;
    return seeds.map((seed) => {
      const row = Math.floor(uniform(seed, 1, CONDITION)[0] * rows);
      return tell(this.condition, this.examples.data.slice(row * width, (row + 1) * width), wish);
    });
  }

  /** One latent a seed. */
  async latents(seeds, { sampler = null, truncation = 1, told = null }) {
    const record = this.manifest.samplers[sampler || this.manifest.sampler];
    const uniforms = seeds.map((seed) => uniform(seed, record.uniform));
    if (record.kind === "tokens") return this.#fromTokens(record, uniforms, told, truncation);
    let z = seeds.map((seed) => normal(seed, record.normal));
    if (record.kind === "graph") z = await this.#run(record.graph, { uniform: uniforms, normal: z }, told);
    if (truncation === 1) return z;
    const centre = readArray(record.centre).data;
    return z.map((row) => row.map((value, i) => centre[i] + truncation * (value - centre[i])));
  }

  /** Pictures of latents, as RGBA. */
  async decode(z, told) {
    const { height, width, channels } = this.image;
    const planes = await this.#run("decoder", { z }, told);
    return planes.map((x) => toPicture(x, channels, height, width));
  }

  /** The latent of a picture, RGBA of the model's size. */
  async encode(picture, told) {
    return (await this.#run("encoder", { x: [toPlanes(picture, this.image.channels)] }, told && [told]))[0];
  }

  /** Grids of codes, one token after another: each the inverse of the cumulative distribution at its number. */
  async #fromTokens(record, uniforms, told, temperature) {
    const { shape, data: codebook } = readArray(record.codebook);
    const [codes, depth] = shape;
    const positions = record.uniform;
    const tokens = uniforms.map(() => new Float64Array(positions));
    for (let at = 0; at < positions; at++) {
      const logits = await this.#run(record.graph, { tokens }, told);
      tokens.forEach((row, n) => {
        row[at] = choose(logits[n].subarray(at * codes, (at + 1) * codes), uniforms[n][at], temperature);
      });
    }
    return tokens.map((row) => Float32Array.from({ length: depth * positions }, (_, i) => codebook[row[i % positions] * depth + Math.floor(i / positions)]));
  }

  /** A graph's output by row. */
  async #run(graph, inputs, told) {
    const session = await this.#session(graph);
    const given = { ...inputs, ...(told ? { condition: told } : {}) };
    const names = session.inputNames.filter((name) => name in given); // what a part does not read is no input of it
    const shapes = this.manifest.graphs[graph].inputs;
    const n = Object.values(inputs)[0].length;
    const rows = [];
    for (let start = 0; start < n; start += MOST_ROWS) {
      const part = (name) => given[name].slice(start, start + MOST_ROWS);
      const feeds = Object.fromEntries(names.map((name) => [name, this.#tensor(name, part(name), shapes[name].slice(1))]));
      const found = Object.values(await this.#inTurn(() => session.run(feeds)))[0];
      const [count, size] = [found.dims[0], found.data.length / found.dims[0]];
      for (let i = 0; i < count; i++) rows.push(found.data.slice(i * size, (i + 1) * size));
    }
    return rows;
  }

  #inTurn(work) {
    const turn = this.#last.then(work, work);
    this.#last = turn;
    return turn;
  }

  #tensor(name, rows, shape) {
    const size = rows[0].length;
    const whole = name === "tokens" ? new BigInt64Array(rows.length * size) : new Float32Array(rows.length * size);
    rows.forEach((row, i) => whole.set(name === "tokens" ? Array.from(row, BigInt) : row, i * size));
    return new this.#ort.Tensor(name === "tokens" ? "int64" : "float32", whole, [rows.length, ...shape]);
  }

  #session(graph) {
    if (!this.#sessions.has(graph)) {
      const file = `${this.#base}/${this.manifest.graphs[graph].file}`;
      const [best, ...others] = this.#providers;
      const open = (provider) => this.#ort.InferenceSession.create(file, { executionProviders: [provider] });
      const retry = (error) => (others.length ? open(others[0]) : Promise.reject(error)); // it may lack an operation
      this.#sessions.set(graph, open(best).catch(retry));
    }
    return this.#sessions.get(graph);
  }
}

/** An array as manifests hold it: its shape and its float32 numbers. */
export function readArray({ shape, float32 }) {
  return { shape, data: new Float32Array(Uint8Array.from(atob(float32), (letter) => letter.charCodeAt(0)).buffer) };
}

function choose(logits, number, temperature) {
  const largest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  if (temperature === 0) return logits.indexOf(largest);
  let total = 0;
  const cumulative = Array.from(logits, (value) => (total += Math.exp((value - largest) / temperature)));
  const passed = cumulative.findIndex((value) => value > number * total);
  return passed < 0 ? logits.length - 1 : passed;
}

function toPicture(x, channels, height, width) {
  const size = width * height;
  const level = (value) => Math.min(255, Math.max(0, Math.round((value + 1) * 127.5)));
  const data = new Uint8ClampedArray(4 * size).fill(255);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = level(x[channels < 3 ? i : c * size + i]);
    if (channels === 4) data[4 * i + 3] = level(x[3 * size + i]);
  }
  return { width, height, data };
}

function toPlanes({ width, height, data }, channels) {
  const size = width * height;
  const x = new Float32Array(channels * size);
  for (let i = 0; i < size; i++) {
    const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
    if (channels === 1) x[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b) / 127.5 - 1; // as PIL makes grey of colours
    else [r, g, b, a].slice(0, channels).forEach((value, c) => (x[c * size + i] = value / 127.5 - 1));
  }
  return x;
}
