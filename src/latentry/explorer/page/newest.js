// One request at a time, and the newest wins: what was asked for in between is forgotten, so that a slider is answered as
// fast as the model can, and never with the past.

/** A function that runs `work` on its input, or later on a newer one; `fail` is told of errors. */
export function newest(work, fail) {
  let waiting = null;
  let busy = false;
  return async function ask(...input) {
    waiting = input;
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await work(...next);
      }
    } catch (error) {
      waiting = null;
      fail(error);
    } finally {
      busy = false;
    }
  };
}
