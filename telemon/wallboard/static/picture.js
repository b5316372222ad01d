// The picture that the server sent, with its changes put in.

const BY_KEY = { services: "key", calls: "id" };

export class Picture {
  constructor() {
    this.services = new Map();
    this.calls = new Map();
    this.rest = {};
  }

  /** Take a whole picture; return the names of its parts. */
  replace(picture) {
    const { services, calls, ...rest } = picture;
    this.rest = rest;
    this.sees = new Set(Object.keys(picture));
    this.services = new Map((services ?? []).map((one) => [one.key, one]));
    this.calls = new Map((calls ?? []).map((one) => [one.id, one]));
    return new Set(["services", "calls", ...Object.keys(rest)]);
  }

  /** Put a change in; return the names of the parts that it changed, and the keys of its services. */
  change(change) {
    const parts = new Set(Object.keys(change));
    for (const [part, key] of Object.entries(BY_KEY)) {
      if (!change[part]) continue;
      for (const gone of change[part].gone ?? []) this[part].delete(gone);
      for (const one of change[part].set ?? []) this[part].set(one[key], one);
    }
    for (const part of parts) {
      this.sees.add(part);
      if (!(part in BY_KEY)) this.rest[part] = change[part];
    }
    return parts;
  }

  get blindSites() {
    return new Set((this.rest.blind ?? []).map((one) => one.site));
  }

  get sites() {
    return new Set([...this.services.values()].map((one) => one.site));
  }

  /** Return the calls that nobody has answered, the longest ringing first. */
  get unanswered() {
    const since = (call) => call.alerting ?? call.arrived + 1e9;
    return [...this.calls.values()]
      .filter((call) => call.state !== "talking")
      .sort((one, other) => since(one) - since(other) || one.arrived - other.arrived);
  }
}
