// Drawing of sound on an ERB axis: scrolling spectrograms, and what happens in each band now. For the eye only.

// Glasberg and Moore 1990: ERBS * log10(1 + f / KNEE_HZ) equivalent rectangular bandwidths lie below f.
const ERBS = 21.4, KNEE_HZ = 1000 / 4.37;
const LOW_HZ = 50, HIGH_HZ = 20000;
const ROWS = 176;
export const COLUMNS_PER_S = 60;
const FLOOR_DB = -108, TOP_DB = -28; // darkest and brightest, dB of a line of the analyser

// Centres of the core's bands, in Hz.
export const BAND_CENTRES_HZ = [
  2, 4, 6, 8, 10, 12, 14, 16, 18, 21, 24, 28, 32, 36, 41, 47, 53, 60, 68, 77, 87, 98, 110, 124, 140, 157, 176, 198, 223, 251, 282,
  317, 356, 400,
].map((line) => 50 * line);

const TICKS_HZ = [100, 200, 500, 1000, 2000, 5000, 10000];
const PALETTES = {
  original: ["#0b0c10", "#121722", "#1c2738", "#2b3d57", "#43607f", "#6b8bab", "#9db8d0", "#d3e2ee", "#ffffff"],
  enhanced: ["#0b0c10", "#1a1020", "#361539", "#611b4b", "#95264c", "#cc4140", "#f2703f", "#ffae68", "#fff0cf"],
};

const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const erb = (hz) => ERBS * Math.log10(1 + hz / KNEE_HZ);
const hertz = (erbs) => (10 ** (erbs / ERBS) - 1) * KNEE_HZ;

// 0 at the bottom of the axis, 1 at its top.
export const placeOf = (hz) => (erb(hz) - erb(LOW_HZ)) / (erb(HIGH_HZ) - erb(LOW_HZ));
const frequencyAt = (place) => hertz(erb(LOW_HZ) + place * (erb(HIGH_HZ) - erb(LOW_HZ)));

function lookUpTable(stops) {
  const channels = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    const [r, g, b] = channels[low].map((c, k) => Math.round(c + (place - low) * (channels[low + 1][k] - c)));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

// A context in CSS pixels on a canvas as large as its element; cleared.
export function prepared(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

// The lines of an analyser under each row of the axis: [first, last, place between two lines].
function rowsOf(sampleRate, n_lines) {
  const line = (hz) => clip((hz / (sampleRate / 2)) * n_lines, 0, n_lines - 2);
  return Array.from({ length: ROWS }, (_, row) => {
    const [from, to] = [line(frequencyAt(row / ROWS)), line(frequencyAt((row + 1) / ROWS))];
    return { from, to, middle: (from + to) / 2 };
  });
}

// The last seconds of a sound. Columns go into a ring, so that nothing is drawn twice.
export class Spectrogram {
  #ring = document.createElement("canvas");
  #column = new ImageData(1, ROWS);
  #pixels = new Uint32Array(this.#column.data.buffer);
  #head = 0; // columns written
  #clock = 0; // columns that time has asked for

  constructor(canvas, palette, seconds) {
    Object.assign(this, { canvas, seconds, table: lookUpTable(PALETTES[palette]), levels: new Float32Array(ROWS).fill(FLOOR_DB) });
    this.#ring.width = Math.ceil(seconds * COLUMNS_PER_S);
    this.#ring.height = ROWS;
    this.ink = this.#ring.getContext("2d");
    this.clear();
  }

  clear() {
    [this.#head, this.#clock] = [0, 0];
    this.ink.fillStyle = "#0b0c10";
    this.ink.fillRect(0, 0, this.#ring.width, ROWS);
  }

  // decibels: the lines of an analyser; elapsed_s: since the last call.
  push(decibels, sampleRate, elapsed_s) {
    this.#clock += Math.min(elapsed_s, this.seconds) * COLUMNS_PER_S;
    if (this.#head > this.#clock - 1) return;
    if (this.sampleRate !== sampleRate) [this.sampleRate, this.rows] = [sampleRate, rowsOf(sampleRate, decibels.length)];
    this.#paint(decibels);
    while (this.#head <= this.#clock - 1) {
      this.ink.putImageData(this.#column, this.#head % this.#ring.width, 0);
      this.#head += 1;
    }
  }

  #paint(decibels) {
    const scale = 255 / (TOP_DB - FLOOR_DB);
    this.rows.forEach(({ from, to, middle }, row) => {
      let level;
      if (to - from < 1.5) {
        const low = Math.floor(middle);
        level = decibels[low] + (middle - low) * (decibels[low + 1] - decibels[low]);
      } else {
        level = -Infinity;
        for (let i = Math.round(from); i < Math.round(to); ++i) level = Math.max(level, decibels[i]);
      }
      this.levels[row] = clip(level + 3 * placeOfRow(row), FLOOR_DB, TOP_DB); // higher bands hold less; lift them a little
      this.#pixels[ROWS - 1 - row] = this.table[Math.round((this.levels[row] - FLOOR_DB) * scale)];
    });
  }

  draw(dimmed) {
    const { context, width, height } = prepared(this.canvas);
    const n = this.#ring.width;
    const head = this.#head % n;
    const fraction = clip(this.#clock - this.#head, 0, 1) / n;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.globalAlpha = dimmed ? 0.55 : 1;
    const split = (width * (n - head)) / n - fraction * width;
    context.drawImage(this.#ring, head, 0, n - head, ROWS, -fraction * width, 0, (width * (n - head)) / n, height);
    if (head) context.drawImage(this.#ring, 0, 0, head, ROWS, split, 0, (width * head) / n, height);
    context.globalAlpha = 1;
    this.#drawAxis(context, width, height);
  }

  #drawAxis(context, width, height) {
    context.font = "500 10.5px ui-sans-serif, system-ui, sans-serif";
    context.textBaseline = "middle";
    let lowest = Infinity; // of the labels so far, from the bottom up
    for (const hz of TICKS_HZ) {
      const y = (1 - placeOf(hz)) * height;
      if (lowest - y < 17) continue;
      lowest = y;
      context.fillStyle = "rgb(255 255 255 / 0.07)";
      context.fillRect(0, y, width, 1);
      const text = hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`;
      context.fillStyle = "rgb(11 12 16 / 0.55)";
      context.fillRect(6, y - 8, context.measureText(text).width + 10, 16);
      context.fillStyle = "rgb(255 255 255 / 0.62)";
      context.fillText(text, 11, y + 0.5);
    }
    context.textAlign = "center";
    for (let ago_s = 2; ago_s < this.seconds; ago_s += 2) {
      const x = width * (1 - ago_s / this.seconds);
      context.fillStyle = "rgb(255 255 255 / 0.25)";
      context.fillRect(x, height - 5, 1, 5);
      context.fillStyle = "rgb(255 255 255 / 0.5)";
      context.fillText(`−${ago_s} s`, x, height - 13);
    }
    context.textAlign = "start";
  }
}

const placeOfRow = (row) => row / ROWS;

// Level in each row now, beside its spectrogram.
export function drawLevels(canvas, levels, dimmed) {
  const { context, width, height } = prepared(canvas);
  const shade = context.createLinearGradient(0, 0, width, 0);
  shade.addColorStop(0, "rgb(107 139 171 / 0.15)");
  shade.addColorStop(1, "rgb(211 226 238 / 0.95)");
  context.globalAlpha = dimmed ? 0.5 : 1;
  context.beginPath();
  context.moveTo(0, height);
  levels.forEach((level, row) => {
    context.lineTo(((level - FLOOR_DB) / (TOP_DB - FLOOR_DB)) * (width - 8), (1 - (row + 0.5) / levels.length) * height);
  });
  context.lineTo(0, 0);
  context.fillStyle = shade;
  context.fill();
}

// Gains as bars and strengths as marks, each band at its place on the axis.
export function drawBands(canvas, gains, strengths, dimmed) {
  const { context, width, height } = prepared(canvas);
  const room = width - 10;
  const places = BAND_CENTRES_HZ.map(placeOf);
  context.globalAlpha = dimmed ? 0.5 : 1;
  places.forEach((place, band) => {
    const below = band ? (place + places[band - 1]) / 2 : 0;
    const above = band < places.length - 1 ? (place + places[band + 1]) / 2 : 1;
    const [y, tall] = [(1 - above) * height, Math.max((above - below) * height - 1.5, 1)];
    context.fillStyle = "rgb(255 255 255 / 0.05)";
    context.fillRect(0, y, room, tall);
    context.fillStyle = `hsl(${14 + 20 * gains[band]} 100% ${30 + 38 * gains[band]}%)`;
    context.fillRect(0, y, gains[band] * room, tall);
    context.fillStyle = "#7ef0d4";
    if (strengths[band] > 0.01) context.fillRect(strengths[band] * room - 1.5, y, 3, tall);
  });
}
