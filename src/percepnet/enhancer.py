"""Streams and whole recordings: Enhancer and enhance()."""

import math
import operator
import threading
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from os import PathLike
from types import TracebackType
from typing import Any, Final, NoReturn, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from percepnet import _core
from percepnet.controls import Link, Preset, check_limit, check_link, check_share, resolve
from percepnet.errors import ArgumentError, AudioFormatError, PercepNetError
from percepnet.weights import Model, load_model

Audio: TypeAlias = npt.NDArray[Any]
Frames: TypeAlias = npt.NDArray[np.void]
Samples = TypeVar("Samples")

# Full scale of the integer types; floats have full scale 1.
_FULL_SCALE: Final = {np.int16: 2.0**15, np.int32: 2.0**31}
_TYPES: Final = (np.int16, np.int32, np.float16, np.float32, np.float64)

# Samples per step of enhance(): 1.4 s at 48 kHz. Any number gives the same result; this one fits the second-level cache.
_STEP: Final = 1 << 16


class Enhancer:
    """One stream of audio being cleaned.

    sample_rate: 8000 to 192000 Hz
    channels: 1 to 64, each with its own state
    model: name, path or Model
    attenuation_limit_db: the most that is taken away from noise, in dB; math.inf for no limit
    post_filter: sharpen the gains, which lowers noise between harmonics
    link: "linked" gives all channels the largest gain of any, which keeps the stereo image; "independent" does not
    block_size: length of every process_block() call, or None for any length
    dereverb: how much of the room's reverberation is taken away: 0 none, 1 all but the early reflections; a model that
        knows nothing of it (`Model.has_dereverb`) does as it was trained
    preset: "default", "gentle", "strong" or "asr": what attenuation_limit_db, post_filter and dereverb are where they are
        None (see percepnet.controls.PRESETS)
    residual: what was removed comes out, instead of what was kept

    Chunks are (samples,) or (channels, samples) arrays of int16, int32, float16, float32 or float64; floats have full scale
    1. What comes out has the shape and type that went in. Calls from several threads take turns.
    """

    def __init__(
        self,
        sample_rate: int = _core.SAMPLE_RATE,
        channels: int = 1,
        model: "str | PathLike[str] | Model" = "default",
        attenuation_limit_db: float | None = None,
        post_filter: bool | None = None,
        link: Link = "linked",
        block_size: int | None = None,
        dereverb: float | None = None,
        *,
        preset: Preset = "default",
        residual: bool = False,
    ) -> None:
        self._sample_rate = _check_rate(sample_rate)
        self._channels = _check_range("channels", channels, 1, _core.CHANNELS_MAX)
        self._block_size = None if block_size is None else _check_range("block_size", block_size, 1, 2**31 - 1)
        check_link(link)
        settings = resolve(preset, attenuation_limit_db, post_filter, dereverb)
        self._model = load_model(model)
        self._handle = _core.EnhancerHandle(
            self._model.handle, self._sample_rate, self._channels, link == "linked", self._block_size or 0
        )
        self._lock = threading.Lock()
        self._closed = False
        self._used_by = ""
        self._last_chunk: tuple[type, int] = (np.float32, 1 if self._channels == 1 else 2)
        self._scratch = np.empty((self._channels, 0), np.float32)
        self._bypass = False
        self.attenuation_limit_db = settings.attenuation_limit_db
        self.dereverb = settings.dereverb
        self.post_filter = settings.post_filter
        self.residual = residual

    # ---- facts

    @property
    def model(self) -> Model:
        """The model that runs."""
        return self._model

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._sample_rate

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self._channels

    @property
    def latency(self) -> int:
        """Delay from input to output in samples, resamplers included; the same when bypassed."""
        return self._handle.latency

    @property
    def latency_seconds(self) -> float:
        """`latency` in seconds."""
        return self.latency / self._sample_rate

    @property
    def block_latency(self) -> int:
        """Delay of process_block() in samples: `latency` for a block_size of whole hops, else one hop more."""
        return self._handle.block_latency

    @property
    def invalid_samples(self) -> int:
        """How many samples of this stream were NaN or infinite, and replaced by 0. flush() and reset() clear it."""
        return self._invalid()[0]

    @property
    def first_invalid_sample(self) -> int | None:
        """Position of the first of `invalid_samples`, from the start of the stream."""
        count, first = self._invalid()
        return first if count else None

    # ---- settings, which take effect over 20 ms

    @property
    def attenuation_limit_db(self) -> float | None:
        """The most that is taken away from noise, in dB; None for no limit."""
        return self._limit

    @attenuation_limit_db.setter
    def attenuation_limit_db(self, limit_db: float | None) -> None:
        limit = math.inf if limit_db is None else check_limit(limit_db)
        with self._lock:
            self._open().set_attenuation_limit_db(limit)
            self._limit = None if math.isinf(limit) else limit

    @property
    def dereverb(self) -> float:
        """How much of the room's reverberation is taken away, 0 to 1."""
        return self._dereverb

    @dereverb.setter
    def dereverb(self, amount: float) -> None:
        share = check_share("dereverb", amount)
        with self._lock:
            self._open().set_dereverb(share)
            self._dereverb = share

    @property
    def post_filter(self) -> bool:
        """Whether the gains are sharpened."""
        return self._post_filter

    @post_filter.setter
    def post_filter(self, on: bool) -> None:
        with self._lock:
            self._open().set_post_filter(bool(on))
            self._post_filter = bool(on)

    @property
    def bypass(self) -> bool:
        """Whether the input comes out as it is, delayed by `latency`."""
        return self._bypass

    @bypass.setter
    def bypass(self, on: bool) -> None:
        with self._lock:
            self._open().set_bypass(bool(on))
            self._bypass = bool(on)

    @property
    def residual(self) -> bool:
        """Whether what was removed comes out: the input, delayed by `latency`, minus the enhanced."""
        return self._residual

    @residual.setter
    def residual(self, on: bool) -> None:
        with self._lock:
            self._open().set_residual(bool(on))
            self._residual = bool(on)

    # ---- audio

    def process(self, chunk: Audio) -> Audio:
        """Feeds a chunk of any length and returns what is ready.

        The first `latency` samples of the stream are dropped, so that all chunks and flush() together are aligned with
        the input and as long as it.
        """
        return self._process(chunk, None)

    def flush(self) -> Audio:
        """Ends the stream: returns the samples still owed, then resets. A second call returns none."""
        return self._flush(None)

    def process_frames(
        self,
        chunk: Audio,
        *,
        gains: npt.ArrayLike | None = None,
        strengths: npt.ArrayLike | None = None,
        first_frame: int = 0,
    ) -> tuple[Audio, Frames]:
        """process(), and what happened in each frame; for measurements, such as those with oracle gains.

        gains, strengths: (frames, BANDS) or (frames, channels, BANDS) to use instead of the network's, from the frame
        of index `first_frame` on. Returned frames are structured rows by index, then channel; frame i is centred 10 ms
        times i after the start. Fields: index, channel, gated (1: below the silence gate), energy, coherence, gains and
        strengths (BANDS each), period (samples at 48 kHz), correlation, voicing, speech_probability (0 to 1; -1 if the
        model does not estimate it).
        """
        hooks = self._hooks(gains, strengths, first_frame)
        hooks.frames = self._room_for_frames(np.shape(chunk)[-1] if np.ndim(chunk) else 0)
        audio = self._process(chunk, hooks)
        return audio, self._filled(hooks)

    def flush_frames(
        self, *, gains: npt.ArrayLike | None = None, strengths: npt.ArrayLike | None = None, first_frame: int = 0
    ) -> tuple[Audio, Frames]:
        """flush(), with the arguments and results of process_frames()."""
        hooks = self._hooks(gains, strengths, first_frame)
        with self._lock:
            hooks.frames = self._room_for_frames(self._open().max_flush())
        audio = self._flush(hooks)
        return audio, self._filled(hooks)

    def process_block(self, chunk: Audio, out: Audio | None = None) -> Audio:
        """As many samples out as in, `block_latency` later, zeros first; for audio callbacks.

        `out` has the shape and type of `chunk` and may be `chunk`. With `out`, nothing is allocated.
        """
        return self._process_block(chunk, out, None)

    def process_block_frames(self, chunk: Audio, out: Audio | None = None) -> tuple[Audio, Frames]:
        """process_block(), and what happened in each frame, as from process_frames(); for meters."""
        hooks = _core.Hooks(frames=self._room_for_frames(np.shape(chunk)[-1] if np.ndim(chunk) else 0))
        audio = self._process_block(chunk, out, hooks)
        return audio, self._filled(hooks)

    def reset(self) -> None:
        """Starts a new stream, as if newly constructed; settings stay."""
        with self._lock:
            self._open().reset()
            self._used_by = ""

    def close(self) -> None:
        """Frees the stream. A second call does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._handle.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Enhancer is one stream and cannot be copied or pickled; make another")

    def __enter__(self) -> "Enhancer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ---- inside

    def _open(self) -> _core.EnhancerHandle:
        if self._closed:
            raise PercepNetError("this enhancer is closed; make a new one")
        return self._handle

    def _invalid(self) -> tuple[int, int]:
        with self._lock:
            return self._open().invalid_samples()

    def _may_begin(self, method: str) -> _core.EnhancerHandle:
        handle = self._open()
        if self._used_by not in ("", method):
            raise PercepNetError(f"{method}() after {self._used_by}() in one stream; call reset() in between")
        return handle

    def _begin(self, method: str) -> _core.EnhancerHandle:
        handle = self._may_begin(method)
        self._used_by = method
        return handle

    def _process_block(self, chunk: Audio, out: Audio | None, hooks: _core.Hooks | None) -> Audio:
        self._check_chunk(chunk)
        if self._block_size is not None and chunk.shape[-1] != self._block_size:
            raise AudioFormatError(
                f"expected {self._block_size} samples, the block_size of this enhancer, got {chunk.shape[-1]}"
            )
        if out is None:
            out = np.empty(chunk.shape, chunk.dtype)
        elif out.shape != chunk.shape or out.dtype != chunk.dtype or not out.flags.writeable:
            raise AudioFormatError(
                f"expected a writable `out` of {chunk.dtype} {chunk.shape} like the chunk, got {out.dtype} {out.shape}"
            )
        with self._lock:
            handle = self._begin("process_block")
            if _is_native(chunk) and _is_native(out) and (out is chunk or not np.may_share_memory(chunk, out)):
                handle.process_block(chunk, out, hooks)
                return out
            scratch = self._room_for_samples(chunk.shape[-1])
            _to_float(_planar(chunk), scratch)
            handle.process_block(scratch, scratch, hooks)
            _from_float(scratch, _planar(out))
        return out

    def _process(self, chunk: Audio, hooks: _core.Hooks | None) -> Audio:
        self._check_chunk(chunk)
        samples = _native(chunk)
        with self._lock:
            handle, out = self._begin_process(chunk)
            n_out = handle.process(samples, out, hooks)
        return _like(out[:, :n_out], chunk.dtype.type, chunk.ndim)

    def _begin_process(self, chunk: Audio) -> tuple[_core.EnhancerHandle, npt.NDArray[np.float32]]:
        handle = self._begin("process")
        self._last_chunk = (chunk.dtype.type, chunk.ndim)
        return handle, np.empty((self._channels, handle.max_output(chunk.shape[-1])), np.float32)

    def _flush(self, hooks: _core.Hooks | None) -> Audio:
        with self._lock:
            handle = self._begin("process")
            out = np.empty((self._channels, handle.max_flush()), np.float32)
            n_out = handle.flush(out, hooks)
            self._used_by = ""
            return _like(out[:, :n_out], *self._last_chunk)

    def _check_chunk(self, chunk: Audio) -> None:
        _check_audio(chunk)
        if (chunk.shape[0] if chunk.ndim == 2 else 1) != self._channels:
            either = "(samples,) or (1, samples)" if self._channels == 1 else f"({self._channels}, samples)"
            hint = "; transpose it" if chunk.ndim == 2 and chunk.shape[1] == self._channels else ""
            raise AudioFormatError(f"expected {either}, got {chunk.shape}{hint}")

    def _hooks(self, gains: npt.ArrayLike | None, strengths: npt.ArrayLike | None, first_frame: int) -> _core.Hooks:
        return _core.Hooks(self._rows(gains), self._rows(strengths), first_frame)

    def _rows(self, values: npt.ArrayLike | None) -> npt.NDArray[np.float32] | None:
        if values is None:
            return None
        rows = np.ascontiguousarray(values, dtype=np.float32)
        if rows.ndim == 2 and self._channels == 1:
            rows = rows[:, np.newaxis]
        if rows.shape[1:] != (self._channels, _core.BANDS):
            expected = f"(frames, {self._channels}, {_core.BANDS})"
            raise AudioFormatError(f"expected imposed values of {expected}, got {np.shape(values)}")
        return rows

    def _room_for_frames(self, n: int) -> Frames:
        hops = n * _core.SAMPLE_RATE // (self._sample_rate * _core.HOP) + _core.LOOKAHEAD_MAX + 2
        return np.empty(hops * self._channels, _core.FRAME_DTYPE)

    def _filled(self, hooks: _core.Hooks) -> Frames:
        frames = cast(Frames, hooks.frames)
        if hooks.n_frames > len(frames):
            raise PercepNetError(f"room for {len(frames)} frames, but {hooks.n_frames} came")
        return frames[: hooks.n_frames]

    def _room_for_samples(self, n: int) -> npt.NDArray[np.float32]:
        if self._scratch.shape[1] != n:
            self._scratch = np.empty((self._channels, n), np.float32)
        return self._scratch


def process_many(enhancers: Sequence[Enhancer], chunks: Sequence[Audio]) -> list[Audio]:
    """enhancer.process(chunk) for each pair, in one call that shares the reading of the weights; for servers.

    enhancers: all different; those of one model share. Sample rates, channels and settings may differ.
    chunks: one for each enhancer, as for Enhancer.process
    Returns what each enhancer has ready, the same samples as from process().
    """
    if len(enhancers) != len(chunks):
        raise ArgumentError(f"expected one chunk for each enhancer, got {len(enhancers)} enhancers and {len(chunks)} chunks")
    if len({id(enhancer) for enhancer in enhancers}) != len(enhancers):
        raise ArgumentError("expected enhancers that are all different; join the chunks of one stream")
    for enhancer, chunk in zip(enhancers, chunks, strict=True):
        enhancer._check_chunk(chunk)  # noqa: SLF001
    samples = [_native(chunk) for chunk in chunks]
    with ExitStack() as locks:
        for enhancer in sorted(enhancers, key=id):  # in one order everywhere: two calls never wait for each other
            locks.enter_context(enhancer._lock)  # noqa: SLF001
        for enhancer in enhancers:
            enhancer._may_begin("process")  # noqa: SLF001
        begun = [enhancer._begin_process(chunk) for enhancer, chunk in zip(enhancers, chunks, strict=True)]  # noqa: SLF001
        handles, outs = [handle for handle, _ in begun], [out for _, out in begun]
        counts = _core.Batch(handles, samples, outs).run()
    return [_like(out[:, :n], chunk.dtype.type, chunk.ndim) for out, n, chunk in zip(outs, counts, chunks, strict=True)]


def enhance(
    samples: Samples,
    sample_rate: int,
    *,
    model: "str | PathLike[str] | Model" = "default",
    attenuation_limit_db: float | None = None,
    post_filter: bool | None = None,
    link: Link = "linked",
    dereverb: float | None = None,
    preset: Preset = "default",
    residual: bool = False,
) -> Samples:
    """Cleans a whole recording; what comes back has the type, dtype, shape and length of `samples`, aligned with it.

    samples: NumPy array or torch tensor, (samples,) or (channels, samples), of int16, int32, float16, float32 or
        float64. Floats have full scale 1; integers saturate. NaN and infinity are replaced by 0, with a warning.
    sample_rate: 8000 to 192000 Hz
    The other arguments are those of Enhancer.
    """
    array = samples if isinstance(samples, np.ndarray) else _tensor_to_array(samples)
    _check_audio(array)
    channels = array.shape[0] if array.ndim == 2 else 1
    settings = (attenuation_limit_db, post_filter, link, None, dereverb)
    with Enhancer(sample_rate, channels, model, *settings, preset=preset, residual=residual) as enhancer:
        result = _run(enhancer, array)
    return result if array is samples else samples.new_tensor(result)  # type: ignore[attr-defined,return-value]


def _run(enhancer: Enhancer, array: Audio) -> Audio:
    result = np.empty(array.shape, array.dtype)
    written = 0
    for start in range(0, array.shape[-1], _STEP):
        ready = enhancer.process(array[..., start : start + _STEP])
        result[..., written : written + ready.shape[-1]] = ready
        written += ready.shape[-1]
    if enhancer.invalid_samples:
        message = f"{enhancer.invalid_samples} samples were NaN or infinite and were replaced by 0"
        warnings.warn(f"{message}; the first is sample {enhancer.first_invalid_sample}", RuntimeWarning, stacklevel=3)
    if array.shape[-1]:
        result[..., written:] = enhancer.flush()
    return result


# ---- checks and types ----------------------------------------------------------------------------------------------


def _check_rate(sample_rate: int) -> int:
    try:
        rate = operator.index(sample_rate)
    except TypeError:
        raise AudioFormatError(f"expected an integer sample_rate in Hz, got {sample_rate!r}") from None
    if not _core.RATE_MIN <= rate <= _core.RATE_MAX:
        raise AudioFormatError(f"expected a sample_rate of {_core.RATE_MIN} to {_core.RATE_MAX} Hz, got {rate}")
    return rate


def _check_range(name: str, value: int, low: int, high: int) -> int:
    number = operator.index(value)
    if not low <= number <= high:
        raise ArgumentError(f"expected {name} of {low} to {high}, got {number}")
    return number


def _check_audio(samples: Audio) -> None:
    if not isinstance(samples, np.ndarray):
        hint = "numpy.frombuffer" if isinstance(samples, (bytes, bytearray, memoryview)) else "numpy.asarray"
        raise AudioFormatError(f"expected a NumPy array, got {type(samples).__name__}; use {hint}")
    if samples.dtype.type not in _TYPES:
        raise AudioFormatError(
            f"expected int16, int32, float16, float32 or float64 samples, got {samples.dtype}; convert with astype"
        )
    if samples.ndim not in (1, 2):
        raise AudioFormatError(f"expected (samples,) or (channels, samples), got {samples.shape}")
    if samples.ndim == 2 and not 1 <= samples.shape[0] <= _core.CHANNELS_MAX:
        raise AudioFormatError(
            f"expected (channels, samples) with 1 to {_core.CHANNELS_MAX} channels, got {samples.shape}; transpose it?"
        )


def _tensor_to_array(samples: Any) -> Audio:
    if not hasattr(samples, "new_tensor"):
        raise AudioFormatError(f"expected a NumPy array or a torch tensor, got {type(samples).__name__}; use numpy.asarray")
    try:
        array: Audio = samples.detach().cpu().numpy()
    except TypeError as error:
        raise AudioFormatError(f"cannot read this tensor as a NumPy array: {error}") from error
    return array


def _planar(samples: Audio) -> Audio:
    return samples if samples.ndim == 2 else samples[np.newaxis]


def _is_native(samples: Audio) -> bool:
    """Whether the core can work on this array in place: float32, samples contiguous, channels in order."""
    return (
        samples.dtype == np.float32
        and samples.strides[-1] == samples.itemsize
        and samples.strides[0] >= 0
        and samples.flags.aligned
    )


def _native(chunk: Audio) -> npt.NDArray[np.float32]:
    return chunk if _is_native(chunk) else _to_float(_planar(chunk))


def _to_float(samples: Audio, out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """(channels, samples) of any accepted type -> float32 of full scale 1."""
    out = np.empty(samples.shape, np.float32) if out is None else out
    full_scale = _FULL_SCALE.get(samples.dtype.type)
    if full_scale is None:
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32: infinity, which the core replaces and counts
            np.copyto(out, samples, casting="same_kind")
    else:
        np.multiply(samples, 1 / full_scale, out=out, dtype=np.float32, casting="unsafe")
    return out


def _from_float(samples: npt.NDArray[np.float32], out: Audio) -> None:
    """The way back, into `out`; integers are rounded and saturate."""
    full_scale = _FULL_SCALE.get(out.dtype.type)
    if full_scale is None:
        with np.errstate(over="ignore"):  # beyond float16: infinity
            np.copyto(out, samples, casting="same_kind")
    else:
        scaled = np.multiply(samples, full_scale, dtype=np.float64)  # float32 cannot hold the largest int32
        np.copyto(out, np.clip(np.rint(scaled, out=scaled), -full_scale, full_scale - 1, out=scaled), casting="unsafe")


def _like(samples: npt.NDArray[np.float32], kind: type, ndim: int) -> Audio:
    """(channels, samples) float32 -> an array of this type and number of dimensions."""
    out: Audio = samples
    if kind is not np.float32:
        out = np.empty(samples.shape, kind)
        _from_float(samples, out)
    return out[0] if ndim == 1 else out
