// A photograph of one's own: dropped, encoded or searched for, shown beside its reconstruction, then edited.

import { h, say, whileBusy } from "./dom.js";
import { easel, show } from "./picture.js";

export function makePhotograph(panel, state, backend, { open }) {
  const file = h("input", { type: "file", accept: "image/png,image/jpeg,image/webp,image/gif,image/bmp", id: "file" });
  const about = h("p.hint", { id: "file-about" });
  const drop = h("label.drop", { htmlFor: "file" }, h("b", {}, "Drop a photograph"), " or choose one", file);
  const taken = easel("the photograph as the model takes it");
  const made = easel("its reconstruction");
  const closer = h("button", { type: "button" }, "Search for a closer latent");
  const use = h("button.primary", { type: "button" }, "Edit it");
  const verdict = h("p", { "aria-live": "polite" });
  const result = h(
    "div",
    { hidden: true },
    h("div.pair", {}, h("figure", {}, taken, h("figcaption", {}, "as the model takes it")), h("figure", {}, made, h("figcaption", {}, "reconstruction"))),
    verdict,
    h("div.actions", {}, use, closer),
  );
  panel.append(drop, about, result);

  let photograph = null;
  let found = null;

  async function encode(search) {
    say(search ? "Searching; this takes a few seconds …" : "Encoding …");
    found = await backend.encode(0, photograph, { wish: state.wish, search });
    found.searched = search;
    show(taken, found.taken);
    show(made, found.made);
    result.hidden = false;
    closer.hidden = search || !state.first.searches;
    const known = found.inside == null ? "" : found.inside ? " The model knows pictures of this kind." : " The model does not know pictures of this kind.";
    verdict.textContent = (found.ssim == null ? "" : `Similarity (SSIM) ${found.ssim.toFixed(2)} of 1.`) + known;
    take();
    say("The photograph is the current picture; move the sliders.");
  }

  function take() {
    const { z, told, searched } = found;
    state.take(z, told, { kind: "photograph", name: photograph.name || "photograph", searched });
  }

  function receive(given) {
    if (!given) return;
    photograph = given;
    open();
    whileBusy(file, () => encode(!state.first.encodes));
  }

  file.onchange = () => (receive(file.files[0]), (file.value = ""));
  closer.onclick = () => whileBusy(closer, () => encode(true));
  use.onclick = take;
  // Anywhere on the page will do: a photograph that misses the field must not replace the page.
  addEventListener("dragover", (event) => (event.preventDefault(), drop.classList.add("over")));
  addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    receive(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => receive(event.clipboardData.files[0]));

  state.when(["runs"], () => {
    const { encodes, searches, condition } = state.first;
    file.disabled = !encodes && !searches;
    about.textContent = [
      encodes ? "" : searches ? "This model has no encoder: its latents are searched for one that fits, which takes seconds." : "This model cannot find the latent of a picture.",
      condition?.kind === "class" ? "First choose the class that the photograph shows, among the sliders." : "",
      backend.privacy,
    ].join(" ").trim();
  });
}
