// What the tests of the package run in the browser.
export * from "/percepnet/index.js";
import { PercepNetTrackProcessor, createPercepNet } from "/percepnet/index.js";

export const fetched = async (name) => new Float32Array(await (await fetch(`/data/${name}`)).arrayBuffer());
export const send = (name, samples) => fetch(`/result/${name}`, { method: "POST", body: samples });

// Channels of `buffer`, one after the other.
export function flat(buffer) {
  const all = new Float32Array(buffer.length * buffer.numberOfChannels);
  for (let c = 0; c < buffer.numberOfChannels; ++c) all.set(buffer.getChannelData(c), c * buffer.length);
  return all;
}

export function audioBuffer(samples, channels, sampleRate) {
  const buffer = new AudioBuffer({ length: samples.length / channels, numberOfChannels: channels, sampleRate });
  for (let c = 0; c < channels; ++c) buffer.copyToChannel(samples.subarray(c * buffer.length, (c + 1) * buffer.length), c);
  return buffer;
}

const offline = (samples, channels, sampleRate) => new OfflineAudioContext(channels, samples.length / channels, sampleRate);

// Renders a recording through a node, sends what came out, and tells latency and messages.
// automation: [knob, value, time]; others: nodes that are made before and destroyed before it plays.
export async function render(name, { sampleRate, channels = 1, automation, others = 0, ...options }) {
  const samples = await fetched(name);
  const context = offline(samples, channels, sampleRate);
  const unused = [];
  for (let i = 0; i < others; ++i) unused.push(await createPercepNet(context));
  const node = await createPercepNet(context, { channels, ...options });
  for (const other of unused) await other.destroy();
  if (automation) node[automation[0]].setValueAtTime(automation[1], automation[2]);
  const messages = [];
  node.port.addEventListener("message", ({ data }) => messages.push(data));
  const source = new AudioBufferSourceNode(context, { buffer: audioBuffer(samples, channels, sampleRate) });
  source.connect(node).connect(context.destination);
  source.start();
  const rendered = await context.startRendering();
  await send(name, flat(rendered));
  await node.destroy();
  const hops = messages.filter(({ type }) => type === "hop");
  const errors = messages.filter(({ type }) => type === "error");
  const { latency, hasSpeech, hasDereverb, card } = node;
  return { latency, hasSpeech, hasDereverb, card, hops: hops.map(plain), errors };
}

// What a node with a broken worklet tells, and whether the sound came through.
export async function failing(name, worklet) {
  const samples = await fetched(name);
  const context = offline(samples, 1, 48000);
  const node = await createPercepNet(context, { files: { worklet } });
  const message = new Promise((resolve) => {
    node.port.addEventListener("message", ({ data }) => data.type === "error" && resolve(data.message));
  });
  const source = new AudioBufferSourceNode(context, { buffer: audioBuffer(samples, 1, 48000) });
  source.connect(node).connect(context.destination);
  source.start();
  const rendered = await context.startRendering();
  return [await message, flat(rendered).every((value, i) => value === samples[i])];
}

// A message without typed arrays, which the driver does not carry.
const plain = (message) =>
  Object.fromEntries(Object.entries(message).map(([key, value]) => [key, ArrayBuffer.isView(value) ? [...value] : value]));

// ---- microphone and call -------------------------------------------------------------------------------------------------

const microphone = () =>
  navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });

// Calls from this page to this page: what arrives, and the codec.
async function called(stream) {
  const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
  near.onicecandidate = ({ candidate }) => far.addIceCandidate(candidate);
  far.onicecandidate = ({ candidate }) => near.addIceCandidate(candidate);
  const arrived = new Promise((resolve) => (far.ontrack = ({ track }) => resolve(new MediaStream([track]))));
  near.addTrack(stream.getAudioTracks()[0]);
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
  const received = await arrived;
  const holder = new Audio(); // a far track runs only while an element holds it
  holder.muted = true;
  holder.srcObject = received;
  await holder.play();
  const codec = async () => {
    const reports = [...(await far.getStats()).values()];
    return reports.find(({ id }) => id === reports.find(({ type }) => type === "inbound-rtp").codecId).mimeType;
  };
  return { stream: received, codec, hold: [near, far, holder] };
}

// Records four things at once: microphone, enhanced, and both of them after a call.
export async function take(name, seconds) {
  const context = new AudioContext({ sampleRate: 48000 });
  await context.resume();
  const raw = await microphone();
  const source = new MediaStreamAudioSourceNode(context, { mediaStream: raw }); // one for both: each has a delay of its own
  const node = await createPercepNet(context);
  const enhanced = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  source.connect(node).connect(enhanced);
  const calls = await Promise.all([called(raw), called(enhanced.stream)]);
  await context.audioWorklet.addModule("/recorder.js");
  const merger = new ChannelMergerNode(context, { numberOfInputs: 4 });
  const recorder = new AudioWorkletNode(context, "recorder", { channelCount: 4, channelCountMode: "explicit", processorOptions: { seconds } });
  source.connect(merger, 0, 0);
  node.connect(merger, 0, 1);
  calls.forEach(({ stream }, i) => new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(merger, 0, 2 + i));
  merger.connect(recorder).connect(context.destination); // silent, but only what is connected runs
  const samples = await new Promise((resolve) => (recorder.port.onmessage = ({ data }) => resolve(data)));
  await send(name, samples);
  const codecs = await Promise.all(calls.map(({ codec }) => codec()));
  const facts = { latency: node.latency, sampleRate: context.sampleRate, codecs };
  source.disconnect();
  await node.destroy();
  raw.getTracks().forEach((track) => track.stop());
  for (const { hold } of calls) hold.slice(0, 2).forEach((end) => end.close());
  await context.close();
  return facts;
}

// The calls that livekit-client makes to a processor, in its order.
export async function processTrack() {
  const audioContext = new AudioContext();
  const processor = new PercepNetTrackProcessor();
  const [first, second] = [(await microphone()).getAudioTracks()[0], (await microphone()).getAudioTracks()[0]];
  await processor.init({ kind: "audio", track: first, audioContext });
  const one = processor.processedTrack;
  await processor.restart({ kind: "audio", track: second, audioContext });
  const two = processor.processedTrack;
  await processor.destroy();
  await audioContext.close();
  const tracks = [one, two, processor.processedTrack].map(Boolean);
  for (const track of [first, second]) track.stop();
  return { name: processor.name, tracks, changed: one !== two, state: two.readyState };
}

// ---- bench and soak ------------------------------------------------------------------------------------------------------

// Wall time of rendering a recording, as a share of its own.
export async function time(name, sampleRate, channels, with_node) {
  const samples = await fetched(name);
  const context = new OfflineAudioContext(channels, Math.floor((samples.length * sampleRate) / 48000), sampleRate);
  const node = with_node ? await createPercepNet(context, { channels }) : new GainNode(context);
  const source = new AudioBufferSourceNode(context, { buffer: audioBuffer(samples, 1, 48000), loop: true });
  source.connect(node).connect(context.destination);
  source.start();
  const start = performance.now();
  await context.startRendering();
  return (performance.now() - start) / (1000 * (context.length / sampleRate));
}

// Makes and destroys nodes in one running context.
export async function cycle(times) {
  window.context ??= new AudioContext();
  for (let i = 0; i < times; ++i) {
    const node = await createPercepNet(window.context);
    node.connect(window.context.destination);
    await node.destroy();
  }
}

// Collects the garbage of the page and of the audio thread, each of which has a heap of its own (--expose-gc).
export async function collect() {
  await window.context.audioWorklet.addModule("/collector.js");
  const collector = new AudioWorkletNode(window.context, "collector");
  for (let i = 0; i < 5; ++i) {
    gc();
    collector.port.postMessage(null);
    await new Promise((resolve) => (collector.port.onmessage = resolve));
    await new Promise((done) => setTimeout(done, 100));
  }
}

// Runs a node for some seconds: what the context played, what the clock says, and how often the loudspeaker had nothing.
export async function endure(name, seconds) {
  const context = new AudioContext({ sampleRate: 48000 });
  const node = await createPercepNet(context);
  const errors = [];
  let hops = 0;
  node.port.addEventListener("message", ({ data }) => (data.type === "hop" ? (hops += 1) : errors.push(data)));
  const source = new AudioBufferSourceNode(context, { buffer: audioBuffer(await fetched(name), 1, 48000), loop: true });
  source.connect(node).connect(context.destination);
  source.start();
  await context.resume();
  const start = [context.currentTime, performance.now(), hops];
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  const played_s = context.currentTime - start[0], passed_s = (performance.now() - start[1]) / 1000;
  const underruns = context.playbackStats?.underrunEvents ?? null;
  await context.close();
  return { played_s, passed_s, hops: hops - start[2], underruns, errors };
}
