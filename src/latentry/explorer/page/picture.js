// Pictures on canvases.

import { download, h } from "./dom.js";

/** A canvas for pictures, with words for those who do not see it. */
export function easel(label, kind = "canvas.picture") {
  return h(kind, { width: 1, height: 1, role: "img", "aria-label": label });
}

/** Show a picture, and say what it is. */
export function show(canvas, picture, label) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  canvas.getContext("2d").putImageData(new ImageData(picture.data, picture.width, picture.height), 0, 0);
  canvas.classList.add("drawn");
  if (label) canvas.setAttribute("aria-label", label);
}

/** Save pictures side by side as one PNG, pixel for pixel. */
export function savePng(pictures, name) {
  const sheet = h("canvas", { width: pictures.reduce((sum, each) => sum + each.width, 0), height: pictures[0].height });
  let left = 0;
  for (const picture of pictures) {
    sheet.getContext("2d").putImageData(new ImageData(picture.data, picture.width, picture.height), left, 0);
    left += picture.width;
  }
  sheet.toBlob((blob) => download(blob, name), "image/png");
}
