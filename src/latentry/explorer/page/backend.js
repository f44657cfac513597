// The seam between the page and what computes for it. Everything the page asks for is asked of an object with the
// methods of `ServerBackend`; another one may answer without a server (a model run in the browser, say) as long as it
// keeps these promises. What it cannot do, it says in `manifest()` (`encodes`, `searches`, `maps_data`, `log`, `training_data`).
//
//   manifest()                                        what there is; see ManifestReply in messages.py
//   latents(run, {seeds, truncation, sampler, wish})  {z: [Float32Array], told: [Float32Array] | null}
//   decode(run, [z], [told] | null)                   [Picture]
//   encode(run, file, {wish, search})                 {z, told, taken: Picture, made: Picture, ssim, inside}
//   controls(run)                                     {controls, said}: sliders that take seconds to find
//   map(run, of, by)                                  {places, groups, group_names, shown}
//   place(run, of, by, {x, y}, z), where(run, of, by, z)   from the map to a latent, and back
//   neighbours(run, z, told)                          {pictures: [Picture], distances}
//   animation(run, [z], [told] | null, settings)      Blob
//   live(run), grid(run, name), reload(run)           how a run trains
//
// A Picture is {width, height, data}, data the RGBA bytes that a canvas takes. Directions arrive as Float32Array.
// `privacy` says what becomes of a photograph. An error whose `message` is a line for people is thrown as `Refused`.

export class Refused extends Error {}

export class ServerBackend {
  privacy = "It is sent to the machine where latentry explore runs, and not kept."; // what becomes of a photograph
  #token;

  constructor(token) {
    this.#token = token;
  }

  async manifest() {
    const reply = await this.#ask("manifest");
    return { ...reply, runs: reply.runs.map(readRun) };
  }

  async latents(run, { seeds, truncation = 1, sampler = null, wish = {} }) {
    const reply = await this.#ask("latents", { run, seeds, truncation, sampler, wish });
    return { z: reply.z.map(readFloats), told: reply.told && reply.told.map((row) => Float32Array.from(row)) };
  }

  async decode(run, z, told) {
    return readPictures(await this.#ask("decode", { run, z: z.map(writeFloats), told: writeTold(told) }));
  }

  async encode(run, file, { wish = {}, search = false }) {
    const picture = writeBytes(new Uint8Array(await file.arrayBuffer()));
    const reply = await this.#ask("encode", { run, picture, wish, search });
    const [taken, made] = readPictures(reply.pictures);
    const { ssim, inside } = reply;
    return { z: readFloats(reply.z), told: reply.told && Float32Array.from(reply.told), taken, made, ssim, inside };
  }

  async controls(run) {
    const reply = await this.#ask("controls", { run });
    return { controls: reply.controls.map(readControl), said: reply.said };
  }

  map(run, of, by) {
    return this.#ask("map", { run, of, by });
  }

  async place(run, of, by, { x, y }, z) {
    return readFloats((await this.#ask("place", { run, of, by, x, y, z: writeFloats(z) })).z);
  }

  where(run, of, by, z) {
    return this.#ask("where", { run, of, by, z: writeFloats(z) });
  }

  async neighbours(run, z, told) {
    const reply = await this.#ask("neighbours", { run, z: writeFloats(z), told: told && [...told] });
    return { pictures: readPictures(reply.pictures), distances: reply.distances };
  }

  async animation(run, z, told, settings) {
    return (await this.#send("animation", { run, z: z.map(writeFloats), told: writeTold(told), ...settings })).blob();
  }

  live(run) {
    return this.#ask(`live/${run}`);
  }

  async grid(run, name) {
    return (await this.#send(`live/${run}/grids/${encodeURIComponent(name)}`)).blob();
  }

  async reload(run) {
    return readRun(await this.#ask("reload", { run }));
  }

  async #ask(verb, question) {
    return (await this.#send(verb, question)).json();
  }

  async #send(verb, question) {
    const headers = { "content-type": "application/json" };
    if (this.#token) headers.authorization = `Bearer ${this.#token}`;
    const asked = question ? { method: "POST", headers, body: JSON.stringify(question) } : { headers };
    let reply;
    try {
      reply = await fetch(`/api/${verb}`, asked);
    } catch {
      throw new Refused("The server does not answer; is latentry explore still running?");
    }
    if (reply.ok) return reply;
    const { detail } = await reply.json().catch(() => ({}));
    throw new Refused(detail || `The server failed (${reply.status}); its terminal says why.`);
  }
}

/** The token behind # in the page's address; kept for this tab, and taken out of sight. */
export function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    sessionStorage.setItem("latentry-token", found);
    history.replaceState(null, "", location.pathname);
  }
  return found || sessionStorage.getItem("latentry-token");
}

const readRun = (run) => ({ ...run, controls: run.controls.map(readControl) });
const readControl = (control) => ({ ...control, direction: readFloats(control.direction) });
const readBytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const readFloats = (text) => new Float32Array(readBytes(text).buffer);
const writeFloats = (z) => writeBytes(new Uint8Array(z.buffer, z.byteOffset, z.byteLength));
const writeTold = (told) => told && told.map((row) => [...row]);

function writeBytes(bytes) {
  let text = "";
  const part = 0x8000; // more arguments than this overflow the stack
  for (let start = 0; start < bytes.length; start += part) {
    text += String.fromCharCode(...bytes.subarray(start, start + part));
  }
  return btoa(text);
}

function readPictures({ channels, height, width, pixels }) {
  return pixels.map((text) => {
    const planes = readBytes(text);
    const size = width * height;
    const data = new Uint8ClampedArray(4 * size).fill(255);
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < 3; c++) data[4 * i + c] = planes[channels < 3 ? i : c * size + i];
      if (channels === 4) data[4 * i + 3] = planes[3 * size + i];
    }
    return { width, height, data };
  });
}
