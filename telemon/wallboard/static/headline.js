// The four figures that can be read across the room.

import { byId, setData, setIcon, setText, show } from "./dom.js";
import { clock as timeOfDay, limit, percent, t, whole } from "./words.js";
import * as clock from "./clock.js";
import { promises, sign, verdict } from "./verdict.js";

/** Whether this visitor is told what the day has been. */
export const seesFigures = (boot) => boot.role !== "duty_officer";

const part = (tile, name) => tile.querySelector(`[data-part="${name}"]`);

export class Headline {
  constructor(boot) {
    this.boot = boot;
    this.goals = promises(boot.goals);
    this.tiles = Object.fromEntries(["waiting", "longest", "within", "lost"].map((id) => [id, byId(`tile-${id}`)]));
    this.pips = [...part(this.tiles.longest, "pips").children];
  }

  render(picture, ringing) {
    for (const [id, tile] of Object.entries(this.tiles)) {
      show(tile, id in this.goals ? seesFigures(this.boot) : picture.sees.has("calls"));
    }
    const total = picture.rest.total;
    const blind = picture.blindSites;
    const unseen = blind.size > 0 && [...picture.sites].every((site) => blind.has(site));
    this.waiting(unseen ? null : total?.waiting, total?.talking, blind.size);
    this.longest(unseen ? null : ringing);
    this.rate("within", total?.day?.within_rate);
    this.rate("lost", total?.day?.lost_rate);
    this.counts(total?.day);
  }

  waiting(count, talking, blind) {
    const tile = this.tiles.waiting;
    setText(part(tile, "value"), whole(count));
    const note = [count == null ? t("wallboard.not_watched") : t("wallboard.talking_now", { count: whole(talking) })];
    if (count != null && blind) note.push(t("wallboard.partly_watched"));
    setText(part(tile, "note"), note.join(" · "));
    setData(tile, "state", count == null || blind ? "unseen" : count > 0 ? "busy" : "calm");
  }

  /** Show at which ring the caller is who has waited longest: null where nobody watches, undefined where nobody rings. */
  longest(ringing) {
    const tile = this.tiles.longest;
    const ring = ringing ? clock.ringAt(ringing.alerting, this.boot.cycle) : ringing;
    const late = ring >= this.boot.max_rings;
    setText(part(tile, "value"), ring === undefined ? t("wallboard.no_ring") : whole(ring));
    const calm = ring === null ? "wallboard.not_watched" : "wallboard.nobody_waits";
    setText(part(tile, "note"), ring ? t(late ? "wallboard.late" : "wallboard.in_time") : t(calm));
    setIcon(part(tile, "icon"), late ? "warning" : ring ? "bell" : "none");
    setData(tile, "state", ring === null ? "unseen" : late ? "breach" : ring ? "busy" : "calm");
    this.pips.forEach((pip, index) => setData(pip, "on", index < (ring ?? 0)));
  }

  rate(id, rate) {
    const tile = this.tiles[id];
    const goal = this.goals[id];
    const said = verdict(rate, goal);
    setText(part(tile, "value"), percent(rate?.[0]));
    const [, low, high] = rate ?? [];
    const exact = !rate || percent(low) === percent(high);
    setText(part(tile, "bounds"), exact ? "" : t("wallboard.bounds", { low: percent(low), high: percent(high) }));
    const promise = goal?.below ? "wallboard.promise_below" : "wallboard.promise_at_least";
    setText(part(tile, "promise"), goal ? t(promise, { limit: limit(goal.limit) }) : "");
    setText(part(tile, "note"), said ? t(`wallboard.verdict_${said}`) : "");
    setIcon(part(tile, "icon"), sign(said));
    setData(tile, "state", said || "none");
  }

  counts(day) {
    const calls = day ? day.answered + day.lost : null;
    setText(part(this.tiles.within, "count"), day ? t("wallboard.of_answered", { count: whole(day.answered) }) : "");
    setText(part(this.tiles.lost, "count"), day ? t("wallboard.lost_of", { lost: whole(day.lost), count: whole(calls) }) : "");
  }
}

/** Keep the site's own time of day in the header. */
export function showTime(stale) {
  setText(byId("time"), timeOfDay(clock.now()));
  show(byId("time-stopped"), stale);
}
