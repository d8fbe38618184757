// What the tests of the package run in the browser.
export * from "/percepnet/index.js";
import { createPercepNet } from "/percepnet/index.js";

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
  return { latency: node.latency, hasSpeech: node.hasSpeech, hops: hops.map(plain), errors };
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
