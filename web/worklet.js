// The node's other half, in the audio thread: hands every quantum to the core and tells over the port what happened.
// No arithmetic here: the core does all of it.
//
// All nodes of a context share one instance of the engine, and nodes with the same weights share one model; both stay as long
// as the context. What else a node allocates is freed when it is destroyed, so that nothing waits for a garbage collector.

const QUANTUM = globalThis.renderQuantumSize ?? 128;
const NO_LIMIT_DB = 100; // the top of the knob: no limit at all
const BANDS = 34;

// Layout of percepnet_hooks and percepnet_frame; engine/door.cpp does not compile if it differs.
const HOOKS = { size: 32, frames: 20, capacity: 24, count: 28 };
const FRAME = { size: 576, gated: 12, energy: 16, gains: 288, strengths: 424, speechProbability: 568 };
const FRAMES_PER_CHANNEL = 4; // a quantum at 8 kHz holds 1.6 hops

const milliseconds = () => (globalThis.performance ?? Date).now();

class Engine {
  static #only = null;

  // The engine of this context if it has the model.
  static async having(key) {
    const engine = await Engine.#only;
    return engine?.models.has(key) ? engine : null;
  }

  // The engine of this context, with the model; the bytes of the engine matter only to the first who asks.
  static async with(key, { engine: bytes, weights }) {
    Engine.#only ??= Engine.#make(bytes).catch((error) => {
      Engine.#only = null;
      throw new Error(`the engine does not start: ${error.message}`);
    });
    const engine = await Engine.#only;
    if (!engine.models.has(key)) engine.models.set(key, engine.model(weights));
    return engine;
  }

  static async #make(bytes) {
    const module = await WebAssembly.compile(bytes);
    // The C library brings imports for files; there are none.
    const noFile = () => 8;
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = noFile;
    return new Engine((await WebAssembly.instantiate(module, imports)).exports);
  }

  constructor(exports) {
    this.core = exports;
    this.models = new Map();
    exports._initialize();
  }

  get buffer() {
    return this.core.memory.buffer;
  }

  allocate(size) {
    const pointer = this.core.malloc(size);
    if (!pointer) throw new Error(`out of memory: ${size} bytes`);
    return pointer;
  }

  text(pointer) {
    const bytes = new Uint8Array(this.buffer, pointer);
    return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  }

  check(status) {
    if (status) throw new Error(this.text(this.core.percepnet_status_text(status)));
  }

  // Calls `make(out)`, which stores a pointer at `out`, and returns that pointer.
  created(make) {
    const out = this.allocate(4);
    try {
      this.check(make(out));
      return new Uint32Array(this.buffer, out, 1)[0];
    } finally {
      this.core.free(out);
    }
  }

  // The model in the weight file `bytes`.
  model(bytes) {
    const copy = this.allocate(bytes.byteLength);
    new Uint8Array(this.buffer, copy, bytes.byteLength).set(new Uint8Array(bytes));
    try {
      return this.created((out) => this.core.percepnet_model_create(copy, bytes.byteLength, out));
    } finally {
      this.core.free(copy);
    }
  }
}

// One stream in the engine, with room for its samples and frames.
class Stream {
  constructor(engine, { key, channels, linked }) {
    const { core } = engine;
    Object.assign(this, { engine, core, channels });
    this.model = engine.models.get(key);
    this.enhancer = engine.created((out) =>
      core.percepnet_enhancer_create(this.model, sampleRate, channels, linked ? 1 : 0, 0, out),
    );
    this.samples = engine.allocate(4 * channels * QUANTUM);
    this.frames = engine.allocate(FRAME.size * FRAMES_PER_CHANNEL * channels);
    this.hooks = engine.allocate(HOOKS.size);
    this.look();
    const hooks = new DataView(engine.buffer, this.hooks, HOOKS.size);
    new Uint8Array(engine.buffer, this.hooks, HOOKS.size).fill(0);
    hooks.setUint32(HOOKS.frames, this.frames, true);
    hooks.setUint32(HOOKS.capacity, FRAMES_PER_CHANNEL * channels, true);
    this.hasSpeech = core.percepnet_model_has_speech(this.model) === 1;
    this.hasDereverb = core.percepnet_model_has_dereverb(this.model) === 1;
    this.latency = Number(core.percepnet_block_latency(this.enhancer)) / sampleRate;
    this.settings = {};
  }

  // The model card: JSON in UTF-8, as bytes, because there is no decoder here.
  readCard() {
    const size = this.engine.allocate(4);
    const pointer = this.core.percepnet_model_card(this.model, size);
    const length = new Uint32Array(this.engine.buffer, size, 1)[0];
    this.core.free(size);
    return new Uint8Array(this.engine.buffer, pointer, length).slice();
  }

  // Memory that grows leaves its old buffer behind, and all views with it.
  look() {
    if (this.buffer === this.engine.buffer) return;
    this.buffer = this.engine.buffer;
    this.views = Array.from({ length: this.channels }, (_, c) => new Float32Array(this.buffer, this.samples + 4 * c * QUANTUM, QUANTUM));
    this.memory = new DataView(this.buffer);
  }

  set(name, value) {
    if (this.settings[name] === value) return;
    this.settings[name] = value;
    const { core, enhancer } = this;
    if (name === "attenuationLimitDb") {
      this.engine.check(core.percepnet_set_attenuation_limit_db(enhancer, value >= NO_LIMIT_DB ? Infinity : value));
    }
    if (name === "dereverb") this.engine.check(core.percepnet_set_dereverb(enhancer, value));
    if (name === "postFilter") this.engine.check(core.percepnet_set_post_filter(enhancer, value >= 0.5 ? 1 : 0));
    if (name === "bypass") this.engine.check(core.percepnet_set_bypass(enhancer, value >= 0.5 ? 1 : 0));
  }

  // A quantum in, a quantum out; returns how many frames were finished, of all channels.
  process(input, output) {
    this.look();
    this.views.forEach((view, c) => (input[c] ? view.set(input[c]) : view.fill(0)));
    this.engine.check(
      this.core.percepnet_process_block(this.enhancer, this.samples, QUANTUM, QUANTUM, this.samples, QUANTUM, this.hooks),
    );
    output.forEach((channel, c) => channel.set(this.views[c]));
    return this.memory.getUint32(this.hooks + HOOKS.count, true);
  }

  frame(i) {
    const pointer = this.frames + i * FRAME.size;
    const bands = (offset) => new Float32Array(this.buffer, pointer + offset, BANDS).slice();
    return {
      index: Number(this.memory.getBigInt64(pointer, true)),
      gated: this.memory.getInt32(pointer + FRAME.gated, true) === 1,
      levelDb: this.core.percepnet_web_level_db(pointer),
      speechProbability: this.memory.getFloat32(pointer + FRAME.speechProbability, true),
      energy: () => bands(FRAME.energy),
      gains: () => bands(FRAME.gains),
      strengths: () => bands(FRAME.strengths),
    };
  }

  destroy() {
    this.core.percepnet_enhancer_destroy(this.enhancer);
    for (const pointer of [this.samples, this.frames, this.hooks]) this.core.free(pointer);
  }
}

class PercepNetProcessor extends AudioWorkletProcessor {
  static get parameterDescriptors() {
    const knob = (name, defaultValue, maxValue) => ({ name, defaultValue, minValue: 0, maxValue, automationRate: "k-rate" });
    return [knob("attenuationLimitDb", NO_LIMIT_DB, NO_LIMIT_DB), knob("dereverb", 1, 1), knob("postFilter", 1, 1), knob("bypass", 0, 1)];
  }

  constructor({ processorOptions }) {
    super();
    this.alive = true;
    this.details = processorOptions.details;
    this.busyMs = 0;
    this.port.onmessage = ({ data }) => {
      if (data.type === "destroy") this.destroy();
      if (data.type === "files") this.take(data);
    };
    this.start(processorOptions).catch((error) => this.fail(error));
  }

  async start(options) {
    const engine = (await Engine.having(options.key)) ?? (await Engine.with(options.key, await this.files()));
    if (!this.alive) return;
    const stream = new Stream(engine, options);
    this.stream = stream;
    const { latency, hasSpeech, hasDereverb } = stream;
    const card = options.wantsCard ? stream.readCard() : null;
    this.port.postMessage({ type: "ready", latency, hasSpeech, hasDereverb, card });
  }

  // The bytes of engine and weights, asked for over the port.
  files() {
    return new Promise((resolve) => {
      this.take = resolve;
      this.port.postMessage({ type: "wanted" });
    });
  }

  process([input], [output], parameters) {
    try {
      if (this.stream) this.run(input, output, parameters);
    } catch (error) {
      this.fail(error);
    }
    // After a failure nothing is enhanced, but a call must not fall silent.
    if (this.failed) output.forEach((channel, c) => input[c] && channel.set(input[c]));
    // Not before the sound stops coming in: Chromium 156 crashed where a processor ended while a call was its input.
    return this.alive || input.length > 0;
  }

  run(input, output, parameters) {
    const start = this.details ? milliseconds() : 0;
    for (const name in parameters) this.stream.set(name, parameters[name][0]);
    const count = this.stream.process(input, output);
    if (this.details) this.busyMs += milliseconds() - start;
    for (let i = 0; i < count; i += this.stream.channels) this.tell(i);
  }

  // One hop of all channels: the loudest and the most like speech, and with details the bands of the first.
  tell(first) {
    const frames = Array.from({ length: this.stream.channels }, (_, c) => this.stream.frame(first + c));
    const message = {
      type: "hop",
      index: frames[0].index,
      gated: frames.every((frame) => frame.gated),
      levelDb: Math.max(...frames.map((frame) => frame.levelDb)),
      speechProbability: this.stream.hasSpeech ? Math.max(...frames.map((frame) => frame.speechProbability)) : null,
    };
    if (this.details) {
      const { energy, gains, strengths } = frames[0];
      Object.assign(message, { energy: energy(), gains: gains(), strengths: strengths(), busyMs: this.busyMs });
      this.busyMs = 0;
    }
    this.port.postMessage(message);
  }

  fail(error) {
    this.failed = true;
    this.release();
    this.port.postMessage({ type: "error", message: error.message });
  }

  release() {
    this.stream?.destroy();
    this.stream = null;
  }

  destroy() {
    this.alive = false;
    this.release();
    this.port.postMessage({ type: "destroyed" });
    this.port.onmessage = null;
  }
}

registerProcessor("percepnet", PercepNetProcessor);
