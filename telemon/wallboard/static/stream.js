// What the server tells, and when it has stopped telling.

import * as clock from "./clock.js";

const SILENCE_MS = 12_000; // the server says something every 5 s
const AGAIN_MS = 4_000;

export class Stream {
  /** `on.picture`, `on.change` take what was sent; `on.state` takes "live", "cut" or "refused". */
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.state = "";
  }

  open() {
    clearTimeout(this.again);
    this.source?.close();
    const source = new EventSource(this.address);
    this.source = source;
    for (const kind of ["picture", "change", "beat"]) {
      source.addEventListener(kind, (event) => this.take(kind, JSON.parse(event.data)));
    }
    source.addEventListener("error", () => this.fail(source.readyState === EventSource.CLOSED));
    this.watch();
  }

  take(kind, told) {
    clock.heard(told.now);
    this.tell("live");
    this.on[kind]?.(told);
    this.watch();
  }

  /** A closed source never tries again by itself: the server said no, or this session is over. */
  fail(closed) {
    this.tell(closed ? "refused" : "cut");
    if (closed) this.again = setTimeout(() => this.open(), AGAIN_MS);
  }

  watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.tell("cut");
      this.open();
    }, SILENCE_MS);
  }

  tell(state) {
    if (state !== "live") clock.freeze();
    if (state === this.state) return;
    this.state = state;
    this.on.state(state);
  }
}
