// The callers whom nobody has answered yet, each with the ring that they hear.

import { byId, el, icon, Keyed, setData, setIcon, setText, show } from "./dom.js";
import { clock as timeOfDay, counted, duration, t, whole } from "./words.js";
import * as clock from "./clock.js";

const SHOWN = 40; // more than any screen holds

export class Calls {
  constructor(boot) {
    this.boot = boot;
    this.panel = byId("panel-calls");
    this.rows = new Keyed(byId("calls"), () => new Row(boot));
    this.empty = byId("calls-empty");
    this.more = byId("calls-more");
    this.several = false;
  }

  render(picture) {
    show(this.panel, picture.sees.has("calls"));
    const calls = picture.unanswered;
    this.several = picture.sites.size > 1;
    this.rows.show(calls.slice(0, SHOWN).map((call) => [call.id, { call, name: this.nameOf(picture, call) }]));
    const hidden = Math.max(0, calls.length - SHOWN) + (picture.rest.more ?? 0);
    show(this.empty, calls.length === 0);
    show(this.more, hidden > 0);
    setText(this.more, counted("wallboard.more_calls", hidden));
  }

  nameOf(picture, call) {
    const service = picture.services.get(call.key);
    if (!service) return call.key.split("|").pop();
    return this.several ? `${service.service} · ${service.site}` : service.service;
  }

  /** Count up what counts up. */
  tick() {
    for (const row of this.rows.rows.values()) row.tick();
  }
}

class Row {
  constructor(boot) {
    this.boot = boot;
    this.number = el("span", "ring-number");
    this.pips = el("span", "pips", ...Array.from({ length: boot.max_rings }, () => el("span", "pip")));
    this.pips.setAttribute("aria-hidden", "true");
    this.name = el("span", "call-service");
    this.caller = el("span", "call-caller");
    this.caller.dir = "auto";
    this.icon = icon("bell");
    this.word = el("span");
    this.waited = el("span", "call-waited");
    const ring = el("span", "call-ring", el("span", "ring-label", t("wallboard.ring")), " ", this.number);
    const state = el("span", "call-state", this.icon, this.word);
    const who = el("span", "call-who", this.name, " ", this.caller);
    this.node = el("li", "call", ring, " ", who, " ", state, " ", this.pips, " ", this.waited);
  }

  update({ call, name }) {
    this.call = call;
    setText(this.name, name);
    setText(this.caller, call.caller ?? "");
    show(this.caller, Boolean(call.caller));
    this.tick();
  }

  tick() {
    const { call, boot } = this;
    const rings = call.alerting != null && call.state === "waiting";
    const ring = rings ? clock.ringAt(call.alerting, boot.cycle) : 0;
    const late = ring >= boot.max_rings;
    const state = call.state === "machine" ? "machine" : !rings ? "before" : late ? "breach" : "ringing";
    setText(this.number, rings ? whole(ring) : "–");
    setText(this.word, t(`wallboard.call_${state}`));
    setIcon(this.icon, { machine: "machine", before: "phone", breach: "warning", ringing: "bell" }[state]);
    setText(this.waited, duration(clock.now() - (call.alerting ?? call.arrived)));
    setData(this.node, "state", state);
    setData(this.node, "ring", ring);
    [...this.pips.children].forEach((pip, index) => setData(pip, "on", index < ring));
  }
}

/** The calls lost last. */
export class Losses {
  constructor() {
    this.panel = byId("panel-losses");
    this.rows = new Keyed(byId("losses"), (loss) => new Loss(loss));
  }

  render(picture) {
    const losses = picture.rest.losses;
    show(this.panel, losses !== undefined);
    const several = picture.sites.size > 1;
    const pairs = (losses ?? []).map((loss) => [`${loss.at} ${loss.key} ${loss.outcome}`, { loss, several }]);
    this.rows.show(pairs);
    show(byId("losses-empty"), pairs.length === 0);
  }
}

class Loss {
  constructor({ loss, several }) {
    const [site, service] = loss.key.split("|");
    const rings = loss.rings == null ? "" : counted("wallboard.after_rings", loss.rings);
    const time = el("time", "loss-time", timeOfDay(loss.at));
    const caller = el("span", "loss-caller", loss.caller ?? "");
    caller.dir = "auto";
    this.node = el("li", "loss", time, " ", el("span", "loss-service", several ? `${service} · ${site}` : service), " ");
    this.node.append(el("span", "loss-outcome", [t(`outcome.${loss.outcome}`), rings].filter(Boolean).join(", ")));
    if (loss.caller) this.node.append(" ", caller);
  }

  update() {} // what is past does not change
}
