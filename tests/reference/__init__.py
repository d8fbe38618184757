"""The signal path again, in NumPy float64, written from the specification: the witness of the native core.

It shares no code with the core and imports nothing but NumPy. Facts of the signal are retyped here on purpose: a wrong one
in either place makes a test fail. Frames are counted from 0; the window of frame t covers samples [(t - 1) HOP, (t + 1) HOP).
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]

SAMPLE_RATE = 48000
HOP = 480
WINDOW = 960
BINS = 481
BANDS = 34
FEATURES = 72
PERIOD_MIN = 96
PERIOD_MAX = 768
ENERGY_FLOOR = 1e-9  # of sum |rfft(h y)|^2; white noise at about -117 dBFS
VOICING_MIN = 0.1  # correlation below which a frame counts as unvoiced


def window_at(samples: Array, frame: int) -> Array:
    """The 960 samples of frame `frame`; samples before the start and after the end are zeros."""
    padded = np.concatenate([np.zeros(HOP), samples, np.zeros(WINDOW)])
    return padded[frame * HOP : frame * HOP + WINDOW]
