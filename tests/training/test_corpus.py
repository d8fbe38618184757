"""Files, clips, bandwidth, licences, and what must not be trained on."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import signals
from percepnet.errors import ArgumentError
from percepnet.training import corpus as corpora
from percepnet.training.config import load_config
from percepnet.training.corpus import (
    Corpus,
    Source,
    build_cache,
    decode,
    find_clips,
    licence_table,
    measure_bandwidth,
    read_set_aside,
    read_sources,
    training_sources,
)
from percepnet.training.dataset import prepare_mixer

TALK = Path(__file__).parents[1] / "web" / "recording" / "clean.flac"


def to_int16(samples: np.ndarray) -> np.ndarray:
    return np.round(samples * 32768).astype(np.int16)


def test_a_folder_of_ones_own_is_a_corpus(corpus_root: Path) -> None:
    sources = {source.path: source for source in read_sources(corpus_root)}

    assert sources["speech/ada/ada.wav"].speaker == "ada"
    assert sources["noise/0.flac"].kind == "noise"


def test_a_manifest_is_read(tmp_path: Path) -> None:
    row = "train/speech/a/b.opus,speech,a,Bea,de,CC0,3.2,1\n"
    (tmp_path / "manifest.csv").write_text("path,kind,source,speaker,language,licence,seconds,nclips\n" + row)

    assert read_sources(tmp_path) == [Source("train/speech/a/b.opus", "speech", "a", "Bea", "de", "CC0")]


def test_files_set_aside_are_never_read(corpus_root: Path, cache: Path, tmp_path: Path) -> None:
    listed = tmp_path / "set_aside.txt"
    listed.write_text("speech/ada/ada.wav\nnoise/0.flac\n")
    set_aside = read_set_aside(listed)

    sources = training_sources(read_sources(corpus_root), set_aside)
    decoded = build_cache([(corpus_root, source) for source in sources], tmp_path / "cache")
    kept = Corpus(cache, set_aside)

    assert not {"speech/ada/ada.wav", "noise/0.flac"} & {r.path for r in decoded}
    assert not {"speech/ada/ada.wav", "noise/0.flac"} & {r.path for r in kept}
    assert len(decoded) == len(list(kept)) == 10


def test_rooms_and_other_splits_are_never_read(corpus_root: Path) -> None:
    paths = [source.path for source in training_sources(read_sources(corpus_root), [], prefix="noise/")]

    assert paths == ["noise/0.flac", "noise/1.flac", "noise/2.flac", "noise/muges/rain.wav"]
    assert all(source.kind != "rir" for source in training_sources(read_sources(corpus_root), []))


def test_cache_holds_the_samples(corpus_root: Path, corpus: Corpus) -> None:
    recording = next(r for r in corpus if r.path == "speech/ben/ben.wav")

    cached = corpus.samples(recording, 0, recording.n_samples)
    expected = soundfile.read(corpus_root / recording.path, dtype="float32")[0]

    np.testing.assert_array_equal(cached, expected)


def test_other_rates_and_channels_become_mono_at_48_khz(tmp_path: Path) -> None:
    mono = signals.tone(440, 1.0, sample_rate=16000)
    soundfile.write(tmp_path / "a.wav", np.stack((mono, mono), 1), 16000)

    samples, limit_hz = decode(tmp_path / "a.wav")

    assert limit_hz == pytest.approx(7600)
    np.testing.assert_allclose(samples[4800:-4800] / 32768, signals.tone(440, 1.0)[4800:-4800], atol=2e-3)


def test_clips_lie_between_digital_silences() -> None:
    noise = to_int16(signals.noise(1.0))
    samples = np.concatenate((np.zeros(3000, np.int16), noise, np.zeros(7200, np.int16), noise, np.zeros(100, np.int16)))

    (first, second) = find_clips(samples)

    np.testing.assert_allclose(first, (3000, 51000), atol=3)
    np.testing.assert_allclose(second, (58200, 106300), atol=3)


@pytest.mark.parametrize("cutoff_hz", [4000, 8000, 16000])
def test_bandwidth_of_limited_noise_is_found(cutoff_hz: int) -> None:
    spectrum = np.fft.rfft(signals.noise(2.0, exponent=1))
    spectrum[np.fft.rfftfreq(96000, 1 / 48000) > cutoff_hz] = 0

    found = measure_bandwidth(to_int16(np.fft.irfft(spectrum)))

    assert cutoff_hz - 50 < found < cutoff_hz + 350


def test_licences_are_listed_by_source(corpus: Corpus) -> None:
    table = licence_table(corpus)

    assert sum(int(str(row["files"])) for row in table) == len(corpus.recordings)
    assert {"kind": "speech", "source": "ada", "licences": ["the owner of these files"], "files": 1} in table


def test_kinds_of_noise() -> None:
    kinds = {
        "music": Source("a", "music", "b", "", "", ""),
        "keys": Source("a", "sfx", "mechvibes", "", "", ""),
        "ambience": Source("a", "noise", "muges", "", "", ""),
        "event": Source("a", "noise", "esc10", "", "", ""),
    }

    assert {name: corpora.noise_group(source) for name, source in kinds.items()} == {name: name for name in kinds}


@pytest.mark.parametrize(("source", "group"), [("rain-ambience", "ambience"), ("my-keys", "keys"), ("doors", "event")])
def test_the_name_of_a_source_tells_the_kind_of_noise(source: str, group: str) -> None:
    assert corpora.noise_group(Source("a", "sfx", source, "", "", "")) == group
    assert corpora.noise_group(Source("a", "music", source, "", "", "")) == "music"


def test_a_denoiser_lowers_the_noise_in_the_speech_alone(tmp_path: Path) -> None:
    second = signals.RATE
    hiss = signals.noise(8.0, level_db=-50)
    hiss[5 * second : 6 * second] = 0  # between two clips
    voice = np.pad(soundfile.read(TALK, stop=3 * second)[0], (0, 5 * second))
    for kind in ("speech", "noise"):
        (tmp_path / kind).mkdir()
        soundfile.write(tmp_path / kind / "a.wav", voice + hiss, second)
    sources = [(tmp_path, source) for source in read_sources(tmp_path)]
    for denoiser in ("", "default"):
        build_cache(sources, tmp_path / f"cache-{denoiser}", denoiser)
    before, after = Corpus(tmp_path / "cache-"), Corpus(tmp_path / "cache-default")

    change_db = {}
    for old, new in zip(before, after, strict=True):
        assert new == old
        first, last = (corpus.samples(old, 0, old.n_samples) for corpus in (before, after))
        parts = {"voice": slice(0, 3 * second), "hiss": slice(4 * second, 5 * second), "gap": slice(5 * second, 6 * second)}
        for name, part in parts.items():
            power = [float(np.mean(samples[part] ** 2)) for samples in (first, last)]
            change_db[old.kind, name] = 10 * np.log10(power[1] / power[0]) if power[0] else power[1]

    assert -12.1 < change_db["speech", "hiss"] < -9
    assert change_db["speech", "voice"] == pytest.approx(0, abs=1)
    assert change_db["speech", "gap"] == 0
    assert [change_db["noise", name] for name in ("voice", "hiss", "gap")] == [0, 0, 0]


def test_manifest_without_a_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,speaker\na.wav,ada\n")

    with pytest.raises(ArgumentError, match="columns kind, source, language, licence too"):
        read_sources(tmp_path)


def test_corpus_without_speech_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    config = load_config(None, [f'corpus.root="{tmp_path}"', f'corpus.cache="{tmp_path / "cache"}"'])

    with pytest.raises(ArgumentError, match="recordings of speech"):
        prepare_mixer(config)

    assert not (tmp_path / "cache").exists()
