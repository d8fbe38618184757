"""What the method could reach with a perfect network, and what its parts are worth: PESQ-WB of oracle stages by SNR.

    python bench/oracle.py PAIRS_DIR [--model NAME_OR_PATH] [--jobs N] [-o results.json]

PAIRS_DIR is what make_pairs.py wrote: pairs.csv, clean/ and noisy/; its noisy pairs are scored. The model gives only its
look-ahead and its pitch tracker. Stages are those of `percepnet stages`; then come variants of oracle_comb that tell why it
gains or loses:

    comb_clean_pitch     the pitch tracked on the clean signal: the difference is what the tracker costs
    comb_half            half the strengths
    comb_no_attenuation  without the extra attenuation of bands that the comb cannot clean (SPEC 2.5)
    comb_no_rescale      without restoring the energy that the comb takes from a band (SPEC 4, step 4)
    comb_guard           with the guard against half a period, which imposed strengths escape and the network's do not
"""

import argparse
import csv
import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import machine
import numpy as np
import numpy.typing as npt
import soundfile

import percepnet
from percepnet import _core, metrics
from percepnet.walkthrough import Oracle, oracle_bins

Array: TypeAlias = npt.NDArray[np.float32]
Result: TypeAlias = dict[str, Any]  # file, snr_db, noise_kind and a score for each of SYSTEMS

STAGES = ["noisy", "oracle_bins", "oracle_bands", "oracle_comb", "oracle_postfilter", "comb_clean_pitch"]
VARIANTS = ["comb_half", "comb_no_attenuation", "comb_no_rescale", "comb_guard"]
# A comb that keeps little of the energy in half of the low bands speaks for half a period (SPEC 11); as gains.cpp has it.
LOW_BANDS, WRONG_PERIOD_AMPLITUDE, WRONG_PERIOD_STRENGTH = 14, 0.35, 0.5


# ---- systems ---------------------------------------------------------------------------------------------------------


def systems(noisy: Array, clean: Array, model: percepnet.Model) -> dict[str, Array]:
    """Every stage and variant of one pair."""
    lookahead = model.lookahead
    oracle, guided = Oracle(noisy, clean, model), Oracle(noisy, clean, model, pitch_source=clean)
    half = 0.5 * oracle.strengths
    return {
        "noisy": noisy,
        "oracle_bins": oracle_bins(noisy, clean),
        "oracle_bands": enhance(noisy, model, oracle.ratio, 0 * oracle.strengths),
        "oracle_comb": enhance(noisy, model, oracle.gains, oracle.strengths),
        "oracle_postfilter": enhance(noisy, model, oracle.gains, oracle.strengths, post_filter=True),
        "comb_clean_pitch": assemble(noisy, guided, lookahead),
        "comb_half": enhance(noisy, model, oracle.gains, half),
        "comb_no_attenuation": enhance(noisy, model, oracle.ratio, oracle.strengths),
        "comb_no_rescale": assemble(noisy, oracle, lookahead, rescale=False),
        "comb_guard": enhance(noisy, model, oracle.gains, guarded(oracle)),
    }


def enhance(noisy: Array, model: percepnet.Model, gains: Array, strengths: Array, post_filter: bool = False) -> Array:
    """The enhancer with imposed values."""
    with percepnet.Enhancer(model=model, post_filter=post_filter) as enhancer:
        first, _ = enhancer.process_frames(noisy, gains=gains, strengths=strengths)
        last, _ = enhancer.flush_frames(gains=gains, strengths=strengths)
    return np.concatenate([first, last])


def assemble(noisy: Array, oracle: Oracle, lookahead: int, rescale: bool = True) -> Array:
    """Comb, mix and gains with the period of `oracle`, from the core's single stages.

    With the period of the noisy signal and re-scaling this is the enhancer; the report says how far the two differ.
    """
    n = len(oracle.gains)
    signal = _core.stage_dc_blocker(np.pad(noisy, (0, (n + lookahead) * _core.HOP - noisy.size)))
    signal = np.pad(signal, (_core.HOP, 0))
    spectra = np.empty((n, _core.BINS), np.complex64)
    for t, strengths in enumerate(oracle.strengths):
        start = t * _core.HOP
        spectrum = _core.stage_analysis(signal[start : start + _core.WINDOW])
        combed, _, _ = _core.stage_comb(signal, start, oracle.analysis.period[t], lookahead * _core.HOP)
        comb = _core.stage_analysis(combed)
        if rescale:
            spectra[t] = _core.stage_gains(spectrum, comb, oracle.gains[t], strengths)
        else:
            mix = _core.stage_band_interpolate(strengths)
            spectra[t] = (spectrum + mix * (comb - spectrum)) * _core.stage_band_interpolate(oracle.gains[t])
    return _core.stage_synthesis(spectra)[_core.HOP : _core.HOP + noisy.size]


def guarded(oracle: Oracle) -> Array:
    """Strengths (frames, BANDS) as the guard leaves them."""
    statistics = oracle.analysis.statistics
    if statistics is None:
        raise TypeError("an oracle has statistics")
    noisy_energy, comb_energy = (statistics[:, _core.STATISTICS.index(name), :LOW_BANDS] for name in ("E_Y", "E_P^"))
    emptied = (comb_energy < WRONG_PERIOD_AMPLITUDE**2 * noisy_energy).sum(axis=1)
    most = np.where(2 * emptied >= LOW_BANDS, WRONG_PERIOD_STRENGTH, 1).astype(np.float32)
    return np.minimum(oracle.strengths, most[:, np.newaxis])


def score_pair(task: tuple[Path, dict[str, str], str]) -> Result:
    """PESQ-WB of one pair under every system, and how far assemble() is from the enhancer."""
    folder, row, name = task
    clean, noisy = (soundfile.read(folder / kind / row["file"], dtype="float32")[0] for kind in ("clean", "noisy"))
    model = percepnet.load_model(name)
    outputs = systems(noisy, clean, model)
    twin = assemble(noisy, Oracle(noisy, clean, model), model.lookahead)
    scores = {name: metrics.pesq_wb(clean, samples, _core.SAMPLE_RATE) for name, samples in outputs.items()}
    difference = float(np.abs(twin - outputs["oracle_comb"]).max())
    return {"file": row["file"], "snr_db": row["snr_db"], "noise_kind": row["noise_kind"], "difference": difference, **scores}


# ---- tables ----------------------------------------------------------------------------------------------------------


def report(results: list[Result]) -> str:
    """Tables by SNR and by noise, and every file that the comb filter makes worse."""
    everything = STAGES + VARIANTS
    worse = [r for r in results if r["oracle_comb"] < r["oracle_bands"]]
    lines = [[r["file"].removesuffix(".wav"), r["noise_kind"], *(f"{r[name]:.2f}" for name in everything)] for r in worse]
    parts = [
        f"**PESQ-WB of {len(results)} pairs, by SNR in dB**",
        table(["", *groups(results, "snr_db"), "all"], [means(results, "snr_db", name) for name in everything]),
        "**By noise**",
        table(["", *groups(results, "noise_kind"), "all"], [means(results, "noise_kind", name) for name in everything]),
        f"**Pairs that the comb filter lowers: {len(worse)}**",
        table(["", "noise", *everything], lines),
        f"Assembled from single stages and enhanced as a stream differ by {max(r['difference'] for r in results):.1e} at most.",
    ]
    return "\n\n".join(parts)


def groups(results: list[Result], key: str) -> list[str]:
    """Values of a column, in order of appearance."""
    return list(dict.fromkeys(r[key] for r in results))


def means(results: list[Result], key: str, name: str) -> list[str]:
    """A row: name, mean of each group, mean of all."""
    columns = [[r[name] for r in results if r[key] == group] for group in groups(results, key)]
    return [name, *(f"{np.mean(column):.3f}" for column in [*columns, [r[name] for r in results]])]


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *rows])


# ---- command ---------------------------------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, metavar="PAIRS_DIR")
    parser.add_argument("--model", default="default", help="name or path of a weight file")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each; default 2")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="for a quick look: every Nth pair")
    parser.add_argument("-o", "--output", type=Path, help="JSON file: machine, and the scores of every pair")
    return parser.parse_args()


def in_order(arguments: argparse.Namespace, score: Callable[[tuple[Path, dict[str, str], str]], Result]) -> list[Result]:
    """The scores of all noisy pairs, in the order of pairs.csv."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the workers' own; each starts a fresh interpreter
    with (arguments.pairs / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "noisy"][:: arguments.every]
    results = []
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        for result in pool.imap(score, [(arguments.pairs, row, arguments.model) for row in rows]):
            results.append(result)
            print(f"\r{len(results)}/{len(rows)}", end="\n" if len(results) == len(rows) else "", file=sys.stderr, flush=True)
    return results


def main() -> None:
    """Scores and prints."""
    arguments = parse()
    results = in_order(arguments, score_pair)
    print(f"{machine.line()}\n\n{report(results)}")
    if arguments.output:
        about = {"machine": machine.describe(), "pairs": arguments.pairs.name}
        arguments.output.write_text(json.dumps({**about, "results": results}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
