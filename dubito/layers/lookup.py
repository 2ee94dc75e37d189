"""Layers that choose columns of a row, and that turn tokens and numbers into indices.

They stand for Keras' `StringLookup`, `IntegerLookup`, `Hashing` and `Discretization` in networks of
numbers: `dubito convert` puts them in the place of those, with literal lists.
"""

from collections.abc import Sequence

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.numerics.lookup import Binning, Selection, TokenLookup


@registered()
class SelectColumns(FormulaLayer):
    """Takes some columns of rows `(…, F)`.

    Args:
        indices: places of the columns, each from 0 to F − 1.
    """

    def __init__(self, indices: Sequence[int], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.indices = list(indices)

    @property
    def formula(self) -> Selection:
        """The kernel that takes the columns."""
        return Selection.of(self.indices)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output's shape: `(…, F)` → `(…, M)`."""
        return (*input_shape[:-1], len(self.indices))

    def get_config(self) -> dict[str, object]:
        """Return the configuration, which contains the places of the columns."""
        return {**super().get_config(), "indices": self.indices}


@registered()
class Lookup(FormulaLayer):
    """Gives each known number its index, and all others one of their own.

    Args:
        keys: known numbers, ascending; of a category feature the places in its list.
        indices: index of each known number, a whole number.
        unknown: index of any other number.
    """

    def __init__(
        self, keys: Sequence[float], indices: Sequence[int], unknown: int, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.keys, self.indices, self.unknown = list(keys), list(indices), unknown

    @property
    def formula(self) -> TokenLookup:
        """The kernel that looks numbers up."""
        return TokenLookup.of(self.keys, self.indices, self.unknown, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output's shape, that of the input."""
        return input_shape

    def get_config(self) -> dict[str, object]:
        """Return the configuration, which contains the numbers and their indices."""
        own = {"keys": self.keys, "indices": self.indices, "unknown": self.unknown}
        return {**super().get_config(), **own}


@registered()
class Discretize(FormulaLayer):
    """Gives a number the index of its bin, from 0 to the number of boundaries.

    Args:
        boundaries: numbers between bins, ascending; each belongs to the bin above it.
    """

    def __init__(self, boundaries: Sequence[float], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.boundaries = list(boundaries)

    @property
    def formula(self) -> Binning:
        """The kernel that finds bins."""
        return Binning.of(self.boundaries, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output's shape, that of the input."""
        return input_shape

    def get_config(self) -> dict[str, object]:
        """Return the configuration, which contains the boundaries."""
        return {**super().get_config(), "boundaries": self.boundaries}
