"""Chunks that come one after the other, from iterators: stream() and astream()."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from percepnet.controls import Controls
from percepnet.enhancer import Enhancer
from percepnet.weights import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

Audio = npt.NDArray[Any]


class _Stream:
    """An enhancer that is made when the first chunk tells how many channels there are."""

    def __init__(self, sample_rate: int, model: "str | PathLike[str] | Model", controls: Controls) -> None:
        self._sample_rate, self._controls = sample_rate, controls
        with Enhancer(sample_rate, 1, model, **controls) as probe:  # an error now, not at the first chunk
            self._model = probe.model
        self._enhancer: Enhancer | None = None

    def process(self, chunk: Audio) -> Audio:
        if self._enhancer is None:
            channels = len(chunk) if np.ndim(chunk) == 2 else 1
            self._enhancer = Enhancer(self._sample_rate, channels, self._model, **self._controls)
        return self._enhancer.process(chunk)

    def flush(self) -> Audio:
        return np.empty(0, np.float32) if self._enhancer is None else self._enhancer.flush()


def stream(
    chunks: Iterable[Audio],
    sample_rate: int,
    *,
    model: "str | PathLike[str] | Model" = "default",
    **controls: "Unpack[Controls]",
) -> Iterator[Audio]:
    """Cleans chunks as they come, and yields what is ready: together as long as the input, and aligned with it.

    chunks: (samples,) or (channels, samples) arrays of any lengths, all of one type
    sample_rate: 8000 to 192000 Hz
    controls: those of Enhancer

    Chunks that are ready are not empty. Raises what Enhancer raises, for wrong arguments at once.
    """
    state = _Stream(sample_rate, model, controls)

    def generate() -> Iterator[Audio]:
        for chunk in chunks:
            ready = state.process(chunk)
            if ready.shape[-1]:
                yield ready
        rest = state.flush()
        if rest.shape[-1]:
            yield rest

    return generate()


def astream(
    chunks: AsyncIterable[Audio],
    sample_rate: int,
    *,
    model: "str | PathLike[str] | Model" = "default",
    **controls: "Unpack[Controls]",
) -> AsyncIterator[Audio]:
    """stream() for `async for`: the work runs in a thread that does not hold the GIL, so the event loop stays free."""
    state = _Stream(sample_rate, model, controls)

    async def generate() -> AsyncIterator[Audio]:
        async for chunk in chunks:
            ready = await asyncio.to_thread(state.process, chunk)
            if ready.shape[-1]:
                yield ready
        rest = await asyncio.to_thread(state.flush)
        if rest.shape[-1]:
            yield rest

    return generate()
