"""What a lender's rate book says: which rates there are, and which grade each stands for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from dubito.loans.amortization import Terms
from dubito.types import Floats

MOST_ENTRIES = 512
MOST_HYPOTHESES = 1 << 15
MOST_PAID = 600

BOUNDS: dict[str, tuple[type, float, float]] = {
    "rates": (float, 1e-3, 100.0),
    "grades": (int, 0, 63),
    "rate_shares": (float, 1e-9, 2.0),
    "terms": (int, 1, 600),
    "term_shares": (float, 1e-9, 1.0),
    "first_days": (int, -60, 60),
    "first_shares": (float, 1e-9, 1.0),
    "advances": (float, 0.0, 30.0),
    "advance_shares": (float, 1e-9, 1.0),
}
"""Of the entries of each list: kind, least and most."""


@dataclass(frozen=True, slots=True)
class RateBook:
    """Rates with their grades and how common each is; terms and first periods likewise."""

    rates: tuple[float, ...]
    """Percent a year, increasing."""
    grades: tuple[int, ...]
    """Class index of each rate."""
    rate_shares: tuple[float, ...]
    """Share of the loans at each rate, above 0."""
    terms: tuple[int, ...]
    """Months."""
    term_shares: tuple[float, ...]
    first_days: tuple[int, ...]
    """Days by which first periods differ from a month."""
    first_shares: tuple[float, ...]
    advances: tuple[float, ...]
    """Days of interest on the whole amount that are due before a day has passed."""
    advance_shares: tuple[float, ...]
    most_paid: int
    """The most instalments that a hypothesis may have paid."""

    def to_config(self) -> dict[str, Any]:
        """As JSON has it."""
        return {name: _listed(value) for name, value in asdict(self).items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RateBook":
        """From what `to_config` gave.

        Raises:
            ValueError: lists that are no rate book.
        """
        book = cls(**{field.name: _tuple(config[field.name]) for field in fields(cls)})
        for name, (kind, least, most) in BOUNDS.items():
            _check(name, getattr(book, name), kind, least, most)
        if type(book.most_paid) is not int or not 1 <= book.most_paid <= MOST_PAID:
            raise ValueError(f"its most_paid is not a whole number from 1 to {MOST_PAID}")
        pairs = (
            (len(book.rates), len(book.rate_shares)),
            (len(book.rates), len(book.grades)),
            (len(book.terms), len(book.term_shares)),
            (len(book.first_days), len(book.first_shares)),
            (len(book.advances), len(book.advance_shares)),
        )
        if any(one != other for one, other in pairs):
            raise ValueError("its rate book's lists are not of the same lengths")
        if count(book) > MOST_HYPOTHESES:
            raise ValueError(f"its rate book has more than {MOST_HYPOTHESES} hypotheses")
        return book


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Every rate × term × instalments paid × beginning of a book, `(E,)` each."""

    terms: Terms
    grade: Floats
    beginning: Floats
    """Position of the first period in the book, or of the advance before any instalment."""
    log_prior: Floats


def hypotheses(book: RateBook) -> Hypotheses:
    """Lay a book flat: loans that have paid instalments, then loans that have not."""
    running = _grid(book, range(1, book.most_paid + 1), book.first_days, book.first_shares)
    fresh = _grid(book, range(1), book.advances, book.advance_shares)
    rate, term, paid, beginning, first, share = (
        np.concatenate([one, other]) for one, other in zip(running, fresh, strict=True)
    )
    rate, term = rate.astype(np.intp), term.astype(np.intp)
    prior = np.log(book.rate_shares)[rate] + np.log(book.term_shares)[term] + np.log(share)
    return Hypotheses(
        terms=Terms(
            rate=np.array(book.rates)[rate] / 100.0,
            months=np.array(book.terms, dtype=np.float64)[term],
            paid=paid,
            first=first,
        ),
        grade=np.array(book.grades, dtype=np.float64)[rate],
        beginning=beginning,
        log_prior=prior,
    )


def _grid(
    book: RateBook, paid: range, firsts: Sequence[float], shares: Sequence[float]
) -> list[Floats]:
    axes = np.meshgrid(
        np.arange(len(book.rates)),
        np.arange(len(book.terms)),
        np.array(paid),
        np.arange(len(firsts)),
        indexing="ij",
    )
    flat = [axis.ravel().astype(np.float64) for axis in axes]
    place = flat[3].astype(np.intp)
    return [*flat, np.array(firsts, dtype=np.float64)[place], np.array(shares)[place]]


def count(book: RateBook) -> int:
    """How many hypotheses a book has."""
    beginnings = book.most_paid * len(book.first_days) + len(book.advances)
    return len(book.rates) * len(book.terms) * beginnings


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _check(name: str, values: Any, kind: type, least: float, most: float) -> None:
    if not isinstance(values, tuple) or not 0 < len(values) <= MOST_ENTRIES:
        raise ValueError(f"its {name} are not a list of up to {MOST_ENTRIES}")
    for value in values:
        if type(value) not in {kind, int} or not least <= value <= most:
            raise ValueError(f"its {name} are not all from {least:g} to {most:g}")
