"""Keras layer that finds the hypotheses about a loan that fit its payments best, with features."""

from dataclasses import fields
from typing import Any

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.loans.formulas.lattice import Lattice
from dubito.loans.ratebook import RateBook
from dubito.loans.shapes import HYPOTHESIS_WIDTH


@registered("dubito.loans.layers")
class AmortizationLattice(FormulaLayer):
    """Nine raw loan features `(…, 9)` to the `kept` best hypotheses `(…, kept, W)`.

    The first `classes` numbers of a hypothesis are its one-hot grade; the others, the
    `HYPOTHESIS_WIDTH` of `dubito.loans.shapes`, describe how well it fits. Computed in double
    precision on money rounded to cents.

    Args:
        classes: number of grades.
        kept: number of hypotheses that are selected.
        kwargs: the fields of the lender's `RateBook`, and the arguments of every Keras layer.
    """

    def __init__(self, classes: int, kept: int, dtype: Any = "float64", **kwargs: Any) -> None:
        book = {field.name: kwargs.pop(field.name) for field in fields(RateBook)}
        super().__init__(dtype=dtype, **kwargs)
        self.book = RateBook.from_config(book)
        self.classes, self.kept = classes, kept
        self._lattice = Lattice(classes, kept, self.book)

    @property
    def formula(self) -> Lattice:
        """The formula, which does not need Keras."""
        return self._lattice

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output's shape: `(…, 9)` → `(…, kept, W)`."""
        return (*input_shape[:-1], self.kept, self.classes + HYPOTHESIS_WIDTH)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration, which includes the rate book."""
        own = {"classes": self.classes, "kept": self.kept}
        return {**super().get_config(), **own, **self.book.to_config()}
