"""The imputation layer: replaces missing values of nullable features by constants."""

from collections.abc import Sequence

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.numerics.kernels import Fill


@registered()
class Impute(FormulaLayer):
    """Replaces NaN by a constant of its column.

    Args:
        values: one constant a feature, None for a feature that is never missing (NaN in it, which
            no valid request has, is left unchanged).
    """

    def __init__(self, values: Sequence[float | None], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.values = list(values)

    @property
    def formula(self) -> Fill:
        """The kernel that replaces NaN by the constants."""
        return Fill.of(self.values, self.compute_dtype)

    def get_config(self) -> dict[str, object]:
        """Return the configuration, which contains the constants."""
        return {**super().get_config(), "values": self.values}
