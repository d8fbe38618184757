"""Settings: defaults, files, overrides."""

from pathlib import Path

import pytest

from percepnet.errors import ArgumentError
from percepnet.training.config import Config, config_from_json, config_json, load_config


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[train]\nsteps = 7\nbatch = 3\n[mixing]\nsnr_db = [-5, 15]\n")

    config = load_config(tmp_path / "a.toml", ["train.steps=9", "train.folder=runs/a"])

    assert (config.train.steps, config.train.batch, config.train.folder) == (9, 3, "runs/a")
    assert config.mixing.snr_db == (-5.0, 15.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stpes=3", "unknown setting train.stpes"),
        ("train.steps=many", "train.steps is int"),
        ("steps=3", "expected section.key=value"),
        ("train.steps", "expected section.key=value"),
        ("mixing.snr_db=[1,2,3]", "mixing.snr_db is tuple"),
    ],
)
def test_wrong_settings_are_refused(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(None, [override])


def test_saved_settings_come_back() -> None:
    config = load_config(None, ["train.seed=5", "mixing.level_db=[-30,-20]"])

    assert config_from_json(config_json(config)) == config
    assert config != Config()


def test_a_section_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("train = 5\n")

    with pytest.raises(ArgumentError, match="train is a section of settings, got 5"):
        load_config(tmp_path / "a.toml")
