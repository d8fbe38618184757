// The page: what is played, what is heard, and what is drawn.
import { Call } from "./call.js";
import { COLUMNS_PER_S, Spectrogram, drawBands, drawLevels } from "./spectrogram.js";
import { Sound, Take } from "./sound.js";
import { drawLoad, drawOverview } from "./pictures.js";
import { wav } from "./wav.js";

const SECONDS_SHOWN = 8;
const LONGEST_PICTURE_S = 120; // longer recordings get no enhanced waveform
const SEEK_S = 2;
const SIDES = ["original", "enhanced"];
const HOP_S = 0.01, QUANTUM = 128;
const LIMIT_MAX_DB = 60; // one step above it there is no limit
const SILENT_DB = -70;

const $ = (id) => document.getElementById(id);
const sound = new Sound();
const call = new Call();
const spectrograms = Object.fromEntries(SIDES.map((side) => [side, new Spectrogram($(side), side, SECONDS_SHOWN)]));
const state = {
  live: false, // from the microphone
  recording: null, // {buffer, name, enhanced}
  playing: false,
  stale: true, // something is to be drawn though nothing plays
  position_s: 0,
  hop: null, // the newest message of the node
  levels: { original: SILENT_DB, enhanced: SILENT_DB },
  load: { hops: 0, busyMs: 0, history: [] },
};

// ---- words ---------------------------------------------------------------------------------------------------------------

function say(text) {
  $("hint").textContent = text;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

function explain(error) {
  const words = {
    NotAllowedError: "The browser may not use the microphone. Allow it in the address bar, or open a file.",
    NotFoundError: "There is no microphone. Open a file instead.",
    EncodingError: "This file has no sound that the browser can read. Try WAV, FLAC, MP3 or MP4.",
  };
  say(words[error.name] ?? error.message);
}

// Runs an action and shows what goes wrong.
const safely = (action) => async (...args) => {
  try {
    await action(...args);
  } catch (error) {
    explain(error);
  }
};

// The same, one at a time: who presses twice means once.
let busy = false;
const alone = (action) =>
  safely(async (...args) => {
    if (busy) return;
    busy = true;
    try {
      await action(...args);
    } finally {
      busy = false;
    }
  });

// ---- sources -------------------------------------------------------------------------------------------------------------

function tell(message) {
  if (message.type === "error") explain(new Error(`Stopped: ${message.message}`));
  if (message.type !== "hop") return;
  state.hop = message;
  state.load.hops += 1;
  state.load.busyMs += message.busyMs;
}

async function stop() {
  const { take, stream } = state;
  const { live } = state;
  state.live = false;
  [state.take, state.stream] = [null, null];
  if (state.playing) state.position_s = position();
  state.playing = false;
  const kept = live ? await take.stop() : null;
  await sound.stop();
  for (const track of stream?.getTracks() ?? []) track.stop();
  show();
  if (kept) openRecording(kept, "Your take");
}

async function useMicrophone() {
  if (state.live) return stop();
  await stop();
  say("Waiting for the microphone…");
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: { noiseSuppression: false, echoCancellation: false, autoGainControl: false },
  });
  const take = new Take();
  try {
    const source = new MediaStreamAudioSourceNode(sound.context, { mediaStream: stream });
    for (const spectrogram of Object.values(spectrograms)) spectrogram.clear();
    await begin(source, 1, $("monitor").checked);
    await take.start(sound.context, source);
  } catch (error) {
    for (const track of stream.getTracks()) track.stop();
    throw error;
  }
  Object.assign(state, { live: true, playing: true, stream, take, started_s: sound.context.currentTime, position_s: 0 });
  say("");
  show();
}

async function begin(source, channels, audible) {
  await sound.start(source, channels, audible, tell);
  const { node } = sound.graph;
  $("fact-latency").textContent = `${(1000 * node.latency).toFixed(1)} ms behind`;
  $("model").textContent = `Model ${node.card.id ?? "of your own"}, ${node.card.licence ?? "licence unknown"}`;
  $("speech-row").hidden = !node.hasSpeech;
  $("dereverb").disabled = !node.hasDereverb;
  if (!node.hasDereverb) $("dereverb-value").textContent = "not in this model";
}

function bufferSource(from_s) {
  const source = new AudioBufferSourceNode(sound.context, { buffer: state.recording.buffer, loop: true });
  source.start(0, from_s);
  [state.started_s, state.position_s] = [sound.context.currentTime, from_s];
  return source;
}

async function play() {
  if (state.playing) return stop();
  if (!state.recording) return;
  say("");
  const { buffer } = state.recording;
  await sound.context.resume();
  await begin(bufferSource(state.position_s), Math.min(buffer.numberOfChannels, 2), true);
  state.playing = true;
  show();
}

function seek(seconds) {
  if (!state.recording || state.live) return;
  const to_s = Math.min(Math.max(seconds, 0), state.recording.buffer.duration - 0.01);
  if (!state.playing) state.position_s = to_s;
  else sound.replaceSource(bufferSource(to_s));
  show();
}

function position() {
  if (!state.playing) return state.position_s;
  const passed_s = state.position_s + sound.context.currentTime - state.started_s;
  return state.live ? passed_s : passed_s % state.recording.buffer.duration; // it repeats
}

async function openFile(file) {
  await stop();
  say(`Reading ${file.name}…`);
  openRecording(await sound.decode(await file.arrayBuffer()), file.name);
}

async function openSample() {
  if (state.recording?.name === "Sample recording") return play();
  await stop();
  await loadSample();
  await play();
}

async function loadSample() {
  const response = await fetch("noisy_speech.flac");
  if (!response.ok) throw new Error("The sample recording is not here.");
  openRecording(await sound.decode(await response.arrayBuffer()), "Sample recording");
}

function openRecording(buffer, name) {
  const recording = (state.recording = { buffer, name, enhanced: null });
  state.position_s = 0;
  say("Press play, and switch between A and B.");
  show();
  if (buffer.duration <= LONGEST_PICTURE_S) illustrate(recording);
}

const illustrate = safely(async (recording) => {
  recording.enhanced = await sound.render(recording.buffer);
  if (state.recording !== recording) return;
  show();
  if (!state.playing) await preview(recording);
});

// Draws the beginning of a recording without playing it.
async function preview({ buffer, enhanced }) {
  const seconds = Math.min(buffer.duration, SECONDS_SHOWN);
  const context = new OfflineAudioContext(1, Math.ceil(seconds * buffer.sampleRate), buffer.sampleRate);
  if (!context.suspend) return;
  const looks = [buffer, enhanced].map((sounding) => {
    const source = new AudioBufferSourceNode(context, { buffer: sounding });
    const analyser = new AnalyserNode(context, { fftSize: 2 * lines.length, smoothingTimeConstant: 0 });
    source.connect(analyser).connect(context.destination);
    source.start();
    return analyser;
  });
  for (const spectrogram of Object.values(spectrograms)) spectrogram.clear();
  for (let moment = 1; moment < seconds * COLUMNS_PER_S - 1; ++moment) {
    context.suspend(moment / COLUMNS_PER_S).then(() => {
      if (!state.playing) looks.forEach((analyser, i) => look(SIDES[i], analyser, buffer.sampleRate, 1 / COLUMNS_PER_S));
      state.stale = true;
      context.resume();
    });
  }
  await context.startRendering();
}

async function save() {
  const { buffer, name } = state.recording;
  $("save").disabled = true;
  const file = wav(await sound.render(buffer));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${name.replace(/\.[^.]*$/, "")}.clean.wav`;
  link.click();
  URL.revokeObjectURL(link.href);
  $("save").disabled = false;
}

// ---- the call ------------------------------------------------------------------------------------------------------------

async function toggleCall() {
  if (sound.graph?.call) {
    sound.leaveCall();
    show();
    return;
  }
  await sound.enterCall(call);
  show();
  while (sound.graph?.call) {
    const facts = await call.facts();
    for (const [name, text] of Object.entries(facts)) if (text) $(`call-${name}`).textContent = text;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  show();
}

// ---- what is shown -------------------------------------------------------------------------------------------------------

function hear(side) {
  sound.hear(side);
  show();
}

function show() {
  const { recording, playing, live } = state;
  state.stale = true;
  document.body.dataset.heard = sound.heard;
  document.body.dataset.state = live ? "live" : playing ? "playing" : recording ? "ready" : "empty";
  for (const side of SIDES) $(`hear-${side}`).setAttribute("aria-checked", String(sound.heard === side));
  $("play").disabled = !recording && !live;
  $("play").setAttribute("aria-label", live ? "Stop the microphone" : playing ? "Pause" : "Play");
  $("microphone").setAttribute("aria-pressed", String(live));
  $("microphone").querySelector("span").textContent = live ? "Stop and keep the take" : "Use microphone";
  $("name").textContent = live ? "Microphone" : recording?.name ?? "Nothing yet";
  $("seek").disabled = !recording || live;
  $("save").disabled = !recording || live;
  $("call").disabled = !playing;
  $("call").textContent = sound.graph?.call ? "Hang up" : "Start the call";
  document.body.dataset.call = sound.graph?.call ? "on" : "off";
  if (recording && !live) {
    $("seek").max = String(recording.buffer.duration);
    drawOverview($("overview"), recording.buffer, recording.enhanced);
  } else drawOverview($("overview"), null, null);
}

function level(analyser, samples) {
  analyser.getFloatTimeDomainData(samples);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(sum / samples.length + 1e-12);
}

const lines = new Float32Array(2048), samples = new Float32Array(4096);
let last_ms = performance.now();

function frame(now_ms) {
  requestAnimationFrame(frame);
  const elapsed_s = (now_ms - last_ms) / 1000;
  last_ms = now_ms;
  if (!state.playing && !state.stale) return;
  state.stale = false;
  for (const side of SIDES) {
    if (state.playing && sound.graph) {
      look(side, sound.graph.looks[side], sound.sampleRate, elapsed_s);
      follow(side);
    }
    spectrograms[side].draw(sound.heard !== side);
  }
  drawLevels($("original-now"), spectrograms.original.levels, sound.heard !== "original");
  const { gains, strengths } = state.hop ?? NO_BANDS;
  drawBands($("enhanced-now"), gains, strengths, sound.heard !== "enhanced");
  const at_s = position();
  $("time").textContent = state.recording && !state.live ? `${clock(at_s)} / ${clock(state.recording.buffer.duration + 0.5)}` : clock(at_s);
  if (!$("seek").matches(":active")) $("seek").value = String(at_s);
}

const NO_BANDS = { gains: new Float32Array(34), strengths: new Float32Array(34) };

function look(side, analyser, sampleRate, elapsed_s) {
  analyser.getFloatFrequencyData(lines);
  spectrograms[side].push(lines, sampleRate, elapsed_s);
}

// The level of a side, smoothed for the eye.
function follow(side) {
  const now = Math.max(level(sound.graph.looks[side], samples), SILENT_DB);
  state.levels[side] += 0.2 * (now - state.levels[side]);
}

function meter(id, value, text) {
  const { ariaValueMin: low, ariaValueMax: high } = $(id);
  $(id).ariaValueNow = value.toFixed(1);
  $(id).style.setProperty("--share", Math.min(Math.max((value - low) / (high - low), 0), 1));
  $(`${id}-value`).textContent = text;
}

// Four times a second: numbers that are to be read.
function showNumbers() {
  if (!state.playing || !state.hop) return;
  const { original, enhanced } = state.levels;
  meter("level-in", original, `${original.toFixed(0)} dB`);
  meter("level-out", enhanced, `${enhanced.toFixed(0)} dB`);
  meter("removed", Math.max(original - enhanced, 0), `${Math.max(original - enhanced, 0).toFixed(0)} dB`);
  if (state.hop.speechProbability !== null) meter("speech", state.hop.speechProbability, `${(100 * state.hop.speechProbability).toFixed(0)} %`);
  showLoad();
}

function showLoad() {
  const { load } = state;
  load.history.push([load.hops, load.busyMs]);
  [load.hops, load.busyMs] = [0, 0];
  if (load.history.length > 240) load.history.shift();
  const recent = load.history.slice(-12); // three seconds: clocks of worklets tick in milliseconds
  const [hops, busyMs] = [0, 1].map((i) => recent.reduce((sum, entry) => sum + entry[i], 0));
  if (!hops) return;
  const share = busyMs / (1000 * HOP_S * hops);
  const quantum_us = (1e6 * QUANTUM) / sound.sampleRate;
  $("load-value").textContent = `${Math.round(share * quantum_us)} µs · ${(100 * share).toFixed(1)} %`;
  $("load-note").textContent = `Of ${(quantum_us / 1000).toFixed(2)} ms, the time until the next 128 samples. Mean of three seconds.`;
  drawLoad($("load"), load.history);
}

// ---- hands ---------------------------------------------------------------------------------------------------------------

function knob(id, apply) {
  const turn = () => ($(`${id}-value`).textContent = apply(Number($(id).value)));
  $(id).addEventListener("input", turn);
  turn();
}

function listen() {
  knob("limit", (value) => {
    const limit = value > LIMIT_MAX_DB ? null : value;
    sound.turn("attenuationLimitDb", limit);
    return limit === null ? "everything" : `${limit} dB`;
  });
  knob("dereverb", (value) => {
    sound.turn("dereverb", value / 100);
    return `${value} %`;
  });
  knob("volume", (value) => {
    sound.setVolume(value / 100);
    return `${value} %`;
  });
  $("post-filter").addEventListener("change", ({ target }) => sound.turn("postFilter", target.checked));
  $("monitor").addEventListener("change", ({ target }) => state.live && sound.setAudible(target.checked));
  for (const side of SIDES) $(`hear-${side}`).addEventListener("click", () => hear(side));
  $("microphone").addEventListener("click", alone(useMicrophone));
  $("sample").addEventListener("click", alone(openSample));
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", alone(async ({ target }) => {
    if (target.files[0]) await openFile(target.files[0]);
    target.value = "";
  }));
  $("play").addEventListener("click", alone(play));
  $("seek").addEventListener("input", ({ target }) => seek(Number(target.value)));
  $("save").addEventListener("click", safely(save));
  $("call").addEventListener("click", safely(toggleCall));
  document.addEventListener("keydown", key);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    if (event.dataTransfer.files[0]) alone(openFile)(event.dataTransfer.files[0]);
  });
  new ResizeObserver(show).observe($("overview"));
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // Space presses what the keyboard has moved to; otherwise it switches.
  const occupied = event.target.matches("button:focus-visible, input");
  if (event.key === " " && !occupied) hear(sound.heard === "original" ? "enhanced" : "original");
  else if (event.key === "p") alone(play)();
  else if (event.key === "ArrowLeft" && event.target.type !== "range") seek(position() - SEEK_S);
  else if (event.key === "ArrowRight" && event.target.type !== "range") seek(position() + SEEK_S);
  else return;
  event.preventDefault();
}

async function begin_page() {
  listen();
  show();
  $("fact-rate").textContent = `${sound.sampleRate / 1000} kHz`;
  requestAnimationFrame(frame);
  setInterval(showNumbers, 250);
  document.documentElement.dataset.ready = "yes";
  await loadSample();
}

safely(begin_page)();
