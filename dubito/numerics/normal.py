"""The standard normal quantile with the same bits on every processor.

It uses only +, −, ×, ÷ and square roots, whose rounding IEEE 754 fixes. The last bit of a library's
logarithm would depend on the processor's instructions.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from dubito.types import Floats

# Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics
# 37 (1988), PPND16: pairs of numerator and denominator, highest power first.
_CENTRE = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)
_FAR_TAIL = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580e0,
        5.46378491116411436990e0,
        6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)
_SERIES = tuple(1.0 / odd for odd in range(23, 0, -2))
"""Coefficients of artanh(s)/s in s², highest power first; the next term is below 2⁻⁵³ for
s ≤ 3 − 2√2."""
_LN_2 = 0.6931471805599453


def quantile(probabilities: Floats) -> Floats:
    """Compute the standard normal quantile of probabilities in (0, 1), to about 1e-15."""
    offset = probabilities - 0.5
    found = offset * _ratio(0.180625 - offset * offset, *_CENTRE)
    outside = np.abs(offset) > 0.425
    ends = probabilities[outside]
    root = np.sqrt(-logarithm(np.minimum(ends, 1 - ends)))
    tail = np.where(root <= 5, _ratio(root - 1.6, *_TAIL), _ratio(root - 5, *_FAR_TAIL))
    found[outside] = np.copysign(tail, offset[outside])
    return found


def logarithm(values: Floats) -> Floats:
    """Compute the natural logarithm of positive numbers.

    The relative error is about 1e-16 where the logarithm is not near 0.

    ln(m · 2ᵉ) = e · ln 2 + 2 artanh((m − 1)/(m + 1)), with m from √½ to √2.
    """
    mantissa, exponent = np.frexp(values)
    small = mantissa < np.sqrt(0.5)
    mantissa = np.where(small, mantissa * 2, mantissa)
    part = (mantissa - 1) / (mantissa + 1)
    return (exponent - small) * _LN_2 + 2 * part * _polynomial(part * part, _SERIES)


def _ratio(x: Floats, numerator: Sequence[float], denominator: Sequence[float]) -> Floats:
    return _polynomial(x, numerator) / _polynomial(x, denominator)


def _polynomial(x: Floats, coefficients: Sequence[float]) -> Floats:
    """Evaluate a polynomial by Horner's scheme; coefficients from the highest power."""
    return reduce(lambda sum_, coefficient: sum_ * x + coefficient, coefficients, np.zeros_like(x))
