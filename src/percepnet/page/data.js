// What is in the page: content, and how to unpack it.

const content = JSON.parse(document.getElementById("content").textContent);

function bytes(base64) {
  const text = atob(base64);
  const result = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) result[i] = text.charCodeAt(i);
  return result;
}

async function inflated(base64) {
  const stream = new Blob([bytes(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// (frames, rows) of levels, packed as the difference of each row and the one below it.
async function spectrogram(stage) {
  const levels = await inflated(stage.spectrogram);
  for (let i = 0; i < levels.length; ++i) if (i % content.rows) levels[i] += levels[i - 1];
  return levels;
}

// {width, at(frame, band)}: values in their own unit.
async function track(packed) {
  if (packed.float) {
    const values = new Float32Array((await inflated(packed.float)).buffer);
    return { width: 1, at: (frame) => values[frame] };
  }
  const levels = await inflated(packed.byte);
  const { width, low, step } = packed;
  return { width, levels, at: (frame, band) => low + step * levels[frame * width + band] };
}

// Frequency and place on the ERB scale, 0 at the bottom and 1 at the top.
const erbs = (hz) => Math.log10(1 + hz / content.erb.knee_hz);
const placeOf = (hz) => erbs(hz) / erbs(content.erb.top_hz);
const hzAt = (place) => content.erb.knee_hz * (10 ** (place * erbs(content.erb.top_hz)) - 1);

const clip = (x, low, high) => Math.min(high, Math.max(low, x));
const frameAt = (seconds) => clip(Math.round(seconds / content.hop_s), 0, content.n_frames - 1);
const minutes = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(2).padStart(5, "0")}`;
const hertz = (hz) => (hz < 1000 ? `${Math.round(hz)} Hz` : `${(hz / 1000).toFixed(hz < 9950 ? 1 : 0)} kHz`);
