/** Removes noise from speech: an AudioWorkletNode whose samples equal those of the native engine. */

/** Where the package's files are, for bundlers that do not find them. */
export interface PercepNetFiles {
  worklet?: string | URL;
  engine?: string | URL;
  model?: string | URL;
}

export interface PercepNetOptions {
  /** "default", "tiny" (a third of the size), the address of a weight file, or its bytes. */
  model?: "default" | "tiny" | string | URL | ArrayBuffer | ArrayBufferView;
  /** The most that noise is lowered, in dB; null for no limit (default). */
  attenuationLimitDb?: number | null;
  /** How much of the room's reverberation goes, 0 to 1 (default); without effect if `hasDereverb` is false. */
  dereverb?: number;
  /** Sharpens the gains (default true). */
  postFilter?: boolean;
  /** The input, delayed by `latency` (default false). */
  bypass?: boolean;
  /** 1 (default) or 2; more channels at the input are mixed down. */
  channels?: 1 | 2;
  /** All channels get the largest gain of any, which keeps the stereo image (default true). */
  linked?: boolean;
  /** Adds bands and processing time to the messages of every hop (default false). */
  details?: boolean;
  files?: PercepNetFiles;
}

/** Every 10 ms of sound. */
export interface PercepNetHop {
  type: "hop";
  /** 0 is the frame whose window ends 10 ms after the start. */
  index: number;
  /** Below the silence gate in all channels: the network was not run. */
  gated: boolean;
  /** Level of the input, dB re full scale (RMS), of the loudest channel; -120 is silence. */
  levelDb: number;
  /** 0 to 1, the highest of all channels; null if the model does not estimate it. */
  speechProbability: number | null;
  /** With details, of the first channel: 34 bands from low to high. */
  energy?: Float32Array;
  gains?: Float32Array;
  strengths?: Float32Array;
  /** With details: milliseconds spent since the last hop. Browsers round them to whole ones; a mean over many is right. */
  busyMs?: number;
}

/** Something went wrong while running: from here on the input passes unchanged and undelayed. */
export interface PercepNetFailure {
  type: "error";
  message: string;
}

/** What `node.port` sends once the node is made. */
export type PercepNetMessage = PercepNetHop | PercepNetFailure | { type: "destroyed" };

export interface PercepNetNode extends AudioWorkletNode {
  /** 0 to 100 dB; 100 is no limit. */
  readonly attenuationLimitDb: AudioParam;
  /** 0 to 1. */
  readonly dereverb: AudioParam;
  /** 0 or 1. */
  readonly postFilter: AudioParam;
  /** 0 or 1. */
  readonly bypass: AudioParam;
  /** Delay from input to output in seconds, everything in the node included: constant, exact. */
  readonly latency: number;
  /** Whether the model estimates the probability of speech. */
  readonly hasSpeech: boolean;
  /** Whether the model heeds `dereverb`. */
  readonly hasDereverb: boolean;
  /** The model card: id, licence, data, scores. */
  readonly card: Record<string, unknown>;
  /** Frees what the node holds; it cannot be used any more. */
  destroy(): Promise<void>;
}

/** Makes a node in any AudioContext or OfflineAudioContext of 8 to 192 kHz. */
export function createPercepNet(context: BaseAudioContext, options?: PercepNetOptions): Promise<PercepNetNode>;

export interface EnhancedStream {
  /** The enhanced audio, and the video tracks of the original. */
  readonly stream: MediaStream;
  readonly node: PercepNetNode;
  readonly context: AudioContext;
  /** Of the node, in seconds. */
  readonly latency: number;
  /** Ends the enhanced audio; the original stream goes on. */
  destroy(): Promise<void>;
}

/** Enhances the first audio track of a stream, in `context` or in one of its own. */
export function enhanceStream(
  stream: MediaStream,
  options?: PercepNetOptions & { context?: AudioContext },
): Promise<EnhancedStream>;

/** A TrackProcessor of livekit-client, for a LocalAudioTrack's setProcessor(). */
export class PercepNetTrackProcessor {
  constructor(options?: PercepNetOptions);
  readonly name: "percepnet";
  processedTrack?: MediaStreamTrack;
  /** The node while a track is processed, to turn its knobs. */
  readonly node: PercepNetNode | null;
  init(options: { track: MediaStreamTrack; audioContext: AudioContext }): Promise<void>;
  restart(options: { track: MediaStreamTrack; audioContext: AudioContext }): Promise<void>;
  destroy(): Promise<void>;
}
