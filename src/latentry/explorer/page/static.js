// The page without a server: answers as `ServerBackend` does (see backend.js), from files beside the page and a model
// that runs here. Nothing is sent anywhere.

import { Refused } from "./backend.js";
import { neighbours, plane } from "./flat-map.js";
import { gif } from "./gif.js";
import { along, tell } from "./latent.js";
import { OnnxModel, readArray } from "./onnx.js";
import { zip } from "./zip.js";

const MOST_PIXELS = 50_000_000;
const SLOW_MS = 25;
const SMALLEST_SIDE_PX = 128; // of an animation's pictures, which are enlarged by a whole factor
// A function that adds vectors of 16 bytes: a browser that takes it for valid has SIMD.
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

export class PageBackend {
  privacy = "It stays in this browser.";
  #model;
  #page;
  #maps = {};

  /** From the files beside the page. */
  static async open() {
    if (typeof WebAssembly !== "object" || !WebAssembly.validate(SIMD)) {
      throw new Refused("This browser has no WebAssembly SIMD, which computes the pictures; a current one has.");
    }
    const [page, manifest] = await Promise.all([readJson("page.json"), readJson("model/manifest.json")]);
    const wanted = new URLSearchParams(location.search).get("compute"); // wasm or webgpu; else whichever is the better
    let model = await openModel(manifest, ["wasm"]);
    const worth = wanted === "webgpu" || (!wanted && (await isSlow(model)) && (await hasGpu()));
    if (page.webgpu && worth) model = await openModel(manifest, ["webgpu", "wasm"]);
    return new PageBackend(page, model);
  }

  constructor(page, model) {
    [this.#page, this.#model] = [page, model];
  }

  async manifest() {
    const { version, run } = this.#page;
    return { version, training_data: false, runs: [{ ...run, controls: run.controls.map(readControl) }] };
  }

  async latents(run, { seeds, truncation = 1, sampler = null, wish = {} }) {
    const told = this.#model.conditions(seeds, wish);
    return { z: await this.#model.latents(seeds, { truncation, sampler, told }), told };
  }

  decode(run, z, told) {
    return this.#model.decode(z, told);
  }

  async encode(run, file, { wish = {} }) {
    const { condition, image } = this.#model;
    if (condition?.kind === "class" && wish.class_name == null) {
      throw new Refused("This model is told the class; choose what the photograph shows, and drop it again.");
    }
    const taken = await readPhotograph(file, image, this.#page.fit);
    const told = condition && tell(condition, new Float32Array(condition.names.length), wish);
    const z = await this.#model.encode(taken, told);
    const [made] = await this.#model.decode([z], told && [told]);
    return { z, told, taken, made, ssim: null, inside: null };
  }

  async controls() {
    return { controls: this.#page.found.controls.map(readControl), said: this.#page.found.said };
  }

  async map(run, of, by) {
    if (!this.#page.maps[by]) throw new Error("a latent of one number has no flat map; its slider shows all of it");
    const { places, groups, group_names, shown } = this.#page.maps[by];
    return { places, groups, group_names, shown };
  }

  async place(run, of, by, place, z) {
    return this.#map(by).at(place, z);
  }

  async where(run, of, by, z) {
    return this.#map(by).where(z);
  }

  async animation(run, z, told, { frames, loop, kind, fps = 16 }) {
    const spherical = this.#page.run.spherical;
    const moments = Array.from({ length: frames }, (_, i) => i / (loop ? frames : frames - 1));
    const walk = (keyframes, path) => moments.map((moment) => along(keyframes, moment, path));
    const pictures = await this.#model.decode(walk(z, { spherical, loop }), told && walk(told, { spherical: false, loop }));
    if (kind === "gif") return gif(pictures.map(enlarged), fps);
    const files = await Promise.all(pictures.map(async (picture, i) => [`frame-${String(i).padStart(4, "0")}.png`, await toPng(picture)]));
    return zip(files);
  }

  #map(by) {
    const { kind, mean, axes, latents, gaussian, places } = this.#page.maps[by];
    if (!this.#maps[by]) {
      this.#maps[by] =
        kind === "plane" ? plane({ mean: readArray(mean).data, axes: readArray(axes).data }) : neighbours({ places, latents: rows(readArray(latents)), gaussian });
    }
    return this.#maps[by];
  }
}

async function openModel(manifest, providers) {
  const ort = await import(`./runtime/ort.${providers[0]}.min.mjs`);
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1; // more need headers that plain file servers do not send
  ort.env.wasm.wasmPaths = new URL("./runtime/", location.href).href;
  return new OnnxModel(ort, "model", manifest, providers);
}

/** Whether a picture takes so long that a GPU, from which pictures must be read back, is likely the faster. */
async function isSlow(model) {
  const told = model.condition && [new Float32Array(model.condition.names.length)];
  const z = [new Float32Array(model.latentSize)];
  await model.decode(z, told); // the first one loads it
  const start = performance.now();
  await model.decode(z, told);
  return performance.now() - start > SLOW_MS;
}

/** Whether there is WebGPU, and hardware behind it. */
async function hasGpu() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter) && !adapter.info.isFallbackAdapter;
}

async function readJson(name) {
  const reply = await fetch(name).catch(() => null);
  if (!reply?.ok) throw new Refused(`${name} is missing beside this page; open the folder through a file server, not as a file.`);
  return reply.json();
}

const readControl = (control) => ({ ...control, direction: readArray({ shape: null, float32: control.direction }).data });

function rows({ shape, data }) {
  const [n, width] = shape;
  return Array.from({ length: n }, (_, i) => data.subarray(i * width, (i + 1) * width));
}

/** A photograph at the model's size, cropped, padded or stretched as the model's own pictures were. */
async function readPhotograph(file, { width, height }, fit) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Refused("This is no picture that can be read; take a PNG, JPEG, WebP, GIF or BMP file.");
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    throw new Refused(`The photograph has ${bitmap.width} x ${bitmap.height} pixels; at most 50 million are read.`);
  }
  const scales = [width / bitmap.width, height / bitmap.height];
  const scale = { crop: Math.max(...scales), pad: Math.min(...scales) }[fit];
  const [wide, high] = fit === "stretch" ? [width, height] : [bitmap.width * scale, bitmap.height * scale];
  const pen = canvas(width, height).getContext("2d");
  [pen.fillStyle, pen.imageSmoothingQuality] = ["#fff", "high"];
  pen.fillRect(0, 0, width, height);
  pen.drawImage(halved(bitmap, wide, high), (width - wide) / 2, (height - high) / 2, wide, high);
  return pen.getImageData(0, 0, width, height);
}

/** Halved as long as it is twice too large: what one step leaves out comes back as jagged edges. */
function halved(picture, wide, high) {
  while (picture.width >= 2 * wide && picture.height >= 2 * high) {
    const half = canvas(Math.ceil(picture.width / 2), Math.ceil(picture.height / 2));
    half.getContext("2d").drawImage(picture, 0, 0, half.width, half.height);
    picture = half;
  }
  return picture;
}

const canvas = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

function onCanvas({ width, height, data }) {
  const surface = canvas(width, height);
  surface.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return surface;
}

async function toPng(picture) {
  const blob = await new Promise((done) => onCanvas(picture).toBlob(done, "image/png"));
  return new Uint8Array(await blob.arrayBuffer());
}

function enlarged(picture) {
  const times = Math.max(1, Math.ceil(SMALLEST_SIDE_PX / Math.min(picture.width, picture.height)));
  const pen = canvas(times * picture.width, times * picture.height).getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(onCanvas(picture), 0, 0, pen.canvas.width, pen.canvas.height);
  return pen.getImageData(0, 0, pen.canvas.width, pen.canvas.height);
}
