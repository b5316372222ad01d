// The server's clock, as far as this page may trust it: it stands still while nothing is heard from there.

let ahead = null; // seconds by which the server's clock is before this machine's
let heardAt = 0; // by the server's clock
let frozen = false;

const here = () => Date.now() / 1000;

/** Take what the server's clock said just now. */
export function heard(now) {
  // The least delayed message tells the offset best; a page open for days follows a clock that was set.
  const offset = now - here();
  const known = ahead !== null && Math.abs(offset - ahead) < 2;
  ahead = known ? Math.max(offset, ahead - 0.001) : offset;
  heardAt = now;
  frozen = false;
}

export function freeze() {
  frozen = true;
}

/** Return what time it is there, for what is counted: the last time heard of, once nothing is heard any more. */
export const now = () => (frozen ? heardAt : here() + ahead);

/** Return how many seconds ago something was heard. */
export const age = () => Math.max(0, here() + ahead - heardAt);

/** Return which ring a caller hears who has been rung for since this instant. */
export const ringAt = (alerting, cycle) => Math.max(1, Math.floor((now() - alerting) / cycle) + 1);
