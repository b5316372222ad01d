// The services of each site, worst first: who waits, who can answer, what the day has been.

import { arrange, byId, el, icon, place, setData, setIcon, setText, show } from "./dom.js";
import { counted, percent, t, whole } from "./words.js";
import * as clock from "./clock.js";
import { promises, sign, verdict } from "./verdict.js";

const PRESENCES = ["reachable", "ringing", "talking", "paused", "unreachable"];
const MANY = 12; // sites: more than a screen shows
const SETTLED_MS = 5_000; // nothing changes places more often: who reads a list wants it to stand still
const MOVED = 5; // sites at a time: a hundred that change places at once would hold the screen up for a tenth of a second

export class Services {
  constructor(boot) {
    this.boot = boot;
    this.goals = promises(boot.goals);
    this.parent = byId("services");
    this.sites = new Map();
    this.rows = new Map();
    this.rankedAt = -Infinity;
    this.moves = null;
  }

  /** Show what changed: the services of these keys, or all of them. */
  render(picture, keys) {
    this.blind = picture.blindSites;
    this.several = picture.sites.size > 1;
    let places = false;
    for (const key of [...this.rows.keys()]) if (!picture.services.has(key)) places = this.drop(key);
    for (const key of keys ?? picture.services.keys()) {
      const service = picture.services.get(key);
      if (!service) continue;
      places ||= !this.rows.has(key);
      this.row(service).update(service, this.blind.has(service.site));
    }
    this.settle(places);
  }

  row(service) {
    let row = this.rows.get(service.key);
    if (!row) {
      row = new Row(this.boot, this.goals);
      this.rows.set(service.key, row);
      this.site(service.site).rows.push(row);
    }
    return row;
  }

  site(name) {
    let site = this.sites.get(name);
    if (!site) {
      const heading = el("h3", "site-name", name);
      const list = el("ul", "service-list");
      site = { name, rows: [], list, heading, node: el("section", "site", heading, list) };
      this.sites.set(name, site);
    }
    return site;
  }

  drop(key) {
    const row = this.rows.get(key);
    this.rows.delete(key);
    row.node.remove();
    const site = this.sites.get(row.service.site);
    site.rows = site.rows.filter((one) => one !== row);
    if (site.rows.length === 0) {
      site.node.remove();
      this.sites.delete(site.name);
    }
    return true;
  }

  /** Decide now and then who stands where; whoever came or went is there at once, the others in the ticks that follow. */
  settle(places) {
    const now = performance.now();
    if (places || !this.moves && now - this.rankedAt > SETTLED_MS) {
      this.rankedAt = now;
      this.moves = this.arranging();
    }
    if (places) this.move(Infinity);
  }

  /** Go on with the sites that are on their way. */
  tick() {
    if (this.moves) this.move(MOVED);
  }

  move(sites) {
    for (let moved = 0; this.moves && moved < sites; moved += 1) if (this.moves.next().done) this.moves = null;
  }

  /** Put one site after the other into its place, the worst first. */
  *arranging() {
    const worst = (site) => Math.max(...site.rows.map((row) => row.badness));
    const byBadness = (one, other) => other.badness - one.badness || one.service.service.localeCompare(other.service.service);
    const ranked = [...this.sites.values()].map((site) => ({ site, bad: worst(site) }));
    ranked.sort((one, other) => other.bad - one.bad || one.site.name.localeCompare(other.site.name));
    this.parent.classList.toggle("many", ranked.length > MANY);
    let next = this.parent.firstChild;
    for (const { site } of ranked) {
      show(site.heading, this.several);
      arrange(site.list, site.rows.sort(byBadness).map((row) => row.node));
      next = place(this.parent, site.node, next);
      yield;
    }
  }
}

class Row {
  constructor(boot, goals) {
    this.boot = boot;
    this.goals = goals;
    this.icon = icon("none");
    this.word = el("span");
    this.name = el("span", "service-name");
    this.figures = {};
    const figures = ["waiting", "within", "lost"].map((name) => this.figure(name));
    this.operators = el("span", "operators");
    this.presences = Object.fromEntries(PRESENCES.map((name) => [name, this.presence(name)]));
    const head = el("span", "service-head", this.name, " ", el("span", "service-state", this.icon, this.word));
    this.node = el("li", "service", head, el("span", "service-figures", ...figures), this.operators);
  }

  figure(name) {
    const value = el("span", "figure-value");
    this.figures[name] = value;
    const label = el("span", "figure-label", t(`wallboard.short_${name}`, { rings: this.boot.max_rings }));
    return el("span", "figure", label, " ", value);
  }

  presence(name) {
    const count = el("span", "presence-count");
    const node = el("span", "presence", icon(`presence-${name}`), count, " ", el("span", "presence-name"));
    node.dataset.presence = name;
    this.operators.append(node, " ");
    return { node, count, name: node.lastChild };
  }

  update(service, blind) {
    this.service = service;
    const day = service.day;
    setText(this.name, service.service);
    setText(this.figures.waiting, blind ? "–" : whole(service.waiting));
    setText(this.figures.within, percent(day?.within_rate?.[0]));
    setText(this.figures.lost, percent(day?.lost_rate?.[0]));
    setData(this.figures.within, "state", verdict(day?.within_rate, this.goals.within));
    setData(this.figures.lost, "state", verdict(day?.lost_rate, this.goals.lost));
    this.state(service, blind, day);
    this.showOperators(blind ? {} : service.operators ?? {});
  }

  state(service, blind, day) {
    const late = service.longest_since != null && clock.ringAt(service.longest_since, this.boot.cycle) >= this.boot.max_rings;
    const said = day?.keeps == null ? "" : day.keeps ? "kept" : "missed";
    const state = blind ? "unseen" : service.breach || late ? "breach" : service.waiting > 0 ? "busy" : said || "calm";
    setData(this.node, "state", state);
    setText(this.word, t(`wallboard.service_${state}`));
    setIcon(this.icon, { unseen: "blind", breach: "warning", busy: "bell" }[state] ?? sign(said));
    const rate = day?.lost_rate?.[0] ?? 0;
    this.badness = (state === "breach" ? 8 : 0) + (blind ? 4 : 0) + (said === "missed" ? 2 : 0) + (service.waiting > 0 ? 1 : 0) + rate;
  }

  showOperators(operators) {
    for (const name of PRESENCES) {
      const { node, count, name: word } = this.presences[name];
      const people = operators[name] ?? 0;
      show(node, people > 0 || name === "reachable" && Object.keys(operators).length > 0);
      setText(count, whole(people));
      setText(word, counted(`wallboard.operators_${name}`, people).trim());
    }
  }
}
