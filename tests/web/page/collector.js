// Collects the garbage of the audio thread whenever it is told to. A module that is added twice registers once.
class Collector extends AudioWorkletProcessor {
  constructor() {
    super();
    this.port.onmessage = () => {
      gc();
      this.port.postMessage(null);
    };
  }

  process() {
    return false;
  }
}

registerProcessor("collector", Collector);
