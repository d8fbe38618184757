"""The command line: what it writes, what it says, and the number it leaves with."""

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import percepnet
from percepnet.cli import app

SOURCE = str(Path(percepnet.__file__).parents[1])


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    return make(tmp_path / "noisy.wav", 1.0)


def make(path: Path, length_s: float, channels: int = 1, sample_rate: int = 48000) -> Path:
    """A file of noise, written by the second."""
    rng = np.random.default_rng(2)
    with soundfile.SoundFile(path, "w", sample_rate, channels, "PCM_16") as file:
        for start in np.arange(0, length_s, 1.0):
            file.write(0.05 * rng.standard_normal((int(min(1.0, length_s - start) * sample_rate), channels)))
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "percepnet", *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": SOURCE}


def run(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(*arguments), env=environment(), capture_output=True, text=True, check=False, **options)


def enhance(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["enhance", *map(str, arguments)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- results -------------------------------------------------------------------------------------------------------


def test_file_is_what_enhance_gives(noisy: Path, weights: str) -> None:
    result = run("enhance", noisy, "-m", weights, "-a", "12", "--no-post-filter")

    samples, sample_rate = soundfile.read(noisy, dtype="int16")
    expected = percepnet.enhance(samples, sample_rate, model=weights, attenuation_limit_db=12, post_filter=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    np.testing.assert_array_equal(soundfile.read(noisy.with_name("noisy.clean.wav"), dtype="int16")[0], expected)


def test_output_may_be_named(noisy: Path, weights: str) -> None:
    result = enhance(noisy, "-m", weights, "-o", noisy.with_name("other.flac"))

    assert (result.exit_code, names(noisy.parent)) == (0, ["noisy.wav", "other.flac"])


def test_several_files_go_into_a_new_folder(tmp_path: Path, weights: str) -> None:
    first = make(tmp_path / "first.wav", 0.2)
    second = make(tmp_path / "second.flac", 0.2, channels=2, sample_rate=16000)

    result = enhance(first, second, "-m", weights, "-o", tmp_path / "new" / "folder")

    assert (result.exit_code, names(tmp_path / "new" / "folder")) == (0, ["first.clean.wav", "second.clean.flac"])


@pytest.mark.parametrize("name", ["folder", "folder/"])
def test_one_file_goes_into_a_folder(noisy: Path, weights: str, name: str) -> None:
    if not name.endswith("/"):
        (noisy.parent / name).mkdir()

    result = enhance(noisy, "-m", weights, "-o", f"{noisy.parent}/{name}")

    assert (result.exit_code, names(noisy.parent / name)) == (0, ["noisy.clean.wav"])


def test_stereo_and_rate_are_kept(tmp_path: Path, weights: str) -> None:
    source = make(tmp_path / "in.wav", 0.5, channels=2, sample_rate=44100)

    enhance(source, "-m", weights)

    info = soundfile.info(tmp_path / "in.clean.wav")
    assert (info.channels, info.samplerate, info.frames) == (2, 44100, 22050)


def test_json_tells_about_every_file(noisy: Path, weights: str) -> None:
    result = run("enhance", noisy, noisy.with_name("missing.wav"), "-m", weights, "-o", f"{noisy.parent}/out", "--json")

    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.returncode, len(result.stderr.splitlines())) == (1, 1)
    assert [(r["status"], r["output"] is None, r["model"]) for r in reports] == [
        ("ok", False, "lookahead2"),
        ("failed", True, "lookahead2"),
    ]


def test_json_has_what_curators_ask_for(tmp_path: Path, weights: str) -> None:
    result = run("enhance", make(tmp_path / "in.wav", 1.0, channels=2, sample_rate=16000), "-m", weights, "--json")

    report = json.loads(result.stdout)
    assert set(report) == set(percepnet.FileReport.__annotations__)
    assert (report["seconds"], report["channels"], report["bandwidth_hz"]) == (1.0, 2, pytest.approx(8000, abs=50))
    assert (report["level_db"], report["model_sha256"]) == (pytest.approx(-26, abs=0.1), percepnet.load_model(weights).sha256)


def test_residual_and_result_make_the_input(noisy: Path, weights: str) -> None:
    for option in ((), ("--residual",)):
        enhance(noisy, "-m", weights, *option)

    kept, removed = (soundfile.read(noisy.with_name(f"noisy.{kind}.wav"))[0] for kind in ("clean", "residual"))
    np.testing.assert_allclose(kept + removed, soundfile.read(noisy)[0], atol=1.01 / 32768)  # each is rounded


@pytest.mark.parametrize(
    ("options", "name", "subtype"),
    [
        (["--format", "flac"], "noisy.clean.flac", "PCM_16"),
        (["--format", "flac", "--subtype", "pcm_24"], "noisy.clean.flac", "PCM_24"),
        (["--subtype", "FLOAT"], "noisy.clean.wav", "FLOAT"),
        (["--format", "opus"], "noisy.clean.opus", "OPUS"),
    ],
    ids=["flac", "flac of 24 bits", "float", "opus"],
)
def test_format_and_subtype_may_be_chosen(noisy: Path, weights: str, options: list[str], name: str, subtype: str) -> None:
    result = enhance(noisy, "-m", weights, *options)

    assert (result.exit_code, soundfile.info(noisy.with_name(name)).subtype) == (0, subtype)


def test_invalid_samples_are_reported(tmp_path: Path, weights: str) -> None:
    samples = 0.1 * np.ones(48000, np.float32)
    samples[[7000, 7001, 40000]] = np.nan, np.inf, -np.inf
    soundfile.write(tmp_path / "in.wav", samples, 48000, subtype="FLOAT")

    result = run("enhance", tmp_path / "in.wav", "-m", weights, "--json")

    report = json.loads(result.stdout)
    assert (result.returncode, report["invalid_samples"], report["first_invalid_sample"]) == (0, 3, 7000)
    assert result.stderr == (
        f"{tmp_path}/in.wav: 3 samples were NaN or infinite and were replaced by 0; the first is sample 7000\n"
    )


# ---- failures of one file ------------------------------------------------------------------------------------------


def broken(folder: Path, kind: str) -> Path:
    path = folder / "broken.wav"
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no audio\n" * 1000)
    elif kind == "no samples":
        make(path, 0.0)
    elif kind == "truncated":
        make(path, 3.0)
        path.write_bytes(path.read_bytes()[:200000])
    elif kind == "rate":
        make(path, 0.1, sample_rate=4000)
    elif kind == "pipe":
        os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("missing", "cannot read: No such file or directory"),
        ("folder", "no audio files in this folder"),
        ("pipe", "cannot read: Not a regular file"),
        ("empty", "the file is empty"),
        ("text", "not an audio file that can be read (Format not recognised)"),
        ("no samples", "the file contains no audio"),
        ("truncated", "the file is truncated: it ends before its audio does"),
        ("rate", "expected a sample_rate of 8000 to 192000 Hz, got 4000"),
    ],
)
def test_broken_input_is_one_line_and_no_output(tmp_path: Path, weights: str, kind: str, line: str) -> None:
    path = broken(tmp_path, kind)
    before = names(tmp_path)

    result = enhance(path, "-m", weights)

    assert (result.exit_code, result.stderr, names(tmp_path)) == (1, f"{path}: {line}\n", before)


def test_flac_cut_in_the_middle_leaves_nothing(tmp_path: Path, weights: str) -> None:
    path = make(tmp_path / "cut.flac", 5.0)
    path.write_bytes(path.read_bytes()[:300000])

    result = enhance(path, "-m", weights)

    assert (result.exit_code, len(result.stderr.splitlines()), names(tmp_path)) == (1, 1, ["cut.flac"])


def test_the_rest_is_done(tmp_path: Path, weights: str) -> None:
    good = [make(tmp_path / f"{name}.wav", 0.2) for name in "ac"]

    result = enhance(good[0], broken(tmp_path, "text"), good[1], "-m", weights, "-o", tmp_path / "out")

    assert (result.exit_code, names(tmp_path / "out")) == (1, ["a.clean.wav", "c.clean.wav"])


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/nowhere/at/all.wav", "No such file or directory"),
        ("/dev/full", None),
        ("/proc/out.wav", None),
        ("out.xyz", "no audio format has the suffix"),
    ],
)
def test_unwritable_target_is_one_line(noisy: Path, weights: str, target: str, reason: str | None) -> None:
    result = enhance(noisy, "-m", weights, "-o", noisy.parent / target)

    assert (result.exit_code, len(result.stderr.splitlines()), names(noisy.parent)) == (1, 1, ["noisy.wav"])
    assert reason is None or reason in result.stderr


def test_device_is_never_replaced(noisy: Path, weights: str) -> None:
    result = enhance(noisy, "-m", weights, "-o", "/dev/full.wav/../full")

    assert (result.exit_code, Path("/dev/full").is_char_device()) == (1, True)


def test_unwritable_folder_is_one_line(noisy: Path, weights: str) -> None:
    result = enhance(noisy, "-m", weights, "-o", f"{noisy}/below/")

    assert (result.exit_code, len(result.stderr.splitlines()), names(noisy.parent)) == (1, 1, ["noisy.wav"])


def test_full_disk_is_one_line_and_no_output(tmp_path: Path, weights: str) -> None:
    source = make(tmp_path / "in.wav", 5.0)

    result = run(
        "enhance", source, "-m", weights, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
    )

    expected = f"{source}: cannot write {tmp_path}/in.clean.wav: File too large\n"
    assert (result.returncode, result.stderr, names(tmp_path)) == (1, expected, ["in.wav"])


# ---- wrong use -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--nonsense"],
        ["{in}", "-a", "-3"],
        ["{in}", "-a", "nan"],
        ["{in}", "-a", "much"],
        ["{in}", "--preset", "loud"],
        ["{in}", "--link", "no"],
        ["{in}", "--shard", "0/2"],
        ["{in}", "--shard", "half"],
        ["--manifest", "nowhere.jsonl"],
        ["--manifest", "{in}"],
        ["{in}", "-o", "{in}"],
        ["{in}", "-o", "{link}"],
        ["{in}", "{link}", "-o", "{in}"],
        ["{in}", "other/noisy.wav", "-o", "out"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_2_and_changes_nothing(noisy: Path, weights: str, arguments: list[str]) -> None:
    link = noisy.with_name("link.wav")
    link.symlink_to(noisy)
    contents = noisy.read_bytes()
    filled = [argument.format(**{"in": noisy, "link": link}) for argument in arguments]

    result = enhance(*filled, *([] if "-m" in filled else ["-m", weights]))

    assert (result.exit_code, names(noisy.parent)) == (2, ["link.wav", "noisy.wav"])
    assert (noisy.read_bytes() == contents, result.stderr.strip() != "") == (True, True)


@pytest.mark.parametrize("model", ["nowhere", "{in}"])
def test_wrong_model_is_4(noisy: Path, model: str) -> None:
    result = enhance(noisy, "-m", model.format(**{"in": noisy}))

    assert (result.exit_code, len(result.stderr.splitlines()), names(noisy.parent)) == (4, 1, ["noisy.wav"])


def test_wrong_use_has_no_traceback() -> None:
    result = run("enhance", "in.wav", "-m", "nowhere")

    assert (result.returncode, len(result.stderr.splitlines())) == (4, 1)


# ---- signals, terminal, cost ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_leaves_nothing(tmp_path: Path, weights: str, number: signal.Signals) -> None:
    source = make(tmp_path / "long.wav", 600.0, sample_rate=8000)
    process = subprocess.Popen(command("enhance", source, "-m", weights), env=environment(), stderr=subprocess.PIPE, text=True)
    while not any(name.endswith(".part") for name in names(tmp_path)) and process.poll() is None:
        time.sleep(0.02)

    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors, names(tmp_path)) == (128 + number, "", ["long.wav"])


def test_progress_bar_is_for_terminals(noisy: Path, weights: str) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("enhance", noisy, "-m", weights), env=environment() | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece
        stdout = process.stdout.read() if process.stdout else b""
    os.close(ours)

    assert (b"noisy.wav" in shown, b"100%" in shown, stdout) == (True, True, b"")


def test_version_is_fast() -> None:
    times_s = []
    for _ in range(5):  # processor time: the machine may be busy
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = run("--version")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert (result.stdout, min(times_s) < 0.15) == (f"percepnet {percepnet.__version__}\n", True)


def test_version_beside_other_options() -> None:
    result = CliRunner().invoke(app, ["--version", "--help"])

    assert (result.exit_code, result.stdout) == (0, f"percepnet {percepnet.__version__}\n")


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])

    assert [name in result.stdout for name in ("enhance", "train", "export")] == [True] * 3


COMMANDS = ["enhance", "pipe", "live", "studio", "stages", "eval", "bench", "train", "export"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_whole_on_a_narrow_terminal(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"})

    assert (result.exit_code, "\u2026" in result.stdout, "Examples:" in result.stdout) == (0, False, True)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path, weights: str) -> None:
    code = (
        "import resource, sys; from percepnet.cli import app; app(sys.argv[1:], standalone_mode=False); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks_kb = []
    for length_s in (2.0, 150.0):  # at 192 kHz: as many samples as 8 s and 10 min at 48 kHz
        source = make(tmp_path / f"{length_s}.wav", length_s, sample_rate=192000)
        arguments = [sys.executable, "-c", code, "enhance", str(source), "-m", weights]
        result = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=True)
        peaks_kb.append(int(result.stdout))

    assert peaks_kb[1] - peaks_kb[0] < 20000
