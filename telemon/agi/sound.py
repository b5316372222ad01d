"""Sound as telephones carry it: 8000 samples a second, 16 bits, one channel."""

from __future__ import annotations

import math
from array import array
from functools import cache
from operator import mul
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE: Final = 8000
_HALF_WIDTH: Final = 12  # zero crossings of the kernel on each side
_PASS: Final = 0.92  # of what 8000 samples a second can carry: the rest is for the filter's slope
_LOUDEST: Final = 0x7FFF


def to_telephone(samples: Sequence[int], rate: int) -> array[int]:
    """Return 16-bit samples, taken ``rate`` (above 8000) times a second, at 8000 times a second.

    Windowed-sinc interpolation: what a telephone cannot carry is taken out, and does not come back as another tone.
    """
    common = math.gcd(rate, RATE)
    up, down = RATE // common, rate // common
    reach = math.ceil(_HALF_WIDTH * rate / RATE)
    padded = array("h", bytes(2 * reach)) + array("h", samples) + array("h", bytes(2 * reach))
    told = array("h")
    for number in range(len(samples) * up // down):
        whole, phase = divmod(number * down, up)
        kernel = _kernel(phase, up, rate)
        value = round(sum(map(mul, kernel, padded[whole + 1 : whole + 1 + 2 * reach])))
        told.append(max(-_LOUDEST, min(_LOUDEST, value)))
    return told


@cache
def _kernel(phase: int, phases: int, rate: int) -> tuple[float, ...]:
    """Return the weights of the samples around a place ``phase / phases`` of a sample after one of them."""
    reach = math.ceil(_HALF_WIDTH * rate / RATE)
    cutoff = _PASS * RATE / rate
    distances = [place - phase / phases for place in range(1 - reach, reach + 1)]
    weights = [_sinc(cutoff * distance) * (0.5 + 0.5 * math.cos(math.pi * distance / reach)) for distance in distances]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _sinc(x: float) -> float:
    return 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)
