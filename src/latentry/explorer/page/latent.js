// Arithmetic on latents: pure functions on Float32Array, computed in double precision. The same formulas as in
// `latentry.latent.paths` and `latentry.models.wish`; tests hold the two against each other.

const PARALLEL = 1e-12;

/** z plus each dose times its direction; a control that is not among these moves nothing. */
export function moved(z, controls, doses) {
  const sum = Float64Array.from(z);
  for (const { key, direction } of controls) {
    const dose = doses[key];
    if (dose) for (let i = 0; i < sum.length; i++) sum[i] += dose * direction[i];
  }
  return Float32Array.from(sum);
}

/** What is to c as a is to b. */
export const analogy = (a, b, c) => Float32Array.from(a, (value, i) => value - b[i] + c[i]);

export const lerp = (a, b, t) => Float32Array.from(a, (value, i) => value + t * (b[i] - value));

/** Along the arc from a to b at constant angular speed (Shoemake 1985); the length goes in proportion. */
export function slerp(a, b, t) {
  if (t === 0 || t === 1) return Float32Array.from(t ? b : a);
  const [longA, longB] = [Math.hypot(...a), Math.hypot(...b)];
  if (!longA || !longB) return lerp(a, b, t);
  const u = Array.from(a, (value) => value / longA);
  const v = Array.from(b, (value) => value / longB);
  const along = u.reduce((sum, value, i) => sum + value * v[i], 0);
  const across = v.map((value, i) => value - along * u[i]);
  const sine = Math.hypot(...across);
  if (sine * sine < PARALLEL) return lerp(a, b, t);
  const angle = Math.atan2(sine, along);
  const [first, second] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  const length = (1 - t) * longA + t * longB;
  return Float32Array.from(u, (value, i) => length * (first * value + second * v[i]));
}

/** The point at a moment from 0 to 1 of a path through keyframes; a closed one is back at its start at 1. */
export function along(keyframes, moment, { spherical, loop }) {
  const n = keyframes.length;
  if (n === 1) return keyframes[0];
  const stretches = loop ? n : n - 1;
  const segment = Math.min(Math.floor(moment * stretches), stretches - 1);
  const between = spherical ? slerp : lerp;
  return between(keyframes[segment], keyframes[(segment + 1) % n], moment * stretches - segment);
}

/** A condition with what is wished for in place of what was drawn. */
export function tell(spec, told, wish) {
  if (!spec || !told) return told;
  if (spec.kind === "class") {
    return wish.class_name == null ? told : Float32Array.from(spec.names, (name) => Number(name === wish.class_name));
  }
  const asked = wish[spec.kind] || {};
  return told.map((value, i) => {
    const wanted = asked[spec.names[i]];
    if (wanted == null) return value;
    return spec.kind === "attributes" ? 2 * wanted - 1 : (wanted - spec.centre[i]) / spec.spread[i];
  });
}
