"""Keras layer that turns scores of hypotheses and general logits into probabilities of grades."""

from typing import Any

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.numerics.kernels import Mixture


@registered("dubito.loans.layers")
class GradeEvidence(FormulaLayer):
    """Probabilities `(…, C)` of grades, from scored hypotheses and the logits of a classifier.

    Inputs are hypotheses `(…, M, W)`, whose first C numbers are the one-hot grade, their scores
    `(…, M, 1)`, and general logits `(…, C)`. A grade's odds are the sum of exp(score) over its
    hypotheses plus exp(general logit), to the power of 1/temperature (Guo et al. 2017, equation 9).

    Args:
        temperature: divisor of the log odds; above 1, probabilities are less certain.
    """

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = temperature

    @property
    def formula(self) -> Mixture:
        """The formula, which does not need Keras."""
        return Mixture(self.temperature)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the shape of the general logits."""
        return tuple(input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, which includes the temperature."""
        return {**super().get_config(), "temperature": self.temperature}
