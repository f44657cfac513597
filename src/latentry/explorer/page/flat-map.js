// Maps of a latent space that a static page carries: from places to latents and back, as `latent_map.py` does.

const NEAREST = 6;

/** The plane along which latents vary most: mean [D], axes [2, D]. */
export function plane({ mean, axes }) {
  const [across, up] = [axes.slice(0, mean.length), axes.slice(mean.length)];
  const where = (z) => {
    let [x, y] = [0, 0];
    z.forEach((value, i) => ((x += (value - mean[i]) * across[i]), (y += (value - mean[i]) * up[i])));
    return { x, y };
  };
  const at = (place, z) => {
    const here = where(z);
    return z.map((value, i) => value + (place.x - here.x) * across[i] + (place.y - here.y) * up[i]);
  };
  return { where, at };
}

/** Places among which the nearest are mixed; mixtures of a Gaussian prior's latents are lengthened to the usual length. */
export function neighbours({ places, latents, gaussian }) {
  const where = (z) => {
    const shares = nearest(latents, z);
    return { x: mix(shares, (i) => places[i][0]), y: mix(shares, (i) => places[i][1]) };
  };
  const at = ({ x, y }) => {
    const shares = nearest(places, [x, y]);
    const mixed = Float32Array.from(latents[0], (_, d) => mix(shares, (i) => latents[i][d]));
    if (!gaussian) return mixed;
    const times = mix(shares, (i) => Math.hypot(...latents[i])) / Math.max(Math.hypot(...mixed), 1e-12);
    return mixed.map((value) => value * times);
  };
  return { where, at };
}

const mix = (shares, value) => shares.reduce((sum, [i, share]) => sum + share * value(i), 0);

/** The nearest rows with their shares, by the inverse square of their distance. */
function nearest(among, target) {
  const apart = Array.from(among, (row, i) => [i, row.reduce((sum, value, d) => sum + (value - target[d]) ** 2, 0)]);
  const found = apart.sort(([, a], [, b]) => a - b).slice(0, NEAREST);
  if (found[0][1] === 0) return [[found[0][0], 1]];
  const total = found.reduce((sum, [, squared]) => sum + 1 / squared, 0);
  return found.map(([i, squared]) => [i, 1 / squared / total]);
}
