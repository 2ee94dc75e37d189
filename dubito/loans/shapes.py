"""Shape rules of the loan layers, none of which has weights; see `dubito.layer_shapes`."""

from collections.abc import Sequence

from dubito.layer_shapes import LayerSettings, LayerShape, Shape, one, setting, whole_setting
from dubito.loans.ratebook import RateBook, hypotheses_count

FEATURES = 9
"""Number of raw features that loan layers take."""
FEATURES_WIDTH = 23
"""Number of features that `LoanFeatures` returns."""
HYPOTHESIS_WIDTH = 68
"""Number of features of a hypothesis of the lattice, besides its one-hot grade."""
MOST_CLASSES = 64
TEMPERATURES = (0.01, 100.0)


def _loan(shapes: Sequence[Shape]) -> Shape:
    shape = one(shapes)
    if shape[-1] != FEATURES:
        raise ValueError(f"it takes {FEATURES} columns, not {shape[-1]}")
    return shape


def features(_settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer the output shape of `LoanFeatures`."""
    return LayerShape((*_loan(shapes)[:-1], FEATURES_WIDTH))


def lattice(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer the output shape of `AmortizationLattice`."""
    shape = _loan(shapes)
    try:
        book = RateBook.from_config(settings)
    except (KeyError, TypeError) as error:
        raise ValueError("it has no rate book") from error
    classes, kept = (whole_setting(setting(settings, name), name) for name in ("classes", "kept"))
    if classes > MOST_CLASSES or max(book.grades) >= classes or kept > hypotheses_count(book):
        raise ValueError("its rate book has other grades, or fewer hypotheses than it keeps")
    return LayerShape((*shape[:-1], kept, classes + HYPOTHESIS_WIDTH))


def evidence(settings: LayerSettings, shapes: Sequence[Shape]) -> LayerShape:
    """Infer the output shape of `GradeEvidence`."""
    if len(shapes) != 3:
        raise ValueError(f"it takes three inputs, not {len(shapes)}")
    hypotheses, scores, general = shapes
    kept, width = hypotheses[-2:] if len(hypotheses) == 2 else (0, 0)
    if scores != (kept, 1) or len(general) != 1 or general[0] > width:
        raise ValueError("its hypotheses, scores and logits do not fit together")
    temperature = setting(settings, "temperature")
    if (
        type(temperature) not in (int, float)
        or not TEMPERATURES[0] <= temperature <= (TEMPERATURES[1])
    ):
        raise ValueError("its temperature is out of range")
    return LayerShape(general)
