// A soft chime when a caller has waited too long: only for who asked for it, on this screen.

import { setIcon, setText } from "./dom.js";
import { t } from "./words.js";

const KEPT_AS = "telemon.sound";
const APART_MS = 5_000;
const NOTES = [[587.33, 0], [440, 0.22]]; // Hz and seconds: a falling fourth
const LOUDNESS = 0.12;

export class Sound {
  constructor(button) {
    this.button = button;
    this.on = localStorage.getItem(KEPT_AS) === "on";
    this.playedAt = -Infinity;
    button.addEventListener("click", () => this.turn(!this.on));
    // A browser lets a page sound only after somebody has touched it.
    for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, () => this.on && this.wake());
    this.show();
  }

  turn(on) {
    this.on = on;
    localStorage.setItem(KEPT_AS, on ? "on" : "off");
    this.show();
    if (on) this.wake().then(() => this.chime());
  }

  async wake() {
    this.context ??= new AudioContext();
    if (this.context.state === "suspended") await this.context.resume();
  }

  show() {
    this.button.setAttribute("aria-pressed", String(this.on));
    setIcon(this.button.querySelector("svg"), this.on ? "sound" : "silent");
    setText(this.button.querySelector("[data-part]"), t(this.on ? "wallboard.sound_on" : "wallboard.sound_off"));
  }

  breached() {
    if (!this.on || performance.now() - this.playedAt < APART_MS) return;
    this.playedAt = performance.now();
    this.chime();
  }

  chime() {
    if (this.context?.state !== "running") return;
    for (const [pitch, after] of NOTES) this.note(pitch, this.context.currentTime + after);
  }

  note(pitch, at) {
    const tone = new OscillatorNode(this.context, { frequency: pitch });
    const gain = new GainNode(this.context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(LOUDNESS, at + 0.03);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.9);
    tone.connect(gain).connect(this.context.destination);
    tone.start(at);
    tone.stop(at + 1);
  }
}
