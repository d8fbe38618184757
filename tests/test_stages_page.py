"""The page of every stage, in a browser without a screen: it draws, plays, switches in place, and asks nothing of anyone."""

from __future__ import annotations

import base64
import io
import json
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

import percepnet
import signals
from percepnet import page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
DRIVER = shutil.which("chromedriver")
STAGES = ["noisy", "oracle_bins", "oracle_bands", "oracle_comb", "oracle_postfilter", "enhanced", "removed", "clean"]
SECONDS = 4.0
PATIENCE_S = 60.0  # the machine may be busy

needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER) and not os.environ.get("CI"), reason="needs chromium and chromedriver (apt: chromium-driver)"
)


def pair(duration_s: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    clean = signals.speech_like(duration_s)
    noisy = signals.at_snr(clean, signals.noise(duration_s, exponent=1.0), 5)
    return noisy.astype(np.float32), clean.astype(np.float32)


@pytest.fixture(scope="module")
def walk(model: percepnet.Model) -> percepnet.Stages:
    noisy, clean = pair(SECONDS)
    return percepnet.stages(noisy, 48000, clean, model=model, with_scores=False)


@pytest.fixture(scope="module")
def path(walk: percepnet.Stages, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    scores = {stage: {"pesq": 1.5 + 0.25 * i, "si_sdr": np.inf} for i, stage in enumerate(walk.audio) if stage != "removed"}
    walk.scores.update(scores)
    target = tmp_path_factory.mktemp("page") / "stages.html"
    walk.to_html(target, 'a <recording> & "more".wav')
    return target


# ---- without a browser -----------------------------------------------------------------------------------------------


def content(html: str) -> Any:
    return json.loads(html.partition('id="content">')[2].partition("</script>")[0])


def test_title_is_escaped(path: pathlib.Path) -> None:
    html = path.read_text(encoding="utf-8")

    assert "<title>a &lt;recording&gt; &amp; &quot;more&quot;.wav: every stage</title>" in html
    assert content(html)["title"] == 'a <recording> & "more".wav'


def test_page_names_no_address(path: pathlib.Path) -> None:
    html = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")

    assert ("http:" in html, "https:" in html) == (False, False)


def test_a_tone_is_drawn_at_its_place_and_level() -> None:
    tone = signals.tone(1000, 0.5, 1.0).astype(np.float32)

    levels = page._spectrogram(tone)[25] + page.FLOOR_DB

    place = np.log10(1 + 1000 / page._ERB["knee_hz"]) / np.log10(1 + 24000 / page._ERB["knee_hz"])
    assert levels.argmax() == int(place * page.ROWS)
    assert -4 <= levels.max() <= 0  # spread over the lines of its row


def test_a_click_is_drawn_at_its_time() -> None:
    click = signals.click(48000, 50 * 480).astype(np.float32)

    assert page._spectrogram(click).sum(axis=1, dtype=int).argmax() == 50


@pytest.mark.slow
def test_a_minute_of_noise_fits_in_15_mb(model: percepnet.Model, tmp_path: pathlib.Path) -> None:
    noise = signals.noise(60).astype(np.float32)  # nothing packs worse
    walk = percepnet.stages(noise, 48000, noise, model=model, with_scores=False)

    walk.to_html(tmp_path / "minute.html")

    assert (tmp_path / "minute.html").stat().st_size < 15e6


def test_nothing_clips_and_all_stages_keep_their_ratio() -> None:
    loud = {"noisy": np.full(4800, 2.0, np.float32), "enhanced": np.full(4800, 0.5, np.float32)}
    facts = {"title": "", "scores": {}, "stages": [{"name": name} for name in loud]}

    packed = content(page.render(facts, loud, {}))

    levels = [soundfile.read(io.BytesIO(base64.b64decode(s["audio"]["data"])))[0].max() for s in packed["stages"]]
    np.testing.assert_allclose(levels, [1.0, 0.25], atol=1e-4)


# ---- in a browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(path: pathlib.Path) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    driver.set_script_timeout(PATIENCE_S)
    driver.get(path.as_uri())
    wait_for(lambda: driver.execute_script("return document.documentElement.dataset.ready"), "the page to be ready")
    yield driver
    driver.quit()


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise TimeoutError(f"waited {PATIENCE_S} s for {what}")


def press(browser: Any, *keys: str) -> None:
    browser.find_element("tag name", "body").send_keys(*keys)


def playing_at(browser: Any) -> float:
    """Plays, waits for sound, and returns the position."""
    if not browser.execute_script("return sound.playing"):
        press(browser, " ")
    wait_for(lambda: browser.execute_script("return sound.playing && sound.position > sound.place + 0.1"), "playing")
    return float(browser.execute_script("return sound.position"))


def n_colours(browser: Any, canvas: str) -> int:
    """How many colours a plot has, without its labels; read from a copy, which keeps the page's own canvas as it is."""
    script = """
        const plot = document.getElementById(arguments[0]), [width, height] = [plot.width - 60, plot.height - 30];
        const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(plot, -60, 0);
        return new Set(new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)).size;
    """
    return int(browser.execute_script(script, canvas))


@pytest.fixture(autouse=True)
def from_the_start(request: pytest.FixtureRequest) -> None:
    if "browser" in request.fixturenames:
        browser = request.getfixturevalue("browser")
        browser.execute_script("sound.pause(); showPlaying(); sound.loop = null; setView(everything.start, everything.length);")
        browser.execute_async_script("seek(0).then(arguments[0])")


@needs_browser
def test_every_stage_has_a_button_a_picture_and_its_score(browser: Any) -> None:
    cards = browser.execute_script(
        "return [...document.querySelectorAll('#stages button')].map((b) => [b.dataset.stage, b.innerText])"
    )

    assert [stage for stage, _ in cards] == STAGES
    assert [text.split()[-1] for stage, text in cards if stage != "removed"][:3] == ["1.50", "1.75", "2.00"]


@needs_browser
@pytest.mark.parametrize("stage", STAGES)
def test_spectrogram_of_every_stage_is_drawn(stage: str, browser: Any) -> None:
    press(browser, str(STAGES.index(stage) + 1))

    assert n_colours(browser, "spectrogram") > 100
    assert browser.find_element("id", "stage-title").text == browser.execute_script(
        "return stageNamed(arguments[0]).title", stage
    )


@needs_browser
def test_pictures_of_different_stages_differ(browser: Any) -> None:
    pictures = browser.execute_script("return [...document.querySelectorAll('#stages canvas')].map((c) => c.toDataURL())")

    assert len(set(pictures)) == len(STAGES)


@needs_browser
@pytest.mark.parametrize("panel", ["oracle-gains", "gains", "oracle-strengths", "strengths", "lines"])
def test_every_track_is_drawn(panel: str, browser: Any) -> None:
    assert n_colours(browser, panel) > 5


@needs_browser
def test_sound_is_heard_and_time_passes(browser: Any) -> None:
    browser.execute_async_script("seek(1).then(arguments[0])")
    playing_at(browser)

    assert wait_for(lambda: browser.execute_script("return sound.level() > -50"), "sound")


@needs_browser
def test_switching_while_playing_keeps_the_position(browser: Any) -> None:
    press(browser, "1")
    playing_at(browser)
    script = "const before = sound.position; choose(arguments[0]); return [before, sound.position, sound.playing, sound.stage]"

    before, after, playing, stage = browser.execute_script(script, "oracle_comb")

    assert (playing, stage) == (True, "oracle_comb")
    assert 0 <= after - before < 0.2


@needs_browser
def test_only_the_chosen_stage_is_let_through(browser: Any) -> None:
    press(browser, "l")  # so that it does not end, however slow the machine
    playing_at(browser)
    press(browser, "3")

    def loudness() -> Any:
        return browser.execute_script("return Object.fromEntries([...sound.outputs].map(([n, o]) => [n, o.gain.value]))")

    wait_for(lambda: loudness()["oracle_bands"] > 0.999, "the cross-fade")
    assert {stage for stage, gain in loudness().items() if gain > 0.01} == {"oracle_bands"}


@needs_browser
def test_all_stages_start_on_one_sample_and_are_equally_long(browser: Any) -> None:
    lengths = browser.execute_script("return [...sound.buffers.values()].map((b) => [b.length, b.sampleRate])")

    assert lengths == [[round(48000 * SECONDS), 48000]] * len(STAGES)


@needs_browser
def test_space_pauses_and_goes_on_from_there(browser: Any) -> None:
    playing_at(browser)
    press(browser, " ")

    paused_at = browser.execute_script("return sound.position")
    assert paused_at > 0.05
    assert playing_at(browser) > paused_at


@needs_browser
def test_loop_stays_inside_what_is_shown(browser: Any) -> None:
    browser.execute_script("setView(100, 20)")
    press(browser, "l")
    playing_at(browser)
    time.sleep(0.5)

    assert 1.0 <= browser.execute_script("return sound.position") <= 1.21
    press(browser, "l")


@needs_browser
def test_end_of_the_recording_stops_the_player(browser: Any) -> None:
    browser.execute_async_script("seek(3.8).then(arguments[0])")
    press(browser, " ")

    wait_for(lambda: not browser.execute_script("return sound.playing"), "the end")
    assert browser.find_element("id", "play").accessible_name == "Play"


@needs_browser
def test_clicking_a_time_shows_its_frame(browser: Any, walk: percepnet.Stages) -> None:
    from selenium.webdriver import ActionChains

    plot = browser.find_element("id", "spectrogram")
    ActionChains(browser).move_to_element_with_offset(plot, 40, 0).click().perform()

    frame = int(browser.find_element("id", "frame-title").text.split()[1])
    facts = browser.find_element("id", "frame-facts").text
    assert browser.execute_script("return frameAt(sound.position)") == frame
    assert f"{48000 / walk.period[frame]:.1f} Hz" in facts
    assert f"{walk.correlation[frame]:.2f}" in facts


@needs_browser
def test_table_of_bands_has_the_numbers_of_the_frame(browser: Any, walk: percepnet.Stages) -> None:
    browser.execute_async_script("seek(1.23).then(arguments[0])")
    browser.execute_script("document.querySelector('.frame details').open = true; showFrame()")

    rows = browser.execute_script(
        "return [...document.querySelectorAll('#frame-table tbody tr')].map((r) => [...r.cells].map((c) => +c.innerText))"
    )

    assert walk.oracle_gains is not None
    table = np.array(rows)
    np.testing.assert_allclose(table[:, 3], walk.gains[123], atol=0.008)  # packed in steps of 1/255, shown with 2 digits
    np.testing.assert_allclose(table[:, 4], walk.oracle_gains[123], atol=0.008)
    np.testing.assert_allclose(table[:, 1], 10 * np.log10(walk.energy[123] + 1e-12), atol=0.51)


@needs_browser
@pytest.mark.parametrize(("key", "moved_s"), [("ARROW_RIGHT", 0.01), ("END", SECONDS)])
def test_keys_move_in_time(key: str, moved_s: float, browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    press(browser, getattr(Keys, key))

    assert browser.execute_script("return sound.position") == pytest.approx(moved_s)


@needs_browser
def test_zoom_keeps_the_cursor_in_view(browser: Any) -> None:
    browser.execute_async_script("seek(2).then(arguments[0])")
    press(browser, "++")

    start, length = browser.execute_script("return [shown.view.start, shown.view.length]")
    assert start < 200 < start + length
    assert length == pytest.approx((100 * SECONDS + 1) / 4)


@needs_browser
def test_phone_width_needs_no_sideways_scrolling(browser: Any) -> None:
    try:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
        )
        time.sleep(0.3)

        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@needs_browser
def test_no_control_is_without_a_name(browser: Any) -> None:
    controls = browser.find_elements("css selector", "button, [role=slider], canvas[role=img], meter")

    assert [control.get_attribute("outerHTML") for control in controls if not control.accessible_name] == []


@needs_browser
def test_no_request_leaves_the_page_and_nothing_is_wrong_on_the_console(browser: Any, path: pathlib.Path) -> None:
    playing_at(browser)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    assert {url for url in requests if not url.startswith("data:")} <= {path.as_uri()}
    assert browser.get_log("browser") == []


@needs_browser
def test_page_without_clean_works(browser: Any, model: percepnet.Model, tmp_path: pathlib.Path) -> None:
    noisy, _ = pair(1.0)
    percepnet.stages(noisy, 48000, model=model, with_scores=False).to_html(tmp_path / "noisy.html")
    window = browser.current_window_handle
    browser.switch_to.new_window("tab")
    try:
        browser.get((tmp_path / "noisy.html").as_uri())
        wait_for(lambda: browser.execute_script("return document.documentElement.dataset.ready"), "the page to be ready")

        stages = browser.execute_script("return content.stages.map((stage) => stage.name)")
        assert stages == ["noisy", "model_bands", "model_comb", "enhanced", "removed"]
        assert browser.get_log("browser") == []
    finally:
        browser.close()
        browser.switch_to.window(window)
