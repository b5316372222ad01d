// Who has just waited too long: each caller is told of once.

import * as clock from "./clock.js";

export class Late {
  constructor(boot, tell) {
    this.boot = boot;
    this.tell = tell;
    this.known = new Set();
  }

  /** Look at who rings now; return the call that has rung longest, undefined if none does. */
  look(picture) {
    const { cycle, max_rings: most } = this.boot;
    const ringing = [...picture.calls.values()].filter((call) => call.state === "waiting" && call.alerting != null);
    const late = ringing.filter((call) => clock.ringAt(call.alerting, cycle) >= most);
    const fresh = late.filter((call) => !this.known.has(call.id));
    this.known = new Set(late.map((call) => call.id));
    if (fresh.length > 0) this.tell(fresh.length);
    return ringing.reduce((first, call) => (first && first.alerting <= call.alerting ? first : call), undefined);
  }
}
