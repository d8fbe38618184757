"""The demonstration page: it plays, switches, draws, calls, records and saves, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import percepnet
from browsers import WEB, browsing, needs_browser, serving, strangers, wait_for
from percepnet import page

pytestmark = [needs_browser, pytest.mark.slow]

SAMPLE = WEB.parent / "examples" / "noisy_speech.flac"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Any]:
    """At the page, with a microphone that beeps, and with the sample loaded."""
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with serving({"/": WEB}) as site, browsing(*fake) as driver:
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
        driver.get(f"{site.address}/demo/")
        driver.address = site.address
        wait_for(lambda: text(driver, "name") == "Sample recording", "the sample")
        yield driver


def text(browser: Any, name: str) -> str:
    return str(browser.find_element("id", name).text)


def state(browser: Any) -> str:
    return str(browser.execute_script("return document.body.dataset.state"))


def press(browser: Any, name: str) -> None:
    browser.execute_script("document.getElementById(arguments[0]).click()", name)


def key(browser: Any, letter: str) -> None:
    browser.find_element("tag name", "body").send_keys(letter)


@pytest.fixture
def playing(browser: Any) -> Iterator[None]:
    press(browser, "play")
    wait_for(lambda: state(browser) == "playing", "playing")
    yield
    if state(browser) == "playing":
        press(browser, "play")
        wait_for(lambda: state(browser) == "ready", "the end of playing")


def n_colours(browser: Any, canvas: str) -> int:
    script = """
        const canvas = document.getElementById(arguments[0]);
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        return new Set(new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
    """
    return int(browser.execute_script(script, canvas))


def test_bands_are_those_of_the_core() -> None:
    script = (WEB / "demo" / "spectrogram.js").read_text(encoding="utf-8")
    numbers = re.search(r"BAND_CENTRES_HZ = \[([\d,\s]+)\]", script)

    assert numbers
    assert [50 * int(number) for number in re.findall(r"\d+", numbers[1])] == page._band_centres_hz()


def test_the_beginning_is_drawn_before_anything_plays(browser: Any) -> None:
    wait_for(lambda: n_colours(browser, "original") > 300 and n_colours(browser, "enhanced") > 300, "both pictures")


@pytest.mark.usefixtures("playing")
def test_playing_draws_what_happens(browser: Any) -> None:
    wait_for(lambda: n_colours(browser, "enhanced-now") > 20, "gains")
    wait_for(lambda: text(browser, "level-in-value").endswith("dB"), "levels")
    wait_for(lambda: "µs" in text(browser, "load-value"), "the load")
    assert "ms behind" in text(browser, "fact-latency")


def test_one_key_switches(browser: Any) -> None:
    sides = []
    for _ in range(2):
        key(browser, " ")
        sides.append(browser.find_element("css selector", "[role=radio][aria-checked=true]").get_attribute("id"))

    assert sides == ["hear-original", "hear-enhanced"]


@pytest.mark.usefixtures("playing")
def test_a_call_carries_it(browser: Any) -> None:
    press(browser, "call")
    wait_for(lambda: text(browser, "call") == "Hang up", "the call")
    wait_for(lambda: "opus" in text(browser, "call-codec"), "a packet")
    press(browser, "call")

    wait_for(lambda: text(browser, "call") == "Start the call", "hanging up")


def test_saved_is_what_the_package_makes(browser: Any, downloads: Path) -> None:
    press(browser, "save")
    path = downloads / "Sample recording.clean.wav"
    wait_for(path.exists, "the file")

    saved, rate = soundfile.read(path)
    samples, _ = soundfile.read(SAMPLE, dtype="float32")
    context_rate = int(browser.execute_script("return new AudioContext().sampleRate"))
    assert rate == context_rate
    if rate == 48000:  # else the browser has resampled the file before we got it
        np.testing.assert_allclose(saved, percepnet.enhance(samples, 48000), atol=1.01 / 32768)


def test_settings_are_in_words(browser: Any) -> None:
    script = """
        const knob = document.getElementById("limit");
        knob.value = arguments[0];
        knob.dispatchEvent(new Event("input"));
        return document.getElementById("limit-value").textContent;
    """

    assert browser.execute_script(script, 12) == "12 dB"
    assert browser.execute_script(script, 61) == "everything"


def test_a_file_is_opened(browser: Any, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "stereo.wav", np.random.default_rng(0).standard_normal((48000, 2)) * 0.05, 48000)
    browser.find_element("id", "file").send_keys(str(tmp_path / "stereo.wav"))

    wait_for(lambda: text(browser, "name") == "stereo.wav", "the file")
    wait_for(lambda: text(browser, "time").endswith("0:01"), "its length")


def test_what_is_no_sound_is_said(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("not a sound")
    browser.find_element("id", "file").send_keys(str(tmp_path / "words.wav"))

    wait_for(lambda: "no sound that the browser can read" in text(browser, "hint"), "the hint")


def test_a_take_of_the_microphone_can_be_played_again(browser: Any) -> None:
    press(browser, "microphone")
    wait_for(lambda: state(browser) == "live" and text(browser, "time") >= "0:01", "a second of sound")
    press(browser, "microphone")

    wait_for(lambda: text(browser, "name") == "Your take", "the take")
    press(browser, "play")
    wait_for(lambda: state(browser) == "playing", "playing it")
    press(browser, "play")


def test_phone_width_needs_no_sideways_scrolling(browser: Any) -> None:
    try:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
        )
        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_no_control_is_without_a_name(browser: Any) -> None:
    controls = browser.find_elements("css selector", "button, input:not([hidden]), canvas[role=img]")

    assert [control.get_attribute("outerHTML") for control in controls if not control.accessible_name] == []


def test_no_request_leaves_the_page_and_nothing_is_wrong_on_the_console(browser: Any) -> None:
    assert strangers(browser, browser.address) == set()
    assert browser.get_log("browser") == []
