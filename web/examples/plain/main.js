// The smallest use: microphone, node, loudspeaker. Serve the folder web/ and open /examples/plain/.
import { createPercepNet } from "../../index.js";

const [start, bypass, status, speech] = ["start", "bypass", "status", "speech"].map((id) => document.getElementById(id));

start.addEventListener("click", async () => {
  start.disabled = true;
  try {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: { noiseSuppression: false, echoCancellation: true } });
    const context = new AudioContext();
    const node = await createPercepNet(context);
    context.createMediaStreamSource(microphone).connect(node).connect(context.destination);
    node.port.addEventListener("message", ({ data }) => {
      if (data.type === "error") status.textContent = `Stopped: ${data.message}`;
      if (data.type === "hop") speech.value = data.speechProbability ?? (data.gated ? 0 : 1);
    });
    bypass.addEventListener("change", () => (node.bypass.value = bypass.checked ? 1 : 0));
    status.textContent = `Running, ${Math.round(node.latency * 1000)} ms behind.`;
  } catch (error) {
    status.textContent = String(error);
    start.disabled = false;
  }
});
