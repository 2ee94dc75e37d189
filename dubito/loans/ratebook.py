"""A lender's rate book: its rates with their grades, terms and first periods, and their shares."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from dubito.loans.amortization import LoanTerms
from dubito.numerics.normal import logarithm
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
"""Type, least and greatest value of the entries of each list."""


@dataclass(frozen=True, slots=True)
class RateBook:
    """Rates with their grades and shares of the loans; terms and beginnings with their shares."""

    rates: tuple[float, ...]
    """Rates in percent per year, increasing."""
    grades: tuple[int, ...]
    """Class index of each rate."""
    rate_shares: tuple[float, ...]
    """Share of the loans at each rate, above 0."""
    terms: tuple[int, ...]
    """Terms in months."""
    term_shares: tuple[float, ...]
    first_days: tuple[int, ...]
    """Lengths of first periods in days, minus a month."""
    first_shares: tuple[float, ...]
    advances: tuple[float, ...]
    """Interest due before a day has passed, in days of interest on the whole amount."""
    advance_shares: tuple[float, ...]
    most_paid: int
    """Largest number of instalments paid under a hypothesis."""

    def to_config(self) -> dict[str, Any]:
        """Convert the book to values that JSON can represent."""
        return {name: _listed(value) for name, value in asdict(self).items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RateBook":
        """Check and convert the values of `to_config` to a book.

        Raises:
            ValueError: a list is invalid, lengths differ, or there are too many hypotheses.
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
        if hypotheses_count(book) > MOST_HYPOTHESES:
            raise ValueError(f"its rate book has more than {MOST_HYPOTHESES} hypotheses")
        return book


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """All hypotheses of a book: every rate × term × instalments paid × beginning, `(E,)` each."""

    terms: LoanTerms
    grade: Floats
    """Class index of the hypothesis' rate."""
    beginning: Floats
    """Position of the first period in the book or, if no instalment is paid, of the advance."""
    log_prior: Floats
    """Log of the product of the shares of rate, term and beginning."""
    exact_log_prior: Floats
    """The same by logarithms whose bits depend on no library and no processor."""


def hypotheses(book: RateBook) -> Hypotheses:
    """Enumerate a book's hypotheses: those with paid instalments, then those without."""
    running = _grid(book, range(1, book.most_paid + 1), book.first_days, book.first_shares)
    fresh = _grid(book, range(1), book.advances, book.advance_shares)
    rate, term, paid, beginning, first, share = (
        np.concatenate([one, other]) for one, other in zip(running, fresh, strict=True)
    )
    rate, term = rate.astype(np.intp), term.astype(np.intp)
    priors = (
        log(np.array(book.rate_shares))[rate] + log(np.array(book.term_shares))[term] + log(share)
        for log in (np.log, logarithm)
    )
    prior, exact = priors
    return Hypotheses(
        terms=LoanTerms(
            rate=np.array(book.rates)[rate] / 100.0,
            months=np.array(book.terms, dtype=np.float64)[term],
            paid=paid,
            first=first,
        ),
        grade=np.array(book.grades, dtype=np.float64)[rate],
        beginning=beginning,
        log_prior=prior,
        exact_log_prior=exact,
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


def hypotheses_count(book: RateBook) -> int:
    """Count the hypotheses of a book."""
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
