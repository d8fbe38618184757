"""EnhanceBatch: rows in, rows out, the same bytes on any worker."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import percepnet
from percepnet.batch import REPORT_COLUMNS, SPARK_SCHEMA, EnhanceBatch, map_in_pandas
from test_jobs import fill, run_all, tree

ROOT = Path(__file__).parents[1]


def batch(*paths: Path) -> dict[str, Any]:
    return {"audio_filepath": np.array([str(path) for path in paths], object), "speaker": np.arange(len(paths))}


def test_rows_keep_their_columns_and_get_those_of_the_report(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", ["a.wav"]) / "a.wav"

    rows = EnhanceBatch(tmp_path / "out", base=tmp_path / "in")(batch(source, tmp_path / "in" / "no.wav"))

    assert set(rows) == {"audio_filepath", "speaker", *REPORT_COLUMNS}
    assert {len(column) for column in rows.values()} == {2}
    assert list(rows["status"]) == ["ok", "failed"]
    assert list(rows["enhanced_filepath"]) == [str(tmp_path / "out" / "a.clean.wav"), ""]
    assert list(rows["error"]) == ["", "cannot read: No such file or directory"]
    assert (rows["seconds"][0], np.isnan(rows["seconds"][1]), rows["seconds"].dtype) == (0.1, True, np.float64)


def test_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    fill(tmp_path / "in", ["a/x.wav", "b/x.wav"])

    rows = EnhanceBatch(tmp_path / "out", file_format="flac")(batch(tmp_path / "in/a/x.wav", tmp_path / "in/b/x.wav"))

    below = (tmp_path / "out").joinpath(*tmp_path.parts[1:], "in")
    assert list(rows["enhanced_filepath"]) == [str(below / "a/x.clean.flac"), str(below / "b/x.clean.flac")]


def test_second_run_skips(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", ["a.wav"]) / "a.wav"

    statuses = [EnhanceBatch(tmp_path / "out")(batch(source))["status"][0] for _ in range(2)]

    assert statuses == ["ok", "skipped"]


def test_controls_are_those_of_enhance(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", ["a.wav"]) / "a.wav"

    EnhanceBatch(tmp_path / "out", base=tmp_path / "in", preset="gentle", residual=True)(batch(source))

    samples, sample_rate = soundfile.read(source, dtype="int16")
    expected = percepnet.enhance(samples, sample_rate, preset="gentle", residual=True)
    assert np.array_equal(soundfile.read(tmp_path / "out" / "a.clean.wav", dtype="int16")[0], expected)


def test_wrong_control_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(percepnet.ArgumentError):
        EnhanceBatch(tmp_path, preset="loud")  # type: ignore[arg-type]


class Frame(dict):  # type: ignore[type-arg]
    """As much of a pandas.DataFrame as map_in_pandas() touches."""

    @property
    def columns(self) -> list[str]:
        return list(self)

    def __getitem__(self, name: str) -> Any:
        column = super().__getitem__(name)
        return type("Series", (), {"to_numpy": lambda _: column})()


def test_spark_gets_frames_of_the_schema(tmp_path: Path) -> None:
    source = fill(tmp_path / "in", ["a.wav"]) / "a.wav"

    [frame] = map_in_pandas(tmp_path / "out")(iter([Frame(batch(source))]))

    names = [column.split()[0] for column in SPARK_SCHEMA.split(", ")]
    assert frame.columns == ["audio_filepath", "speaker", *names]


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ray"), reason="needs the extra `ray`")
def test_ray_with_a_killed_actor_gives_what_one_process_gives(tmp_path: Path) -> None:
    fill(tmp_path / "in", [f"{i}.wav" for i in range(16)])
    (tmp_path / "in" / "bad.wav").write_text("no audio")
    (tmp_path / "out").mkdir()
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}", "RAY_USAGE_STATS_ENABLED": "0"}

    command = [sys.executable, str(ROOT / "tests" / "ray_batch.py"), str(tmp_path / "in"), str(tmp_path / "out")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    run_all(tmp_path / "in", tmp_path / "alone", 1)

    lines = result.stdout.splitlines()
    wavs = {name: digest for name, digest in tree(tmp_path / "out").items() if name.endswith(".wav")}
    assert result.returncode == 0, result.stderr[-2000:]
    assert wavs == tree(tmp_path / "alone")
    assert sum(line.startswith("failed not an audio file") for line in lines) == 1
    assert [line.split()[2:] for line in lines if line.startswith("actors")] == [["killed", "1"]]
