"""Folders and thousands of files: what is found, where it goes, and that a killed run can be finished."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import percepnet
from percepnet import jobs

SOURCE = str(Path(percepnet.__file__).parents[1])


class Unwatched:
    """A watcher who does not look."""

    def started(self, worker: int, job: jobs.Job) -> None:
        pass

    def advanced(self, worker: int, done: int, total: int) -> None:
        pass

    def check(self) -> None:
        pass


def fill(folder: Path, names: Iterable[str], length_s: float = 0.1) -> Path:
    """Files of noise, each its own."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.05 * np.random.default_rng(seed).standard_normal(round(16000 * length_s)), 16000)
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Every file's name and SHA-256."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def found(*arguments: Path, base: Path) -> list[tuple[str, str | None]]:
    return [
        (entry.path.relative_to(base).as_posix(), None if entry.below is None else entry.below.as_posix())
        for entry in jobs.find(arguments)
    ]


def options(**more: object) -> jobs.Options:
    return jobs.Options(percepnet.load_model(), **more)  # type: ignore[arg-type]


def run_all(folder: Path, out: Path, n_workers: int, **more: object) -> list[percepnet.FileReport]:
    planned = jobs.plan(jobs.find([folder]), str(out))
    return list(jobs.run(planned, options(**more), n_workers, Unwatched()))


# ---- what is found, and where it goes


def test_folder_means_all_audio_below_it_but_our_products(tmp_path: Path) -> None:
    fill(tmp_path, ["b.wav", "a/x.flac", "a/b/y.ogg", "a/x.clean.flac", "b.residual.wav", ".hidden.wav"])
    (tmp_path / "a" / "notes.txt").touch()

    assert found(tmp_path, base=tmp_path) == [("a/b/y.ogg", "a/b"), ("a/x.flac", "a"), ("b.wav", ".")]


def test_pattern_matches_below_its_fixed_part(tmp_path: Path) -> None:
    fill(tmp_path, ["b.wav", "a/x.flac", "a/b/y.flac", "a/x.clean.flac"])

    assert found(tmp_path / "**" / "*.flac", base=tmp_path) == [("a/b/y.flac", "a/b"), ("a/x.flac", "a")]


def test_named_file_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    fill(tmp_path, ["a[1].wav", "a1.wav"])

    assert found(tmp_path / "a[1].wav", base=tmp_path) == [("a[1].wav", None)]


def test_manifest_paths_start_at_its_folder(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"audio_filepath": "a/x.wav", "duration": 1}\n\n{"audio_filepath": "/abs/y.wav"}\n')

    assert [(e.path, e.below) for e in jobs.read_manifest(manifest)] == [
        (tmp_path / "a/x.wav", Path("a")),
        (Path("/abs/y.wav"), Path()),
    ]


@pytest.mark.parametrize("line", ["no json", "[1]", '{"path": "x"}', '{"audio_filepath": 3}'])
def test_bad_manifest_names_the_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "m.jsonl").write_text('{"audio_filepath": "x.wav"}\n' + line)

    with pytest.raises(percepnet.ArgumentError, match="line 2"):
        jobs.read_manifest(tmp_path / "m.jsonl")


def test_shards_are_a_partition() -> None:
    everything = [jobs.Found(Path(str(i))) for i in range(10)]

    parts = [jobs.shard(everything, f"{i}/3") for i in (1, 2, 3)]

    assert sorted((e for part in parts for e in part), key=everything.index) == everything
    assert {len(part) for part in parts} == {3, 4}


def test_output_folder_mirrors_the_input(tmp_path: Path) -> None:
    fill(tmp_path / "in", ["b.wav", "a/b.wav"])

    targets = [job.target for job in jobs.plan(jobs.find([tmp_path / "in"]), str(tmp_path / "out"), ".flac")]

    assert targets == [tmp_path / "out" / "a" / "b.clean.flac", tmp_path / "out" / "b.clean.flac"]


def test_shell_pattern_may_match_what_was_written_before(tmp_path: Path) -> None:
    fill(tmp_path, ["a.wav", "a.clean.wav"])

    planned = jobs.plan(jobs.find([tmp_path / "a.clean.wav", tmp_path / "a.wav"]), None, skip_existing=True)

    assert [job.source.name for job in planned] == ["a.wav"]


# ---- doing it


def test_processes_give_what_one_gives(tmp_path: Path) -> None:
    fill(tmp_path / "in", [f"{i}.wav" for i in range(4)])
    (tmp_path / "in" / "bad.wav").write_text("no audio")

    reports = run_all(tmp_path / "in", tmp_path / "many", 2)
    run_all(tmp_path / "in", tmp_path / "one", 1)

    assert sorted(report.status for report in reports) == ["failed", "ok", "ok", "ok", "ok"]
    assert tree(tmp_path / "many") == tree(tmp_path / "one")
    assert len(tree(tmp_path / "one")) == 4


def test_existing_files_are_skipped(tmp_path: Path) -> None:
    fill(tmp_path / "in", ["a.wav", "b.wav"])
    target = fill(tmp_path / "out", ["a.clean.wav"]) / "a.clean.wav"
    before = target.read_bytes()

    reports = run_all(tmp_path / "in", tmp_path / "out", 1, skip_existing=True)

    assert ([report.status for report in reports], target.read_bytes()) == (["skipped", "ok"], before)


def test_killed_worker_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "in", ["a.wav", "b.wav", "c.wav"])
    fill(tmp_path / "in", ["0.wav"], length_s=600.0)
    made = []

    class Noted(jobs._Worker):
        def __init__(self, options: jobs.Options) -> None:
            super().__init__(options)
            made.append(self)

    class Killer(Unwatched):
        def advanced(self, worker: int, done: int, total: int) -> None:  # noqa: ARG002 - as the others
            if total == 600 * 16000:
                made[worker].process.kill()

    monkeypatch.setattr(jobs, "_Worker", Noted)
    planned = jobs.plan(jobs.find([tmp_path / "in"]), str(tmp_path / "out"))
    reports = {Path(report.input).name: report for report in jobs.run(planned, options(), 2, Killer())}

    statuses = {name: report.status for name, report in reports.items()}
    assert statuses == {"0.wav": "failed", "a.wav": "ok", "b.wav": "ok", "c.wav": "ok"}
    assert reports["0.wav"].error == "the process that worked on it ended with code -9"


@pytest.mark.slow
def test_killed_run_is_finished_by_the_next(tmp_path: Path) -> None:
    finish_after_kills(tmp_path, n_files=24, n_kills=1)


def finish_after_kills(folder: Path, n_files: int, n_kills: int) -> None:
    """Kills `percepnet enhance` that often, each time after some more files, and compares with an undisturbed run."""
    fill(folder / "in", [f"{i % 7}/{i}.wav" for i in range(n_files)])
    command = [sys.executable, "-m", "percepnet", "enhance", str(folder / "in"), "-o", str(folder / "out"), "-j", "2"]
    command += ["--skip-existing", "--json"]
    environment = os.environ | {"PYTHONPATH": SOURCE}
    for kill in range(n_kills):
        enough = (kill + 1) * n_files // (n_kills + 1)
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True) as process:
            while len(list((folder / "out").rglob("*.clean.wav"))) < enough and process.poll() is None:
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)

    done_before = tree(folder / "out")
    last = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    run_all(folder / "in", folder / "undisturbed", 1)

    statuses = [json.loads(line)["status"] for line in last.stdout.splitlines()]
    whole = {name for name in done_before if name.endswith(".clean.wav")}
    assert tree(folder / "out") == tree(folder / "undisturbed")
    assert (statuses.count("skipped"), statuses.count("ok")) == (len(whole), n_files - len(whole))
    assert {name: done_before[name] for name in whole}.items() <= tree(folder / "out").items()


def test_name_that_no_file_can_have_costs_one_file(tmp_path: Path) -> None:
    fill(tmp_path, ["b.wav"])
    work = [jobs.Job(tmp_path / "a\0.wav", tmp_path / "a.clean.wav"), jobs.Job(tmp_path / "b.wav", tmp_path / "b.clean.wav")]

    reports = list(jobs.run(work, options(), 1, Unwatched()))

    assert [report.status for report in reports] == ["failed", "ok"]


def test_several_inputs_need_a_folder(tmp_path: Path) -> None:
    found = [jobs.Found(tmp_path / "a.wav"), jobs.Found(tmp_path / "b.wav")]

    with pytest.raises(percepnet.ArgumentError, match=r"expected a folder.*out\.wav"):
        jobs.plan(found, str(tmp_path / "out.wav"))


def test_format_and_output_must_agree(tmp_path: Path) -> None:
    with pytest.raises(percepnet.ArgumentError, match=r"suffix \.mp3"):
        jobs.plan([jobs.Found(tmp_path / "a.wav")], str(tmp_path / "b.flac"), suffix=".mp3")


def test_error_in_python_names_the_file(tmp_path: Path) -> None:
    for source in (tmp_path / "none.wav", tmp_path / "text.wav"):
        (tmp_path / "text.wav").write_text("no audio")
        with pytest.raises(percepnet.PercepNetError, match=f"{source.name}: "):
            percepnet.enhance_file(source)


def test_skipped_file_has_no_model(tmp_path: Path) -> None:
    fill(tmp_path, ["a.wav", "a.clean.wav"])

    report = percepnet.enhance_file(tmp_path / "a.wav", skip_existing=True)

    assert (report.status, report.model, report.model_sha256) == ("skipped", None, None)
