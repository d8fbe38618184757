"""The core's bands as training needs them."""

import numpy as np
import numpy.typing as npt

from percepnet import _core

BIN_HZ = _core.SAMPLE_RATE / _core.WINDOW


def _centres() -> npt.NDArray[np.intp]:
    """(BANDS,) bins where a band's weight is 1; the edge bands reach 1 at their inner end."""
    full = _core.stage_band_weights() == 1
    return np.append(full.shape[1] - 1 - full[:-1, ::-1].argmax(1), full[-1].argmax())


BAND_CENTRES = _centres()


def band_mask(bandwidth_hz: float) -> npt.NDArray[np.bool_]:
    """(BANDS,) true where most of a band lies below ``bandwidth_hz``."""
    upper = (BAND_CENTRES[:-1] + BAND_CENTRES[1:]) / 2
    return np.asarray(np.append(upper, upper[-1]) * BIN_HZ <= bandwidth_hz)
