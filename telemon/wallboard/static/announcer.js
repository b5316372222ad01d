// What a screen reader is told without being asked: few things, and never faster than they can be listened to.

import { byId } from "./dom.js";
import { counted, t, whole } from "./words.js";

const APART_MS = 10_000;

export class Announcer {
  constructor(boot) {
    this.boot = boot;
    this.node = byId("announcements");
    this.late = 0;
    this.saidAt = -Infinity;
  }

  /** Say this at once: it is the answer to something that was just pressed. */
  say(text) {
    this.node.textContent = text;
    this.saidAt = performance.now();
  }

  /** Say that so many more callers have waited too long: together, if it comes thick. */
  breached(count) {
    this.late += count;
    clearTimeout(this.due);
    const wait = Math.max(0, this.saidAt + APART_MS - performance.now());
    this.due = setTimeout(() => {
      this.say(counted("wallboard.say_late", this.late, { rings: whole(this.boot.max_rings) }));
      this.late = 0;
    }, wait);
  }

  /** Say that nothing is heard from the server, or that something is again. */
  stream(state) {
    this.say(t(state === "live" ? "wallboard.live_again" : "wallboard.stale"));
  }
}
