// Pictures as an animated GIF that repeats for ever: CompuServe 1990, "GIF version 89a"; Welch 1984 for the compression.

const LEVELS = 32; // of each colour, when the colours of a frame are counted

/** A Blob of pictures of one size; `fps` frames a second. */
export function gif(pictures, fps) {
  const [{ width, height }] = pictures;
  const short = (value) => [value & 255, value >> 8];
  const parts = [
    ...[..."GIF89a"].map((letter) => letter.charCodeAt(0)), ...short(width), ...short(height), 0, 0, 0,
    0x21, 0xff, 11, ...[..."NETSCAPE2.0"].map((letter) => letter.charCodeAt(0)), 3, 1, 0, 0, 0, // repeats
  ];
  const chunks = [Uint8Array.from(parts)];
  for (const picture of pictures) {
    const { colours, indices } = reduce(picture.data);
    const head = [0x21, 0xf9, 4, 0, ...short(Math.max(2, Math.round(100 / fps))), 0, 0, 0x2c, 0, 0, 0, 0, ...short(width), ...short(height), 0x87];
    chunks.push(Uint8Array.from([...head, ...colours, 8]), compress(indices), Uint8Array.of(0));
  }
  return new Blob([...chunks, Uint8Array.of(0x3b)], { type: "image/gif" });
}

/** 256 colours of a picture, and which of them each pixel has: exact where there are no more. */
function reduce(data) {
  const n = data.length / 4;
  const exact = new Map();
  const indices = new Uint8Array(n);
  const colours = new Uint8Array(768);
  for (let i = 0; i < n && exact.size <= 256; i++) {
    const key = (data[4 * i] << 16) | (data[4 * i + 1] << 8) | data[4 * i + 2];
    if (!exact.has(key)) exact.set(key, exact.size);
    indices[i] = exact.get(key);
  }
  if (exact.size <= 256) {
    for (const [key, at] of exact) colours.set([key >> 16, (key >> 8) & 255, key & 255], 3 * at);
    return { colours, indices };
  }
  const boxes = split(data);
  const known = new Map();
  boxes.forEach(({ mean, cells }, at) => (colours.set(mean, 3 * at), cells.forEach(({ cell }) => known.set(cell, at))));
  for (let i = 0; i < n; i++) indices[i] = known.get(cellOf(data, i));
  return { colours, indices };
}

const cellOf = (data, i) => ((data[4 * i] >> 3) * LEVELS + (data[4 * i + 1] >> 3)) * LEVELS + (data[4 * i + 2] >> 3);

/** Heckbert 1982, "Color image quantization": the box with the widest colours is cut at its median, until there are 256. */
function split(data) {
  const counted = new Map();
  for (let i = 0; i < data.length / 4; i++) {
    const cell = cellOf(data, i);
    const entry = counted.get(cell) || counted.set(cell, { cell, count: 0, sum: [0, 0, 0] }).get(cell);
    entry.count++;
    for (let c = 0; c < 3; c++) entry.sum[c] += data[4 * i + c];
  }
  const box = (cells) => {
    const colour = ({ sum, count }, c) => sum[c] / count;
    const widths = [0, 1, 2].map((c) => Math.max(...cells.map((each) => colour(each, c))) - Math.min(...cells.map((each) => colour(each, c))));
    const count = cells.reduce((sum, each) => sum + each.count, 0);
    const mean = [0, 1, 2].map((c) => Math.round(cells.reduce((sum, each) => sum + each.sum[c], 0) / count));
    const axis = widths.indexOf(Math.max(...widths));
    return { cells, count, mean, axis, width: cells.length > 1 ? widths[axis] : -1, colour };
  };
  const boxes = [box([...counted.values()])];
  while (boxes.length < 256) {
    const widest = boxes.reduce((best, each, i) => (each.width > boxes[best].width ? i : best), 0);
    const { cells, count, axis, width, colour } = boxes[widest];
    if (width < 0) break;
    cells.sort((a, b) => colour(a, axis) - colour(b, axis));
    let [at, seen] = [0, 0];
    do seen += cells[at++].count;
    while (at < cells.length - 1 && seen < count / 2);
    boxes.splice(widest, 1, box(cells.slice(0, at)), box(cells.slice(at)));
  }
  return boxes;
}

/** Welch's compression of bytes, in GIF's blocks of up to 255 bytes. */
function compress(indices) {
  const [clear, end] = [256, 257];
  const out = [];
  let [bits, held, width] = [0, 0, 9];
  const put = (code) => {
    held |= code << bits;
    for (bits += width; bits >= 8; bits -= 8, held >>>= 8) out.push(held & 255);
  };
  let table = new Map();
  put(clear);
  let code = indices[0];
  for (const next of indices.subarray(1)) {
    const key = (code << 8) | next;
    if (table.has(key)) {
      code = table.get(key);
      continue;
    }
    put(code);
    const fresh = end + 1 + table.size;
    if (fresh === 4096) {
      put(clear);
      table = new Map();
      width = 9;
    } else {
      table.set(key, fresh);
      if (fresh === 1 << width) width++;
    }
    code = next;
  }
  put(code);
  put(end);
  if (bits) out.push(held & 255);
  const blocks = [];
  for (let start = 0; start < out.length; start += 255) {
    const block = out.slice(start, start + 255);
    blocks.push(block.length, ...block);
  }
  return Uint8Array.from(blocks);
}
