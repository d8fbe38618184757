"""The npm package in a browser: the samples of the native engine, the promised delay, and errors that say what is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import percepnet
import signals
from browsers import WEB, Site, needs_browser, run, strangers
from networks import random_tensors
from percepnet import weights
from percepnet.training.export import write_weights

pytestmark = needs_browser

QUANTUM = 128
N = 600 * QUANTUM  # 1.6 s at 48 kHz

Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def noisy() -> Samples:
    """(2, N): something like speech in noise."""
    rows = [
        signals.at_snr(signals.speech_like(2.0, seed), signals.noise(2.0, exponent=1.0, seed=seed), 5)[:N] for seed in (0, 1)
    ]
    return np.array(rows, np.float32)


@pytest.fixture(scope="module")
def random(site: Site, model_paths: list[Path]) -> Path:
    """A random model that knows of speech and of reverberation; the page finds it as /data/random.pnw."""
    site.data["/data/random.pnw"] = model_paths[2].read_bytes()
    return model_paths[2]


def native(samples: Samples, sample_rate: int = 48000, **options: Any) -> tuple[Samples, int]:
    """What the native engine makes of it in quanta, and its delay in samples."""
    enhancer = percepnet.Enhancer(sample_rate, len(samples), block_size=QUANTUM, **options)
    blocks = np.split(samples, N // QUANTUM, axis=1)
    return np.concatenate([enhancer.process_block(block) for block in blocks], axis=1), enhancer.block_latency


def rendered(browser: Any, site: Site, samples: Samples, options: dict[str, Any]) -> tuple[Samples, dict[str, Any]]:
    """What the node makes of it, and what it tells."""
    site.offer("recording", samples)
    facts = run(browser, "return page.render('recording', args[0])", {"sampleRate": 48000, "channels": len(samples)} | options)
    return site.samples("recording", len(samples)), facts


# ---- samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", weights.shipped_models())
def test_every_shipped_model_gives_the_bits_of_the_native_engine(name: str, browser: Any, site: Site, noisy: Samples) -> None:
    expected, latency = native(noisy[:1], model=name)

    samples, facts = rendered(browser, site, noisy[:1], {"model": f"/percepnet/models/{name}.pnw"})

    np.testing.assert_array_equal(samples, expected)
    assert (facts["latency"], facts["errors"]) == (latency / 48000, [])


@pytest.mark.parametrize(
    ("sample_rate", "channels"), [(16000, 1), (44100, 1), (96000, 1), (16000, 2), (44100, 2), (48000, 2), (96000, 2)]
)
def test_every_rate_and_stereo_give_the_bits_of_the_native_engine(
    sample_rate: int, channels: int, browser: Any, site: Site, noisy: Samples
) -> None:
    expected, latency = native(noisy[:channels], sample_rate)

    samples, facts = rendered(browser, site, noisy[:channels], {"sampleRate": sample_rate})

    np.testing.assert_array_equal(samples, expected)
    assert facts["latency"] == latency / sample_rate


@pytest.mark.parametrize(
    ("options", "native_options"),
    [
        ({"attenuationLimitDb": 12}, {"attenuation_limit_db": 12}),
        ({"postFilter": False}, {"post_filter": False}),
        ({"linked": False}, {"link": "independent"}),
        ({"attenuationLimitDb": None, "details": True}, {}),
        ({"dereverb": 0.25}, {"dereverb": 0.25}),
        ({"dereverb": 0}, {"dereverb": 0.0}),
    ],
)
def test_options_are_those_of_the_native_engine(
    options: dict[str, Any], native_options: dict[str, Any], browser: Any, site: Site, noisy: Samples, random: Path
) -> None:
    expected, _ = native(noisy, **native_options, model=random)

    samples, _ = rendered(browser, site, noisy, options | {"model": "/data/random.pnw"})

    np.testing.assert_array_equal(samples, expected)


def test_bypass_is_the_input_after_the_latency(browser: Any, site: Site, noisy: Samples) -> None:
    samples, facts = rendered(browser, site, noisy, {"bypass": True})

    delay = round(facts["latency"] * 48000)
    np.testing.assert_array_equal(samples[:, delay:], noisy[:, :-delay])
    assert not samples[:, :delay].any()


def test_a_knob_turns_at_its_time(browser: Any, site: Site, noisy: Samples) -> None:
    turn = 250  # quanta
    enhancer = percepnet.Enhancer(block_size=QUANTUM)
    before = [enhancer.process_block(block) for block in np.split(noisy[0, : turn * QUANTUM], turn)]
    enhancer.attenuation_limit_db = 6.0
    after = [enhancer.process_block(block) for block in np.split(noisy[0, turn * QUANTUM :], N // QUANTUM - turn)]

    samples, _ = rendered(browser, site, noisy[:1], {"automation": ["attenuationLimitDb", 6, turn * QUANTUM / 48000]})

    np.testing.assert_array_equal(samples[0], np.concatenate(before + after))


def test_samples_that_are_not_finite_do_no_harm(browser: Any, site: Site, noisy: Samples) -> None:
    damaged = noisy[:1].copy()
    damaged[0, 10000:10010] = [np.nan, np.inf, -np.inf, 1e30, np.nan] * 2
    expected, _ = native(damaged)

    samples, _ = rendered(browser, site, damaged, {})

    assert np.isfinite(samples).all()
    np.testing.assert_array_equal(samples, expected)


# ---- what the port tells ---------------------------------------------------------------------------------------------


def test_hops_are_the_frames_of_the_native_engine(browser: Any, site: Site, noisy: Samples, random: Path) -> None:
    frames = percepnet.Enhancer(model=random).process_frames(noisy[0])[1]

    _, facts = rendered(browser, site, noisy[:1], {"details": True, "model": "/data/random.pnw"})

    hops = facts["hops"]
    n = len(hops)
    assert n >= N // 480 - 6
    assert [hop["index"] for hop in hops] == frames["index"][:n].tolist()
    for name in ("gains", "strengths", "energy"):
        np.testing.assert_array_equal(np.array([hop[name] for hop in hops], np.float32), frames[name][:n])
    assert [hop["speechProbability"] for hop in hops] == frames["speech_probability"][:n].tolist()


def test_node_knows_its_model(browser: Any, site: Site, noisy: Samples, random: Path) -> None:
    model = percepnet.load_model(random)

    _, facts = rendered(browser, site, noisy[:1], {"model": "/data/random.pnw"})

    assert (facts["hasSpeech"], facts["hasDereverb"], facts["card"]) == (True, True, model.card)


def test_tiny_model_has_a_name(browser: Any, site: Site, noisy: Samples) -> None:
    _, facts = rendered(browser, site, noisy[:1], {"model": "tiny"})

    assert facts["card"] == percepnet.load_model("tiny").card


def test_a_model_without_speech_tells_none(browser: Any, site: Site, noisy: Samples) -> None:
    site.data["/data/plain.pnw"] = write_weights(random_tensors(speech=False), 2, {"id": "räumlich"})

    _, facts = rendered(browser, site, noisy[:1], {"model": "/data/plain.pnw"})

    assert (facts["hasSpeech"], facts["hasDereverb"], facts["card"]) == (False, False, {"id": "räumlich"})
    assert {hop["speechProbability"] for hop in facts["hops"]} == {None}


def test_level_is_that_of_the_input(browser: Any, site: Site) -> None:
    tone = signals.tone(1000, 2.0, 0.1)[np.newaxis, :N]

    _, facts = rendered(browser, site, tone, {})

    levels = [hop["levelDb"] for hop in facts["hops"][10:]]
    np.testing.assert_allclose(levels, 20 * np.log10(0.1 / np.sqrt(2)), atol=0.1)


def test_details_cost_nothing_unless_wanted(browser: Any, site: Site, noisy: Samples) -> None:
    _, facts = rendered(browser, site, noisy[:1], {})

    assert set(facts["hops"][0]) == {"type", "index", "gated", "levelDb", "speechProbability"}


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{model: '/percepnet/models/none.pnw'}", "cannot load the weight file from .*none.pnw: status 404"),
        ("{model: new Uint8Array(100)}", "percepnet cannot start: not a percepnet weight file"),
        ("{model: 7}", "expected model to be"),
        ("{files: {engine: '/index.html'}}", "percepnet cannot start: the engine does not start"),
        ("{files: {worklet: '/none.js'}}", "cannot load the worklet from /none.js"),
        ("{attenuationLimitDb: -1}", "expected attenuationLimitDb of 0 or more, or null, got -1"),
        ("{dereverb: 2}", "expected dereverb from 0 to 1, got 2"),
        ("{channels: 6}", "expected 1 or 2 channels, got 6"),
        ("{postfilter: true}", "there is no option postfilter"),
    ],
)
def test_what_is_wrong_is_said(options: str, message: str, browser: Any) -> None:
    with pytest.raises(AssertionError, match=message):
        run(browser, f"await page.createPercepNet(new OfflineAudioContext(1, 128, 48000), {options})")
    browser.get_log("browser")  # the browser tells of a missing file, too


def test_a_damaged_weight_file_is_named(browser: Any, site: Site) -> None:
    contents = bytearray((WEB / "models" / "default.pnw").read_bytes())
    contents[-5] ^= 1
    site.data["/data/damaged.pnw"] = bytes(contents)

    with pytest.raises(AssertionError, match="the weight file is damaged: its checksum does not match"):
        run(browser, "await page.createPercepNet(new OfflineAudioContext(1, 128, 48000), {model: '/data/damaged.pnw'})")


def test_a_node_that_fails_tells_it_and_lets_the_sound_through(browser: Any, site: Site, noisy: Samples) -> None:
    site.offer("recording", noisy[:1])
    whole = (WEB / "worklet.js").read_text(encoding="utf-8")
    site.data["/data/broken.js"] = whole.replace("? Infinity :", "? NaN :").encode()

    message, equal = run(browser, "return page.failing('recording', '/data/broken.js')")

    assert message == "a null pointer or a value out of range"
    assert equal


# ---- life and death --------------------------------------------------------------------------------------------------


def test_a_context_that_waits_for_a_gesture_gets_its_node(browser: Any) -> None:
    script = """
        const context = new AudioContext();
        await context.suspend();
        const node = await page.createPercepNet(context);
        await node.destroy();
        await context.close();
        return node.latency > 0.03;
    """

    assert run(browser, script)


def test_a_node_outlives_another_with_the_same_model(browser: Any, site: Site, noisy: Samples) -> None:
    expected, _ = native(noisy[:1])
    site.offer("recording", noisy[:1])

    run(browser, "await page.render('recording', {sampleRate: 48000, others: 3})")

    np.testing.assert_array_equal(site.samples("recording"), expected)


def test_destroying_twice_is_destroying_once(browser: Any) -> None:
    script = """
        const context = new OfflineAudioContext(1, 128, 48000);
        const node = await page.createPercepNet(context);
        await Promise.all([node.destroy(), node.destroy()]);
        return "gone";
    """

    assert run(browser, script) == "gone"


def test_a_node_can_be_destroyed_while_sound_comes_in(browser: Any) -> None:
    script = """
        const context = new AudioContext();
        await context.resume();
        const node = await page.createPercepNet(context);
        const source = new OscillatorNode(context);
        source.connect(node).connect(context.destination);
        source.start();
        await node.destroy();
        await new Promise((done) => setTimeout(done, 300));
        await context.close();
        return "gone";
    """

    assert run(browser, script) == "gone"


def test_a_closed_context_can_be_left(browser: Any) -> None:
    script = """
        const context = new AudioContext();
        const node = await page.createPercepNet(context);
        await context.close();
        await node.destroy();
        return "gone";
    """

    assert run(browser, script) == "gone"


def test_import_needs_no_browser() -> None:
    """Pages are rendered on servers, too."""
    import shutil
    import subprocess

    node = shutil.which("node")
    if not node:
        pytest.skip("no node")
    script = f"import({(WEB / 'index.js').as_uri()!r}).then((m) => console.log(Object.keys(m).join(' ')))"
    text = subprocess.run([node, "-e", script], check=True, capture_output=True, text=True).stdout

    assert text.split() == ["PercepNetTrackProcessor", "createPercepNet", "enhanceStream"]


# ---- manners ---------------------------------------------------------------------------------------------------------


def test_engine_keeps_its_budget() -> None:
    assert len(gzip.compress((WEB / "percepnet.wasm").read_bytes(), 9)) <= 60_000


def test_default_weights_keep_their_budget() -> None:
    model = percepnet.load_model()
    size = (WEB / "models" / "default.pnw").stat().st_size
    if size > 4 * model.n_weights:
        pytest.skip("weights of four bytes: the budget is for int8")

    assert size <= 1_500_000


def test_no_request_leaves_the_page_and_nothing_is_wrong_on_the_console(browser: Any, site: Site, noisy: Samples) -> None:
    browser.get_log("browser")
    rendered(browser, site, noisy, {})

    assert strangers(browser, site.address) == set()
    assert browser.get_log("browser") == []
