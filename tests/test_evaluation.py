"""percepnet eval: pairs found, delays removed, means and intervals right, reports whole, errors clear."""

import csv
import io
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import percepnet
import signals
from percepnet import metrics
from percepnet.cli import app
from percepnet.errors import AudioFormatError, PercepNetError
from percepnet.evaluation import Evaluation, evaluate, pictures, report, summary
from percepnet.evaluation.pairs import find_pairs
from percepnet.evaluation.scores import choose_metrics
from percepnet.evaluation.signals import align, find_delay
from signals import Array

FAST = ("si_sdr", "damage")
SOURCE = str(Path(percepnet.__file__).parents[1])


def write(path: Path, samples: Array, sample_rate: int = signals.RATE) -> Path:
    """(samples,) or (channels, samples) as float."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(samples).T, sample_rate, subtype="FLOAT", format="WAV")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """clean, noisy and enhanced (half of the noise) of three recordings of 1 s at -5, 5 and 5 dB."""
    for i, snr_db in enumerate((-5, 5, 5)):
        clean = signals.speech_like(1.0, seed=i)
        noisy = signals.at_snr(clean, signals.noise(1.0, seed=10 + i), snr_db)
        name = f"talk{i}_snr{snr_db:+03d}.wav"
        write(tmp_path / "clean" / name, clean)
        write(tmp_path / "noisy" / name, noisy)
        write(tmp_path / "enhanced" / name, (clean + noisy) / 2)
    return tmp_path


def run(folder: Path, **options: Any) -> Evaluation:
    """Of the three folders, with fast metrics."""
    return evaluate(folder / "noisy", folder / "clean", folder / "enhanced", **{"metrics": FAST, **options})


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["eval", *map(str, arguments)])


def three_folders(folder: Path) -> list[object]:
    return [part for kind in ("noisy", "clean", "enhanced") for part in (f"--{kind}", folder / kind)]


FAST_OPTIONS = ("--metrics", ",".join(FAST), "-j", "1")


# ---- scores ----------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_the_metrics(folder: Path) -> None:
    evaluation = run(folder)

    for result in evaluation.scored:
        clean, enhanced = (soundfile.read(folder / kind / result.pair.name)[0] for kind in ("clean", "enhanced"))
        at_16_khz = [metrics.resample(x, signals.RATE, 16000) for x in (clean, enhanced)]
        damage = metrics.speech_damage(clean, enhanced, signals.RATE)
        assert result.enhanced.values == pytest.approx({"si_sdr": metrics.si_sdr(*at_16_khz), "damage": damage.lost}, rel=1e-5)
        assert result.enhanced.worst == [tuple(moment) for moment in damage.worst]


def test_all_metrics_equal_score(folder: Path) -> None:
    evaluation = evaluate(folder / "noisy", folder / "clean", folder / "enhanced", where={"snr_db": "-5"})

    clean, enhanced = (soundfile.read(folder / kind / "talk0_snr-05.wav")[0] for kind in ("clean", "enhanced"))
    expected = metrics.score(clean, enhanced, signals.RATE)
    values = evaluation.scored[0].enhanced.values
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert values.keys() - expected.keys() == {"damage"}


def test_several_processes_give_the_same(folder: Path) -> None:
    one, two = (run(folder, jobs=jobs, gallery=1) for jobs in (1, 2))

    assert [result.as_dict() for result in one.results] == [result.as_dict() for result in two.results]
    assert [e.spectrograms for e in one.exhibits] == [e.spectrograms for e in two.exhibits]  # sounds have random serial numbers


def test_without_enhanced_files_the_model_enhances(folder: Path, model_paths: list[Path]) -> None:
    by_model = evaluate(
        folder / "noisy",
        folder / "clean",
        model=model_paths[2],
        preset="gentle",
        attenuation_limit_db=6,
        dereverb=0,
        metrics=FAST,
    )

    for path in (folder / "noisy").iterdir():
        samples, sample_rate = soundfile.read(path, dtype="float32")
        controls = {"attenuation_limit_db": 6, "dereverb": 0, "post_filter": False}
        enhanced = percepnet.enhance(samples, sample_rate, model=model_paths[2], **controls)
        write(folder / "other" / path.name, enhanced)
    by_files = evaluate(folder / "noisy", folder / "clean", folder / "other", metrics=FAST)
    assert [result.row for result in by_model.scored] == [result.row for result in by_files.scored]
    assert (by_model.system, by_files.system) == ("lookahead2", "other")
    assert by_model.model is not None
    assert by_model.model | controls == by_model.model


def test_without_clean_files_opinion_only(folder: Path) -> None:
    evaluation = evaluate(folder / "noisy", enhanced=folder / "enhanced", where={"snr_db": "-5"})

    assert evaluation.metrics == ["sig", "bak", "ovrl"]
    enhanced, sample_rate = soundfile.read(folder / "enhanced" / "talk0_snr-05.wav")
    expected = metrics.dnsmos(enhanced, sample_rate)._asdict()
    assert evaluation.scored[0].enhanced.values == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 96000])
def test_any_rate_and_stereo(tmp_path: Path, model_paths: list[Path], sample_rate: int) -> None:
    clean = np.stack([metrics.resample(signals.speech_like(1.0, seed), signals.RATE, sample_rate) for seed in (1, 2)])
    write(tmp_path / "clean" / "a.wav", clean, sample_rate)
    write(tmp_path / "noisy" / "a.wav", clean + 0.01 * np.random.default_rng(1).standard_normal(clean.shape), sample_rate)

    evaluation = evaluate(tmp_path / "noisy", tmp_path / "clean", model=model_paths[2], metrics=FAST, gallery=1)

    result = evaluation.scored[0]
    assert (result.sample_rate, result.channels) == (sample_rate, 2)
    assert None not in result.enhanced.values.values()
    assert len(evaluation.exhibits) == 1


def test_channels_are_scored_one_by_one(tmp_path: Path) -> None:
    clean = np.stack([signals.speech_like(1.0, seed) for seed in (1, 2)])
    noisy = clean + 0.01 * np.random.default_rng(1).standard_normal(clean.shape)
    for kind, samples in (("clean", clean), ("noisy", noisy), ("enhanced", noisy * [[0.5], [1.0]])):
        write(tmp_path / kind / "a.wav", samples)

    evaluation = run(tmp_path)

    expected = [metrics.speech_damage(x, y, signals.RATE).lost for x, y in zip(clean, noisy * [[0.5], [1.0]], strict=True)]
    assert evaluation.scored[0].enhanced.values["damage"] == pytest.approx(np.mean(expected), rel=1e-4)


def test_undefined_score_is_no_score(folder: Path) -> None:
    write(folder / "enhanced" / "talk0_snr-05.wav", np.zeros(signals.RATE))

    evaluation = run(folder, metrics=("pesq", "stoi", "damage"))

    silent = evaluation.scored[0]
    assert silent.enhanced.values["pesq"] is None
    assert silent.enhanced.values["damage"] == pytest.approx(1)
    assert "PESQ-WB is not defined" in " ".join(silent.notes)
    assert evaluation.overall["pesq"]["change"].n == 2


def test_infinite_score_is_not_in_the_mean(folder: Path) -> None:
    write(folder / "enhanced" / "talk0_snr-05.wav", soundfile.read(folder / "clean" / "talk0_snr-05.wav")[0])

    evaluation = run(folder)

    assert evaluation.scored[0].enhanced.values["si_sdr"] == np.inf
    assert evaluation.overall["si_sdr"]["enhanced"].n == 2
    assert json.loads(report.to_json(evaluation))["files"][0]["enhanced"]["si_sdr"] is None
    assert "SI-SDR dB is infinite" in evaluation.scored[0].notes[0]


# ---- delay -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [-2400, -1, 0, 1, 777])
@pytest.mark.parametrize("snr_db", [-5, 20])
def test_planted_delay_is_found(delay: int, snr_db: float) -> None:
    clean = signals.speech_like(2.0)
    noisy = signals.at_snr(clean, signals.noise(2.0, seed=3), snr_db)

    found, resemblance = find_delay(clean, np.roll(noisy, delay), signals.RATE)

    assert found == delay
    assert resemblance == pytest.approx(np.sqrt(1 / (1 + 10 ** (-snr_db / 10))), abs=0.05)


def test_inverted_signal_is_aligned() -> None:
    clean = signals.speech_like(1.0)

    assert find_delay(clean, -np.roll(clean, 50), signals.RATE) == pytest.approx((50, 1.0), abs=0.01)


def test_delay_is_removed_and_reported(folder: Path) -> None:
    before = run(folder)
    for path in (folder / "enhanced").iterdir():
        samples, _ = soundfile.read(path)
        write(path, np.concatenate([np.zeros(960), samples]))

    after = run(folder)

    assert [result.delays for result in after.scored] == [{"noisy": 0, "enhanced": 960}] * 3
    assert [result.row for result in after.scored] == [result.row for result in before.scored]
    assert "enhanced is 960 samples (20.00 ms) behind clean" in after.scored[0].notes
    assert "cut by 960 samples (20.0 ms) to the common part" in after.scored[0].notes


def test_common_part_is_kept() -> None:
    clean = signals.speech_like(1.0).astype(np.float32)[np.newaxis]
    late = np.concatenate([np.zeros((1, 100), np.float32), clean[:, :-300]], axis=1)

    aligned = align({"clean": clean, "noisy": late}, signals.RATE)

    assert aligned.trimmed == 300
    np.testing.assert_array_equal(aligned.by_name["clean"], clean[:, :-300])
    np.testing.assert_array_equal(aligned.by_name["noisy"], clean[:, :-300])


def test_files_that_do_not_belong_together_are_told() -> None:
    unrelated = {
        name: signals.noise(2.0, seed=seed).astype(np.float32)[np.newaxis] for seed, name in enumerate(("clean", "noisy"))
    }

    aligned = align(unrelated, signals.RATE)

    assert aligned.delays == {"noisy": 0}
    assert aligned.notes == ["noisy hardly resembles clean; not aligned"]


def test_different_lengths_are_refused() -> None:
    clean = signals.speech_like(3.0).astype(np.float32)[np.newaxis]

    with pytest.raises(AudioFormatError, match=r"noisy has 1.50 s, clean has 3.00 s; more than 1 s apart"):
        align({"clean": clean, "noisy": clean[:, : clean.shape[1] // 2]}, signals.RATE)


def test_different_channels_are_refused() -> None:
    clean = signals.speech_like(1.0).astype(np.float32)[np.newaxis]

    with pytest.raises(AudioFormatError, match="noisy has 2 channels, clean has 1"):
        align({"clean": clean, "noisy": np.repeat(clean, 2, axis=0)}, signals.RATE)


def test_other_rate_of_enhanced_is_converted(folder: Path) -> None:
    path = folder / "enhanced" / "talk0_snr-05.wav"
    write(path, metrics.resample(soundfile.read(path)[0], signals.RATE, 16000), 16000)

    evaluation = run(folder)

    assert evaluation.scored[0].notes == ["enhanced has a sample rate of 16000 Hz; converted to 48000 Hz"]
    assert evaluation.scored[0].delays["enhanced"] == 0


# ---- means -----------------------------------------------------------------------------------------------------------


def test_interval_is_that_of_students_t() -> None:
    """scipy.stats is the witness."""
    from scipy import stats

    values = [1.0, 2.5, 2.0, 4.0, 3.5]

    mean = summary.mean_of(values)

    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (mean.mean, mean.low, mean.high, mean.n) == pytest.approx((2.6, low, high, 5))


@pytest.mark.parametrize(
    ("values", "mean", "n"), [([], None, 0), ([None, float("inf")], None, 0), ([3.0, None], 3.0, 1), ([1.0, 1.0], 1.0, 2)]
)
def test_mean_leaves_out_what_is_not_finite(values: list[float | None], mean: float | None, n: int) -> None:
    result = summary.mean_of(values)

    assert (result.mean, result.n) == (mean, n)


def test_change_is_paired() -> None:
    """Two files far apart, each better by exactly 0.1: the interval of the change is a point."""
    rows = [{"noisy": {"pesq": value}, "enhanced": {"pesq": value + 0.1}} for value in (1.0, 4.0)]

    change = summary.summarise(rows, ["pesq"])["pesq"]["change"]

    assert (change.low, change.mean, change.high) == pytest.approx((0.1, 0.1, 0.1))


def test_means_are_over_the_same_files() -> None:
    """SI-SDR of noisy that is clean is infinite: that file counts on neither side."""
    rows: list[summary.Row] = [
        {"noisy": {"si_sdr": before}, "enhanced": {"si_sdr": after}}
        for before, after in ((np.inf, 30.0), (5.0, 9.0), (3.0, None))
    ]

    table = summary.summarise(rows, ["si_sdr"])["si_sdr"]

    assert {system: (mean.mean, mean.n) for system, mean in table.items()} == {
        "noisy": (5.0, 1),
        "enhanced": (9.0, 1),
        "change": (4.0, 1),
    }


def test_means_by_snr_come_in_order(folder: Path) -> None:
    evaluation = run(folder)

    tables = evaluation.by_group["snr_db"]
    assert [(snr_db, table["si_sdr"]["noisy"].n) for snr_db, table in tables.items()] == [("-5", 1), ("5", 2)]
    at_5 = [result.noisy.values["si_sdr"] for result in evaluation.scored[1:]]
    assert tables["5"]["si_sdr"]["noisy"].mean == pytest.approx(np.mean([value for value in at_5 if value is not None]))


# ---- pairs -----------------------------------------------------------------------------------------------------------


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("noisy", "partner"),
    [
        ("a.wav", "a.wav"),
        ("a.flac", "a.wav"),
        ("talk.one.wav", "talk.one.wav"),
        ("a.wav", "a.clean.wav"),
        ("a.wav", "a_DeepFilterNet3.wav"),
        ("deep/a.wav", "deep/a.wav"),
        ("speech_snr5_fileid_12.wav", "clean_fileid_12.wav"),
    ],
)
def test_partner_is_found(tmp_path: Path, noisy: str, partner: str) -> None:
    touch(tmp_path / "noisy", noisy)
    touch(tmp_path / "clean", partner, "other.wav", "b_fileid_1.wav")

    pair = find_pairs(tmp_path / "noisy", tmp_path / "clean", None, None, where={})[0]

    assert pair.clean == tmp_path / "clean" / partner


def test_two_candidates_are_none(tmp_path: Path) -> None:
    touch(tmp_path / "noisy", "a.wav", "b.wav")
    touch(tmp_path / "clean", "a_one.wav", "a_two.wav", "b.wav")

    pairs = find_pairs(tmp_path / "noisy", tmp_path / "clean", None, None, where={})

    assert [pair.error for pair in pairs] == [f"no clean file of that name in {tmp_path / 'clean'}", ""]


def test_single_files_are_a_pair(tmp_path: Path) -> None:
    touch(tmp_path, "one.wav", "two.wav")

    pairs = find_pairs(tmp_path / "one.wav", tmp_path / "two.wav", None, None, where={})

    assert [(pair.noisy.name, pair.clean and pair.clean.name) for pair in pairs] == [("one.wav", "two.wav")]


@pytest.mark.parametrize(
    ("name", "snr_db"),
    [("a_snr+05.wav", "5"), ("a_snr-5_tl-20.wav", "-5"), ("SNR_2.5dB.wav", "2.5"), ("x_snr00.wav", "0"), ("snrub.wav", None)],
)
def test_snr_is_read_from_the_name(tmp_path: Path, name: str, snr_db: str | None) -> None:
    touch(tmp_path, name)

    assert find_pairs(tmp_path, None, None, None, where={})[0].about.get("snr_db") == snr_db


def test_manifest_beside_the_folder_is_read(tmp_path: Path) -> None:
    touch(tmp_path / "noisy", "a_snr+05.wav", "b.wav")
    (tmp_path / "pairs.csv").write_text("file,kind,snr_db,talker\na_snr+05.wav,reverb,10.0,\nb.wav,noisy,-5,Ada\n")

    pairs = find_pairs(tmp_path / "noisy", None, None, None, where={})

    assert [pair.about for pair in pairs] == [
        {"kind": "reverb", "snr_db": "10"},
        {"kind": "noisy", "snr_db": "-5", "talker": "Ada"},
    ]
    assert [pair.name for pair in find_pairs(tmp_path / "noisy", None, None, None, where={"kind": "noisy"})] == ["b.wav"]


@pytest.mark.parametrize(
    ("manifest", "message"), [("missing.csv", "cannot read manifest"), ("wrong.csv", "no column file or noisy")]
)
def test_unusable_manifest_is_refused(tmp_path: Path, manifest: str, message: str) -> None:
    touch(tmp_path / "noisy", "a.wav")
    (tmp_path / "wrong.csv").write_text("name,snr\na,5\n")

    with pytest.raises(PercepNetError, match=message):
        find_pairs(tmp_path / "noisy", None, None, tmp_path / manifest, where={})


# ---- reports ---------------------------------------------------------------------------------------------------------


def test_json_holds_everything(folder: Path) -> None:
    facts = json.loads(report.to_json(run(folder)))

    assert facts["summary"].keys() == {"all", "snr_db"}
    assert facts["summary"]["all"]["damage"].keys() == {"noisy", "enhanced", "change"}
    first = facts["files"][0]
    assert (first["file"], first["about"], first["delay_samples"]) == (
        "talk0_snr-05.wav",
        {"snr_db": "-5"},
        {"noisy": 0, "enhanced": 0},
    )
    assert len(first["damage_by_band"]) == 34
    assert first["worst_moments"][0].keys() == {"start_s", "end_s", "lost"}
    assert facts["packages"].keys() == {"scipy"}


def test_csv_has_a_row_for_each_file(folder: Path) -> None:
    evaluation = run(folder)

    rows = list(csv.DictReader(io.StringIO(report.to_csv(evaluation))))

    assert [row["file"] for row in rows] == [result.pair.name for result in evaluation.scored]
    assert len(set(rows[0])) == len(report.to_csv(evaluation).splitlines()[0].split(","))
    assert [float(row["enhanced_damage"]) for row in rows] == pytest.approx(
        [result.enhanced.values["damage"] for result in evaluation.scored], abs=1e-6
    )


def test_page_asks_nothing_of_the_network(folder: Path) -> None:
    page = report.render(run(folder, gallery=2))

    outside = re.findall(r"""(?:src|href|url|@import|fetch)\s*[=(]?\s*["'(](?!data:|#)[^"')]*""", page)
    assert outside == []
    assert "http" not in page.replace("data:", "")


def test_page_shows_the_worst_first(folder: Path) -> None:
    clean = soundfile.read(folder / "clean" / "talk1_snr+05.wav")[0]
    write(folder / "enhanced" / "talk1_snr+05.wav", 0.1 * clean)

    evaluation = run(folder, gallery=2)

    page = report.render(evaluation)
    assert evaluation.exhibits[0].scores.pair.name == "talk1_snr+05.wav"
    assert evaluation.exhibits[0].complaint == "most speech lost: 99.0 %"
    assert page.count('<article class="exhibit"') == 2
    assert page.count("data:audio/ogg;base64,") == page.count("<img") == 6


def test_names_cannot_break_the_page(folder: Path) -> None:
    for kind in ("clean", "noisy", "enhanced"):
        (folder / kind / "talk0_snr-05.wav").rename(folder / kind / "<b>&_snr-05.wav")

    page = report.render(run(folder, gallery=3, system="<script>alert(1)</script>"))

    assert "<b>&_" not in page
    assert page.count("<script>") == 1


def test_sound_of_the_page_is_the_sound() -> None:
    import base64

    samples = signals.speech_like(2.0).astype(np.float32)

    uri = pictures.sound(samples[np.newaxis], signals.RATE)

    decoded, sample_rate = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert sample_rate == signals.RATE
    assert find_delay(samples, decoded, signals.RATE)[0] == 0
    assert metrics.si_sdr(samples, decoded[: samples.size]) > 5
    assert len(uri) < 40_000


def test_spectrogram_of_a_tone_is_a_line() -> None:
    """Decoded by hand: row by row of palette indices, brightest where the ERB scale has 4 kHz."""
    import base64

    tone = signals.tone(4000, 1.0).astype(np.float32)

    uri = pictures.spectrograms({"tone": tone}, signals.RATE)["tone"]

    data = base64.b64decode(uri.partition(",")[2])
    start = data.index(b"IDAT") + 4
    pixels = np.frombuffer(zlib.decompressobj().decompress(data[start:]), np.uint8).reshape(pictures.ROWS, -1)[::-1, 1:]
    expected_row = float(pictures.erb_share(4000, 24000)) * pictures.ROWS
    assert pixels[:, 100:-100].argmax(axis=0) == pytest.approx(np.full(pictures.COLUMNS - 200, expected_row), abs=1.5)


# ---- the command -----------------------------------------------------------------------------------------------------


def test_command_prints_tables(folder: Path) -> None:
    result = command(*three_folders(folder), *FAST_OPTIONS)

    assert result.exit_code == 0
    assert "3 files, 0.1 minutes" in result.stdout
    assert "SI-SDR dB" in result.stdout
    assert "by snr_db" in result.stdout


def test_command_prints_json_alone(folder: Path) -> None:
    result = command(*three_folders(folder), *FAST_OPTIONS, "--json", "--name", "mine")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["system"] == "mine"


def test_folder_gets_three_reports(folder: Path) -> None:
    result = command(*three_folders(folder), *FAST_OPTIONS, "-o", folder / "report")

    assert result.exit_code == 0
    assert sorted(path.name for path in (folder / "report").iterdir()) == sorted(report.FILES)


@pytest.mark.parametrize("suffix", [".html", ".json", ".csv"])
def test_suffix_chooses_the_report(folder: Path, suffix: str) -> None:
    result = command(*three_folders(folder), *FAST_OPTIONS, "-o", folder / f"scores{suffix}", "--gallery", "0")

    expected = {".html": "<!doctype html>", ".json": "{", ".csv": "file,"}[suffix]
    assert result.exit_code == 0
    assert (folder / f"scores{suffix}").read_text().startswith(expected)


def test_file_that_fails_is_told_and_the_others_are_scored(folder: Path) -> None:
    (folder / "enhanced" / "talk0_snr-05.wav").unlink()
    (folder / "enhanced" / "talk1_snr+05.wav").write_text("no audio")

    result = command(*three_folders(folder), *FAST_OPTIONS, "--json")

    facts = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [file["file"] for file in facts["files"]] == ["talk2_snr+05.wav"]
    assert [file["file"] for file in facts["failed"]] == ["talk0_snr-05.wav", "talk1_snr+05.wav"]
    assert "talk0_snr-05.wav: no enhanced file of that name" in result.stderr
    assert "not an audio file that can be read" in result.stderr


def test_killed_process_ends_the_evaluation(folder: Path) -> None:
    def kill_one(_: str, done: int, __: int) -> None:
        if done == 1:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    for i in range(3, 12):
        for kind in ("clean", "noisy", "enhanced"):
            shutil.copy(folder / kind / "talk1_snr+05.wav", folder / kind / f"talk{i}.wav")
    with pytest.raises(PercepNetError, match="ended early"):
        run(folder, jobs=2, progress=kill_one)


def test_report_of_names_that_are_not_utf8_is_whole(folder: Path) -> None:
    for kind in ("clean", "noisy", "enhanced"):
        (folder / kind / "talk1_snr+05.wav").rename(os.fsdecode(os.fsencode(folder / kind) + b"/\xff.wav"))
    evaluation = run(folder)

    for path in report.write(evaluation, folder / "out"):
        assert "\\udcff.wav" in path.read_text(encoding="utf-8")


def test_evaluation_of_nothing_that_can_be_scored_is_2(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no audio")

    result = command("--noisy", tmp_path, "--metrics", "damage", "--clean", tmp_path)

    assert (result.exit_code, result.stdout, "not an audio file" in result.stderr) == (2, "", True)


def test_different_rates_of_noisy_and_clean_fail(folder: Path) -> None:
    path = folder / "clean" / "talk0_snr-05.wav"
    write(path, soundfile.read(path)[0], 44100)

    result = command(*three_folders(folder), *FAST_OPTIONS)

    assert result.exit_code == 1
    assert "noisy has a sample rate of 48000 Hz, clean of 44100 Hz; convert one of them" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noisy", "missing"], "no such folder: missing"),
        (["--noisy", "."], "no audio files"),
        (["--noisy", "noisy", "--clean", "."], "none of 3 files can be scored"),
        (["--noisy", "noisy", "--metrics", "pesq"], "pesq: not without clean files"),
        (["--noisy", "noisy", "--metrics", "psnr"], "no metric psnr"),
        (["--noisy", "noisy", "--enhanced", "enhanced", "-a", "12"], "--enhanced brings its own output"),
        (["--noisy", "noisy", "--enhanced", "enhanced", "-o", "report.pdf"], "report.pdf: expected .html"),
        (["--noisy", "noisy", "--enhanced", "enhanced", "--where", "kind"], "expected COLUMN=VALUE"),
        (["--noisy", "noisy", "--enhanced", "enhanced", "--where", "kind=x"], "no file has kind=x"),
        (["--noisy", "noisy", "-m", "missing.pnw"], "no weight file 'missing.pnw'"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(folder / "noisy" if arguments == ["--noisy", "."] else folder)
    (folder / "empty").mkdir()
    if arguments[-1] == "." or arguments == ["--noisy", "."]:
        arguments = [*arguments[:-1], str(folder / "empty")]

    result = command(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_missing_extra_is_named(folder: Path) -> None:
    """As on an installation without the extra: the finder does not find what the scores need."""
    code = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name in ('pesq', 'scipy') else found(name, *a)\n"
        "from percepnet.cli import app\n"
        f"app(['eval', '--noisy', {str(folder / 'noisy')!r}, '--clean', {str(folder / 'clean')!r}])\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert 'pesq, scipy not installed; scores need: pip install "percepnet[eval]"' in result.stderr


@pytest.mark.parametrize(
    ("names", "chosen"),
    [(["dnsmos", "pesq"], ["pesq", "sig", "bak", "ovrl"]), (["si-sdr"], ["si_sdr"]), (["sisdr"], ["si_sdr"])],
)
def test_metrics_are_chosen_by_name(names: list[str], chosen: list[str]) -> None:
    assert choose_metrics(names, with_clean=True) == chosen
