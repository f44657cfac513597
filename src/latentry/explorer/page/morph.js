// A walk through keyframes, to scrub, to play and to save.

import { complain, download, h, say, whileBusy } from "./dom.js";
import { along } from "./latent.js";
import { newest } from "./newest.js";
import { easel, show } from "./picture.js";
import { paint } from "./sliders.js";

const SECONDS_EACH = 1.6; // between keyframes

export function makeMorph(panel, state, backend) {
  const add = h("button.primary", { type: "button" }, "Add the current picture");
  const strip = h("ol.keyframes", { "aria-label": "Keyframes" });
  const screen = easel("the walk: no keyframes yet", "canvas.picture.screen");
  const scrubber = h("input", { type: "range", id: "scrubber", min: 0, max: 1, step: 0.002, value: 0, "aria-label": "Moment of the walk" });
  const play = h("button", { type: "button", "aria-pressed": "false" }, "Play");
  const take = h("button", { type: "button" }, "Take this moment");
  const loop = h("input", { type: "checkbox", id: "loop", checked: true });
  const frames = h("input", { type: "number", id: "frames", min: 2, max: 240, value: 48 });
  const gif = h("button", { type: "button" }, "Save GIF");
  const zip = h("button", { type: "button" }, "Save frames");
  const walk = h(
    "div",
    { hidden: true },
    screen,
    scrubber,
    h("div.bar", {}, play, take, loop, h("label", { htmlFor: "loop" }, "and back")),
    h("div.bar", {}, h("label", { htmlFor: "frames" }, "Frames"), frames, gif, zip),
  );
  panel.append(h("p.hint", {}, "Two pictures or more, and the way between them."), add, strip, walk);

  let keyframes = []; // {z, told, picture, name}
  let playing = 0;

  const path = () => ({ spherical: state.first.spherical, loop: loop.checked });
  const at = (moment) => {
    const z = along(keyframes.map((each) => each.z), moment, path());
    const told = keyframes[0].told && along(keyframes.map((each) => each.told), moment, { ...path(), spherical: false });
    return { z, told };
  };
  const drawn = newest(async () => {
    if (keyframes.length < 2) return;
    const { z, told } = at(Number(scrubber.value));
    const [picture] = await backend.decode(0, [z], told && [told]);
    show(screen, picture, `the walk at ${Math.round(scrubber.value * 100)} %`);
    paint(scrubber);
  }, (error) => (stop(), complain(error)));

  function list() {
    strip.replaceChildren(
      ...keyframes.map((each, i) => {
        const canvas = easel("");
        show(canvas, each.picture, `keyframe ${i + 1}: ${each.name}`);
        const move = (step, text, label) => {
          const press = h("button.quiet", { type: "button", "aria-label": `${label} keyframe ${i + 1}` }, text);
          press.disabled = !keyframes[i + step];
          press.onclick = () => {
            [keyframes[i], keyframes[i + step]] = [keyframes[i + step], keyframes[i]];
            list();
          };
          return press;
        };
        const remove = h("button.quiet", { type: "button", "aria-label": `Remove keyframe ${i + 1}` }, "✕");
        remove.onclick = () => (keyframes.splice(i, 1), list());
        return h("li", {}, canvas, h("div", {}, move(-1, "‹", "Move back"), remove, move(1, "›", "Move on")));
      }),
    );
    walk.hidden = keyframes.length < 2;
    if (walk.hidden) stop();
    drawn();
  }

  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  }

  function start() {
    let last = performance.now();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    const tick = (now) => {
      const whole = SECONDS_EACH * 1000 * (loop.checked ? keyframes.length : keyframes.length - 1);
      const next = Number(scrubber.value) + (now - last) / whole;
      scrubber.value = loop.checked ? next % 1 : Math.min(next, 1);
      last = now;
      drawn();
      if (!loop.checked && next >= 1) stop();
      else playing = requestAnimationFrame(tick);
    };
    if (scrubber.value >= 1) scrubber.value = 0;
    playing = requestAnimationFrame(tick);
  }

  add.onclick = () =>
    whileBusy(add, async () => {
      const [z, told] = [state.moved(), state.saying];
      const [picture] = await backend.decode(0, [z], told && [told]);
      keyframes.push({ z, told, picture, name: state.label });
      list();
      say(`Keyframe ${keyframes.length} added.`);
    });
  play.onclick = () => (playing ? stop() : start());
  scrubber.oninput = () => (stop(), drawn());
  loop.onchange = drawn;
  take.onclick = () => {
    const { z, told } = at(Number(scrubber.value));
    state.take(z, told, { kind: "morph", name: `Walk at ${Math.round(scrubber.value * 100)} %` });
  };
  const save = (press, kind, name) => {
    press.onclick = () =>
      whileBusy(press, async () => {
        const settings = { frames: Math.min(240, Math.max(2, Number(frames.value) || 48)), loop: loop.checked, kind };
        const z = keyframes.map((each) => each.z);
        download(await backend.animation(0, z, keyframes[0].told && keyframes.map((each) => each.told), settings), name);
        say(`Saved ${settings.frames} frames.`);
      });
  };
  save(gif, "gif", "morph.gif");
  save(zip, "zip", "morph-frames.zip");
}

