"""What is read of a table: the features of a bundle, the key of a row, and the truth about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from dubito.layout import Column
from dubito.training.columns import wanted_of
from dubito.training.tables.wanted import Wanted


@dataclass(frozen=True, slots=True)
class TableSelection:
    """Columns of a table, or members of its objects, that are read."""

    features: tuple[Column, ...]
    """`(F,)` columns of the bundle's features."""
    key: str | None
    """Name of the column that identifies a row; None if its position does."""
    truth: Column | None
    """Column of what the bundle predicts; None if the table does not tell it."""

    @property
    def wanted(self) -> list[Wanted]:
        """The columns in order: features, then the key, then the truth."""
        return [
            *map(wanted_of, self.features),
            *([] if self.key is None else [Wanted((self.key,), is_numeric=False)]),
            *([] if self.truth is None else [wanted_of(self.truth)]),
        ]

    def parts(
        self, several: Sequence[Sequence[object]]
    ) -> tuple[Sequence[Sequence[object]], Sequence[object] | None, Sequence[object] | None]:
        """Split what was read of each wanted column: features, key and truth."""
        count = len(self.features)
        key = None if self.key is None else several[count]
        truth = None if self.truth is None else several[-1]
        return several[:count], key, truth
