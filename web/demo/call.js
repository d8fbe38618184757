// A call of this page with itself: two peer connections, Opus in between.
export class Call {
  #ends = [];
  #player = new Audio(); // a far track runs in Chromium only while an element holds it
  #before = null;

  // Sends a track; resolves to the stream that arrives at the far end.
  async start(track) {
    const [near, far] = (this.#ends = [new RTCPeerConnection(), new RTCPeerConnection()]);
    const arrived = new Promise((resolve) => (far.ontrack = ({ track: received }) => resolve(new MediaStream([received]))));
    near.onicecandidate = ({ candidate }) => far.addIceCandidate(candidate);
    far.onicecandidate = ({ candidate }) => near.addIceCandidate(candidate);
    near.addTrack(track);
    await near.setLocalDescription();
    await far.setRemoteDescription(near.localDescription);
    await far.setLocalDescription();
    await near.setRemoteDescription(far.localDescription);
    const stream = await arrived;
    this.#player.muted = true;
    this.#player.srcObject = stream;
    this.#player.play().catch(() => {});
    return stream;
  }

  // What the far end knows: {codec, rate, lost, buffer}, in words; nothing before packets arrive.
  async facts() {
    const reports = [...(await this.#ends[1].getStats()).values()];
    const inbound = reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
    if (!inbound) return {};
    const codec = reports.find(({ id }) => id === inbound.codecId);
    const [before, now] = [this.#before ?? inbound, inbound];
    this.#before = now;
    const seconds = (now.timestamp - before.timestamp) / 1000;
    const emitted = now.jitterBufferEmittedCount - before.jitterBufferEmittedCount;
    return {
      codec: codec && `${codec.mimeType.replace("audio/", "")}, ${codec.clockRate / 1000} kHz`,
      rate: seconds > 0 ? `${Math.round((8 * (now.bytesReceived - before.bytesReceived)) / seconds / 1000)} kbit/s` : undefined,
      lost: `${now.packetsLost} of ${now.packetsReceived + now.packetsLost}`,
      buffer: emitted > 0 ? `${Math.round((1000 * (now.jitterBufferDelay - before.jitterBufferDelay)) / emitted)} ms` : undefined,
    };
  }

  stop() {
    for (const end of this.#ends) end.close();
    this.#player.srcObject = null;
    [this.#ends, this.#before] = [[], null];
  }
}
