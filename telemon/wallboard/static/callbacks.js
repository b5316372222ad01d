// The lost callers who are still to be called back.

import { byId, el, Keyed, setText, show } from "./dom.js";
import { counted, minute, t } from "./words.js";

export class Callbacks {
  constructor(boot, announcer) {
    this.boot = boot;
    this.announcer = announcer;
    this.panel = byId("panel-callbacks");
    this.title = byId("title-callbacks");
    this.rows = new Keyed(byId("callbacks"), (caller) => new Caller(caller, (row) => this.done(row)));
  }

  render(picture) {
    const { callbacks, callbacks_count: count } = picture.rest;
    const known = callbacks?.length ?? count;
    show(this.panel, known !== undefined);
    this.rows.show((callbacks ?? []).map((caller) => [caller.id, caller]));
    const note = known === 0 ? t("wallboard.nobody_to_call") : counted("wallboard.to_call", known ?? 0);
    setText(byId("callbacks-count"), note);
  }

  /** Tell the server that somebody has called them back. */
  async done(row) {
    const { id, number } = row.caller;
    row.busy(true);
    const headers = { "X-CSRF-Token": this.boot.csrf };
    const told = await fetch(`/wallboard/callbacks/${encodeURIComponent(id)}/done`, { method: "POST", headers }).catch(() => null);
    if (told?.ok || told?.status === 404 || told?.status === 409) {
      this.forget(id, row);
      this.announcer.say(t("wallboard.called_back_done", { number }));
    } else {
      row.busy(false);
      row.fail();
    }
  }

  /** Whoever pressed the button goes on from the next one. */
  forget(id, row) {
    const next = row.node.nextElementSibling ?? row.node.previousElementSibling;
    const here = row.node.contains(document.activeElement);
    this.rows.drop(id);
    if (here) (next?.querySelector("button") ?? this.title).focus();
  }
}

class Caller {
  constructor(caller, done) {
    this.number = el("span", "caller-number");
    this.number.dir = "auto";
    this.detail = el("span", "caller-detail");
    this.button = el("button", "button", t("wallboard.called_back"));
    this.button.type = "button";
    this.button.addEventListener("click", () => this.button.getAttribute("aria-disabled") !== "true" && done(this));
    this.problem = el("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.node = el("li", "caller", el("span", "caller-who", this.number, " ", this.detail), " ", this.button, this.problem);
    this.update(caller);
  }

  update(caller) {
    this.caller = caller;
    const service = caller.key.split("|").pop();
    setText(this.number, caller.number);
    const times = counted("wallboard.times", caller.times);
    setText(this.detail, t("wallboard.caller_detail", { service, times, last: minute(caller.last) }));
    this.button.setAttribute("aria-label", t("wallboard.called_back_label", { number: caller.number }));
  }

  busy(is) {
    this.button.setAttribute("aria-disabled", String(is));
    setText(this.problem, "");
  }

  fail() {
    setText(this.problem, t("wallboard.called_back_failed"));
  }
}
