"""Time of the node in a browser: wall time of an OfflineAudioContext, as per cent of real time.

    python bench/web.py [--seconds 60] [--repeats 5] [--pairs DIR]

Worklets have no clock of their own; an offline context runs as fast as it can, on one thread. The same context without the
node is measured, too, and the processor time of the page with it, which does not count what else the machine does. With
--pairs, a folder of make_pairs.py: PESQ-WB of every noisy pair through a WebRTC loopback call with Opus, as it is and enhanced;
that takes the pairs' own time. Needs chromium, chromedriver and `make web`.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import machine
import numpy as np
import soundfile

import percepnet

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "web")]

from test_call import heard_pesq  # noqa: E402

from browsers import PAGE, WEB, browsing, page_process, processor_time_s, run, serving  # noqa: E402

RATES = ((48000, 1), (48000, 2), (44100, 1), (16000, 1))
FOLDERS = {"/percepnet/": WEB, "/": PAGE}


def measure_time(seconds: float, repeats: int) -> None:
    """Prints a table of rates: per cent of real time with and without the node."""
    speech, rate = soundfile.read(Path(__file__).parents[1] / "examples" / "noisy_speech.flac", dtype="float32")
    with serving(FOLDERS) as site, browsing() as browser:
        site.offer("recording", np.resize(speech, round(seconds * rate)))
        browser.get(f"{site.address}/")
        run(browser, "window.page = await import('/harness.js')")
        print("| context, Hz | channels | wall time, %: minimum (median) | without the node | processor time, % |")
        print("| --- | --- | --- | --- | --- |", flush=True)
        for sample_rate, channels in RATES:
            walls, used = [], []
            for _ in range(repeats):
                page = page_process(browser)
                before_s = processor_time_s(page)
                walls.append(100 * run(browser, "return page.time('recording', ...args)", sample_rate, channels, True))
                used.append(100 * (processor_time_s(page) - before_s) / seconds)
            alone = min(
                100 * run(browser, "return page.time('recording', ...args)", sample_rate, channels, False)
                for _ in range(repeats)
            )
            row = f"{min(walls):.1f} ({statistics.median(walls):.1f}) | {alone:.1f} | {min(used):.1f}"
            print(f"| {sample_rate} | {channels} | {row} |", flush=True)


def measure_calls(pairs: Path) -> None:
    """Prints PESQ-WB of every noisy pair after a call, and the means."""
    rows = []
    for path in sorted((pairs / "noisy").glob("noisy_*.wav")):
        clean, _ = soundfile.read(pairs / "clean" / path.name)
        noisy, rate = soundfile.read(path)
        with tempfile.TemporaryDirectory() as folder, serving(FOLDERS) as site:
            microphone = Path(folder) / "noisy.wav"
            soundfile.write(microphone, noisy, rate, subtype="PCM_16")
            fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
            with browsing(*fake, f"--use-file-for-fake-audio-capture={microphone}") as browser:
                browser.get(f"{site.address}/")
                run(browser, "window.page = await import('/harness.js')")
                run(browser, "return page.take('take', args[0])", len(clean) / rate + 3)
                _, _, raw, enhanced = site.samples("take", 4).astype(np.float64)
        rows.append((heard_pesq(clean, raw), heard_pesq(clean, enhanced)))
        print(f"{path.stem}: {rows[-1][0]:.3f} -> {rows[-1][1]:.3f}", flush=True)
    raw_mean, enhanced_mean = np.mean(rows, axis=0)
    print(f"mean of {len(rows)}: {raw_mean:.3f} -> {enhanced_mean:.3f}")


def main() -> None:
    """Measures what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pairs", type=Path)
    arguments = parser.parse_args()
    print(f"{machine.line()}\npercepnet {percepnet.__version__}, model {percepnet.load_model().id}\n")
    measure_time(arguments.seconds, arguments.repeats)
    if arguments.pairs:
        measure_calls(arguments.pairs)


if __name__ == "__main__":
    main()
