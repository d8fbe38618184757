// Keeps what it hears, so that a take from the microphone can be played again. Posts blocks of samples.
const BLOCK = 4096;

class Capture extends AudioWorkletProcessor {
  block = new Float32Array(BLOCK);
  filled = 0;
  running = true;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.running = false;
      this.port.postMessage({ samples: this.block.slice(0, this.filled), last: true });
    };
  }

  process([[samples]]) {
    if (!samples || !this.running) return this.running || Boolean(samples); // see worklet.js: not while sound comes in
    this.block.set(samples, this.filled);
    this.filled += samples.length;
    if (this.filled === BLOCK) {
      this.port.postMessage({ samples: this.block.slice(), last: false });
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("capture", Capture);
