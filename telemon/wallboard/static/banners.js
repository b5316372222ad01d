// What must be known before any figure is believed: nothing is heard, something is not watched, something is wrong.

import { byId, el, icon, Keyed, setData, setText, show } from "./dom.js";
import { clock as timeOfDay, counted, duration, has, t } from "./words.js";
import * as clock from "./clock.js";

const SHOWN = 3; // PBXs by name; the others are counted

export class Banners {
  constructor() {
    this.stale = byId("banner-stale");
    this.rows = new Keyed(byId("banners"), (banner) => new Banner(banner));
    this.state = "";
  }

  /** Take how the stream is: "live", "cut" or "refused". */
  hear(state) {
    this.state = state;
    setData(document.documentElement, "stream", state);
    show(this.stale, state !== "live");
    show(byId("sign-in-again"), state === "refused");
    setText(byId("stale-word"), t(state === "refused" ? "wallboard.stale_refused" : "wallboard.stale"));
    this.tick();
  }

  tick() {
    if (this.state !== "live") setText(byId("stale-age"), t("wallboard.stale_age", { age: duration(clock.age()) }));
  }

  render(picture) {
    const blind = picture.rest.blind ?? [];
    const pairs = blind.slice(0, SHOWN).map((one) => [`blind ${one.pbx} ${one.since}`, { kind: "blind", text: blindness(one) }]);
    const others = blind.length - SHOWN;
    if (others > 0) pairs.push(["blind more", { kind: "blind", text: counted("wallboard.blind_more", others) }]);
    for (const one of picture.rest.conditions ?? []) {
      pairs.push([`${one.kind} ${one.service} ${one.since}`, { kind: "condition", text: condition(one) }]);
    }
    this.rows.show(pairs);
  }
}

function blindness({ pbx, site, since, cause }) {
  const why = has(`gap.${cause}`) ? t(`gap.${cause}`) : t("gap.unknown");
  const place = pbx === site ? pbx : `${pbx} (${site})`;
  return t("wallboard.blind", { pbx: place, since: since ? timeOfDay(since) : "–", cause: why });
}

const condition = ({ text, kind, service }) => text || t(`wallboard.condition_${kind}`, { service });

class Banner {
  constructor({ kind }) {
    this.text = el("span");
    this.node = el("li", "banner", icon(kind === "blind" ? "blind" : "warning"), this.text);
    this.node.dataset.kind = kind;
  }

  update({ text }) {
    setText(this.text, text);
  }
}
