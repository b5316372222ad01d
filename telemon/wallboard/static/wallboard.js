// The live view: what the server streams, shown as it changes.

import { byId, setText } from "./dom.js";
import * as clock from "./clock.js";
import { day, speak } from "./words.js";
import { Announcer } from "./announcer.js";
import { Banners } from "./banners.js";
import { Callbacks } from "./callbacks.js";
import { Calls, Losses } from "./calls.js";
import { Crisis, Permanence } from "./duty.js";
import { Headline, seesFigures, showTime } from "./headline.js";
import { History } from "./history.js";
import { Late } from "./late.js";
import { reachByKeyboard } from "./regions.js";
import { Picture } from "./picture.js";
import { Services } from "./services.js";
import { Sound } from "./sound.js";
import { Stream } from "./stream.js";

const TICK_MS = 100; // how late a ring may be counted
const boot = JSON.parse(byId("boot").textContent);

class Wallboard {
  constructor() {
    this.picture = new Picture();
    this.announcer = new Announcer(boot);
    this.sound = new Sound(byId("sound"));
    this.late = new Late(boot, (count) => this.breached(count));
    this.banners = new Banners();
    this.headline = new Headline(boot);
    this.calls = new Calls(boot);
    this.losses = new Losses();
    this.services = new Services(boot);
    this.permanence = new Permanence();
    this.crisis = new Crisis();
    this.callbacks = new Callbacks(boot, this.announcer);
    this.parts = new Set();
    this.keys = new Set();
    this.stream = new Stream("/wallboard/stream", {
      picture: (told) => this.take(this.picture.replace(told), null),
      change: (told) => this.take(this.picture.change(told), (told.services?.set ?? []).map((one) => one.key)),
      state: (state) => this.hear(state),
    });
  }

  start() {
    clock.heard(boot.now);
    this.take(this.picture.replace(boot.picture), null);
    this.tick();
    this.stream.open();
    setInterval(() => this.tick(), TICK_MS);
    if (seesFigures(boot)) new History(boot).start();
    reachByKeyboard();
  }

  /** Note which parts changed (which services: null for all), and draw them once, however many messages came. */
  take(parts, keys) {
    for (const part of parts) this.parts.add(part);
    this.keys = keys === null || this.keys === null ? null : new Set([...this.keys, ...keys]);
    this.due ??= document.hidden ? setTimeout(() => this.render()) : requestAnimationFrame(() => this.render());
  }

  render() {
    const { parts, picture } = this;
    const blinded = parts.has("blind");
    const any = (...names) => names.some((name) => parts.has(name));
    if (any("services") || blinded) this.services.render(picture, blinded ? null : this.keys);
    if (any("calls", "services", "more")) this.calls.render(picture);
    if (any("losses")) this.losses.render(picture);
    if (any("blind", "conditions")) this.banners.render(picture);
    if (any("permanence")) this.permanence.render(picture);
    if (any("crisis")) this.crisis.render(picture);
    if (any("callbacks", "callbacks_count")) this.callbacks.render(picture);
    this.headline.render(picture, this.late.look(picture));
    Object.assign(this, { parts: new Set(), keys: new Set(), due: null });
  }

  tick() {
    showTime(this.banners.state !== "live");
    setText(byId("date"), day(clock.now()));
    this.calls.tick();
    this.services.tick();
    this.crisis.tick();
    this.banners.tick();
    this.headline.render(this.picture, this.late.look(this.picture));
  }

  hear(state) {
    if (this.banners.state) this.announcer.stream(state);
    this.banners.hear(state);
  }

  breached(count) {
    this.sound.breached();
    this.announcer.breached(count);
  }
}

speak(boot);
new Wallboard().start();
