"""Keras layer that derives logs, ratios and payment phases from a loan's nine raw features."""

from typing import Any

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.loans.formulas.features import LoanFeaturesFormula
from dubito.loans.shapes import FEATURES_WIDTH


@registered("dubito.loans.layers")
class LoanFeatures(FormulaLayer):
    """Nine raw loan features `(…, 9)` to twenty-three logs, ratios and phases `(…, 23)`.

    The order of the input is that of `dubito.loans.columns.FEATURES`. Computed in double
    precision, because the phases of payments are differences of large numbers.
    """

    def __init__(
        self,
        *,
        # Explicit keywords, because Keras wrote them into the configuration in shipped files.
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = "float64",
        autocast: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activity_regularizer=activity_regularizer,
            trainable=trainable,
            dtype=dtype,
            autocast=autocast,
            **kwargs,
        )

    @property
    def formula(self) -> LoanFeaturesFormula:
        """The formula, which does not need Keras."""
        return LoanFeaturesFormula()

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output's shape: `(…, 9)` → `(…, 23)`."""
        return (*input_shape[:-1], FEATURES_WIDTH)
