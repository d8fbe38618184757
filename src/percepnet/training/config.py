"""Every choice of a training run, with its default. A TOML file and ``section.key=value`` arguments override them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from percepnet.errors import ArgumentError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")


@dataclass(frozen=True)
class CorpusConfig:
    """Where the audio is. Relative paths count from the working directory."""

    root: str = "data"
    second_root: str = ""  # another corpus, such as the one that configs/fetch_corpus.py builds
    prefix: str = ""  # only files whose path starts with this, such as "train/"
    set_aside: str = ""  # a list of paths that no training may read
    cache: str = "runs/cache"
    denoiser: str = ""  # a model that lowers the noise in the speech before the cache keeps it, such as "default"
    rooms: str = "runs/rooms.npz"
    n_rooms: int = 800
    rt60_s: tuple[float, float, float] = (0.15, 0.4, 1.3)  # of the rooms: least, most frequent, most


@dataclass(frozen=True)
class MixingConfig:
    """Mixtures (SPEC 6.4). Shares are probabilities; ranges are uniform."""

    seconds: float = 10.0
    seed: int = 20261124
    noise_only: float = 0.05
    noise_free: float = 0.08
    long_pauses: float = 0.12  # mixtures whose pauses last 1 to 4 s
    snr_db: tuple[float, float] = (-8.0, 22.0)
    snr_high_db: tuple[float, float] = (20.0, 45.0)
    snr_high: float = 0.12
    level_db: tuple[float, float] = (-36.0, -16.0)  # active speech level, full scale 0
    level_wide_db: tuple[float, float] = (-56.0, -12.0)
    level_wide: float = 0.35
    ambience: float = 0.27  # the six kinds of noise
    event: float = 0.27
    music: float = 0.15
    babble: float = 0.15
    synthetic: float = 0.12
    keys: float = 0.04
    second_noise: float = 0.25
    room: float = 0.4
    keep_room: float = 0.25  # mixtures whose target keeps the room, and is told so to the network: dereverb 0
    soften_room: float = 0.15  # dereverb between 0 and 1; the rest is 1
    low_pass: float = 0.3
    low_pass_hz: tuple[float, float] = (3000.0, 20000.0)  # logarithmic
    clipping: float = 0.08
    quantisation: float = 0.5
    level_step: float = 0.08
    speech_colour: float = 0.0  # a random smooth response
    noise_colour: float = 0.0
    noise_texture: float = 0.0  # recorded noise replaced by stationary noise of its spectrum
    speech_speed: float = 0.4
    noise_speed: float = 0.4
    noise_reversal: float = 0.3
    noise_low_pass: float = 0.1
    noise_fade: float = 0.15
    dither_db: tuple[float, float] = (-86.0, -76.0)


@dataclass(frozen=True)
class DatasetConfig:
    """Shards of analysed mixtures on disk."""

    folder: str = "runs/shards"
    mixtures_per_shard: int = 60
    shards: int = 0  # how many to make; 0 is endless
    keep: int = 240  # the oldest beyond this many are deleted
    lookahead: int = 2  # hops
    tracker: str = ""  # a model whose pitch tracker makes the features, such as "default"; empty: the plain tracker
    cues: bool = False  # what that tracker hears and remembers goes with them, for a network with ``model.cues``
    spectra: bool = False  # noisy, comb and clean spectra below 8 kHz go with them, for losses that listen; 2 MB more a mixture


@dataclass(frozen=True)
class PitchConfig:
    """The learned pitch tracker, its shards and its training."""

    folder: str = "runs/pitch"
    seed: int = 1
    shards: int = 60
    dense: int = 96
    hidden: int = 96
    steps: int = 8000
    batch: int = 48
    frames: int = 250
    burn_in: int = 20  # frames without loss
    learning_rate: float = 3e-3
    warm_up: int = 200
    log_steps: int = 100  # a row in the log and a checkpoint
    voicing: float = 0.5  # weight of the voicing loss
    quantise_from_step: int = 0  # from here on weights and activations are rounded as int8 rounds them; 0: never
    model: str = "default"  # whose tracker is replaced in the weight file that comes out


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the network (SPEC 6.2)."""

    dense: int = 64
    hidden: int = 192
    strength: int = 64
    speech: bool = True
    dereverb: bool = True  # takes the amount of dereverberation as an input
    cues: int = 0  # inputs besides: what the pitch tracker hears, 346, and remembers, 96 for the shipped one


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses (SPEC 6.3, 9.1)."""

    gains: float = 1.0
    strengths: float = 1.0
    gamma: float = 0.5
    fourth_power: float = 10.0  # C4
    eaten_speech: float = 2.0  # weight where the gain is too small
    spectral: float = 2.0  # band-domain loss
    spectral_power: float = 0.4  # c
    spectral_complex: float = 0.3  # lambda
    loudness: float = 0.0  # disturbance of the loudness, in the units of PESQ
    intelligibility: float = 0.0  # correlation of the bands' envelopes over time
    post_filter: bool = False  # spectrum, loudness and envelopes are those behind the envelope postfilter
    dnsmos: float = 0.0  # these three listen to the output at 16 kHz: DNSMOS OVRL ...
    pesq: float = 0.0  # ... PESQ-WB ...
    si_sdr: float = 0.0  # ... and SI-SDR, by dB
    speech: float = 0.05
    speech_boost: float = 0.0  # extra weight of the gain loss in speech frames


@dataclass(frozen=True)
class TrainConfig:
    """The loop. The budget is counted in steps, so that equal seeds give equal weights."""

    folder: str = "runs/model"
    validation: str = ""  # a folder with clean/ and noisy/ pairs
    start_weights: str = ""  # a shipped model or a weight file to start from; a smaller network is widened
    start_beside: str = ""  # another one beside it, in a network as large as both together: it starts as their mean
    teacher: str = ""  # one whose gains, strengths and speech probability are the targets, in place of the ideal ones
    seed: int = 1
    steps: int = 3400
    batch: int = 32
    frames: int = 300
    burn_in: int = 30  # frames without loss
    burn_in_share: float = 0.75  # of the sequences; the others count from the first frame
    clips: int = 4  # sequences that the losses that listen hear beside a batch ...
    clip_frames: int = 900  # ... and their length: the 9 s that DNSMOS was made for
    learning_rate: float = 1.8e-3
    learning_rate_end: float = 1e-5
    warm_up: int = 150
    restart_step: int = 0  # the cosine starts anew at this step: to go on after a finished budget
    weight_decay: float = 1e-2
    beta1: float = 0.8
    beta2: float = 0.98
    clip: float = 1.0
    quantise_from_step: int = 0  # from here on weights and activations are rounded as int8 rounds them; 0: never
    bfloat16: bool = False  # the network's large products in bfloat16: faster where the processor has them, such as with AMX
    prune_density: float = 1.0  # share of the blocks that conv2 and the GRUs keep in the end; 1: all
    prune_from_step: int = 0  # blocks go from here on, many at first ...
    prune_to_step: int = 0  # ... and the last ones here
    prune_every: int = 50  # steps
    ema: float = 0.999
    scaling_mixtures: int = 240  # mean and scale of the features come from this many mixtures
    min_shards: int = 1
    watch_shards: bool = True  # pick up shards that appear during training
    log_steps: int = 20
    validation_steps: int = 500
    checkpoint_steps: int = 200


@dataclass(frozen=True)
class Config:
    """A whole run."""

    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    mixing: MixingConfig = field(default_factory=MixingConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    pitch: PitchConfig = field(default_factory=PitchConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def load_config(path: Path | None = None, overrides: Iterable[str] = ()) -> Config:
    """Defaults, then a TOML file, then ``section.key=value`` in TOML syntax (bare text counts as a string)."""
    config = Config()
    if path:
        with path.open("rb") as file:
            config = _merge(config, tomllib.load(file), "")
    for override in overrides:
        key, separator, text = override.partition("=")
        section, dot, name = key.partition(".")
        if not separator or not dot:
            raise ArgumentError(f"expected section.key=value, got {override!r}")
        config = _merge(config, {section: {name: _parse(text)}}, "")
    return config


def _parse(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(target: T, values: dict[str, Any], where: str) -> T:
    """A copy of a frozen dataclass with some fields replaced, checked by name and type."""
    known = {f.name: getattr(target, f.name) for f in fields(target)}  # type: ignore[arg-type]
    changes = {}
    for name, value in values.items():
        if name not in known:
            raise ArgumentError(f"unknown setting {where}{name}; known here: {', '.join(known)}")
        changes[name] = _convert(known[name], value, where + name)
    return replace(target, **changes)  # type: ignore[type-var]


def _convert(default: Any, value: Any, name: str) -> Any:
    if is_dataclass(default) and isinstance(value, dict):
        return _merge(default, value, name + ".")
    if isinstance(default, tuple) and isinstance(value, list) and len(value) == len(default):
        return tuple(float(v) for v in value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        expected = "a section of settings" if is_dataclass(default) else type(default).__name__
        raise ArgumentError(f"{name} is {expected}, got {value!r}")
    return value


def config_json(config: Config) -> str:
    """The resolved configuration, as it is saved beside each checkpoint."""
    return json.dumps(asdict(config), indent=1)


def config_from_json(text: str) -> Config:
    """The inverse of ``config_json``; settings that a later version added keep their defaults."""
    return _merge(Config(), json.loads(text), "")
