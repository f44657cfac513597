// The current picture as a command and as Python, to be typed elsewhere.

import { h, say } from "./dom.js";

/** Both, as text; `command` is null where no command draws the picture. */
export function words(state) {
  return { command: command(state), python: python(state) };
}

export function openWords(state) {
  const dialog = document.getElementById("words");
  const told = words(state);
  const close = h("button.quiet", { type: "button", onclick: () => dialog.close(), "aria-label": "Close" }, "✕");
  dialog.replaceChildren(
    h("header", {}, h("h2", { id: "words-title" }, "This picture elsewhere"), close),
    told.command ? block("Command line", told.command) : h("p.hint", {}, "No command draws this one; this does:"),
    block("Python", told.python),
  );
  dialog.showModal();
}

function block(title, text) {
  const copy = h("button", { type: "button", onclick: () => copyText(text) }, "Copy");
  return h("section.code", {}, h("header", {}, h("h3", {}, title), copy), h("pre", { tabIndex: 0 }, text));
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // An address without https on another machine has no clipboard of its own.
    const box = h("textarea", { value: text, readOnly: true });
    document.getElementById("words").append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  say("Copied.");
}

const drawsAlike = (state) => state.truncation === 1 && (state.sampler == null || state.sampler === state.first.sampler);
const short = (value) => String(Math.round(value * 1e6) / 1e6);

function command(state) {
  const { first, source, moves } = state;
  const still = !moves.length;
  if (moves.some(([control]) => control.kind === "dimension")) return null;
  const run = shell(first.path);
  const doses = moves.map(([{ name }, dose]) => ` ${shell(`${name}=${dose > 0 ? "+" : ""}${short(dose)}`)}`).join("");
  const once = moves.some(([control]) => control.found) ? `latentry directions ${run}   # once\n` : "";
  const end = `${wishFlags(state)} -o picture.png`;
  if (source.kind === "seed" && still) {
    const truncation = state.truncation === 1 ? "" : ` --truncation ${short(state.truncation)}`;
    const sampler = state.sampler ? ` --sampler ${state.sampler}` : "";
    return `latentry sample ${run} --seeds ${source.seed}${truncation}${sampler}${end}`;
  }
  if (source.kind === "seed" && drawsAlike(state)) {
    return `${once}latentry edit ${run}${doses} --seeds ${source.seed}${end}`;
  }
  if (source.kind === "photograph" && !source.searched && !still) {
    return `${once}latentry edit ${run}${doses} --image ${shell(source.name)}${end}`;
  }
  return null;
}

function wishFlags({ wish, first }) {
  if (!first.condition) return "";
  const list = (values) => Object.entries(values).map(([name, value]) => `${name}=${short(value)}`).join(",");
  return [
    wish.class_name == null ? "" : ` --class ${shell(wish.class_name)}`,
    Object.keys(wish.attributes).length ? ` --attributes ${shell(list(wish.attributes))}` : "",
    Object.keys(wish.numbers).length ? ` --numbers ${shell(list(wish.numbers))}` : "",
  ].join("");
}

function python(state) {
  const { first, source, moves, told } = state;
  const kept = moves.filter(([control]) => control.kind !== "dimension");
  const dims = moves.filter(([control]) => control.kind === "dimension");
  const seeded = source.kind === "seed";
  const lines = seeded ? ["import latentry"] : ["import base64", "", "import latentry", "import numpy as np"];
  if (seeded && told) lines.push("from latentry.models.wish import Wish");
  lines.push("", `model = latentry.load(${text(first.path)})`);
  if (seeded) {
    const { class_name, attributes, numbers } = state.wish;
    const wish = [
      class_name == null ? "" : `class_name=${text(class_name)}`,
      Object.keys(attributes).length ? `attributes=${dict(attributes)}` : "",
      Object.keys(numbers).length ? `numbers=${dict(numbers)}` : "",
    ].filter(Boolean);
    if (told) lines.push(`conditions = model.conditions([${source.seed}], Wish(${wish.join(", ")}))`);
    const more = [
      state.truncation === 1 ? "" : `, truncation=${short(state.truncation)}`,
      state.sampler ? `, sampler=${text(state.sampler)}` : "",
      told ? ", conditions=conditions" : "",
    ].join("");
    lines.push(`z = model.latents([${source.seed}]${more})`);
  } else {
    const bytes = new Uint8Array(state.z.buffer, state.z.byteOffset, state.z.byteLength);
    const packed = btoa(String.fromCharCode(...bytes));
    lines.push(`z = np.frombuffer(base64.b64decode("${packed}"), "<f4").reshape(1, ${first.latent.join(", ")}).copy()`);
    if (told) lines.push(`conditions = np.array([[${[...state.saying].join(", ")}]], np.float32)`);
  }
  for (const [{ direction }, dose] of dims) {
    const dim = direction.findIndex((value) => value !== 0);
    lines.push(`z[:, ${dim}] += ${short(dose * direction[dim])}`);
  }
  if (kept.some(([control]) => control.found)) {
    lines.push("latentry.find_directions(model)  # keeps principal-1 and so on with the model");
  }
  const doses = Object.fromEntries(kept.map(([{ name }, dose]) => [name, dose]));
  const conditions = told ? ", conditions=conditions" : "";
  const decoded = `model.decode(z${told ? ", conditions" : ""})`;
  lines.push(`picture = ${kept.length ? `model.edit_latents(z, ${dict(doses)}${conditions})` : decoded}  # uint8`);
  return lines.join("\n");
}

const text = (value) => JSON.stringify(value);
const dict = (values) => `{${Object.entries(values).map(([name, value]) => `${text(name)}: ${short(value)}`).join(", ")}}`;
const shell = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
