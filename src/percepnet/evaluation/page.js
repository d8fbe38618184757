"use strict";

const FADE_S = 0.005;
let context = null; // of Web Audio; browsers want it made after a click

function bytesOf(dataUri) {
  return Uint8Array.from(atob(dataUri.slice(dataUri.indexOf(",") + 1)), (letter) => letter.charCodeAt(0)).buffer;
}

// Plays all its signals at once, on one clock, and lets one be heard: switching keeps the position to the sample.
class Exhibit {
  static active = null;

  constructor(article) {
    this.seconds = Number(article.dataset.seconds);
    this.tracks = [...article.querySelectorAll(".track")];
    this.button = article.querySelector(".play");
    this.time = article.querySelector(".time");
    this.sounds = null; // decoded when first played
    this.sources = [];
    this.gains = [];
    this.at = 0;
    this.chosen = this.tracks.length - 1;
    this.button.addEventListener("click", () => this.toggle());
    article.addEventListener("pointerdown", () => { Exhibit.active = this; });
    article.addEventListener("focusin", () => { Exhibit.active = this; });
    this.tracks.forEach((track, i) => {
      track.querySelector(".name").addEventListener("click", () => this.choose(i));
      track.querySelector(".picture").addEventListener("click", (event) => {
        const box = event.currentTarget.getBoundingClientRect();
        this.choose(i);
        this.play((event.clientX - box.left) / box.width * this.seconds);
      });
    });
    for (const moment of article.querySelectorAll(".moment")) {
      moment.addEventListener("click", () => this.play(Math.max(0, Number(moment.dataset.at) - 0.5)));
    }
    this.choose(this.chosen);
  }

  get playing() { return this.sources.length > 0; }

  get position() {
    return this.playing ? Math.min(Math.max(this.at, context.currentTime - this.origin), this.seconds) : this.at;
  }

  choose(i) {
    if (i >= this.tracks.length) return;
    this.chosen = i;
    this.gains.forEach((gain, j) => gain.gain.setTargetAtTime(i === j ? 1 : 0, context.currentTime, FADE_S));
    this.tracks.forEach((track, j) => track.classList.toggle("active", i === j));
  }

  async play(at) {
    for (const exhibit of exhibits) exhibit.pause();
    Exhibit.active = this;
    this.at = Math.min(Math.max(at, 0), this.seconds);
    context ??= new AudioContext();
    await context.resume();
    this.sounds ??= await Promise.all(this.tracks.map((track) => context.decodeAudioData(bytesOf(track.dataset.sound))));
    this.pause(); // of two clicks while the sounds were decoded
    const start = context.currentTime + 0.03;
    this.origin = start - this.at;
    this.gains = this.sounds.map((_, i) => new GainNode(context, { gain: i === this.chosen ? 1 : 0 }));
    this.sources = this.sounds.map((buffer, i) => {
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(this.gains[i]).connect(context.destination);
      source.start(start, this.at);
      return source;
    });
    this.button.textContent = "Pause";
    requestAnimationFrame(() => this.draw());
  }

  pause() {
    if (!this.playing) return;
    this.at = this.position;
    for (const source of this.sources) source.stop();
    this.sources = [];
    this.gains = [];
    this.button.textContent = "Play";
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play(this.at >= this.seconds ? 0 : this.at);
  }

  draw() {
    const at = this.position;
    for (const track of this.tracks) track.querySelector(".head").style.left = `${100 * at / this.seconds}%`;
    this.time.textContent = `${at.toFixed(2)} s`;
    if (at >= this.seconds) this.pause();
    if (this.playing) requestAnimationFrame(() => this.draw());
  }
}

const exhibits = [...document.querySelectorAll(".exhibit")].map((article) => new Exhibit(article));

document.addEventListener("keydown", (event) => {
  if (Exhibit.active === null || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key >= "1" && event.key <= "9") Exhibit.active.choose(Number(event.key) - 1);
  if (event.key === " ") {
    event.preventDefault();
    Exhibit.active.toggle();
  }
});

// ---- the table of all files

function numberIn(text) {
  if (text === "inf" || text === "-inf") return text === "inf" ? Infinity : -Infinity;
  return text === "" ? NaN : Number(text);
}

for (const [column, button] of document.querySelectorAll(".files thead button").entries()) {
  let direction = -1;
  button.addEventListener("click", () => {
    direction = -direction;
    const body = document.querySelector(".files tbody");
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const compare = (a, b) => {
      const [x, y] = [numberIn(key(a)), numberIn(key(b))];
      if (Number.isNaN(x) && Number.isNaN(y)) return direction * key(a).localeCompare(key(b));
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
      return direction * (x - y);
    };
    body.append(...[...body.rows].sort(compare));
  });
}
