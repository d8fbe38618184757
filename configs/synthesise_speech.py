"""Adds speech of synthesisers to a corpus: ``python configs/synthesise_speech.py CORPUS_DIR``, then fetch_corpus.py.

Assistants, navigation and screen readers speak with such voices, and a pitch tracker that knows only people fails on them.
espeak-ng and flite, both free software, must be installed (``apt-get install espeak-ng flite``); what they say is free to use.
The text is that of the licences in /usr/share/common-licenses, a sentence at a time.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

TEXTS = Path("/usr/share/common-licenses")
ESPEAK_VOICES = ("en-us", "en-gb", "de", "es", "fr", "it", "pl", "sv", "hi", "id", "tr", "fi")
ESPEAK_VARIANTS = ("m1", "m2", "m3", "m4", "m7", "f1", "f2", "f3", "f4", "f5", "croak", "klatt2")
FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
SECONDS = 75  # of each voice
GAP_SECONDS, LOUD_DB = 0.15, -24.0  # as fetch_corpus.py joins clips


def sentences() -> list[str]:
    """Of 40 to 200 letters."""
    text = " ".join(path.read_text(encoding="utf-8", errors="replace") for path in sorted(TEXTS.glob("*")))
    pieces = (re.sub(r"\s+", " ", piece).strip() for piece in re.split(r"[.;:]", text))
    return sorted({piece for piece in pieces if 40 <= len(piece) <= 200 and piece.isascii()})


def speak(command: list[str], path: Path) -> tuple[np.ndarray, int]:
    """Samples and rate of what a synthesiser says."""
    subprocess.run(command, check=True, capture_output=True)
    samples, rate = soundfile.read(path, dtype="float32")
    return samples, rate


def clip(voice: str, sentence: str, rng: random.Random, path: Path) -> tuple[np.ndarray, int]:
    """One sentence by one voice, its pitch and speed varied."""
    engine, name = voice.split("/")
    if engine == "flite":
        stretch = f"duration_stretch={rng.uniform(0.8, 1.3):.2f}"
        mean = f"int_f0_target_mean={rng.uniform(85, 220):.0f}"
        return speak(["flite", "-voice", name, "--setf", stretch, "--setf", mean, "-t", sentence, "-o", str(path)], path)
    pitch, speed = str(rng.randint(20, 80)), str(rng.randint(120, 210))
    return speak(["espeak-ng", "-v", name, "-p", pitch, "-s", speed, "-w", str(path), sentence], path)


def file_of(voice: str, texts: list[str], rng: random.Random, path: Path) -> tuple[np.ndarray, int, int]:
    """SECONDS of one voice: samples, rate, number of clips."""
    pieces: list[np.ndarray] = []
    total, rate = 0, 1
    while total < SECONDS * rate:
        samples, rate = clip(voice, rng.choice(texts), rng, path)
        loud = float(np.percentile(np.sqrt((samples[: len(samples) // 960 * 960].reshape(-1, 960) ** 2).mean(1)), 95))
        gain = min(10 ** (LOUD_DB / 20) / (loud + 1e-9), 0.99 / float(np.abs(samples).max() + 1e-9))
        pieces += [samples * np.float32(gain), np.zeros(int(GAP_SECONDS * rate), np.float32)]
        total += len(samples)
    return np.concatenate(pieces[:-1]), rate, len(pieces) // 2


def main() -> None:
    """Writes the files and their rows of the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("corpus", type=Path, metavar="CORPUS_DIR")
    root = parser.parse_args().corpus
    folder = root / "train" / "speech" / "synthetic"
    folder.mkdir(parents=True, exist_ok=True)
    texts, rng = sentences(), random.Random(1)
    voices = [f"espeak/{language}+{rng.choice(ESPEAK_VARIANTS)}" for language in ESPEAK_VOICES for _ in range(2)]
    voices += [f"flite/{name}" for name in FLITE_VOICES]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for i, voice in enumerate(voices):
            samples, rate, n = file_of(voice, texts, rng, Path(scratch) / "clip.wav")
            path = folder / f"synthetic_{i:03d}.flac"
            soundfile.write(path, samples, rate, subtype="PCM_16")
            seconds = round(len(samples) / rate, 2)
            rows.append(
                [path.relative_to(root).as_posix(), "speech", "synthetic", voice, voice.split("/")[1], "CC0-1.0", seconds, n]
            )
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "kind", "source", "speaker", "language", "licence", "seconds", "nclips"))
        writer.writerows(rows)
    minutes = sum(row[6] for row in rows) / 60
    print(f"{len(rows)} voices, {minutes:.0f} minutes: run fetch_corpus.py once more to join them to the manifest")


if __name__ == "__main__":
    main()
