// Requests and delays that are under way: a newer one of the same kind replaces the older.

const requests = new Map();
const timers = new Map();

/** Cancel what is under way of a kind, and give the signal of what begins now. */
export function begin(kind) {
  cancel(kind);
  const controller = new AbortController();
  requests.set(kind, controller);
  return controller.signal;
}

/** Cancel what is under way of these kinds. */
export function cancel(...kinds) {
  for (const kind of kinds) requests.get(kind)?.abort();
}

/** Do it in so many ms, unless it is asked for again before. */
export function later(kind, ms, work) {
  clearTimeout(timers.get(kind));
  timers.set(kind, setTimeout(work, ms));
}
