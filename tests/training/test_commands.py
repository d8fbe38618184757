"""percepnet train and percepnet export, from a configuration file to a weight file."""

from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from percepnet import load_model
from percepnet.cli import app
from percepnet.training.config import Config, load_config


def toml(config: Config) -> str:
    """The settings as a file, tables of plain values."""
    lines = []
    for section, values in asdict(config).items():
        lines.append(f"[{section}]")
        for name, value in values.items():
            text = (
                str(list(value)) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else repr(value)
            )
            lines.append(f"{name} = {text}")
    return "\n".join(lines)


def test_a_configuration_becomes_a_model(toy: Config, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(toml(toy))
    arguments = [str(tmp_path / "toy.toml"), f"train.folder={tmp_path / 'run'}", "train.steps=2", "train.warm_up=1"]

    made = CliRunner().invoke(app, ["train", "--shards", *arguments])
    trained = CliRunner().invoke(app, ["train", *arguments])
    exported = CliRunner().invoke(app, ["export", str(tmp_path / "run" / "checkpoint.pt"), str(tmp_path / "toy.pnw")])

    assert (made.exit_code, trained.exit_code, exported.exit_code) == (0, 0, 0), made.output + trained.output + exported.output
    assert load_model(tmp_path / "toy.pnw").id == "toy"


def test_a_pitch_tracker_is_trained_and_goes_into_a_model(toy: Config, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(toml(toy))
    small = ["pitch.shards=1", "pitch.steps=2", "pitch.batch=2", "pitch.frames=40", "pitch.dense=8", "pitch.hidden=8"]

    done = CliRunner().invoke(app, ["train", "--pitch", str(tmp_path / "toy.toml"), f"pitch.folder={tmp_path}", *small])

    assert done.exit_code == 0, done.output
    assert load_model(tmp_path / "pitch.pnw").n_weights != load_model().n_weights


def test_pitch_and_shards_are_one_too_many(toy: Config, tmp_path: Path) -> None:
    (tmp_path / "toy.toml").write_text(toml(toy))

    assert CliRunner().invoke(app, ["train", "--pitch", "--shards", str(tmp_path / "toy.toml")]).exit_code == 2


@pytest.mark.parametrize(
    "arguments", [["absent.toml"], ["default.toml", "train.stpes=3"], ["default.toml", "steps"]], ids=["file", "name", "form"]
)
def test_wrong_settings_are_a_usage_error(arguments: list[str]) -> None:
    folder = Path(__file__).parents[2] / "configs"

    result = CliRunner().invoke(app, ["train", str(folder / arguments[0]), *arguments[1:]])

    assert result.exit_code == 2


@pytest.mark.parametrize("name", ["default", "listening", "tiny"])
def test_the_shipped_recipes_are_valid(name: str) -> None:
    config = load_config(Path(__file__).parents[2] / "configs" / f"{name}.toml")

    assert config.corpus.prefix == "train/"
