// The day in quarters of an hour: a curve, and the same as a table.

import { byId, el, setText, show } from "./dom.js";
import { minute, t, whole } from "./words.js";

const EVERY_MS = 60_000;

export class History {
  constructor(boot) {
    this.boot = boot;
    this.place = byId("curve");
    this.panel = byId("panel-history");
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(this.place);
  }

  start() {
    this.load();
    setInterval(() => document.hidden || this.load(), EVERY_MS);
  }

  async load() {
    const told = await fetch("/wallboard/history", { headers: { Accept: "application/json" } }).catch(() => null);
    if (!told?.ok) return; // the curve stays as it was; the stream says whether anything is heard at all
    const history = await told.json();
    show(this.panel, true);
    this.draw(history);
    this.tabulate(history);
  }

  draw({ step, start, answered, lost }) {
    const data = [start.map((at) => at + step / 2), answered, lost]; // a bar stands in the middle of its quarter
    if (this.chart) this.chart.setData(data);
    else this.chart = new uPlot(this.options(step), data, this.place);
    const sum = (counts) => whole(counts.reduce((total, count) => total + (count ?? 0), 0));
    const said = t("wallboard.curve_says", { answered: sum(answered), lost: sum(lost) });
    this.place.setAttribute("aria-label", said);
  }

  options(step) {
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const family = getComputedStyle(document.body).fontFamily;
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: `14px ${family}` };
    const bars = (align) => uPlot.paths.bars({ size: [0.45, 40], align });
    return {
      ...this.size(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.boot.timezone),
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_, low, high) => [low - step / 2, high + step / 2] },
        y: { range: (_, __, high) => [0, Math.max(4, high * 1.1)] },
      },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map(minute) },
        { ...axis, size: 44, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? whole(tick) : "")) },
      ],
      series: [
        {},
        { fill: colour("--calm"), stroke: colour("--calm"), paths: bars(-1), points: { show: false } },
        { fill: `${colour("--missed")}66`, stroke: colour("--missed"), width: 2, paths: bars(1), points: { show: false } },
      ],
    };
  }

  size() {
    return { width: Math.max(120, this.place.clientWidth), height: Math.max(100, this.place.clientHeight) };
  }

  fit() {
    const size = this.size();
    if (this.chart && (this.chart.width !== size.width || this.chart.height !== size.height)) this.chart.setSize(size);
  }

  tabulate({ start, answered, lost, within }) {
    const cell = (count) => el("td", "", whole(count));
    const rows = start.map((at, quarter) => {
      const head = el("th", "", minute(at));
      head.scope = "row";
      return el("tr", "", head, cell(answered[quarter]), cell(within[quarter]), cell(lost[quarter]));
    });
    byId("history-rows").replaceChildren(...rows.reverse());
    setText(byId("history-none"), rows.length ? "" : t("wallboard.no_calls_today"));
  }
}
