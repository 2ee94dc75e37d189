"""The encoding layer: rows of numbers, truths and categories to inputs of a network."""

from collections.abc import Sequence

from dubito.layers.formula import FormulaLayer
from dubito.layers.registry import registered
from dubito.numerics.encoding import Encoding, InputEncoding, InputKind


@registered()
class Encode(FormulaLayer):
    """Encodes rows `(…, F)` of mixed features, NaN where a value is missing, as `(…, M)` numbers.

    Args:
        kinds: for each column `number`, `log` (signed logarithm, sign(x) · ln(1 + |x|)) or
            `category` (one-hot).
        slots: for each column the number of slots of a category, 0 for a number.
        values: for each column the number that replaces a missing one, None if none is missing.
        edges: for each column the ends of a number's pieces, ascending, or an empty list; None for
            no pieces at all.
    """

    def __init__(
        self,
        kinds: Sequence[InputKind],
        slots: Sequence[int],
        values: Sequence[float | None],
        edges: Sequence[Sequence[float]] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.kinds, self.slots, self.values = list(kinds), list(slots), list(values)
        self.edges = [list(one) for one in edges or [[]] * len(self.kinds)]

    @property
    def formula(self) -> Encoding:
        """The kernel that encodes rows."""
        inputs = zip(self.kinds, self.slots, self.values, map(tuple, self.edges), strict=True)
        return Encoding.of([InputEncoding(*one) for one in inputs], self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the output's shape: `(…, F)` → `(…, M)`."""
        return (*input_shape[:-1], len(self.formula.columns))

    def get_config(self) -> dict[str, object]:
        """Return the configuration, which contains the encoding of each column."""
        own = {"kinds": self.kinds, "slots": self.slots, "values": self.values}
        return {**super().get_config(), **own, "edges": self.edges}
