// The small pictures: a recording at a glance, and the load of the processor.
import { prepared } from "./spectrogram.js";

const SILENT_DB = 60; // below full scale: an empty column

// Height of each column of pixels, 0 to 1: its loudest sample on a scale of decibels.
function heights(buffer, n_columns) {
  const samples = buffer.getChannelData(0);
  const step = samples.length / n_columns;
  return Float32Array.from({ length: n_columns }, (_, x) => {
    let loudest = 0;
    const last = Math.min(Math.ceil((x + 1) * step), samples.length);
    for (let i = Math.floor(x * step); i < last; ++i) loudest = Math.max(loudest, Math.abs(samples[i]));
    return Math.max(1 + (20 * Math.log10(loudest + 1e-9)) / SILENT_DB, 0);
  });
}

// The original above and below the middle in steel, the enhanced on it in ember; either may be null.
export function drawOverview(canvas, original, enhanced) {
  const { context, width, height } = prepared(canvas);
  const n_columns = Math.max(Math.floor(width / 3), 1);
  for (const [buffer, colour] of [[original, "#3d526b"], [enhanced, "#ff9466"]]) {
    context.fillStyle = colour;
    const columns = buffer ? heights(buffer, n_columns) : new Float32Array(n_columns);
    columns.forEach((tall, x) => {
      const reach = Math.max(tall * height * 0.94, buffer ? 1.5 : 0);
      context.fillRect(3 * x, (height - reach) / 2, 2, reach);
    });
  }
  if (original) return;
  context.fillStyle = "#23262f";
  for (let x = 0; x < n_columns; ++x) context.fillRect(3 * x, height / 2 - 1, 2, 2);
}

// history: [hops, milliseconds] of every quarter of a second.
export function drawLoad(canvas, history) {
  const { context, width, height } = prepared(canvas);
  const shares = history.map((_, i) => {
    const recent = history.slice(Math.max(i - 11, 0), i + 1);
    const [hops, busyMs] = [0, 1].map((k) => recent.reduce((sum, entry) => sum + entry[k], 0));
    return hops ? busyMs / (10 * hops) : 0;
  });
  const top = Math.max(0.05, ...shares) * 1.15;
  const x = (i) => width - ((history.length - 1 - i) / 239) * width;
  context.beginPath();
  shares.forEach((share, i) => context.lineTo(x(i), height - 1 - (share / top) * (height - 3)));
  context.strokeStyle = "#ff9466";
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.stroke();
  context.lineTo(width, height);
  context.lineTo(x(0), height);
  const shade = context.createLinearGradient(0, 0, 0, height);
  shade.addColorStop(0, "rgb(255 148 102 / 0.35)");
  shade.addColorStop(1, "rgb(255 148 102 / 0)");
  context.fillStyle = shade;
  context.fill();
}
