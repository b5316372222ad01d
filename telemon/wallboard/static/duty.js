// Who answers at night, and how far a crisis cell has come.

import { byId, el, icon, Keyed, setData, setIcon, setText, show } from "./dom.js";
import { duration, has, list, minute, t, whole } from "./words.js";
import * as clock from "./clock.js";

const SIGNS = { covered: "check", uncovered: "warning", unknown: "question" };
const STAGES = ["ordered", "staffed", "line_open", "operational"];

export class Permanence {
  constructor() {
    this.panel = byId("panel-permanence");
    this.rows = new Keyed(byId("permanence"), () => new Cover());
  }

  render(picture) {
    const known = picture.rest.permanence ?? [];
    show(this.panel, known.length > 0);
    this.rows.show(known.map((one) => [one.service, one]));
  }
}

class Cover {
  constructor() {
    this.icon = icon("none");
    this.word = el("span");
    this.name = el("span", "cover-name");
    this.cause = el("p", "cover-cause");
    this.people = el("p", "cover-people");
    const state = el("span", "cover-state", this.icon, this.word);
    this.node = el("li", "cover", el("span", "cover-head", this.name, " ", state), this.people, this.cause);
  }

  update(cover) {
    const cause = `uncovered.${cover.cause}`;
    setData(this.node, "state", cover.state);
    setText(this.name, cover.service);
    setText(this.word, t(`wallboard.cover_${cover.state}`));
    setIcon(this.icon, SIGNS[cover.state] ?? "question");
    setText(this.cause, cover.state === "uncovered" && has(cause) ? t(cause) : "");
    const names = cover.on_duty; // null where no roster is kept
    const said = names?.length ? t("wallboard.on_duty", { names: list(names) }) : t("wallboard.nobody_on_duty");
    setText(this.people, names ? said : "");
  }
}

export class Crisis {
  constructor() {
    this.panel = byId("panel-crisis");
    this.rows = new Keyed(byId("crisis"), () => new Cell());
  }

  render(picture) {
    const open = picture.rest.crisis ?? [];
    show(this.panel, open.length > 0);
    setData(document.documentElement, "crisis", open.length > 0);
    this.rows.show(open.map((one) => [one.service, one]));
  }

  tick() {
    for (const row of this.rows.rows.values()) row.tick();
  }
}

class Cell {
  constructor() {
    this.kind = el("span", "cell-kind");
    this.name = el("span", "cell-name");
    this.left = el("span", "cell-left");
    this.icon = icon("clock");
    this.word = el("span");
    this.people = el("p", "cell-people");
    this.stages = Object.fromEntries(STAGES.map((name) => [name, new Step(name)]));
    const steps = el("ol", "stages", ...STAGES.map((name) => this.stages[name].node));
    const count = el("p", "cell-count", this.left, " ", el("span", "cell-state", this.icon, this.word));
    this.node = el("li", "cell", el("p", "cell-head", this.kind, " ", this.name), count, steps, this.people);
  }

  update(cell) {
    this.cell = cell;
    setText(this.kind, t(cell.exercise ? "wallboard.exercise" : "wallboard.real_crisis"));
    setText(this.name, cell.title ? `${cell.service} · ${cell.title}` : cell.service);
    setData(this.node, "exercise", Boolean(cell.exercise));
    setText(this.people, t("wallboard.cell_people", { people: whole(cell.people), plan: whole(cell.plan) }));
    for (const name of STAGES) this.stages[name].update(cell.stages?.[name] ?? null);
    this.tick();
  }

  tick() {
    const { deadline, stages } = this.cell;
    const done = stages?.operational ?? null;
    const left = deadline - (done ?? clock.now());
    const state = left <= 0 ? "late" : done ? "done" : "running";
    setText(this.left, duration(left));
    setText(this.word, t(`wallboard.cell_${done && left <= 0 ? "done_late" : state}`));
    setIcon(this.icon, { late: "warning", done: "check", running: "clock" }[state]);
    setData(this.node, "state", state);
  }
}

class Step {
  constructor(name) {
    this.icon = icon("none");
    this.at = el("span", "stage-at");
    this.node = el("li", "stage", this.icon, el("span", "stage-name", t(`stage.${name}`)), " ", this.at);
  }

  update(at) {
    setData(this.node, "reached", at !== null);
    setIcon(this.icon, at === null ? "open" : "check");
    setText(this.at, at === null ? t("wallboard.not_yet") : minute(at));
  }
}
