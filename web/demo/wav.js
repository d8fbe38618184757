// A WAV file of 16-bit samples.
export function wav(buffer) {
  const { numberOfChannels: channels, length, sampleRate } = buffer;
  const size = 2 * channels * length;
  const view = new DataView(new ArrayBuffer(44 + size));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 2 * channels * sampleRate, true);
  view.setUint16(32, 2 * channels, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, size, true);
  for (let c = 0; c < channels; ++c) {
    buffer.getChannelData(c).forEach((sample, i) => {
      view.setInt16(44 + 2 * (i * channels + c), Math.round(32767 * Math.min(Math.max(sample, -1), 1)), true);
    });
  }
  return new Blob([view], { type: "audio/wav" });
}
