// percepnet in the browser: an AudioWorkletNode that removes noise from speech.
// Everything is computed by the core, compiled to WebAssembly; see worklet.js.

const PROCESSOR = "percepnet";
const RATE_MIN = 8000, RATE_MAX = 192000;
const NO_LIMIT_DB = 100;

// Bundlers find the files by these expressions. `no-inline`: Vite would turn a small file into a data: address, which a
// content security policy forbids.
const FILES = {
  worklet: new URL("./worklet.js?no-inline", import.meta.url),
  engine: new URL("./percepnet.wasm", import.meta.url),
  model: new URL("./models/default.pnw", import.meta.url),
};

const TINY = new URL("./models/tiny.pnw", import.meta.url);

const modules = new WeakMap(); // context -> the worklet file, loading or loaded
const downloads = new Map(); // address -> bytes, loading or loaded
const keys = new WeakMap(); // weight bytes -> their SHA-256
const cards = new Map(); // SHA-256 -> model card

// ---- the node ------------------------------------------------------------------------------------------------------------

export async function createPercepNet(context, options = {}) {
  const { model, channels, linked, details, files, ...knobs } = checked(context, options);
  const [engine, weights] = await Promise.all([
    download(files.engine, "the engine"),
    model instanceof ArrayBuffer ? model : download(model, "the weight file"),
    loadWorklet(context, files.worklet),
  ]);
  const key = await keyOf(weights);
  const node = new AudioWorkletNode(context, PROCESSOR, {
    numberOfInputs: 1,
    numberOfOutputs: 1,
    outputChannelCount: [channels],
    channelCount: channels,
    channelCountMode: "explicit",
    parameterData: knobs,
    processorOptions: { key, channels, linked, details, wantsCard: !cards.has(key) },
  });
  const { latency, hasSpeech, hasDereverb, card } = await answer(node, { engine, weights }).catch((error) => {
    destroyNode(node);
    throw error;
  });
  const parameters = Object.fromEntries(Object.keys(knobs).map((name) => [name, node.parameters.get(name)]));
  let destroyed;
  const destroy = () => (destroyed ??= destroyNode(node));
  if (card) cards.set(key, JSON.parse(new TextDecoder().decode(card)));
  const facts = { latency, hasSpeech, hasDereverb, card: cards.get(key) };
  return Object.assign(node, parameters, facts, { destroy });
}

function checked(context, { model = "default", channels = 1, linked = true, details = false, files = {}, ...options }) {
  if (!context?.audioWorklet) {
    throw new Error("expected an AudioContext or OfflineAudioContext with an audioWorklet; it needs https: or localhost");
  }
  if (context.sampleRate < RATE_MIN || context.sampleRate > RATE_MAX) {
    throw new RangeError(`expected a context of ${RATE_MIN} to ${RATE_MAX} Hz, got ${context.sampleRate} Hz`);
  }
  if (channels !== 1 && channels !== 2) throw new RangeError(`expected 1 or 2 channels, got ${channels}`);
  const { attenuationLimitDb = null, dereverb = 1, postFilter = true, bypass = false, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name) throw new TypeError(`there is no option ${name}`);
  const limit = attenuationLimitDb ?? NO_LIMIT_DB;
  if (!(limit >= 0)) throw new RangeError(`expected attenuationLimitDb of 0 or more, or null, got ${attenuationLimitDb}`);
  if (!(dereverb >= 0 && dereverb <= 1)) throw new RangeError(`expected dereverb from 0 to 1, got ${dereverb}`);
  return {
    model: modelOf(model, files),
    channels,
    linked: Boolean(linked),
    details: Boolean(details),
    files: { ...FILES, ...files },
    attenuationLimitDb: Math.min(limit, NO_LIMIT_DB),
    dereverb,
    postFilter: Number(Boolean(postFilter)),
    bypass: Number(Boolean(bypass)),
  };
}

function modelOf(model, files) {
  if (model === "default") return files.model ?? FILES.model;
  if (model === "tiny") return TINY;
  if (ArrayBuffer.isView(model)) return model.buffer.slice(model.byteOffset, model.byteOffset + model.byteLength);
  if (model instanceof ArrayBuffer || model instanceof URL || typeof model === "string") return model;
  throw new TypeError('expected model to be "default", "tiny", the address of a weight file, or its bytes');
}

// Nodes with equal weights share them, whichever copy of this module made them.
async function keyOf(weights) {
  if (!keys.has(weights)) keys.set(weights, String(new Uint8Array(await crypto.subtle.digest("SHA-256", weights))));
  return keys.get(weights);
}

function download(address, what) {
  const url = String(address);
  if (!downloads.has(url)) {
    const bytes = fetchBytes(url, what);
    downloads.set(url, bytes);
    bytes.catch(() => downloads.delete(url)); // so that it may be tried again
  }
  return downloads.get(url);
}

async function fetchBytes(url, what) {
  const response = await fetch(url).catch((error) => {
    throw new Error(`cannot load ${what} from ${url}: ${error.message}`);
  });
  if (!response.ok) throw new Error(`cannot load ${what} from ${url}: status ${response.status}`);
  return response.arrayBuffer();
}

function loadWorklet(context, address) {
  if (!modules.has(context)) {
    const loading = context.audioWorklet.addModule(String(address)).catch((error) => {
      modules.delete(context);
      throw new Error(`cannot load the worklet from ${address}: ${error.message}`);
    });
    modules.set(context, loading);
  }
  return modules.get(context);
}

// What the processor knows about itself, or why it cannot start. The first of a context asks for the files. Bytes
// that went to every one would wait in the audio thread for a garbage collector that hardly ever comes.
function answer(node, files) {
  return new Promise((resolve, reject) => {
    const settle = ({ data }) => {
      if (data.type === "wanted") return node.port.postMessage({ type: "files", ...files });
      if (data.type === "ready") resolve(data);
      else if (data.type === "error") reject(new Error(`percepnet cannot start: ${data.message}`));
      else return;
      node.port.removeEventListener("message", settle);
    };
    node.port.addEventListener("message", settle);
    node.port.start();
    node.addEventListener("processorerror", () => reject(new Error("percepnet cannot start: its processor failed")), { once: true });
  });
}

function destroyNode(node) {
  node.disconnect();
  if (node.context.state === "closed") return Promise.resolve(); // all of it is gone already
  return new Promise((resolve) => {
    node.port.addEventListener("message", ({ data }) => {
      if (data.type !== "destroyed") return;
      node.port.close();
      resolve();
    });
    node.port.postMessage({ type: "destroy" });
  });
}

// ---- streams and calls ---------------------------------------------------------------------------------------------------

export async function enhanceStream(stream, { context, ...options } = {}) {
  const [track] = stream.getAudioTracks();
  if (!track) throw new TypeError("expected a MediaStream with an audio track, got one without");
  const own = context ? null : new AudioContext({ latencyHint: "interactive" });
  const used = context ?? own;
  try {
    const node = await createPercepNet(used, options);
    const source = used.createMediaStreamSource(new MediaStream([track]));
    const destination = used.createMediaStreamDestination();
    destination.channelCount = node.channelCount;
    source.connect(node).connect(destination);
    if (used.state === "suspended") used.resume().catch(() => {}); // refused before a gesture; the page resumes it then
    const destroy = async () => {
      source.disconnect();
      for (const made of destination.stream.getAudioTracks()) made.stop();
      await node.destroy();
      await own?.close();
    };
    const enhanced = new MediaStream([...destination.stream.getAudioTracks(), ...stream.getVideoTracks()]);
    return { stream: enhanced, node, context: used, latency: node.latency, destroy };
  } catch (error) {
    await own?.close();
    throw error;
  }
}

// A TrackProcessor for LiveKit: `await localAudioTrack.setProcessor(new PercepNetTrackProcessor())`.
export class PercepNetTrackProcessor {
  name = "percepnet";
  processedTrack = undefined;
  #options;
  #enhanced = null;

  constructor(options = {}) {
    this.#options = options;
  }

  get node() {
    return this.#enhanced?.node ?? null;
  }

  async init({ track, audioContext }) {
    await this.destroy();
    this.#enhanced = await enhanceStream(new MediaStream([track]), { context: audioContext, ...this.#options });
    [this.processedTrack] = this.#enhanced.stream.getAudioTracks();
  }

  async restart(options) {
    await this.init(options);
  }

  async destroy() {
    const enhanced = this.#enhanced;
    this.#enhanced = null;
    this.processedTrack = undefined;
    await enhanced?.destroy();
  }
}
