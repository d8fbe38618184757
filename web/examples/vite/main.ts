import { type EnhancedStream, type PercepNetMessage, enhanceStream } from "percepnet";

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const start = element<HTMLButtonElement>("start");
const limit = element<HTMLInputElement>("limit");
const status = element<HTMLParagraphElement>("status");

let enhanced: EnhancedStream | undefined;

function tell({ data }: MessageEvent<PercepNetMessage>) {
  if (data.type === "error") status.textContent = `Stopped: ${data.message}`;
  if (data.type === "hop") status.textContent = `Hop ${data.index}: ${data.levelDb.toFixed(0)} dB`;
}

start.addEventListener("click", async () => {
  start.disabled = true;
  try {
    // The browser's own suppressor would be in the way.
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: { noiseSuppression: false, echoCancellation: true } });
    enhanced = await enhanceStream(microphone, { attenuationLimitDb: Number(limit.value) });
    enhanced.node.port.addEventListener("message", tell);
    element<HTMLAudioElement>("player").srcObject = enhanced.stream;
  } catch (error) {
    status.textContent = String(error);
    start.disabled = false;
  }
});

limit.addEventListener("input", () => {
  if (enhanced) enhanced.node.attenuationLimitDb.value = Number(limit.value);
});
