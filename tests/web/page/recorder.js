// Keeps some seconds of four channels from the first sound on, and posts them, channel after channel.
class Recorder extends AudioWorkletProcessor {
  filled = 0;

  constructor({ processorOptions: { seconds } }) {
    super();
    this.length = Math.round(seconds * sampleRate);
    this.samples = new Float32Array(4 * this.length);
  }

  process([channels]) {
    if (channels.length < 4 || this.filled === this.length) return true;
    const n = Math.min(channels[0].length, this.length - this.filled);
    channels.forEach((channel, c) => this.samples.set(channel.subarray(0, n), c * this.length + this.filled));
    this.filled += n;
    if (this.filled === this.length) this.port.postMessage(this.samples);
    return true;
  }
}

registerProcessor("recorder", Recorder);
