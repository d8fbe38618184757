"""Is somebody speaking? The speech probability against voice activity detectors, in noise.

    pip install --no-deps silero-vad==6.2.3 webrtcvad-wheels==2.0.14.post1
    python bench/speech.py PAIRS_DIR [--model NAME_OR_PATH]... [--threshold 0.5]

PAIRS_DIR is as for bench/quality.py; only its noisy pairs count. Every detector hears the noise of a pair alone, then the pair:
a room in which somebody begins to speak. A frame of 10 ms is speech where the clean signal is at most 25 dB below its loud
frames, and none before the pair and where it is more than 45 dB below them for 0.2 s; what lies between, soft sounds, short
pauses and the recording's own noise, does not count. Pairs with babble, where others do speak, are counted on their own.
Misses are frames of speech in which a detector does not exceed the threshold, false alarms the opposite. The area under the
curve, that of misses against false alarms at all thresholds, is 0.5 for a coin and 1 without a fault.
"""

import argparse
import csv
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import machine
import numpy as np
import numpy.typing as npt
import onnxruntime
import soundfile
import webrtcvad

import percepnet
from percepnet import metrics

Array: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Detector: TypeAlias = Callable[[Array], Array]  # samples at 48 kHz -> a number for each 10 ms, 0 to 1

RATE, HOP, LOW_RATE = 48000, 480, 16000
SPEECH_DB, SILENCE_DB, PAUSE = -25.0, -45.0, 20  # relative to loud frames; frames
SILERO_CHUNK, SILERO_CONTEXT = 512, 64
WEBRTC_MODE = 3  # its strictest


def of_percepnet(name: str) -> tuple[str, Detector]:
    """The model's name and what it says."""
    model = percepnet.load_model(name)

    def detect(samples: Array) -> Array:
        silence = np.zeros(3 * HOP)  # the latency: so that the last frames come out
        with percepnet.Enhancer(RATE, 1, model) as enhancer:
            _, frames = enhancer.process_frames(np.concatenate((samples, silence)))
        return np.maximum(frames["speech_probability"], 0).astype(np.float64)

    return model.id, detect


def silero() -> Detector:
    """Its network, chunk by chunk as in a stream."""
    package = importlib.util.find_spec("silero_vad")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("install silero-vad first: see --help")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    file = Path(package.submodule_search_locations[0]) / "data" / "silero_vad.onnx"
    network = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def detect(samples: Array) -> Array:
        low = metrics.resample(samples, RATE, LOW_RATE).astype(np.float32)
        padded = np.concatenate((np.zeros(SILERO_CONTEXT, np.float32), low, np.zeros(SILERO_CHUNK, np.float32)))
        state, said = np.zeros((2, 1, 128), np.float32), []
        for start in range(0, len(low), SILERO_CHUNK):
            chunk = padded[None, start : start + SILERO_CONTEXT + SILERO_CHUNK]
            (probability, state) = network.run(None, {"input": chunk, "state": state, "sr": np.array(LOW_RATE)})
            said.append(float(probability[0, 0]))
        centres = np.arange(len(samples) // HOP) * (HOP * LOW_RATE // RATE) // SILERO_CHUNK
        return np.asarray(said)[np.minimum(centres, len(said) - 1)]

    return detect


def webrtc() -> Detector:
    """Yes or no for each 10 ms."""

    def detect(samples: Array) -> Array:
        vad, hop = webrtcvad.Vad(WEBRTC_MODE), HOP * LOW_RATE // RATE
        low = np.clip(metrics.resample(samples, RATE, LOW_RATE) * 32768, -32768, 32767).astype(np.int16)
        frames = low[: len(low) // hop * hop].reshape(-1, hop)
        return np.array([float(vad.is_speech(frame.tobytes(), LOW_RATE)) for frame in frames])

    return detect


def speech(clean: Array) -> Array:
    """(frames,) 1 where somebody speaks, 0 where nobody does, NaN where that may be argued about."""
    energy = np.square(clean[: len(clean) // HOP * HOP].reshape(-1, HOP)).sum(1)
    level_db = 10 * np.log10(energy + 1e-12)
    level_db -= np.percentile(level_db, 95)
    nearby = np.lib.stride_tricks.sliding_window_view(np.pad(level_db, PAUSE // 2, mode="edge"), PAUSE + 1).max(1)
    return np.where(level_db > SPEECH_DB, 1.0, np.where(nearby < SILENCE_DB, 0.0, np.nan))


def scenes(folder: Path) -> Iterator[tuple[Array, Array, dict[str, str]]]:
    """Noise, then the pair; what of it is speech; the row of pairs.csv."""
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "noisy"]
    for row in rows:
        clean, noisy = (soundfile.read(folder / kind / row["file"])[0] for kind in ("clean", "noisy"))
        whole = len(clean) // HOP * HOP
        clean, noisy = clean[:whole], noisy[:whole]
        spoken = speech(clean)
        yield np.concatenate((noisy - clean, noisy)), np.concatenate((np.zeros_like(spoken), spoken)), row


def area(said: Array, spoken: Mask) -> float:
    """Under the curve: how often a frame of speech gets a higher number than another one; ties count half."""
    _, places, counts = np.unique(said, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    n_speech, n_other = int(spoken.sum()), int((~spoken).sum())
    return float((ranks[spoken].sum() - n_speech * (n_speech + 1) / 2) / (n_speech * n_other))


def cell(said: list[Array], spoken: list[Array], threshold: float) -> str:
    """Area, misses and false alarms of several scenes."""
    numbers, labels = np.concatenate(said), np.concatenate(spoken)
    known = ~np.isnan(labels)
    numbers, truth = numbers[known], labels[known] == 1
    yes = numbers > threshold
    return f"{area(numbers, truth):.3f} / {100 * np.mean(~yes[truth]):.1f} / {100 * np.mean(yes[~truth]):.1f}"


def main() -> None:
    """Runs all detectors and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, metavar="PAIRS_DIR")
    parser.add_argument("--model", action="append", default=[], help="name or path of a weight file; may be repeated")
    parser.add_argument("--threshold", type=float, default=0.5)
    arguments = parser.parse_args()
    detectors = dict(of_percepnet(name) for name in arguments.model or ("default", "tiny", "full"))
    detectors |= {"Silero VAD 6.2": silero(), f"WebRTC VAD, mode {WEBRTC_MODE}": webrtc()}
    heard = list(scenes(arguments.pairs))
    snrs = sorted({int(row["snr_db"]) for _, _, row in heard})
    plain = [i for i, (_, _, row) in enumerate(heard) if row["noise_kind"] != "babble"]
    groups = {"without babble": plain, "babble": [i for i in range(len(heard)) if i not in plain]}
    groups |= {f"{snr} dB": [i for i in plain if int(heard[i][2]["snr_db"]) == snr] for snr in snrs}
    print(machine.line(), "\n\narea under the curve / misses % / false alarms %; by SNR: without babble\n")
    print("| |", " | ".join(groups), "|\n|" + " --- |" * (len(groups) + 1))
    for name, detect in detectors.items():
        said = [detect(samples)[: len(spoken)] for samples, spoken, _ in heard]
        cells = [cell([said[i] for i in g], [heard[i][1] for i in g], arguments.threshold) for g in groups.values()]
        print("|", name, "|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
