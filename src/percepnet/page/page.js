// The page: what is chosen, and what happens on a click or a key.

const $ = (id) => document.getElementById(id);
const made = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// Title, digits, and the ends of the scale: worst, best.
const METRICS = {
  pesq: ["PESQ-WB", 2, 1, 4.64], stoi: ["STOI", 3, 0.5, 1], estoi: ["ESTOI", 3, 0.2, 1], si_sdr: ["SI-SDR dB", 1, -5, 25],
  lsd: ["LSD dB", 1, 15, 0], sig: ["DNSMOS SIG", 2, 1, 5], bak: ["DNSMOS BAK", 2, 1, 5], ovrl: ["DNSMOS OVRL", 2, 1, 5],
};
const WORST_FRAMES = 20, WORST_APART_S = 0.3;
const PLAY = "M7 4l13 8-13 8z", PAUSE = "M6 4h4v16H6zM14 4h4v16h-4z";

const sound = new Sound(content.sample_rate, content.seconds);
const everything = { start: -0.5, length: Math.max(content.n_frames, 2) };
const shown = { stage: content.stages[0].name, view: { ...everything }, pitch: true, levels: {}, tracks: {}, panels: [], worst: -1 };
const stageNamed = (name) => content.stages.find((stage) => stage.name === name);

// ---- building

function writeHeader() {
  const words = [`${content.seconds.toFixed(2)} s`, `${content.stages.length} stages at 48 kHz`, `model ${content.model}`];
  $("facts").textContent = words.join(" · ");
  $("notes").append(...content.notes.map((note) => made("li", { textContent: note })));
  $("last-key").textContent = content.stages.length;
}

function buildStages() {
  const metric = ["pesq", "ovrl"].find((m) => content.stages.some(({ name }) => content.scores[name]?.[m] !== undefined));
  $("score-name").textContent = metric ? METRICS[metric][0] : "";
  content.stages.forEach(({ name, title }, i) => {
    const score = content.scores[name]?.[metric];
    const card = made(
      "button", { onclick: () => choose(name), title: `Hear and show ${title} (${i + 1})` },
      made("span", { className: "key", textContent: i + 1 }), made("span", { className: "title", textContent: title }),
      made("span", { className: "score", textContent: typeof score === "number" ? score.toFixed(2) : "" }),
      made("canvas"),
    );
    card.dataset.stage = name;
    const key = made("button", { textContent: i + 1, title, ariaLabel: `${i + 1}: ${title}`, onclick: () => choose(name) });
    key.dataset.stage = name;
    $("stages").append(card);
    $("switches").append(key);
  });
}

// caption: markup of our own; draw(canvas): repeats on every change of stage, view, size or theme.
function addPanel(id, caption, label, draw) {
  const canvas = made("canvas", { id, ariaLabel: label });
  canvas.setAttribute("role", "img");
  $("plots").append(made("figure", {}, made("figcaption", { innerHTML: caption }), canvas));
  shown.panels.push(() => draw(canvas));
}

const gradient = (palette) => `<span class="scale" style="background:linear-gradient(to right,${PALETTES[palette]})"></span>`;

function buildPanels() {
  const { tracks } = shown;
  const [low, high] = content.colours_db.map(Math.round);
  addPanel(
    "spectrogram",
    `<span><b>Spectrogram</b> <span id="stage-title"></span></span><span class="right"><span id="readout">${low}${gradient("level")}${high} dB</span></span>`,
    "Spectrogram of the chosen stage, ERB scale, 0 to 24 kHz, with the pitch track",
    (canvas) => drawSpectrogram(canvas, shown.levels[shown.stage], shown.view, shown.pitch && tracks),
  );
  for (const palette of ["gains", "strengths"]) {
    for (const [source, who] of [[`oracle_${palette}`, "oracle"], [palette, "model"]]) {
      if (!tracks[source]) continue;
      const words = palette === "gains" ? "Gains" : "Comb strengths";
      addPanel(
        source.replace("_", "-"), `<span><b>${words}</b> <span class="${who}">${who}</span></span><span class="right">0${gradient(palette)}1</span>`,
        `${words} of the ${who} in 34 bands over time`, (canvas) => drawBands(canvas, tracks[source], shown.view, palette),
      );
    }
  }
  const lines = [[tracks.voicing, "muted", true, "voicing", "muted"]];
  if (tracks.speech_probability) lines.push([tracks.speech_probability, "model", false, "speech probability", "model"]);
  if (shown.error) lines.push([shown.error, "oracle", false, "distance of the gains from the oracle's", "oracle"]);
  const legend = lines.map(([, , filled, words, style]) => `<span class="${style}">${filled ? "▮" : "—"} ${words}</span>`).join(" ");
  addPanel("lines", `<span>${legend}</span>`, "Voicing and speech probability over time", (canvas) => drawLines(canvas, lines, shown.view));
}

// How far the network's gains are from the oracle's where there is sound: mean over bands, 0 to 1.
function gainError() {
  const { gains, oracle_gains: oracle, energy } = shown.tracks;
  if (!oracle) return;
  const values = new Float32Array(content.n_frames);
  const loudest = energy.levels.reduce((a, b) => Math.max(a, b), 0);
  for (let t = 0; t < content.n_frames; ++t) {
    for (let b = 0; b < gains.width; ++b) {
      const weight = clip((energy.levels[t * gains.width + b] - loudest + 60) / 60, 0, 1);
      values[t] += (weight * Math.abs(gains.at(t, b) - oracle.at(t, b))) / gains.width;
    }
  }
  shown.error = { at: (t) => values[t] };
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]);
  shown.worstFrames = [];
  for (const t of order) {
    if (shown.worstFrames.length === WORST_FRAMES || values[t] === 0) break;
    if (shown.worstFrames.every((other) => Math.abs(other - t) * content.hop_s >= WORST_APART_S)) shown.worstFrames.push(t);
  }
}

function buildScores() {
  const metrics = Object.keys(METRICS).filter((metric) => content.stages.some((s) => content.scores[s.name]?.[metric] !== undefined));
  $("scores").hidden = !metrics.length;
  const head = made("tr", {}, made("th", { textContent: "Stage" }), ...metrics.map((m) => made("th", { textContent: METRICS[m][0], scope: "col" })));
  const rows = content.stages.filter(({ name }) => content.scores[name]).map(({ name, title }) => {
    const row = made("tr", {}, made("th", { textContent: title, scope: "row" }), ...metrics.map((m) => scoreCell(m, content.scores[name][m])));
    row.dataset.stage = name;
    return row;
  });
  $("score-table").append(made("thead", {}, head), made("tbody", {}, ...rows));
  $("score-words").textContent = metrics.includes("lsd")
    ? "Higher is better, but for LSD. PESQ, STOI and SI-SDR compare with the clean signal at 16 kHz, LSD over the full band; DNSMOS guesses what listeners would say."
    : "DNSMOS guesses what listeners would say, 1 to 5. With the clean signal (--clean) there are more scores, and the oracle stages.";
}

function scoreCell(metric, value) {
  const [, digits, worst, best] = METRICS[metric];
  const cell = made("td", { textContent: typeof value === "number" ? value.toFixed(digits) : value === null ? "∞" : "" });
  if (typeof value === "number") cell.style.setProperty("--share", `${100 * clip((value - worst) / (best - worst), 0, 1)}%`);
  return cell;
}

// ---- choosing

function choose(name) {
  shown.stage = name;
  sound.choose(name);
  const { title, text } = stageNamed(name);
  for (const button of document.querySelectorAll("button[data-stage]")) button.setAttribute("aria-pressed", button.dataset.stage === name);
  for (const row of document.querySelectorAll("tr[data-stage]")) row.setAttribute("aria-current", row.dataset.stage === name);
  $("story").replaceChildren(made("strong", { textContent: title }), ` ${text} `, made("code", { textContent: name }));
  $("stage-title").textContent = title;
  $("now-title").textContent = title;
  shown.panels[0]();
  showFrame();
}

function draw() {
  for (const panel of shown.panels) panel();
  for (const canvas of document.querySelectorAll("#stages canvas")) drawPicture(canvas, shown.levels[canvas.parentElement.dataset.stage]);
  showFrame();
}

function setView(start, length) {
  length = clip(length, Math.min(20, everything.length), everything.length);
  shown.view = { start: clip(start, everything.start, everything.start + everything.length - length), length };
  for (const panel of shown.panels) panel();
  if (sound.loop) sound.setLoop(visibleSeconds());
  showPosition();
}

// Around the cursor if it is in view.
function zoom(factor) {
  const { start, length } = shown.view;
  const at = clip(sound.position / content.hop_s, start, start + length);
  setView(at - (at - start) * factor, length * factor);
}

const visibleSeconds = () => [shown.view.start, shown.view.start + shown.view.length].map((t) => clip(t * content.hop_s, 0, content.seconds));

async function seek(seconds) {
  await sound.seek(seconds);
  const frame = sound.position / content.hop_s, { start, length } = shown.view;
  if (frame < start || frame > start + length) setView(frame - length / 2, length);
  showPosition();
  showFrame();
}

async function togglePlay() {
  if (sound.playing) sound.pause();
  else await sound.play();
  showPlaying();
}

function showPlaying() {
  $("play").ariaLabel = sound.playing ? "Pause" : "Play";
  $("play").querySelector("path").setAttribute("d", sound.playing ? PAUSE : PLAY);
  if (sound.playing) requestAnimationFrame(tick);
}

function toggleLoop() {
  sound.setLoop(sound.loop ? null : visibleSeconds());
  $("loop").setAttribute("aria-pressed", sound.loop !== null);
}

function togglePitch() {
  shown.pitch = !shown.pitch;
  $("pitch").setAttribute("aria-pressed", shown.pitch);
  shown.panels[0]();
}

function nextBadFrame() {
  if (!shown.worstFrames?.length) return;
  shown.worst = (shown.worst + 1) % shown.worstFrames.length;
  seek(shown.worstFrames[shown.worst] * content.hop_s);
}

// ---- time

function tick() {
  if (sound.playing) requestAnimationFrame(tick);
  const frame = sound.position / content.hop_s, { start, length } = shown.view;
  if (frame > start + length && !sound.loop) setView(frame, length); // turn the page
  showPosition();
  $("level").value = clip(sound.level(), -60, 0);
  const now = performance.now();
  if (now - (shown.frameDrawn ?? 0) > 80 || !sound.playing) showFrame();
}

function showPosition() {
  const seconds = sound.position;
  const { start, length } = shown.view;
  const share = (seconds / content.hop_s - start) / length;
  const across = $("plots").clientWidth - gutter();
  $("cursor").hidden = share < 0 || share > 1;
  $("cursor").style.transform = `translateX(${gutter() + share * across}px)`;
  $("now-time").textContent = `${minutes(seconds)} / ${minutes(content.seconds)}`;
  const plots = $("plots");
  plots.ariaValueNow = seconds.toFixed(2);
  plots.ariaValueText = `${seconds.toFixed(2)} seconds, frame ${frameAt(seconds)}`;
}

function showFrame() {
  shown.frameDrawn = performance.now();
  const t = frameAt(sound.position), { tracks } = shown;
  $("frame-title").replaceChildren(`Frame ${t}`, made("span", { className: "muted", textContent: `${(t * content.hop_s).toFixed(2)} s` }));
  const facts = [
    ["Pitch", `${(content.sample_rate / tracks.period.at(t)).toFixed(1)} Hz`],
    ["Period", `${tracks.period.at(t).toFixed(2)} samples`],
    ["Pitch correlation", tracks.correlation.at(t).toFixed(2)],
    ["Voicing", tracks.voicing.at(t).toFixed(2)],
    ["Speech probability", tracks.speech_probability ? tracks.speech_probability.at(t).toFixed(2) : "not in this model"],
    ["Silence gate", tracks.gated.at(t) ? "closed: network rests" : "open"],
  ];
  if (shown.error) facts.push(["Gains from oracle", shown.error.at(t).toFixed(3)]);
  $("frame-facts").replaceChildren(...facts.flatMap(([name, value]) => [made("dt", { textContent: name }), made("dd", { textContent: value })]));
  drawFramePlot(t);
  if (document.querySelector(".frame details").open) fillFrameTable(t);
}

function drawFramePlot(t) {
  const { tracks, levels } = shown;
  const spectra = [["noisy", "noisy", false]];
  if (levels.clean) spectra.push(["clean", "clean", true]);
  if (shown.stage !== "noisy" && shown.stage !== "clean") spectra.push([shown.stage, "accent", false]);
  const legend = spectra.map(([stage, style, dashed]) => made("span", { className: style, textContent: `${dashed ? "╌" : "—"} ${stageNamed(stage).title}` }));
  if (tracks.oracle_gains) legend.push(made("span", { className: "model", textContent: "▮ model" }), made("span", { className: "oracle", textContent: "▬ oracle" }));
  $("frame-legend").replaceChildren(...legend);
  drawFrame($("frame-plot"), t, spectra.map(([stage, ...style]) => [levels[stage], ...style]), [["gains", tracks.gains, tracks.oracle_gains], ["strengths", tracks.strengths, tracks.oracle_strengths]]);
}

function fillFrameTable(t) {
  const { tracks } = shown;
  const columns = [["dB", "energy", 0], ["coh.", "coherence", 2], ["gain", "gains", 2], ["oracle", "oracle_gains", 2], ["str.", "strengths", 2], ["oracle", "oracle_strengths", 2]]
    .filter(([, name]) => tracks[name]);
  const head = made("tr", {}, made("th", { textContent: "Hz" }), ...columns.map(([title]) => made("th", { textContent: title })));
  const rows = content.band_centres_hz.map((hz, band) =>
    made("tr", {}, made("th", { textContent: hz }), ...columns.map(([, name, digits]) => made("td", { textContent: tracks[name].at(t, band).toFixed(digits) }))));
  $("frame-table").replaceChildren(made("thead", {}, head), made("tbody", {}, ...rows));
}

// ---- hands

function secondsAt(event) {
  const bounds = $("plots").getBoundingClientRect();
  const share = clip((event.clientX - bounds.left - gutter()) / (bounds.width - gutter()), 0, 1);
  return (shown.view.start + share * shown.view.length) * content.hop_s;
}

function readOut(event) {
  const canvas = $("spectrogram"), bounds = canvas.getBoundingClientRect();
  const place = 1 - (event.clientY - bounds.top) / (bounds.height - 22);
  const label = $("readout");
  label.dataset.scale ??= label.innerHTML;
  if (event.target !== canvas || place < 0 || place > 1 || event.type === "pointerleave") {
    if (label.dataset.reading) [label.innerHTML, label.dataset.reading] = [label.dataset.scale, ""];
    return;
  }
  const frame = frameAt(secondsAt(event)), row = clip(Math.floor(place * content.rows), 0, content.rows - 1);
  const db = content.floor_db + shown.levels[shown.stage][frame * content.rows + row];
  label.dataset.reading = "1";
  label.textContent = `${(frame * content.hop_s).toFixed(2)} s · ${hertz(hzAt(place))} · ${db} dB`;
}

function watchPointer() {
  const plots = $("plots");
  plots.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    plots.setPointerCapture(event.pointerId);
    seek(secondsAt(event));
  });
  plots.addEventListener("pointermove", (event) => {
    readOut(event);
    if (plots.hasPointerCapture(event.pointerId)) seek(secondsAt(event));
  });
  plots.addEventListener("pointerleave", readOut);
  plots.addEventListener("wheel", (event) => {
    const { start, length } = shown.view;
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      const at = secondsAt(event) / content.hop_s, factor = 2 ** (event.deltaY / 200);
      setView(at - (at - start) * factor, length * factor);
    } else if (sideways && length < everything.length) {
      setView(start + (sideways / plots.clientWidth) * length, length);
    } else {
      return;
    }
    event.preventDefault();
  }, { passive: false });
}

const KEYS = {
  " ": togglePlay, "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => setView(everything.start, everything.length),
  l: toggleLoop, p: togglePitch, n: nextBadFrame,
  ArrowLeft: (shift) => seek(sound.position - (shift ? 1 : content.hop_s)),
  ArrowRight: (shift) => seek(sound.position + (shift ? 1 : content.hop_s)),
  Home: () => seek(0), End: () => seek(content.seconds),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("play").disabled) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const stage = content.stages[Number(key) - 1];
  if (!stage && !KEYS[key]) return;
  // Space presses a button that was reached with Tab, but for the stages, which Enter presses.
  if (key === " " && event.target.closest("summary, a, .tools button, .transport button")) return;
  event.preventDefault();
  if (stage) choose(stage.name);
  else KEYS[key](event.shiftKey);
}

function save() {
  const stage = stageNamed(shown.stage);
  const url = URL.createObjectURL(new Blob([bytes(stage.audio.data)], { type: `audio/${stage.audio.type}` }));
  const link = made("a", { href: url, download: `${content.title.replace(/\.[^.]*$/, "")}.${stage.name}.${stage.audio.type}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function watch() {
  for (const [id, act] of Object.entries({
    play: togglePlay, loop: toggleLoop, pitch: togglePitch, worst: nextBadFrame, save,
    "zoom-in": () => zoom(0.5), "zoom-out": () => zoom(2), "zoom-all": () => setView(everything.start, everything.length),
  })) {
    $(id).addEventListener("click", (event) => {
      act();
      if (event.detail) event.currentTarget.blur(); // a click of the mouse, not of a key: let Space play again
    });
  }
  document.addEventListener("keydown", onKey);
  document.querySelector(".frame details").addEventListener("toggle", showFrame);
  window.addEventListener("resize", () => requestAnimationFrame(() => { draw(); showPosition(); }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  sound.onended = () => { showPlaying(); showPosition(); };
  watchPointer();
}

async function start() {
  writeHeader();
  buildStages();
  for (const stage of content.stages) shown.levels[stage.name] = await spectrogram(stage);
  for (const [name, packed] of Object.entries(content.tracks)) shown.tracks[name] = await track(packed);
  gainError();
  $("worst").hidden = $("worst-key").hidden = !shown.error;
  buildPanels();
  buildScores();
  $("plots").ariaValueMax = content.seconds;
  choose(content.stages.find((stage) => stage.name === "enhanced")?.name ?? shown.stage);
  setView(everything.start, everything.length);
  watch();
  draw();
  await Promise.all(content.stages.map((stage) => sound.load(stage.name, bytes(stage.audio.data))));
  $("play").disabled = false;
  document.documentElement.dataset.ready = "true";
}

start();
