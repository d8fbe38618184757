"use strict";

// An exhibit plays all its signals at once, all but one muted: then switching keeps the position to the sample.
class Exhibit {
  static active = null;

  constructor(article) {
    this.seconds = Number(article.dataset.seconds);
    this.tracks = [...article.querySelectorAll(".track")];
    this.sounds = this.tracks.map((track) => track.querySelector("audio"));
    this.button = article.querySelector(".play");
    this.time = article.querySelector(".time");
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
    this.sounds[0].addEventListener("ended", () => this.pause());
    this.choose(this.tracks.length - 1);
  }

  get playing() { return !this.sounds[0].paused; }

  choose(i) {
    if (i >= this.tracks.length) return;
    this.sounds.forEach((sound, j) => { sound.muted = i !== j; });
    this.tracks.forEach((track, j) => track.classList.toggle("active", i === j));
  }

  play(at) {
    if (Exhibit.active !== null && Exhibit.active !== this) Exhibit.active.pause();
    for (const other of exhibits) if (other !== this) other.pause();
    Exhibit.active = this;
    for (const sound of this.sounds) {
      sound.currentTime = at;
      sound.play();
    }
    this.button.textContent = "Pause";
    requestAnimationFrame(() => this.draw());
  }

  pause() {
    for (const sound of this.sounds) sound.pause();
    this.button.textContent = "Play";
  }

  toggle() {
    if (this.playing) {
      this.pause();
      return;
    }
    const at = this.sounds[0].currentTime;
    this.play(at >= this.seconds - 0.02 ? 0 : at);
  }

  draw() {
    const at = this.sounds[0].currentTime;
    for (const track of this.tracks) track.querySelector(".head").style.left = `${100 * at / this.seconds}%`;
    this.time.textContent = `${at.toFixed(2)} s`;
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
