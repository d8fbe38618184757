// All stages play at once, started on the same sample; only one of them is let through. So switching cannot lose the place.

class Sound {
  constructor(rate, seconds) {
    Object.assign(this, { rate, seconds, buffers: new Map(), outputs: new Map(), sources: [], playing: false, place: 0 });
    this.loop = null; // [start, end] in seconds, while looping
    this.onended = () => {};
  }

  async load(name, data) {
    // Decoding needs no permission to play, which an AudioContext would ask for.
    const decoder = new OfflineAudioContext(1, 1, this.rate);
    this.buffers.set(name, await decoder.decodeAudioData(data.buffer));
  }

  open() {
    if (this.context) return;
    this.context = new AudioContext({ sampleRate: this.rate });
    this.meter = this.context.createAnalyser();
    this.meter.fftSize = 2048;
    this.meter.connect(this.context.destination);
    for (const name of this.buffers.keys()) {
      const output = this.context.createGain();
      output.gain.value = name === this.stage ? 1 : 0;
      output.connect(this.meter);
      this.outputs.set(name, output);
    }
  }

  choose(stage) {
    this.stage = stage;
    for (const [name, output] of this.outputs) {
      output.gain.setTargetAtTime(name === stage ? 1 : 0, this.context.currentTime, 0.004); // no click
    }
  }

  get position() {
    if (!this.playing) return this.place;
    const now = this.place + Math.max(0, this.context.currentTime - this.started);
    if (this.loop && now > this.loop[1]) return this.loop[0] + ((now - this.loop[0]) % (this.loop[1] - this.loop[0]));
    return Math.min(now, this.seconds);
  }

  async play() {
    this.open();
    await this.context.resume();
    this.stop();
    const [start, end] = this.loop ?? [0, this.seconds];
    if (this.place >= end - 0.01 || (this.loop && this.place < start)) this.place = start;
    this.started = this.context.currentTime + 0.03;
    // Outputs rest while nothing plays, so a choice made meanwhile takes effect here.
    for (const [name, output] of this.outputs) {
      output.gain.cancelScheduledValues(0);
      output.gain.setValueAtTime(name === this.stage ? 1 : 0, this.context.currentTime);
    }
    this.sources = [...this.buffers].map(([name, buffer]) => this.source(name, buffer));
    this.sources[0].onended = () => this.finished();
    this.playing = true;
  }

  source(name, buffer) {
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    if (this.loop) Object.assign(source, { loop: true, loopStart: this.loop[0], loopEnd: this.loop[1] });
    source.connect(this.outputs.get(name));
    source.start(this.started, this.place);
    return source;
  }

  finished() {
    this.pause();
    this.place = this.seconds;
    this.onended();
  }

  stop() {
    for (const source of this.sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.sources = [];
  }

  pause() {
    this.place = this.position;
    this.playing = false;
    this.stop();
  }

  async seek(seconds) {
    await this.restart(clip(seconds, 0, this.seconds), this.loop);
  }

  async setLoop(range) {
    await this.restart(this.position, range);
  }

  async restart(place, loop) {
    Object.assign(this, { place, loop, started: this.context?.currentTime });
    if (this.playing) await this.play();
  }

  // Of the last 43 ms, in dB re full scale.
  level() {
    if (!this.playing) return -Infinity;
    const samples = new Float32Array(this.meter.fftSize);
    this.meter.getFloatTimeDomainData(samples);
    return 10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  }
}
