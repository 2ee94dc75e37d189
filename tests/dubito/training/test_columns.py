"""Cells of columns as numbers."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dubito.domains import chosen_domain
from dubito.training.columns import checked_numbers

COLUMN = next(one for one in chosen_domain("loans").layout.features if one.kind == "float")
LETTERS = "0123456789.eE+-_n "


@given(st.lists(st.text(LETTERS, max_size=6), max_size=4))
@settings(max_examples=500)
@example(["-0", "", "1e999", "1_0"])
@example(["1e5", ".5", "5.", "+7"])
def test_a_column_is_read_as_its_cells_are(cells: list[str]) -> None:
    """Cells that are all plain numbers are read at once, to the bits and faults of each alone."""
    values, faults = checked_numbers(cells, COLUMN)
    # A blank is plain to nobody.
    alone, wrong = checked_numbers([f"{cell} " for cell in cells], COLUMN)
    assert alone.tobytes() == values.tobytes()
    assert wrong == faults
    assert not np.signbit(values[values == 0]).any()
