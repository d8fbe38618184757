"""A microphone, the enhanced stream, and a WebRTC call with Opus: what arrives is better, and as late as promised."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
import soundfile

from browsers import Site, browsing, needs_browser, run, strangers
from percepnet import metrics

pytestmark = [needs_browser, pytest.mark.slow]

# A pair of the validation set, which no training has read: see recording/README.md.
RECORDING = Path(__file__).parent / "recording"
RATE = 48000
TAKE_S = 9.5  # the microphone plays the recording, 7.7 s, again and again

Samples = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def clean() -> Samples:
    return soundfile.read(RECORDING / "clean.flac")[0]


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The noisy recording as the browser wants it."""
    path = tmp_path_factory.mktemp("microphone") / "noisy.wav"
    samples, rate = soundfile.read(RECORDING / "noisy.flac")
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


@pytest.fixture(scope="module")
def browser(site: Site, microphone: Path) -> Iterator[Any]:
    """With a microphone that hears the recording."""
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with browsing(*fake, f"--use-file-for-fake-audio-capture={microphone}") as driver:
        driver.get(f"{site.address}/")
        run(driver, "window.page = await import('/harness.js')")
        yield driver


@pytest.fixture(scope="module")
def take(browser: Any, site: Site) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
    """(4, n): the microphone, the node's output, and both after a call, all heard at once; and facts."""
    facts = run(browser, "return page.take('take', args[0])", TAKE_S)
    return site.samples("take", 4), facts


def lag(later: Samples, earlier: Samples) -> int:
    """By how many samples `later` is behind, where their envelopes and waves agree best."""
    correlation = scipy.signal.correlate(later, earlier, mode="full", method="fft")
    return int(np.argmax(np.abs(correlation))) - (len(earlier) - 1)


def heard_pesq(clean: Samples, heard: Samples) -> float:
    """PESQ-WB of the last round of the recording in what was heard, which begins anywhere, for it goes round."""
    turned = heard[-len(clean) :]
    spectra = np.fft.rfft(turned) * np.conj(np.fft.rfft(clean))
    aligned = np.roll(turned, -int(np.argmax(np.fft.irfft(spectra, len(clean)))))
    return metrics.pesq_wb(clean, aligned, RATE)


def test_latency_measured_is_latency_reported(take: tuple[Any, dict[str, Any]]) -> None:
    (raw, enhanced, _, _), facts = take

    assert abs(lag(enhanced, raw) - facts["latency"] * facts["sampleRate"]) <= 128


def test_what_arrives_is_better(take: tuple[Any, Any], clean: Samples) -> None:
    _, _, raw, enhanced = take[0].astype(np.float64)

    assert heard_pesq(clean, enhanced) >= heard_pesq(clean, raw) + 0.25


def test_the_call_was_opus(take: tuple[Any, dict[str, Any]]) -> None:
    assert take[1]["codecs"] == ["audio/opus", "audio/opus"]


def test_a_track_processor_does_what_livekit_asks_of_it(browser: Any) -> None:
    facts = run(browser, "return page.processTrack()")

    assert facts["name"] == "percepnet"
    assert facts["tracks"] == [True, True, False]  # after init, restart, destroy
    assert facts["changed"]
    assert facts["state"] == "ended"


def test_video_goes_along(browser: Any) -> None:
    kinds = run(
        browser,
        "const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });"
        "const enhanced = await page.enhanceStream(stream);"
        "const kinds = enhanced.stream.getTracks().map((track) => track.kind);"
        "await enhanced.destroy(); stream.getTracks().forEach((track) => track.stop()); return kinds",
    )

    assert kinds == ["audio", "video"]


def test_nothing_left_the_page(browser: Any, site: Site) -> None:
    assert strangers(browser, site.address) == set()
    assert browser.get_log("browser") == []
