// Random numbers that follow from a seed alone, bit for bit those of `latentry.models.noise`, which names the papers:
// Threefry-2x32 with 20 rounds, and Box and Muller's normal numbers.

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24];
const NORMAL = 0;
const UNIFORM = 1;
export const CONDITION = 2;

/** Two 32-bit words of a seed: the i-th of a purpose. */
export function words(seed, purpose, i) {
  const [low, high] = [seed % 2 ** 32 | 0, Math.floor(seed / 2 ** 32) | 0];
  const key = [low, high, low ^ high ^ 0x1bd11bda];
  let [a, b] = [(i + key[0]) | 0, (purpose + key[1]) | 0];
  for (let group = 0; group < 5; group++) {
    for (let turn = 0; turn < 4; turn++) {
      const bits = ROTATIONS[4 * (group % 2) + turn];
      a = (a + b) | 0;
      b = ((b << bits) | (b >>> (32 - bits))) ^ a;
    }
    a = (a + key[(group + 1) % 3]) | 0;
    b = (b + key[(group + 2) % 3] + group + 1) | 0;
  }
  return [a >>> 0, b >>> 0];
}

/** n numbers in [0, 1). */
export function uniform(seed, n, purpose = UNIFORM) {
  return Float32Array.from({ length: n }, (_, i) => (words(seed, purpose, i)[0] >>> 8) / 2 ** 24);
}

/** n standard normal numbers. */
export function normal(seed, n) {
  return Float32Array.from({ length: n }, (_, i) => {
    const [a, b] = words(seed, NORMAL, i >> 1);
    const radius = Math.sqrt(-2 * Math.log((a + 0.5) / 2 ** 32));
    return radius * (i % 2 ? Math.sin : Math.cos)((2 * Math.PI * b) / 2 ** 32);
  });
}
