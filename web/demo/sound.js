// The graph of a session:
//
//   source ─┬─ delay of the node ─┬─ look ─ gain of A ─┐
//           │                     └─ capture           ├─ heard ─ volume ─ loudspeaker, or a call and back
//           └─ percepnet ─────────── look ─ gain of B ─┘
//
// A and B are aligned to the sample, so that switching between them moves nothing in time.
import { createPercepNet } from "../index.js";

const FADE_S = 0.012;
const LINES = 2048; // of the analysers: 12 Hz apart at 48 kHz

export class Sound {
  heard = "enhanced";
  knobs = { attenuationLimitDb: null, dereverb: 1, postFilter: true };
  volume = 0.8;
  #context = null;

  get context() {
    this.#context ??= new AudioContext({ latencyHint: "interactive" });
    return this.#context;
  }

  get sampleRate() {
    return this.context.sampleRate;
  }

  get running() {
    return Boolean(this.graph);
  }

  decode(bytes) {
    return this.context.decodeAudioData(bytes);
  }

  // `source`: an AudioNode; tell: for every message of the node.
  async start(source, channels, audible, tell) {
    const { context } = this;
    await context.resume();
    const node = await createPercepNet(context, { ...this.knobs, channels, details: true });
    node.port.addEventListener("message", ({ data }) => tell(data));
    const delay = new DelayNode(context, { maxDelayTime: 1, delayTime: node.latency, channelCount: channels });
    const looks = { original: this.#look(), enhanced: this.#look() };
    const gains = { original: new GainNode(context), enhanced: new GainNode(context) };
    const heard = new GainNode(context), volume = new GainNode(context, { gain: 0 });
    source.connect(delay).connect(looks.original).connect(gains.original).connect(heard);
    source.connect(node).connect(looks.enhanced).connect(gains.enhanced).connect(heard);
    heard.connect(volume).connect(context.destination);
    this.graph = { source, delay, node, looks, gains, heard, volume, audible };
    this.hear(this.heard, true);
    this.setVolume(this.volume);
  }

  #look() {
    return new AnalyserNode(this.context, { fftSize: 2 * LINES, smoothingTimeConstant: 0, minDecibels: -130, maxDecibels: 0 });
  }

  // Another source into the same graph; the node goes on.
  replaceSource(source) {
    const { graph } = this;
    graph.source.disconnect();
    graph.source = source;
    source.connect(graph.delay);
    source.connect(graph.node);
  }

  async stop() {
    const { graph } = this;
    if (!graph) return;
    this.graph = null;
    this.leaveCall(graph);
    graph.source.disconnect();
    graph.volume.disconnect();
    await graph.node.destroy();
  }

  hear(side, at_once = false) {
    this.heard = side;
    if (!this.graph) return;
    for (const [name, { gain }] of Object.entries(this.graph.gains)) {
      const value = name === side ? 1 : 0;
      if (at_once) gain.value = value;
      else gain.setTargetAtTime(value, this.context.currentTime, FADE_S / 3);
    }
  }

  turn(name, value) {
    this.knobs[name] = value;
    if (!this.graph) return;
    const highest = this.graph.node[name].maxValue;
    this.graph.node[name].value = value === null ? highest : Number(value);
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.graph) this.graph.volume.gain.setTargetAtTime(this.graph.audible ? volume ** 2 : 0, this.context.currentTime, 0.02);
  }

  setAudible(audible) {
    if (this.graph) this.graph.audible = audible;
    this.setVolume(this.volume);
  }

  // Puts a call between what is heard and the loudspeaker.
  async enterCall(call) {
    const { graph, context } = this;
    if (!graph) return;
    const sent = new MediaStreamAudioDestinationNode(context);
    graph.heard.disconnect();
    graph.heard.connect(sent);
    const received = new MediaStreamAudioSourceNode(context, { mediaStream: await call.start(sent.stream.getAudioTracks()[0]) });
    received.connect(graph.volume);
    graph.call = { call, sent, received };
  }

  leaveCall(graph = this.graph) {
    if (!graph?.call) return;
    const { call, sent, received } = graph.call;
    graph.call = null;
    received.disconnect();
    graph.heard.disconnect();
    graph.heard.connect(graph.volume);
    for (const track of sent.stream.getTracks()) track.stop();
    call.stop();
  }

  // All of a recording with the settings of now: the samples that playing it gives, without the delay.
  async render(buffer) {
    const channels = Math.min(buffer.numberOfChannels, 2);
    const seconds_more = 0.1;
    const context = new OfflineAudioContext(channels, buffer.length + Math.ceil(seconds_more * buffer.sampleRate), buffer.sampleRate);
    const node = await createPercepNet(context, { ...this.knobs, channels });
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(node).connect(context.destination);
    source.start();
    const rendered = await context.startRendering();
    const delay = Math.round(node.latency * buffer.sampleRate);
    await node.destroy();
    const aligned = new AudioBuffer({ length: buffer.length, numberOfChannels: channels, sampleRate: buffer.sampleRate });
    for (let c = 0; c < channels; ++c) aligned.copyToChannel(rendered.getChannelData(c).subarray(delay, delay + buffer.length), c);
    return aligned;
  }
}

// Keeps a take from the microphone.
export class Take {
  #blocks = [];

  async start(context, source) {
    await context.audioWorklet.addModule(new URL("./capture.js?no-inline", import.meta.url));
    this.node = new AudioWorkletNode(context, "capture", { channelCount: 1, channelCountMode: "explicit" });
    this.finished = new Promise((resolve) => {
      this.node.port.onmessage = ({ data: { samples, last } }) => {
        this.#blocks.push(samples);
        if (last) resolve();
      };
    });
    source.connect(this.node).connect(context.destination); // silent, but only what is connected runs
    this.sampleRate = context.sampleRate;
  }

  // The take as an AudioBuffer; null if nothing was heard.
  async stop() {
    this.node.port.postMessage("stop");
    await this.finished;
    const length = this.#blocks.reduce((sum, { length: n }) => sum + n, 0);
    if (!length) return null;
    const buffer = new AudioBuffer({ length, numberOfChannels: 1, sampleRate: this.sampleRate });
    let at = 0;
    for (const block of this.#blocks) {
      buffer.copyToChannel(block, 0, at);
      at += block.length;
    }
    return buffer;
  }
}
