"""Quality on the pairs that make_pairs.py wrote: PESQ-WB / STOI % / SI-SDR dB / DNSMOS OVRL of every system.

    python bench/quality.py PAIRS_DIR [--systems noisy,percepnet,...] [--model NAME_OR_PATH] [--enhanced NAME=DIR]
        [-o results.json]

PAIRS_DIR holds pairs.csv, clean/ and noisy/. Systems:

    noisy                 the input
    percepnet             the model
    no-comb               the model's gains with strength 0: what the comb filter is worth
    no-postfilter         the model without the envelope postfilter
    keep-room             the model told to keep the room: dereverb 0
    gentle, asr           the presets
    oracle-gains          gains computed from the clean signal, no comb, no postfilter
    oracle-no-postfilter  gains and strengths computed from the clean signal, no postfilter
    oracle                gains and strengths computed from the clean signal: the bound of any network

--enhanced adds a system by its outputs, files named as those of PAIRS_DIR (bench/peers.py --enhance makes them).
"""

import argparse
import csv
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import machine
import numpy as np
import numpy.typing as npt
import soundfile

import percepnet
from percepnet import _core, metrics
from percepnet.controls import Preset

Array: TypeAlias = npt.NDArray[np.float32]
Row: TypeAlias = dict[str, str]
Result: TypeAlias = dict[str, Any]  # file, system and its scores, and the row of pairs.csv


@dataclass(frozen=True)
class System:
    """Where gains and strengths come from: the network, the clean signal, or nowhere (strength 0)."""

    gains: Literal["network", "oracle", "ratio"] = "network"
    strengths: Literal["network", "oracle", "none"] = "network"
    post_filter: bool | None = None
    dereverb: float | None = None
    preset: Preset = "default"


SYSTEMS: dict[str, System | None] = {
    "noisy": None,
    "percepnet": System(),
    "no-comb": System(strengths="none"),
    "no-postfilter": System(post_filter=False),
    "keep-room": System(dereverb=0.0),
    "gentle": System(preset="gentle"),
    "asr": System(preset="asr"),
    "oracle-gains": System("ratio", "none", post_filter=False),
    "oracle-no-postfilter": System("oracle", "oracle", post_filter=False),
    "oracle": System("oracle", "oracle"),
}
DEFAULT_SYSTEMS = "noisy,percepnet,no-comb,no-postfilter,oracle"
COLUMNS = {"pesq": (1, 3), "stoi": (100, 1), "estoi": (100, 1), "si_sdr": (1, 1), "lsd": (1, 1)}
OPINION_COLUMNS = {"sig": (1, 2), "bak": (1, 2), "ovrl": (1, 2)}  # factor and digits
TITLES = {"pesq": "PESQ-WB", "stoi": "STOI %", "estoi": "ESTOI %", "si_sdr": "SI-SDR dB", "lsd": "LSD dB"}
LOST_DB = -20.0  # SI-SDR
CELL = ("pesq", "stoi", "si_sdr", "ovrl")  # of the tables by SNR, noise and kind


# ---- systems ---------------------------------------------------------------------------------------------------------


class Oracle:
    """Gains and strengths (frames, BANDS) of one pair, for every frame that enhancing it takes."""

    def __init__(self, noisy: Array, clean: Array, model: percepnet.Model) -> None:
        n_hops = -(-noisy.size // _core.HOP) + 2 * model.lookahead + 1  # flush feeds lookahead + 1 hops of silence
        padding = (0, n_hops * _core.HOP - noisy.size)
        analysis = _core.analyze(np.pad(noisy, padding), np.pad(clean, padding), model.lookahead, tracker=model.handle)
        if analysis.gains is None or analysis.strengths is None or analysis.statistics is None:
            raise TypeError("an analysis with a clean twin has oracles")
        noisy_energy = analysis.statistics[:, _core.STATISTICS.index("E_Y")]
        clean_energy = analysis.statistics[:, _core.STATISTICS.index("E_X")]
        ratio = np.sqrt(np.clip(clean_energy / np.maximum(noisy_energy, 1e-30), 0, 1))
        # -1: no answer, because both signals are silent there or there is no pitch
        self.values = {
            "ratio": ratio,
            "oracle": np.where(analysis.gains < 0, ratio, analysis.gains),
            "strengths": np.maximum(analysis.strengths, 0),
            "none": np.zeros_like(ratio),
        }

    def gains(self, system: System) -> Array | None:
        """What to impose, None for the network's own."""
        return self.values.get(system.gains)

    def strengths(self, system: System) -> Array | None:
        """Likewise."""
        return self.values.get("strengths" if system.strengths == "oracle" else system.strengths)


def enhance(noisy: Array, system: System, model: percepnet.Model, oracle: Oracle) -> Array:
    """(samples,) at 48 kHz -> the same, aligned."""
    settings = {"post_filter": system.post_filter, "dereverb": system.dereverb, "preset": system.preset}
    with percepnet.Enhancer(model=model, **settings) as enhancer:
        gains, strengths = oracle.gains(system), oracle.strengths(system)
        first, _ = enhancer.process_frames(noisy, gains=gains, strengths=strengths)
        last, _ = enhancer.flush_frames(gains=gains, strengths=strengths)
    return np.concatenate([first, last])


def score_pair(
    folder: Path, row: Row, names: list[str], model: str, with_dnsmos: bool, others: dict[str, Path]
) -> list[Result]:
    """Scores of one pair under every system, and of the outputs in the folders of others."""
    clean, noisy = (read(folder / kind / row["file"]) for kind in ("clean", "noisy"))
    outputs = {"noisy": noisy}
    if any(SYSTEMS[name] for name in names):
        loaded = percepnet.load_model(model)
        oracle = Oracle(noisy, clean, loaded)
        outputs |= {name: enhance(noisy, system, loaded, oracle) for name in names if (system := SYSTEMS[name])}
    outputs |= {name: read(directory / row["file"]) for name, directory in others.items()}
    scores = {name: metrics.score(clean, outputs[name], _core.SAMPLE_RATE, with_dnsmos) for name in [*names, *others]}
    return [{**row, "system": name, **scores[name]} for name in scores]


def read(path: Path) -> Array:
    """(samples,) of a mono file at 48 kHz."""
    samples, sample_rate = soundfile.read(path, dtype="float32")
    if sample_rate != _core.SAMPLE_RATE or samples.ndim != 1:
        raise ValueError(f"{path}: expected mono at {_core.SAMPLE_RATE} Hz")
    result: Array = samples
    return result


# ---- the run ---------------------------------------------------------------------------------------------------------


def score_all(arguments: argparse.Namespace, rows: list[Row], names: list[str]) -> list[Result]:
    """Every pair under every system, in the order of pairs.csv."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the workers' own; each starts a fresh interpreter
    others = dict(arguments.enhanced)
    tasks = [(arguments.pairs, row, names, arguments.model, arguments.dnsmos, others) for row in rows]
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        done = list(progress(pool.imap(score_task, tasks), len(tasks)))
    return [result for results in done for result in results]


def score_task(task: tuple[Path, Row, list[str], str, bool, dict[str, Path]]) -> list[Result]:
    """score_pair for a pool."""
    return score_pair(*task)


def progress(items: Iterable[list[Result]], n: int) -> Iterator[list[Result]]:
    """Passes items on, and shows how many have come if a person is watching."""
    for i, item in enumerate(items, 1):
        if sys.stderr.isatty():
            filled = 40 * i // n
            sys.stderr.write(f"\r[{'#' * filled}{' ' * (40 - filled)}] {i}/{n}" + ("\n" if i == n else ""))
            sys.stderr.flush()
        yield item


# ---- tables ----------------------------------------------------------------------------------------------------------


def mean(results: list[Result], column: str) -> str:
    """The mean as text; a dash where it is infinite or there is nothing."""
    factor, digits = (COLUMNS | OPINION_COLUMNS)[column]
    values = [result[column] for result in results]
    average = factor * np.mean(values) if values else np.nan
    return f"{average:.{digits}f}" if np.isfinite(average) else "-"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def overall_table(results: list[Result], names: list[str]) -> str:
    """Every metric of the noisy group."""
    columns = [column for column in COLUMNS | OPINION_COLUMNS if column in results[0]]
    header = ["system", *(TITLES.get(column, column.upper()) for column in columns)]
    return table(header, [[name, *(mean(of_system(results, name), column) for column in columns)] for name in names])


def grouped_table(results: list[Result], names: list[str], key: Callable[[Result], str]) -> str:
    """PESQ-WB / STOI / SI-SDR / OVRL by group, groups in order of appearance."""
    groups = dict.fromkeys(key(result) for result in results)
    columns = [column for column in CELL if column in results[0]]
    rows = []
    for name in names:
        of_groups = ([result for result in of_system(results, name) if key(result) == group] for group in groups)
        rows.append([name, *(" / ".join(mean(members, column) for column in columns) for members in of_groups)])
    return table(["system", *groups], rows)


def lost_voices(results: list[Result], names: list[str]) -> str:
    """Pairs in which a system left nothing of the voice, and its PESQ-WB without them: of silence PESQ says anything."""
    lines = []
    for name in names:
        kept = [result for result in of_system(results, name) if result["si_sdr"] > LOST_DB]
        lost = len(of_system(results, name)) - len(kept)
        lines += [f"{name} lost the voice in {lost} pairs; PESQ-WB of the others {mean(kept, 'pesq')}."] if lost else []
    return "\n".join(lines)


def of_system(results: list[Result], name: str) -> list[Result]:
    """The results of one system."""
    return [result for result in results if result["system"] == name]


def report(results: list[Result], names: list[str]) -> str:
    """All tables."""
    noisy = [result for result in results if result["kind"] == "noisy"]
    others = [result for result in results if result["kind"] != "noisy"]
    n_pairs = len(of_system(noisy, names[0]))
    parts: list[str] = []
    if noisy:
        parts += [f"**{n_pairs} noisy pairs, mean**", overall_table(noisy, names), lost_voices(noisy, names)]
        parts += ["**By SNR**", grouped_table(noisy, names, lambda result: f"{result['snr_db']} dB")]
        parts += ["**By noise**", grouped_table(noisy, names, lambda result: result["noise_kind"])]
    if others:
        parts += ["**Other pairs**", grouped_table(others, names, lambda result: result["kind"])]
    return "\n\n".join(part for part in parts if part)


# ---- command ---------------------------------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, metavar="PAIRS_DIR")
    parser.add_argument("--systems", default=DEFAULT_SYSTEMS, metavar="NAME,...", help=f"default {DEFAULT_SYSTEMS}")
    parser.add_argument("--model", default="default", help="name or path of a weight file")
    parser.add_argument(
        "--enhanced", type=named_folder, action="append", default=[], metavar="NAME=DIR", help="may be repeated"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each; default 2")
    parser.add_argument("--noisy-only-first", type=int, metavar="N", help="for a quick look: the first N noisy pairs")
    parser.add_argument("--no-dnsmos", dest="dnsmos", action="store_false", help="leave out the slowest scores")
    parser.add_argument("-o", "--output", type=Path, help="JSON file: machine, model, and the scores of every pair")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.systems.split(",") if name not in SYSTEMS]
    if unknown:
        parser.error(f"no system {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    return arguments


def named_folder(text: str) -> tuple[str, Path]:
    """NAME=DIR."""
    name, _, folder = text.partition("=")
    if not Path(folder or "missing").is_dir():
        raise argparse.ArgumentTypeError(f"expected NAME=DIR with an existing folder, got {text!r}")
    return name, Path(folder)


def main() -> None:
    """Scores and prints."""
    arguments = parse()
    names = arguments.systems.split(",")
    with (arguments.pairs / "pairs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if arguments.noisy_only_first is not None:
        rows = [row for row in rows if row["kind"] == "noisy"][: arguments.noisy_only_first]
    about = {"machine": machine.describe(), "pairs": arguments.pairs.name}
    if any(SYSTEMS[name] for name in names):
        model = percepnet.load_model(arguments.model)
        about |= {"model": {"id": model.id, "sha256": model.sha256, "n_weights": model.n_weights}}
        print(f"{model}\n")
    results = score_all(arguments, rows, names)
    print(report(results, names + [name for name, _ in arguments.enhanced]))
    if arguments.output:
        arguments.output.write_text(json.dumps({**about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
