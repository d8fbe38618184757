"""What the losses hear is what the core plays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import signal

import signals
from percepnet import Enhancer, _core, metrics
from percepnet.training import dataset
from percepnet.training.config import Config, DatasetConfig, LossConfig
from percepnet.training.dataset import BANDS, COLUMNS, LINES, SPECTRA, SPECTRA_LEVEL
from percepnet.training.listening import Listener, listens, si_sdr
from percepnet.training.loss import unpack
from percepnet.training.mixing import Mixture
from percepnet.training.sound import HOP, SAMPLE_RATE, Sound, enhanced, limited, play, unpack_sound

CONFIG = DatasetConfig(tracker="default", spectra=True)
Pair = tuple[torch.Tensor, Mixture]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """(1, frames, columns with spectra) of two seconds, and the mixture."""
    clean = signals.speech_like(2.0, seed=4)[:96000]
    noisy = signals.at_snr(clean, signals.noise(2.0, exponent=1.0, seed=5), 5.0)
    mixture = Mixture(noisy.astype(np.float32), clean.astype(np.float32), 24000.0, "noise", 5.0)
    return torch.from_numpy(dataset.encode(mixture, CONFIG).astype(np.float32))[None], mixture


def heard(pair: Pair) -> tuple[dataset.Floats, Sound]:
    rows, mixture = pair
    level = np.sqrt(np.mean(mixture.clean[mixture.clean != 0].astype(np.float64) ** 2)) / SPECTRA_LEVEL
    return rows, unpack_sound(rows, torch.tensor([20 * np.log10(level)], dtype=torch.float32))


def difference_db(given: np.ndarray, wanted: np.ndarray) -> float:
    n = min(given.size, wanted.size)
    return float(10 * np.log10(np.mean((given[:n] - wanted[:n]) ** 2) / np.mean(wanted[:n] ** 2)))


def resampled(samples: np.ndarray) -> np.ndarray:
    return metrics.resample(samples, signals.RATE, SAMPLE_RATE)


def test_clean_and_noisy_spectra_play_their_signals(pair: Pair) -> None:
    _, sound = heard(pair)
    for spectra, samples in ((sound.clean, pair[1].clean), (sound.noisy, pair[1].noisy)):
        played = play(spectra)[0, HOP:].numpy()  # frame 0 ends with the first hop
        wanted = resampled(_core.stage_dc_blocker(samples))[: played.size]
        whole = slice(HOP, played.size - HOP)
        assert difference_db(played[whole], wanted[whole]) < -28  # what is left lies at 8 kHz


def test_gains_and_strengths_sound_as_in_the_core(pair: Pair) -> None:
    rows, sound = heard(pair)
    n = rows.shape[1]
    rng = np.random.default_rng(1)
    gains, strengths = (rng.uniform(low, 1, (n // 10 + 1, BANDS)).repeat(10, 0)[:n].astype(np.float32) for low in (0.1, 0.0))
    targets = unpack(rows, torch.ones_like(rows[..., 0]))
    strengths = limited(torch.from_numpy(strengths)[None], targets)[0]  # what is imposed on the core, it does not limit
    with Enhancer(model="default") as enhancer:
        first, _ = enhancer.process_frames(pair[1].noisy, gains=gains, strengths=strengths.numpy())
        last, _ = enhancer.flush_frames()
    wanted = resampled(np.concatenate((first, last)))[: (n - 2) * HOP]

    spectra = enhanced(torch.from_numpy(gains)[None], strengths[None], targets, sound, LossConfig(post_filter=True))
    played = play(spectra)[0, HOP:].numpy()[: wanted.size]

    below = signal.butter(8, 6500, fs=SAMPLE_RATE, output="sos")  # the cut at 8 kHz is not the core's
    assert difference_db(signal.sosfiltfilt(below, played), signal.sosfiltfilt(below, wanted)) < -60


def test_gated_frames_are_silent(pair: Pair) -> None:
    rows = pair[0].clone()
    rows[:, :, dataset.GATED] = 1
    ones = torch.ones(1, rows.shape[1], BANDS)
    sound = unpack_sound(rows, torch.zeros(1))
    assert not enhanced(ones, ones, unpack(rows, torch.ones_like(rows[..., 0])), sound, LossConfig()).abs().any()


def test_spectra_follow_columns_and_cues_at_a_fixed_level(pair: Pair) -> None:
    rows, mixture = pair
    plain = dataset.encode(mixture, replace(CONFIG, spectra=False))
    louder = replace(mixture, noisy=4 * mixture.noisy, clean=4 * mixture.clean)

    assert rows.shape[2] == COLUMNS + SPECTRA == COLUMNS + 6 * LINES
    assert np.array_equal(rows[0, :, :COLUMNS], plain.astype(np.float32))
    np.testing.assert_allclose(dataset.encode(louder, CONFIG)[:, -SPECTRA:], rows[0, :, -SPECTRA:], rtol=2e-3, atol=1e-3)


def test_spectra_stay_finite_beside_a_loud_click(pair: Pair) -> None:
    noisy = pair[1].noisy * np.float32(1e-3)
    noisy[48000] = 0.9
    mixture = replace(pair[1], noisy=noisy, clean=pair[1].clean * np.float32(1e-7))

    rows = dataset.encode(mixture, CONFIG)
    assert np.isfinite(rows).all()


def test_without_a_tracker_the_comb_rests_where_the_core_rests() -> None:
    noise = signals.noise(1.0, exponent=0.0, seed=2)[:48000].astype(np.float32)
    rows = dataset.encode(Mixture(noise, noise, 24000.0, "none", np.inf), DatasetConfig(spectra=True)).astype(np.float32)
    sound = unpack_sound(torch.from_numpy(rows)[None], torch.zeros(1))
    unvoiced = torch.from_numpy(_core.analyze(noise).correlation < 0.1)

    same = (sound.comb == sound.noisy)[0].all(-1)
    assert unvoiced.any()
    assert torch.equal(same, unvoiced)


def test_si_sdr_is_that_of_the_metrics(pair: Pair) -> None:
    clean, noisy = (samples[None, 10000:40000] for samples in (pair[1].clean, pair[1].noisy))
    given = si_sdr(torch.from_numpy(clean), torch.from_numpy(noisy))
    assert float(given[0]) == pytest.approx(metrics.si_sdr(clean[0], noisy[0]), abs=0.01)


def test_listening_moves_gains_to_better_scores(pair: Pair) -> None:
    pytest.importorskip("onnx", reason="training needs the extra `train`")
    pytest.importorskip("speechmos", reason="scores need the extra `eval`")
    rows, sound = pair[0], unpack_sound(pair[0], torch.zeros(1))
    config = LossConfig(dnsmos=0.3, pesq=0.6, si_sdr=0.03)
    listener, targets = Listener(config, torch.device("cpu")), unpack(rows, torch.ones_like(rows[..., 0]))
    logits = torch.full((2, 1, rows.shape[1], BANDS), 2.0, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.3)
    seen = []
    for _ in range(6):
        loss, scores = listener.loss(*torch.sigmoid(logits), targets, sound)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append({name: float(score.detach()) for name, score in scores.items()})

    assert set(seen[0]) == {"ovrl", "pesq", "si_sdr"}
    assert seen[-1]["si_sdr"] > seen[0]["si_sdr"] + 0.5
    assert seen[-1]["pesq"] > seen[0]["pesq"] + 0.01


def test_clips_without_speech_say_nothing(pair: Pair) -> None:
    rows = torch.cat((pair[0], pair[0]))
    sound = unpack_sound(rows, torch.zeros(2))
    silent = Sound(sound.noisy, sound.comb, sound.clean * torch.tensor([1.0, 0.0])[:, None, None], sound.awake, sound.dereverb)
    targets, ones = unpack(rows, torch.ones_like(rows[..., 0])), torch.ones(2, rows.shape[1], BANDS)
    listener = Listener(LossConfig(si_sdr=1.0), torch.device("cpu"))

    both, _ = listener.loss(ones, 0 * ones, targets, silent)
    alone, _ = listener.loss(ones, 0 * ones, targets, sound)
    assert float(both) == pytest.approx(float(alone), abs=1e-4)


def test_dnsmos_judges_clips_by_what_is_to_leave_the_room() -> None:
    sound = Sound(*(torch.ones(3, 4, LINES, dtype=torch.complex64),) * 3, torch.ones(3, 4, 1), torch.tensor([1.0, 0.0, 0.5]))
    targets = unpack(torch.zeros(3, 4, COLUMNS), torch.ones(3, 4))
    listener = Listener(LossConfig(si_sdr=1.0), torch.device("cpu"))
    listener._scores = lambda *_: {name: torch.tensor([2.0, 3.0, 5.0]) for name in ("ovrl", "si_sdr")}
    listener._weights["ovrl"] = 1.0

    _, scores = listener.loss(torch.ones(3, 4, BANDS), torch.zeros(3, 4, BANDS), targets, sound)
    assert {name: float(score) for name, score in scores.items()} == pytest.approx({"ovrl": 3.0, "si_sdr": 10 / 3})


def test_only_weights_above_zero_listen(toy: Config) -> None:
    assert not listens(toy.loss)
    assert listens(replace(toy.loss, pesq=0.1))
