"""The native core through ctypes: checks, calls, wraps, and does nothing else.

This is the only file that knows the shared library. Every call releases the GIL. Spectra are complex64 of BINS lines,
audio is float32 with full scale 1, arrays are time first; see native/include for what each function does.
"""

import ctypes
import os
import sys
import weakref
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from percepnet.errors import AudioFormatError, ModelError, PercepNetError

SAMPLE_RATE = 48000
HOP = 480
WINDOW = 2 * HOP
BINS = WINDOW // 2 + 1
BANDS = 34
FEATURES = 72
PITCH_LAGS, PITCH_CUES = 225, 346
LOOKAHEAD_MAX = 3
PERIOD_MIN = 96
PERIOD_MAX = 768
CHANNELS_MAX = 64
RATE_MIN = 8000
RATE_MAX = 192000

# What PERCEPNET_ISA may name, by processor; the best that a processor has is used
ISAS = ("avx512vnni", "avxvnni", "avx2", "sse", "neondot", "neon", "simd128", "portable")
ELEMENTARY_FUNCTIONS = ("exp", "log10", "tanh", "sigmoid", "sin_half_pi")
STATISTICS = ("E_Y", "E_P^", "<Y,P^>", "E_X", "<Y,X>", "<P^,X>")

Float32Array: TypeAlias = npt.NDArray[np.float32]
Complex64Array: TypeAlias = npt.NDArray[np.complex64]

# struct percepnet_frame: one row for each frame of each channel
FRAME_DTYPE = np.dtype(
    [
        ("index", np.int64),
        ("channel", np.int32),
        ("gated", np.int32),
        ("energy", np.float32, BANDS),
        ("coherence", np.float32, BANDS),
        ("gains", np.float32, BANDS),
        ("strengths", np.float32, BANDS),
        ("period", np.float32),
        ("correlation", np.float32),
        ("speech_probability", np.float32),
        ("voicing", np.float32),
    ],
    align=True,
)


class _Hooks(ctypes.Structure):
    _fields_ = (
        ("gains", c_void_p),
        ("strengths", c_void_p),
        ("first_frame", c_int64),
        ("n_imposed", c_size_t),
        ("frames", c_void_p),
        ("frame_capacity", c_size_t),
        ("n_frames", c_size_t),
    )


class _Chunk(ctypes.Structure):
    _fields_ = (
        ("enhancer", c_void_p),
        ("in", c_void_p),
        ("in_stride", c_size_t),
        ("n", c_size_t),
        ("out", c_void_p),
        ("out_stride", c_size_t),
        ("out_capacity", c_size_t),
        ("n_out", c_size_t),
    )


_ANALYSIS_FIELDS = (
    "features",
    "period",
    "correlation",
    "gated",
    "energy",
    "coherence",
    "cues",
    "gains",
    "strengths",
    "statistics",
)


class _Analysis(ctypes.Structure):
    _fields_ = tuple((name, c_void_p) for name in _ANALYSIS_FIELDS)


# ---- the library ---------------------------------------------------------------------------------------------------

_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "percepnet_version": (c_char_p, ()),
    "percepnet_status_text": (c_char_p, (c_int,)),
    "percepnet_model_create": (c_int, (c_char_p, c_size_t, POINTER(c_void_p))),
    "percepnet_model_destroy": (None, (c_void_p,)),
    "percepnet_model_has_dereverb": (c_int, (c_void_p,)),
    "percepnet_model_lookahead": (c_int, (c_void_p,)),
    "percepnet_model_has_speech": (c_int, (c_void_p,)),
    "percepnet_model_n_cues": (c_int, (c_void_p,)),
    "percepnet_model_n_inputs": (c_int, (c_void_p,)),
    "percepnet_model_n_weights": (c_int64, (c_void_p,)),
    "percepnet_model_isa": (c_char_p, (c_void_p,)),
    "percepnet_model_card": (c_void_p, (c_void_p, POINTER(c_size_t))),
    "percepnet_enhancer_create": (c_int, (c_void_p, c_int, c_int, c_int, c_int, POINTER(c_void_p))),
    "percepnet_enhancer_destroy": (None, (c_void_p,)),
    "percepnet_enhancer_size": (c_size_t, (c_void_p,)),
    "percepnet_latency": (c_int64, (c_void_p,)),
    "percepnet_block_latency": (c_int64, (c_void_p,)),
    "percepnet_max_output": (c_size_t, (c_void_p, c_size_t)),
    "percepnet_max_flush": (c_size_t, (c_void_p,)),
    "percepnet_process": (
        c_int,
        (c_void_p, c_void_p, c_size_t, c_size_t, c_void_p, c_size_t, c_size_t, POINTER(c_size_t), POINTER(_Hooks)),
    ),
    "percepnet_process_many": (c_int, (POINTER(_Chunk), c_size_t)),
    "percepnet_flush": (c_int, (c_void_p, c_void_p, c_size_t, c_size_t, POINTER(c_size_t), POINTER(_Hooks))),
    "percepnet_process_block": (c_int, (c_void_p, c_void_p, c_size_t, c_size_t, c_void_p, c_size_t, POINTER(_Hooks))),
    "percepnet_reset": (None, (c_void_p,)),
    "percepnet_set_attenuation_limit_db": (c_int, (c_void_p, c_float)),
    "percepnet_set_dereverb": (c_int, (c_void_p, c_float)),
    "percepnet_set_post_filter": (c_int, (c_void_p, c_int)),
    "percepnet_set_bypass": (c_int, (c_void_p, c_int)),
    "percepnet_set_residual": (c_int, (c_void_p, c_int)),
    "percepnet_invalid_samples": (c_int64, (c_void_p, POINTER(c_int64))),
    "percepnet_analyze": (c_int, (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(_Analysis))),
    "percepnet_pitch_cues": (c_int, (c_void_p, c_size_t, c_void_p)),
    "percepnet_network_run": (c_int, (c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p)),
    "percepnet_stage_elementary": (c_int, (c_int, c_void_p, c_size_t, c_void_p)),
    "percepnet_stage_dc_blocker": (c_int, (c_void_p, c_size_t, c_void_p)),
    "percepnet_stage_analysis": (c_int, (c_void_p, c_void_p)),
    "percepnet_stage_synthesis": (c_int, (c_void_p, c_size_t, c_void_p)),
    "percepnet_stage_band_weights": (c_int, (c_void_p,)),
    "percepnet_stage_band_product": (c_int, (c_void_p, c_void_p, c_void_p)),
    "percepnet_stage_band_interpolate": (c_int, (c_void_p, c_void_p)),
    "percepnet_stage_comb": (
        c_int,
        (c_void_p, c_size_t, c_size_t, c_float, c_int, c_void_p, POINTER(c_float), POINTER(c_float)),
    ),
    "percepnet_stage_postfilter": (c_int, (c_void_p, c_void_p, c_void_p, POINTER(c_float))),
    "percepnet_stage_oracle": (c_int, (*(c_void_p,) * 5, c_float, c_float, c_void_p, c_void_p)),
    "percepnet_stage_gains": (c_int, (c_void_p,) * 5),
    "percepnet_stage_resample": (
        c_int,
        (c_int, c_int, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(c_size_t), POINTER(c_double)),
    ),
}


def _library_path() -> Path:
    override = os.environ.get("PERCEPNET_LIBRARY")
    if override:
        return Path(override)
    name = {"darwin": "libpercepnet.dylib", "win32": "percepnet.dll"}.get(sys.platform, "libpercepnet.so")
    # An editable install keeps its library elsewhere on the package's path; `make build` puts a newer one here.
    for folder in (str(Path(__file__).parent), *sys.modules["percepnet"].__path__):
        path = Path(folder) / name
        if path.exists():
            return path
    raise ImportError(f"{name} is not beside {Path(__file__).parent}; install the package, or run `make build` in a checkout")


def _load_library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_library_path()))
    for name, (restype, argtypes) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = restype, argtypes
    return library


_library = _load_library()


def version() -> str:
    """The version of the native core."""
    text: bytes = _library.percepnet_version()
    return text.decode()


def _check(status: int, error: type[PercepNetError] = PercepNetError) -> None:
    if status:
        raise error(_library.percepnet_status_text(status).decode())


# ---- arrays --------------------------------------------------------------------------------------------------------


def _floats(array: npt.ArrayLike, *shape: int | None) -> Float32Array:
    """A C-contiguous float32 array of this shape, where None stands for any length."""
    result = np.ascontiguousarray(array, dtype=np.float32)
    _check_shape(result.shape, shape)
    return result


def _complexes(array: npt.ArrayLike, *shape: int | None) -> Complex64Array:
    result = np.ascontiguousarray(array, dtype=np.complex64)
    _check_shape(result.shape, shape)
    return result


def _check_shape(actual: tuple[int, ...], shape: tuple[int | None, ...]) -> None:
    if len(actual) != len(shape) or any(n not in (None, m) for n, m in zip(shape, actual, strict=True)):
        expected = ", ".join("n" if n is None else str(n) for n in shape)
        raise AudioFormatError(f"expected an array of shape ({expected}), got {actual}")


def _pointer(array: npt.NDArray[Any] | None) -> int | None:
    return None if array is None else array.ctypes.data


# ---- model and enhancer --------------------------------------------------------------------------------------------


class ModelHandle:
    """A weight file in the core. Immutable; serves any number of enhancers on any number of threads."""

    def __init__(self, contents: bytes) -> None:
        pointer = c_void_p()
        _check(_library.percepnet_model_create(contents, len(contents), byref(pointer)), ModelError)
        self.pointer = pointer
        weakref.finalize(self, _library.percepnet_model_destroy, pointer).atexit = False

    @property
    def lookahead(self) -> int:
        """Hops."""
        return int(_library.percepnet_model_lookahead(self.pointer))

    @property
    def has_speech(self) -> bool:
        """Whether the model estimates the probability of speech."""
        return bool(_library.percepnet_model_has_speech(self.pointer))

    @property
    def has_dereverb(self) -> bool:
        """Whether the model heeds the amount of dereverberation."""
        return bool(_library.percepnet_model_has_dereverb(self.pointer))

    @property
    def n_cues(self) -> int:
        """How many cues its pitch tracker tells a network: those it hears, then what it remembers; 0 without a tracker."""
        return int(_library.percepnet_model_n_cues(self.pointer))

    @property
    def n_inputs(self) -> int:
        """What its network takes in a row: FEATURES, the amount of dereverberation if it heeds that, cues if it hears them."""
        return int(_library.percepnet_model_n_inputs(self.pointer))

    @property
    def n_weights(self) -> int:
        """Trained numbers in the network."""
        return int(_library.percepnet_model_n_weights(self.pointer))

    @property
    def isa(self) -> str:
        """The instruction set that its layers use; PERCEPNET_ISA names another before the model is made."""
        return bytes(_library.percepnet_model_isa(self.pointer)).decode()

    @property
    def card(self) -> bytes:
        """The model card: JSON in UTF-8."""
        size = c_size_t()
        text = _library.percepnet_model_card(self.pointer, byref(size))
        return ctypes.string_at(text, size.value) if text else b""


@dataclass
class Hooks:
    """Values imposed on a call of process, and room for what happened in it.

    gains, strengths: (frames, channels, BANDS) float32, C-contiguous, or None
    first_frame: index of the frame that row 0 serves
    frames: FRAME_DTYPE array to fill, or None
    n_frames: after the call, rows that `frames` needed
    """

    gains: Float32Array | None = None
    strengths: Float32Array | None = None
    first_frame: int = 0
    frames: npt.NDArray[np.void] | None = None
    n_frames: int = 0

    def _to_native(self, channels: int) -> _Hooks:
        imposed = [rows for rows in (self.gains, self.strengths) if rows is not None]
        for rows in imposed:
            _check_shape(rows.shape, (len(imposed[0]), channels, BANDS))
        return _Hooks(
            gains=_pointer(self.gains),
            strengths=_pointer(self.strengths),
            first_frame=self.first_frame,
            n_imposed=len(imposed[0]) if imposed else 0,
            frames=_pointer(self.frames),
            frame_capacity=0 if self.frames is None else len(self.frames),
        )


class EnhancerHandle:
    """One stream in the core. Audio arrays are float32, (samples,) or (channels, samples), samples contiguous.

    Not for two threads at once. The caller checks shapes and types; nothing is copied.
    """

    def __init__(self, model: ModelHandle, sample_rate: int, channels: int, linked: bool, block_size: int) -> None:
        pointer = c_void_p()
        _check(_library.percepnet_enhancer_create(model.pointer, sample_rate, channels, linked, block_size, byref(pointer)))
        self.model = model  # must outlive the enhancer
        self.pointer = pointer
        self.channels = channels
        self.latency = int(_library.percepnet_latency(pointer))  # of process, in samples
        self.block_latency = int(_library.percepnet_block_latency(pointer))  # of process_block
        self._destroy = weakref.finalize(self, _library.percepnet_enhancer_destroy, pointer)
        self._destroy.atexit = False
        self._n_out = c_size_t()

    def close(self) -> None:
        """Frees the stream; it cannot be used any more."""
        self._destroy()
        self.pointer = c_void_p()

    @property
    def size(self) -> int:
        """Bytes of state."""
        return int(_library.percepnet_enhancer_size(self.pointer))

    def max_output(self, n: int) -> int:
        """Room that process needs for n samples."""
        return int(_library.percepnet_max_output(self.pointer, n))

    def max_flush(self) -> int:
        """Room that flush needs."""
        return int(_library.percepnet_max_flush(self.pointer))

    def process(self, samples: Float32Array, out: Float32Array, hooks: Hooks | None = None) -> int:
        """Feeds `samples`, writes what is ready to `out` and returns how many samples that is."""
        native = hooks._to_native(self.channels) if hooks else None
        status = _library.percepnet_process(
            self.pointer,
            samples.ctypes.data,
            samples.strides[0] // 4,
            samples.shape[-1],
            out.ctypes.data,
            out.strides[0] // 4,
            out.shape[-1],
            self._n_out,
            native,
        )
        _check(status)
        if hooks and native:
            hooks.n_frames = native.n_frames
        return self._n_out.value

    def flush(self, out: Float32Array, hooks: Hooks | None = None) -> int:
        """Writes the samples still owed to `out`, resets, and returns how many samples that is."""
        native = hooks._to_native(self.channels) if hooks else None
        status = _library.percepnet_flush(
            self.pointer, out.ctypes.data, out.strides[0] // 4, out.shape[-1], self._n_out, native
        )
        _check(status)
        if hooks and native:
            hooks.n_frames = native.n_frames
        return self._n_out.value

    def process_block(self, samples: Float32Array, out: Float32Array, hooks: Hooks | None = None) -> None:
        """As many samples out as in, `block_latency` later; `out` may be `samples`."""
        native = hooks._to_native(self.channels) if hooks else None
        status = _library.percepnet_process_block(
            self.pointer,
            samples.ctypes.data,
            samples.strides[0] // 4,
            samples.shape[-1],
            out.ctypes.data,
            out.strides[0] // 4,
            native,
        )
        _check(status)
        if hooks and native:
            hooks.n_frames = native.n_frames

    def reset(self) -> None:
        """Back to the state after construction; settings stay."""
        _library.percepnet_reset(self.pointer)

    def set_attenuation_limit_db(self, limit_db: float) -> None:
        """0 or more; infinity removes the limit."""
        _check(_library.percepnet_set_attenuation_limit_db(self.pointer, limit_db))

    def set_dereverb(self, amount: float) -> None:
        """How much of the room goes: 0..1."""
        _check(_library.percepnet_set_dereverb(self.pointer, amount))

    def set_post_filter(self, on: bool) -> None:
        """Sharpening of the gains."""
        _check(_library.percepnet_set_post_filter(self.pointer, on))

    def set_bypass(self, on: bool) -> None:
        """The input, delayed."""
        _check(_library.percepnet_set_bypass(self.pointer, on))

    def set_residual(self, on: bool) -> None:
        """What was removed: the input, delayed, minus the output."""
        _check(_library.percepnet_set_residual(self.pointer, on))

    def invalid_samples(self) -> tuple[int, int]:
        """How many samples were not finite since the last reset, and the position of the first, or -1."""
        first = c_int64()
        count = int(_library.percepnet_invalid_samples(self.pointer, byref(first)))
        return count, first.value


class Batch:
    """One call of process for several enhancers, prepared once: the arrays may be filled anew before each run()."""

    def __init__(
        self, handles: Sequence[EnhancerHandle], samples: Sequence[Float32Array], outs: Sequence[Float32Array]
    ) -> None:
        self._used = (handles, samples, outs)  # must outlive the pointers
        self._chunks = (_Chunk * len(handles))(
            *(
                _Chunk(
                    handle.pointer,
                    array.ctypes.data,
                    array.strides[0] // 4,
                    array.shape[-1],
                    out.ctypes.data,
                    out.strides[0] // 4,
                    out.shape[-1],
                )
                for handle, array, out in zip(handles, samples, outs, strict=True)
            )
        )

    def run(self) -> list[int]:
        """Feeds all samples, writes what is ready and returns how many samples that is for each enhancer."""
        _check(_library.percepnet_process_many(self._chunks, len(self._chunks)))
        return [int(chunk.n_out) for chunk in self._chunks]


# ---- training ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Analysis:
    """What the core sees in a recording, frame by frame; n = hops - lookahead.

    features: (n, FEATURES) float32, before the model's scaling
    period: (n,) float32, samples at 48 kHz
    correlation: (n,) float32
    gated: (n,) bool, the silence gate skips the network
    energy, coherence: (n, BANDS) float32
    cues: (n, n_cues) float32 in [-1, 1], what the pitch tracker tells of the hop that completes the frame; undefined where
        gated

    With a clean twin, else None:

    gains, strengths: (n, BANDS) float32 oracles in [0, 1], -1 where the loss is masked
    statistics: (n, 6, BANDS) float32, in the order of STATISTICS
    """

    features: Float32Array
    period: Float32Array
    correlation: Float32Array
    gated: npt.NDArray[np.bool_]
    energy: Float32Array
    coherence: Float32Array
    cues: Float32Array
    gains: Float32Array | None
    strengths: Float32Array | None
    statistics: Float32Array | None


def analyze(
    noisy: npt.ArrayLike,
    clean: npt.ArrayLike | None = None,
    lookahead: int = 2,
    pitch_source: npt.ArrayLike | None = None,
    tracker: ModelHandle | None = None,
) -> Analysis:
    """Features of a recording and, given its clean twin, oracles and band statistics.

    All signals are (samples,) at 48 kHz, of the same length, a multiple of HOP. `pitch_source` replaces `noisy` as the
    signal whose pitch is tracked, by the plain tracker; `tracker` is the model whose tracker finds the pitch of `noisy`.
    """
    noisy = _floats(noisy, None)
    if len(noisy) % HOP:
        raise AudioFormatError(f"expected a whole number of hops of {HOP} samples, got {len(noisy)} samples; pad or cut")
    clean = None if clean is None else _floats(clean, len(noisy))
    pitch_source = None if pitch_source is None else _floats(pitch_source, len(noisy))
    n_hops = len(noisy) // HOP
    n = max(n_hops - lookahead, 0)
    arrays: dict[str, npt.NDArray[Any]] = {
        "features": np.empty((n, FEATURES), np.float32),
        "period": np.empty(n, np.float32),
        "correlation": np.empty(n, np.float32),
        "gated": np.empty(n, np.bool_),
        "energy": np.empty((n, BANDS), np.float32),
        "coherence": np.empty((n, BANDS), np.float32),
        "cues": np.empty((n, tracker.n_cues if tracker else 0), np.float32),
    }
    if clean is not None:
        arrays["gains"] = np.empty((n, BANDS), np.float32)
        arrays["strengths"] = np.empty((n, BANDS), np.float32)
        arrays["statistics"] = np.empty((n, len(STATISTICS), BANDS), np.float32)
    native = _Analysis(**{name: _pointer(array) for name, array in arrays.items()})
    status = _library.percepnet_analyze(
        lookahead,
        tracker.pointer if tracker else None,
        _pointer(noisy),
        _pointer(clean),
        _pointer(pitch_source),
        n_hops,
        byref(native),
    )
    _check(status)
    return Analysis(**{name: arrays.get(name) for name in _ANALYSIS_FIELDS})  # type: ignore[arg-type]


def pitch_cues(samples: npt.ArrayLike) -> Float32Array:
    """What a learned pitch tracker sees of each hop: (samples,) at 48 kHz, whole hops -> (hops, PITCH_CUES) in [-1, 1]."""
    samples = _floats(samples, None)
    cues = np.empty((len(samples) // HOP, PITCH_CUES), np.float32)
    _check(_library.percepnet_pitch_cues(_pointer(samples), len(cues), _pointer(cues)))
    return cues


def network_run(model: ModelHandle, features: npt.ArrayLike) -> tuple[Float32Array, Float32Array, Float32Array | None]:
    """The network alone, from a fresh state.

    features: (n, FEATURES), unscaled; a model that has dereverb takes that amount in one more column, and one that hears cues
    those behind it.
    Returns gains and strengths (n, BANDS), and the speech probability (n,) or None.
    """
    features = _floats(features, None, model.n_inputs)
    n = len(features)
    gains, strengths = np.empty((n, BANDS), np.float32), np.empty((n, BANDS), np.float32)
    speech = np.empty(n, np.float32) if model.has_speech else None
    _check(
        _library.percepnet_network_run(
            model.pointer, _pointer(features), n, _pointer(gains), _pointer(strengths), _pointer(speech)
        )
    )
    return gains, strengths, speech


# ---- single stages -------------------------------------------------------------------------------------------------


def stage_elementary(function: str, values: npt.ArrayLike) -> Float32Array:
    """One of ELEMENTARY_FUNCTIONS of every value of (n,)."""
    values = _floats(values, None)
    out = np.empty_like(values)
    code = ELEMENTARY_FUNCTIONS.index(function)
    _check(_library.percepnet_stage_elementary(code, _pointer(values), len(values), _pointer(out)))
    return out


def stage_dc_blocker(samples: npt.ArrayLike) -> Float32Array:
    """(n,) -> (n,) without its offset."""
    samples = _floats(samples, None)
    out = np.empty_like(samples)
    _check(_library.percepnet_stage_dc_blocker(_pointer(samples), len(samples), _pointer(out)))
    return out


def stage_analysis(samples: npt.ArrayLike) -> Complex64Array:
    """(WINDOW,) samples -> (BINS,) spectrum."""
    samples = _floats(samples, WINDOW)
    spectrum = np.empty(BINS, np.complex64)
    _check(_library.percepnet_stage_analysis(_pointer(samples), _pointer(spectrum)))
    return spectrum


def stage_synthesis(spectra: npt.ArrayLike) -> Float32Array:
    """(n, BINS) spectra -> (n * HOP,) samples, overlap-added from an empty tail."""
    spectra = _complexes(spectra, None, BINS)
    samples = np.empty(len(spectra) * HOP, np.float32)
    _check(_library.percepnet_stage_synthesis(_pointer(spectra), len(spectra), _pointer(samples)))
    return samples


def stage_band_weights() -> Float32Array:
    """(BANDS, BINS)."""
    weights = np.empty((BANDS, BINS), np.float32)
    _check(_library.percepnet_stage_band_weights(_pointer(weights)))
    return weights


def stage_band_product(u: npt.ArrayLike, v: npt.ArrayLike) -> Float32Array:
    """Inner product per band of two spectra (BINS,): (BANDS,)."""
    u, v = _complexes(u, BINS), _complexes(v, BINS)
    out = np.empty(BANDS, np.float32)
    _check(_library.percepnet_stage_band_product(_pointer(u), _pointer(v), _pointer(out)))
    return out


def stage_band_interpolate(bands: npt.ArrayLike) -> Float32Array:
    """(BANDS,) -> (BINS,)."""
    bands = _floats(bands, BANDS)
    bins = np.empty(BINS, np.float32)
    _check(_library.percepnet_stage_band_interpolate(_pointer(bands), _pointer(bins)))
    return bins


def stage_comb(samples: npt.ArrayLike, start: int, period: float, future: int) -> tuple[Float32Array, float, float]:
    """The comb of the window that begins at samples[start], `future` samples allowed beyond its end.

    Returns (WINDOW,) samples, the noise gain sigma^2 and the centre tap w_0.
    """
    samples = _floats(samples, None)
    out = np.empty(WINDOW, np.float32)
    noise_gain, centre = c_float(), c_float()
    status = _library.percepnet_stage_comb(
        _pointer(samples), len(samples), start, period, future, _pointer(out), byref(noise_gain), byref(centre)
    )
    _check(status)
    return out, noise_gain.value, centre.value


def stage_postfilter(gains: npt.ArrayLike, energy: npt.ArrayLike) -> tuple[Float32Array, float]:
    """Gains and energy (BANDS,) -> sharpened gains (BANDS,), and the compensation G that they include."""
    gains, energy = _floats(gains, BANDS), _floats(energy, BANDS)
    out, gain = np.empty(BANDS, np.float32), c_float()
    _check(_library.percepnet_stage_postfilter(_pointer(gains), _pointer(energy), _pointer(out), byref(gain)))
    return out, gain.value


def stage_oracle(
    statistics: npt.ArrayLike,
    clean_comb_energy: npt.ArrayLike,
    clean_comb: npt.ArrayLike,
    noisy_clean_comb: npt.ArrayLike,
    comb_clean_comb: npt.ArrayLike,
    correlation: float,
    centre: float,
) -> tuple[Float32Array, Float32Array]:
    """Oracle gains and strengths (BANDS,) of one frame, from statistics (6, BANDS) and products (BANDS,)."""
    products = [_floats(statistics, len(STATISTICS), BANDS)]
    products += [_floats(p, BANDS) for p in (clean_comb_energy, clean_comb, noisy_clean_comb, comb_clean_comb)]
    gains, strengths = np.empty(BANDS, np.float32), np.empty(BANDS, np.float32)
    pointers = [_pointer(p) for p in products]
    _check(_library.percepnet_stage_oracle(*pointers, correlation, centre, _pointer(gains), _pointer(strengths)))
    return gains, strengths


def stage_gains(spectrum: npt.ArrayLike, comb: npt.ArrayLike, gains: npt.ArrayLike, strengths: npt.ArrayLike) -> Complex64Array:
    """Mixes spectrum and comb (BINS,) by strengths and scales to gains (BANDS,): (BINS,)."""
    spectrum, comb = _complexes(spectrum, BINS), _complexes(comb, BINS)
    gains, strengths = _floats(gains, BANDS), _floats(strengths, BANDS)
    out = np.empty(BINS, np.complex64)
    pointers = (_pointer(spectrum), _pointer(comb), _pointer(gains), _pointer(strengths), _pointer(out))
    _check(_library.percepnet_stage_gains(*pointers))
    return out


def stage_resample(in_rate: int, out_rate: int, samples: npt.ArrayLike) -> tuple[Float32Array, float]:
    """Samples (n,) at in_rate -> samples at out_rate, and the delay in seconds that they contain."""
    samples = _floats(samples, None)
    out = np.empty(len(samples) * out_rate // in_rate + WINDOW, np.float32)
    n_out, delay_s = c_size_t(), c_double()
    status = _library.percepnet_stage_resample(
        in_rate, out_rate, _pointer(samples), len(samples), _pointer(out), len(out), byref(n_out), byref(delay_s)
    )
    _check(status)
    return out[: n_out.value], delay_s.value
