// Drawing. A view is {start, length} in frames; a box is {x, y, width, height} in CSS pixels.

// Perceptually even, dark to bright: magma for level, viridis for gains, mako for strengths; a few stops of each.
const PALETTES = {
  level: ["#000004", "#1c1044", "#4f127b", "#812581", "#b5367a", "#e55964", "#fb8761", "#fec287", "#fcfdbf"],
  gains: ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"],
  strengths: ["#0b0405", "#28192f", "#3b2f5e", "#40498e", "#366a9e", "#348ea5", "#38b0a8", "#79d4ae", "#def5e5"],
};
const LUT = Object.fromEntries(Object.entries(PALETTES).map(([name, stops]) => [name, lookUpTable(stops)]));
const FREQUENCIES = [100, 200, 500, 1000, 2000, 5000, 10000, 20000];

function lookUpTable(stops) {
  const channels = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    const [r, g, b] = channels[low].map((c, k) => Math.round(c + (place - low) * (channels[low + 1][k] - c)));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const gutter = () => parseFloat(colour("gutter"));

// A context in CSS pixels, cleared, on a canvas of this height.
function prepared(canvas, height) {
  const ratio = window.devicePixelRatio || 1;
  if (height) canvas.style.height = `${height}px`;
  const [width, tall] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(tall * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = "11px system-ui, sans-serif";
  return { context, width, height: tall };
}

// Mean of `levels` (frames, rows) over the frames under one pixel column; between frames, the line through them.
function column(levels, rows, from, to, out) {
  const n_frames = levels.length / rows;
  out.fill(0);
  if (to - from <= 1) {
    const place = clip((from + to) / 2, 0, n_frames - 1);
    const low = Math.floor(place) * rows, high = Math.min(Math.floor(place) + 1, n_frames - 1) * rows;
    const share = place % 1;
    for (let r = 0; r < rows; ++r) out[r] = (1 - share) * levels[low + r] + share * levels[high + r];
    return;
  }
  const first = Math.max(0, Math.round(from)), last = Math.min(n_frames, Math.max(Math.round(to), first + 1));
  const step = Math.max(1, Math.floor((last - first) / 8));
  let count = 0;
  for (let t = first; t < last; t += step, ++count) for (let r = 0; r < rows; ++r) out[r] += levels[t * rows + r];
  for (let r = 0; r < rows; ++r) out[r] /= count || 1;
}

// levels (frames, rows), lowest row at the bottom, as colours: `low` is the darkest, `high` the brightest.
function drawImage(context, box, view, levels, rows, palette, low, high, smooth) {
  const width = Math.max(1, Math.round(box.width)), height = Math.max(1, Math.round(box.height));
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const values = new Float32Array(rows);
  const places = Float32Array.from({ length: height }, (_, y) => clip((1 - (y + 0.5) / height) * rows - 0.5, 0, rows - 1));
  const scale = 255 / (high - low);
  for (let x = 0; x < width; ++x) {
    const from = view.start + (x / width) * view.length;
    column(levels, rows, from - 0.5, from + view.length / width - 0.5, values);
    for (let y = 0; y < height; ++y) {
      const place = places[y], lower = smooth ? Math.floor(place) : Math.round(place);
      const share = smooth ? place - lower : 0;
      const value = share ? (1 - share) * values[lower] + share * values[lower + 1] : values[lower];
      pixels[y * width + x] = LUT[palette][clip(Math.round((value - low) * scale), 0, 255)];
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(canvas, box.x, box.y, box.width, box.height);
}

// Labels in the gutter: pairs of text and place, 0 at the bottom of the box.
function drawScale(context, box, labels) {
  context.fillStyle = colour("muted");
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [text, place] of labels) {
    const y = box.y + (1 - place) * box.height;
    context.fillText(text, box.x - 7, clip(y, box.y + 6, box.y + box.height - 5));
    context.fillRect(box.x - 4, y - 0.5, 3, 1);
  }
}

function drawTimes(context, box, view) {
  const seconds = view.length * content.hop_s;
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];
  const step = steps.find((s) => (s / seconds) * box.width >= 56) ?? 600;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  context.fillStyle = colour("muted");
  context.textAlign = "center";
  context.textBaseline = "top";
  const start = view.start * content.hop_s;
  for (let i = Math.ceil(start / step - 1e-6); i * step <= start + seconds; ++i) {
    const x = box.x + ((i * step - start) / seconds) * box.width;
    context.fillRect(x - 0.5, box.y + box.height, 1, 4);
    context.fillText(`${(i * step).toFixed(digits)} s`, clip(x, box.x + 10, box.x + box.width - 17), box.y + box.height + 6);
  }
}

const short = (hz) => (hz < 1000 ? `${hz}` : `${hz / 1000}k`);

function drawSpectrogram(canvas, levels, view, pitch) {
  const { context, width, height } = prepared(canvas, window.innerWidth < 820 ? 230 : 330);
  const box = { x: gutter(), y: 0, width: width - gutter(), height: height - 22 };
  const [low, high] = content.colours_db.map((db) => db - content.floor_db);
  drawImage(context, box, view, levels, content.rows, "level", low, high, true);
  drawScale(context, box, FREQUENCIES.map((hz) => [short(hz), placeOf(hz)]));
  drawTimes(context, box, view);
  if (pitch) drawPitch(context, box, view, pitch);
}

// The fundamental where the frame is voiced, the more opaque the more it is.
function drawPitch(context, box, view, { period, voicing }) {
  context.save();
  context.beginPath();
  context.rect(box.x, box.y, box.width, box.height);
  context.clip();
  context.lineCap = "round";
  const last = Math.min(content.n_frames - 1, Math.ceil(view.start + view.length));
  const point = (t) => {
    const hz = content.sample_rate / period.at(t);
    return [box.x + ((t - view.start) / view.length) * box.width, box.y + (1 - placeOf(hz)) * box.height];
  };
  for (const [style, thickness] of [["#000a", 4], ["#5ef2ff", 1.8]]) {
    [context.strokeStyle, context.lineWidth] = [style, thickness];
    for (let t = Math.max(1, Math.floor(view.start)); t <= last; ++t) {
      const voiced = Math.min(voicing.at(t), voicing.at(t - 1));
      if (voiced < 0.25 || Math.abs(Math.log2(period.at(t) / period.at(t - 1))) > 0.3) continue;
      context.globalAlpha = clip((voiced - 0.15) * 2.2, 0, 1);
      context.beginPath();
      context.moveTo(...point(t - 1));
      context.lineTo(...point(t));
      context.stroke();
    }
  }
  context.restore();
}

// Where a frequency lies between the 34 bands, drawn as rows of equal height.
function bandPlace(hz) {
  const centres = content.band_centres_hz;
  const above = centres.findIndex((c) => c >= hz);
  const band = above < 1 ? Math.max(above, 0) : above - (centres[above] - hz) / (centres[above] - centres[above - 1]);
  return (band + 0.5) / centres.length;
}

function drawBands(canvas, bands, view, palette) {
  const { context, width, height } = prepared(canvas, window.innerWidth < 820 ? 58 : 68);
  const box = { x: gutter(), y: 0, width: width - gutter(), height };
  drawImage(context, box, view, bands.levels, bands.width, palette, 0, 255, false);
  drawScale(context, box, [200, 1000, 5000, 20000].map((hz) => [short(hz), bandPlace(hz)]));
}

// lines: [track, colour name, filled]; values 0 to 1.
function drawLines(canvas, lines, view) {
  const { context, width, height } = prepared(canvas, 86);
  const box = { x: gutter(), y: 3, width: width - gutter(), height: height - 25 };
  context.fillStyle = colour("sunken");
  context.fillRect(box.x, box.y - 3, box.width, box.height + 3);
  drawScale(context, box, [["1", 1], ["0", 0]]);
  drawTimes(context, box, view);
  context.save();
  context.beginPath();
  context.rect(box.x, 0, box.width, height);
  context.clip();
  for (const [values, name, filled] of lines) {
    const path = new Path2D();
    path.moveTo(box.x, box.y + box.height);
    for (let x = 0; x <= box.width; x += 1) {
      const t = clip(Math.round(view.start + (x / box.width) * view.length), 0, content.n_frames - 1);
      path.lineTo(box.x + x, box.y + (1 - clip(values.at(t), 0, 1)) * box.height);
    }
    context.strokeStyle = context.fillStyle = colour(name);
    if (filled) {
      path.lineTo(box.x + box.width, box.y + box.height);
      context.globalAlpha = 0.3;
      context.fill(path);
      context.globalAlpha = 1;
    } else {
      context.lineWidth = 1.4;
      context.stroke(path);
    }
  }
  context.restore();
}

// A stage at a glance, all of it.
function drawPicture(canvas, levels) {
  const { context, width, height } = prepared(canvas);
  const [low, high] = content.colours_db.map((db) => db - content.floor_db);
  const everything = { start: 0, length: content.n_frames };
  drawImage(context, { x: 0, y: 0, width, height }, everything, levels, content.rows, "level", low, high, true);
}

// One frame: spectra of [levels, colour name, dashed], and below them bars of [title, model track, oracle track].
function drawFrame(canvas, frame, spectra, bars) {
  const { context, width, height } = prepared(canvas);
  const across = { x: 30, width: width - 32 };
  const levels = { ...across, y: 6, height: height - 192 };
  const [low, high] = content.colours_db;
  drawScale(context, levels, [0, 0.5, 1].map((place) => [`${Math.round(low + place * (high - low))}`, place]));
  drawFrequencies(context, { ...across, y: 6, height: height - 24 });
  for (const [values, name, dashed] of spectra) {
    context.beginPath();
    for (let row = 0; row < content.rows; ++row) {
      const db = content.floor_db + values[frame * content.rows + row];
      const y = levels.y + (1 - clip((db - low) / (high - low), 0, 1)) * levels.height;
      context.lineTo(levels.x + ((row + 0.5) / content.rows) * levels.width, y);
    }
    context.setLineDash(dashed ? [4, 3] : []);
    context.strokeStyle = colour(name);
    context.lineWidth = 1.5;
    context.stroke();
  }
  context.setLineDash([]);
  bars.forEach(([title, model, oracle], i) => {
    drawBars(context, { ...across, y: height - 162 + i * 76, height: 52 }, frame, title, model, oracle);
  });
}

function drawFrequencies(context, box) {
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const hz of [200, 1000, 5000, 20000]) {
    const x = box.x + placeOf(hz) * box.width;
    context.fillStyle = colour("line");
    context.fillRect(x, box.y, 1, box.height);
    context.fillStyle = colour("muted");
    context.fillText(short(hz), x, box.y + box.height + 4);
  }
}

function drawBars(context, box, frame, title, model, oracle) {
  context.fillStyle = colour("sunken");
  context.globalAlpha = 0.6;
  context.fillRect(box.x, box.y, box.width, box.height);
  context.globalAlpha = 1;
  drawScale(context, box, [["1", 1], ["0", 0]]);
  content.band_centres_hz.forEach((hz, band, centres) => {
    const place = placeOf(hz), previous = placeOf(centres[band - 1] ?? 0), next = placeOf(centres[band + 1] ?? content.erb.top_hz);
    const x = box.x + ((place + previous) / 2) * box.width, wide = ((next - previous) / 2) * box.width;
    const value = model.at(frame, band);
    context.fillStyle = colour("model");
    context.fillRect(x + 0.5, box.y + (1 - value) * box.height, Math.max(1, wide - 1), value * box.height);
    if (!oracle) return;
    context.fillStyle = colour("oracle");
    context.fillRect(x, box.y + (1 - oracle.at(frame, band)) * box.height - 1, wide, 2.5);
  });
  context.fillStyle = colour("text");
  context.textAlign = "left";
  context.textBaseline = "bottom";
  context.fillText(title, box.x, box.y - 3);
}
