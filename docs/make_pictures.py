"""Makes docs/images/*.png, the pictures of signal-path.md, from the sample recording.

Needs the extras dev, eval and train, and chromium.

    python docs/make_pictures.py [--model NAME_OR_PATH]

The pictures are what `percepnet stages` shows, taken from its own page.
"""

import argparse
import base64
import io
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image  # comes with matplotlib
from selenium import webdriver

import percepnet

sys.path.append(str(Path(__file__).parents[1] / "examples"))
import make_sample

FOLDER = Path(__file__).parent / "images"
EXAMPLES = Path(__file__).parents[1] / "examples"
STAGES = ("noisy", "oracle_bins", "oracle_bands", "oracle_comb", "oracle_postfilter", "clean", "enhanced", "removed")
WORDS_S = (1.05, 2.55)  # "This voice was made by a": vowels that glide, in fan and keys
PICTURE = {"width": 760, "height": 900}


def clean_twin(noisy: np.ndarray) -> np.ndarray:
    """The sample without the noise, which its script makes anew from the same seed."""
    rng = np.random.default_rng(2008_04259)  # as its main() does
    clean = noisy - make_sample.noise(len(noisy), rng) * 10 ** ((make_sample.LEVEL_DB - make_sample.SNR_DB) / 20)
    if np.abs(clean[: make_sample.SAMPLE_RATE // 2]).max() > 1e-4:  # a second of noise alone comes first
        raise ValueError("make_sample.py makes another noise than that in noisy_speech.flac")
    return clean


def open_page(path: Path) -> Any:
    """A browser with the page, ready."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium") or shutil.which("google-chrome"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    browser.get(path.as_uri())
    while not browser.execute_script("return document.documentElement.dataset.ready"):
        time.sleep(0.1)
    return browser


def shape(browser: Any, width: int, height: int, dark: bool = False) -> None:
    """Size and theme of the page."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    time.sleep(0.5)  # until it is drawn


def shoot(browser: Any, name: str, first: str = "", last: str = "") -> None:
    """Writes a picture, of 256 colours, of the page or of what lies between two figures."""
    clip = {}
    if first:
        script = "return [...arguments].map((id) => document.getElementById(id).parentElement.getBoundingClientRect().toJSON())"
        top, bottom = browser.execute_script(script, first, last or first)
        y = top["y"] + browser.execute_script("return scrollY")
        clip = {"clip": {"x": top["x"], "y": y, "width": top["width"], "height": bottom["bottom"] - top["y"], "scale": 1}}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": bool(clip), **clip})
    path = FOLDER / f"{name}.png"
    picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
    if not first:
        picture = picture.resize((picture.width * 2 // 3, picture.height * 2 // 3), Image.Resampling.LANCZOS)
    picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Makes the page, opens it and takes its pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="name or path of a weight file")
    arguments = parser.parse_args()
    noisy, sample_rate = soundfile.read(EXAMPLES / "noisy_speech.flac")
    walk = percepnet.stages(noisy, sample_rate, clean_twin(noisy), model=arguments.model)
    for stage, scores in walk.scores.items():
        print(f"{stage:18} PESQ-WB {scores['pesq']:.2f}  STOI {scores['stoi']:.3f}  SI-SDR {scores['si_sdr']:.1f} dB")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "stages.html"
        walk.to_html(page, "noisy_speech.flac")
        browser = open_page(page)
        try:
            take_all(browser)
        finally:
            browser.quit()


def take_all(browser: Any) -> None:
    """Every picture."""
    first, last = (100 * t for t in WORDS_S)
    shape(browser, 1500, 990, dark=True)
    browser.execute_script("seek(2.02)")
    time.sleep(0.5)
    shoot(browser, "page")
    shape(browser, **PICTURE)
    browser.execute_script("for (const part of document.querySelectorAll('#cursor, .transport')) part.style.display = 'none'")
    browser.execute_script("setView(arguments[0], arguments[1])", first, last - first)
    for stage in STAGES:
        browser.execute_script("shown.pitch = arguments[0] === 'noisy'; choose(arguments[0])", stage)
        shoot(browser, stage, "spectrogram")
    shoot(browser, "tracks", "oracle-gains", "lines")


if __name__ == "__main__":
    main()
