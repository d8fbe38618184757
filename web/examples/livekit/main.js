// A track processor as livekit-client drives it. With LiveKit the class below is its LocalAudioTrack:
//   const track = await createLocalAudioTrack({ noiseSuppression: false });
//   await track.setProcessor(new PercepNetTrackProcessor());
//   await room.localParticipant.publishTrack(track);
import { PercepNetTrackProcessor } from "../../index.js";

// Makes the calls that livekit-client makes, in its order, on a connection between two ends of this page.
class LocalAudioTrack {
  constructor(track, audioContext) {
    Object.assign(this, { track, audioContext, processor: null, sender: null });
  }

  async setProcessor(processor) {
    await processor.init({ kind: "audio", track: this.track, audioContext: this.audioContext });
    this.processor = processor;
    await this.sender?.replaceTrack(processor.processedTrack);
  }

  async restartTrack(track) {
    this.track.stop();
    this.track = track;
    await this.processor?.restart({ kind: "audio", track, audioContext: this.audioContext });
    await this.sender?.replaceTrack(this.processor?.processedTrack ?? track);
  }

  async stopProcessor() {
    await this.processor?.destroy();
    this.processor = null;
    await this.sender?.replaceTrack(this.track);
  }
}

async function call(local, audio) {
  const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
  near.onicecandidate = ({ candidate }) => far.addIceCandidate(candidate);
  far.onicecandidate = ({ candidate }) => near.addIceCandidate(candidate);
  far.ontrack = ({ track }) => (audio.srcObject = new MediaStream([track]));
  local.sender = near.addTrack(local.processor.processedTrack);
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
}

const microphone = async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { noiseSuppression: false, echoCancellation: true } });
  return stream.getAudioTracks()[0];
};
const element = (id) => document.getElementById(id);
const say = (text) => (element("status").textContent = text);
let local;

async function publish() {
  local = new LocalAudioTrack(await microphone(), new AudioContext());
  await local.setProcessor(new PercepNetTrackProcessor());
  await call(local, element("far"));
  say(`Published, enhanced by ${local.processor.name}.`);
}

async function switchMicrophone() {
  await local.restartTrack(await microphone());
  say(`Switched, enhanced by ${local.processor.name}.`);
}

async function stop() {
  await local.stopProcessor();
  say("Published as it is.");
}

for (const [id, action] of Object.entries({ publish, switch: switchMicrophone, stop })) {
  element(id).addEventListener("click", () =>
    action().then(
      () => ["switch", "stop"].forEach((name) => (element(name).disabled = !local.processor)),
      (error) => say(String(error)),
    ),
  );
}
