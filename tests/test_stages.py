"""Every stage of a recording: stages() and `percepnet stages`, without the page."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from typer.testing import CliRunner

import percepnet
import signals
from percepnet import _core, metrics
from percepnet.cli import app
from percepnet.walkthrough import oracle_bins

Array = npt.NDArray[np.float32]

WITH_CLEAN = ["noisy", "oracle_bins", "oracle_bands", "oracle_comb", "oracle_postfilter", "enhanced", "removed", "clean"]
WITHOUT_CLEAN = ["noisy", "model_bands", "model_comb", "enhanced", "removed"]


def pair(duration_s: float = 1.5, snr_db: float = 5.0) -> tuple[Array, Array]:
    """A gliding vowel, and the same in pink noise."""
    clean = signals.at_level(signals.voiced(signals.glide(120, 180, duration_s)), -26)
    noisy = signals.at_snr(clean, signals.noise(duration_s, exponent=1.0), snr_db)
    return noisy.astype(np.float32), clean.astype(np.float32)


@pytest.fixture(scope="module")
def walk(model: percepnet.Model) -> percepnet.Stages:
    noisy, clean = pair()
    return percepnet.stages(noisy, 48000, clean, model=model, with_scores=False)


def si_sdr(walk: percepnet.Stages, stage: str) -> float:
    return metrics.si_sdr(walk.audio["clean"], walk.audio[stage])


# ---- names -----------------------------------------------------------------------------------------------------------


def test_importing_the_module_leaves_the_function_in_place() -> None:
    code = "import percepnet.walkthrough, percepnet; from percepnet.cli import stages; print(percepnet.stages.__name__)"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())

    assert result.stdout.strip() == "stages"


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(pathlib.Path(percepnet.__file__).parents[1])}


def test_stages_with_clean_come_in_the_order_of_the_argument(walk: percepnet.Stages) -> None:
    assert list(walk.audio) == WITH_CLEAN


def test_stages_without_clean(model: percepnet.Model) -> None:
    noisy, _ = pair()

    assert list(percepnet.stages(noisy, 48000, model=model, with_scores=False).audio) == WITHOUT_CLEAN


# ---- sound -----------------------------------------------------------------------------------------------------------


def test_all_stages_have_the_length_of_the_input(walk: percepnet.Stages) -> None:
    noisy, _ = pair()

    assert {samples.shape for samples in walk.audio.values()} == {noisy.shape}


def test_enhanced_is_what_enhance_gives(walk: percepnet.Stages, model: percepnet.Model) -> None:
    noisy, _ = pair()

    np.testing.assert_array_equal(walk.audio["enhanced"], percepnet.enhance(noisy, 48000, model=model))


def test_removed_and_enhanced_make_noisy(walk: percepnet.Stages) -> None:
    np.testing.assert_allclose(walk.audio["removed"] + walk.audio["enhanced"], walk.audio["noisy"], atol=1e-7)


def test_bands_are_rougher_than_bins(walk: percepnet.Stages) -> None:
    assert si_sdr(walk, "noisy") + 3 < si_sdr(walk, "oracle_bands") < si_sdr(walk, "oracle_bins")


def test_the_comb_helps_a_vowel(walk: percepnet.Stages) -> None:
    assert si_sdr(walk, "oracle_bands") + 0.5 < si_sdr(walk, "oracle_comb")


def test_model_without_comb_and_postfilter_is_one_stage(model: percepnet.Model) -> None:
    noisy, _ = pair()
    walk = percepnet.stages(noisy, 48000, model=model, with_scores=False)

    assert len({samples.tobytes() for samples in walk.audio.values()}) == len(WITHOUT_CLEAN)


def test_oracle_of_a_clean_signal_changes_only_the_offset() -> None:
    _, clean = pair()

    np.testing.assert_allclose(oracle_bins(clean, clean), _core.stage_dc_blocker(clean), atol=1e-6)


def test_oracle_bins_have_the_clean_magnitude_where_it_is_lower() -> None:
    tone, louder = (signals.tone(1000, 0.5, amplitude).astype(np.float32) for amplitude in (0.1, 0.4))

    middle = slice(4800, -4800)
    np.testing.assert_allclose(oracle_bins(louder, tone)[middle], _core.stage_dc_blocker(tone)[middle], atol=1e-4)


# ---- tracks ----------------------------------------------------------------------------------------------------------


def test_period_is_the_vowels(walk: percepnet.Stages) -> None:
    expected_hz = signals.glide(120, 180, 1.5)[:: _core.HOP]
    frames = slice(20, -20)  # where the window holds nothing but vowel

    error = walk.sample_rate / walk.period[: len(expected_hz)][frames] / expected_hz[frames] - 1
    assert np.median(np.abs(error)) < 0.01


def test_there_is_a_frame_every_hop(walk: percepnet.Stages) -> None:
    n = len(walk.audio["noisy"]) // _core.HOP + 1
    tracks = [walk.gains, walk.strengths, walk.oracle_gains, walk.oracle_strengths, walk.coherence, walk.energy]

    assert [track.shape for track in tracks if track is not None] == [(n, _core.BANDS)] * 6


def test_frames_are_centred_at_multiples_of_the_hop(model: percepnet.Model) -> None:
    click = signals.click(48000, 50 * _core.HOP, 0.5).astype(np.float32)

    assert percepnet.stages(click, 48000, model=model, with_scores=False).energy.sum(axis=1).argmax() == 50


@pytest.mark.parametrize("name", ["gains", "strengths", "oracle_gains", "oracle_strengths"])
def test_gains_and_strengths_are_between_0_and_1(walk: percepnet.Stages, name: str) -> None:
    values = getattr(walk, name)

    assert (values.min() >= 0, values.max() <= 1) == (True, True)


# ---- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 44100, 96000])
def test_other_rates_are_aligned_at_48_khz(sample_rate: int, model: percepnet.Model) -> None:
    tone = signals.tone(440, 0.5, 0.3, sample_rate).astype(np.float32)

    walk = percepnet.stages(tone, sample_rate, model=model, with_scores=False)

    middle = slice(4800, -4800)
    expected = signals.tone(440, 0.5, 0.3)[: -(-tone.size * 48000 // sample_rate)]
    assert walk.audio["noisy"].shape == expected.shape
    np.testing.assert_allclose(walk.audio["noisy"][middle], expected[middle], atol=0.009)  # half a sample is 0.0086
    assert f"{sample_rate} Hz" in walk.notes[0]


def test_stereo_shows_the_mean_and_says_so(model: percepnet.Model) -> None:
    noisy, clean = pair(0.5)

    walk = percepnet.stages(np.stack([noisy, 0 * noisy]), 48000, clean, model=model, with_scores=False)

    np.testing.assert_allclose(walk.audio["noisy"], noisy / 2)
    assert walk.notes == ["noisy has 2 channels; their mean is shown."]


def test_a_channel_can_be_chosen(model: percepnet.Model) -> None:
    noisy, _ = pair(0.5)

    walk = percepnet.stages(np.stack([0 * noisy, noisy]), 48000, model=model, channel=1, with_scores=False)

    np.testing.assert_array_equal(walk.audio["noisy"], noisy)


def test_integers_have_full_scale(model: percepnet.Model) -> None:
    noisy, _ = pair(0.3)
    integers = (noisy * 2**15).astype(np.int16)

    walk = percepnet.stages(integers, 48000, model=model, with_scores=False)

    np.testing.assert_array_equal(walk.audio["noisy"], integers.astype(np.float32) / 2**15)


def test_longer_clean_is_cut_and_said(model: percepnet.Model) -> None:
    noisy, clean = pair(0.5)

    walk = percepnet.stages(noisy, 48000, np.append(clean, np.zeros(480, np.float32)), model=model, with_scores=False)

    assert (len(walk.audio["clean"]), walk.notes) == (len(noisy), ["clean is 480 samples (10.0 ms) longer; its end was cut."])


def test_clean_of_another_recording_is_refused(model: percepnet.Model) -> None:
    noisy, clean = pair(2.5)

    with pytest.raises(percepnet.AudioFormatError, match=r"noisy is 2\.00 s longer than the other"):
        percepnet.stages(noisy, 48000, clean[:24000], model=model)


def test_invalid_samples_are_replaced_and_counted(model: percepnet.Model) -> None:
    noisy, clean = pair(0.5)
    noisy[100:103] = np.nan

    walk = percepnet.stages(noisy, 48000, clean, model=model, with_scores=False)

    assert walk.notes == ["3 samples of noisy were NaN or infinite and were replaced by 0."]
    assert all(np.isfinite(samples).all() for samples in walk.audio.values())


@pytest.mark.parametrize(
    ("samples", "sample_rate", "message"),
    [
        (np.zeros((48000, 2), np.float32), 48000, "expected noisy of"),
        (np.zeros(0, np.float32), 48000, "expected noisy of"),
        (np.zeros(480, np.uint8), 48000, "expected noisy of int16, int32 or floats, got uint8"),
        (np.zeros(480, np.float32), 4000, "expected a sample_rate of 8000 to 192000 Hz, got 4000"),
    ],
)
def test_what_cannot_be_used_is_said(samples: Any, sample_rate: int, message: str, model: percepnet.Model) -> None:
    with pytest.raises(percepnet.AudioFormatError, match=message):
        percepnet.stages(samples, sample_rate, model=model)


def test_a_single_sample_goes_through(model: percepnet.Model) -> None:
    walk = percepnet.stages(np.full(1, 0.5, np.float32), 48000, np.full(1, 0.5, np.float32), model=model, with_scores=False)

    assert {samples.shape for samples in walk.audio.values()} == {(1,)}


# ---- scores ----------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_metrics(model: percepnet.Model) -> None:
    pytest.importorskip("pesq")
    noisy, clean = pair()

    walk = percepnet.stages(noisy, 48000, clean, model=model)

    assert list(walk.scores) == [stage for stage in WITH_CLEAN if stage != "removed"]
    expected = metrics.score(walk.audio["clean"], walk.audio["oracle_comb"], 48000)
    assert walk.scores["oracle_comb"] == pytest.approx(expected)


def test_missing_extra_is_a_note(model: percepnet.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    noisy, clean = pair(0.5)

    walk = percepnet.stages(noisy, 48000, clean, model=model)

    assert walk.scores == {}
    assert 'pip install "percepnet[eval]"' in walk.notes[0]


def test_silence_has_no_scores_and_says_so(model: percepnet.Model) -> None:
    pytest.importorskip("pesq")
    noisy, _ = pair(0.5)

    walk = percepnet.stages(noisy, 48000, 0 * noisy, model=model)

    assert walk.notes == ["Not all stages have scores: clean is silent; nothing to compare with."]


# ---- command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    noisy, clean = pair(1.0)
    soundfile.write(tmp_path / "noisy.wav", noisy, 48000)
    soundfile.write(tmp_path / "clean.wav", clean, 48000)
    return tmp_path / "noisy.wav", tmp_path / "clean.wav"


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["stages", *map(str, arguments)])


def test_command_writes_the_page_beside_the_recording(
    files: tuple[pathlib.Path, pathlib.Path], model_paths: list[pathlib.Path]
) -> None:
    result = command(files[0], "--clean", files[1], "-m", model_paths[2], "--no-scores")

    assert (result.exit_code, result.stdout) == (0, "")
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["clean.wav", "noisy.stages.html", "noisy.wav"]


def test_command_shows_a_part(files: tuple[pathlib.Path, pathlib.Path], model_paths: list[pathlib.Path]) -> None:
    out = files[0].with_name("part.html")

    result = command(files[0], "-m", model_paths[2], "--no-scores", "--start", "0.25", "--duration", "0.5", "-o", out)

    assert result.exit_code == 0
    assert '"seconds":0.5,' in out.read_text(encoding="utf-8")


def test_command_reports_as_json(files: tuple[pathlib.Path, pathlib.Path], model_paths: list[pathlib.Path]) -> None:
    result = command(files[0], "-m", model_paths[2], "--no-scores", "--json")

    report = json.loads(result.stdout)
    assert (report["input"], report["notes"], report["scores"]) == (str(files[0]), [], {})


def test_clean_of_another_rate_is_an_error(files: tuple[pathlib.Path, pathlib.Path], model_paths: list[pathlib.Path]) -> None:
    soundfile.write(files[1], np.zeros(16000), 16000)

    result = command(files[0], "--clean", files[1], "-m", model_paths[2])

    assert (result.exit_code, "has 48000 Hz, but" in result.stderr, "has 16000 Hz" in result.stderr) == (1, True, True)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.wav"], 1, "cannot read"),
        (["noisy.wav", "--clean", "missing.wav"], 1, "its clean file"),
        (["noisy.wav", "-m", "no-such-model"], 4, "no weight file"),
        (["noisy.wav", "-o", "noisy.wav"], 2, "would be overwritten"),
        (["noisy.wav", "-o", "no/such/folder.html"], 1, "cannot write"),
        (["noisy.wav", "--start", "5"], 1, "has only 1.00 s"),
    ],
)
def test_command_says_what_is_wrong(
    arguments: list[str],
    code: int,
    message: str,
    files: tuple[pathlib.Path, pathlib.Path],
    model_paths: list[pathlib.Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(files[0].parent)
    chosen = [] if "-m" in arguments else ["-m", str(model_paths[2])]

    result = command(*arguments, *chosen, "--no-scores")

    assert (result.exit_code, message in result.stderr) == (code, True)
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["clean.wav", "noisy.wav"]
