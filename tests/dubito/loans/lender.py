"""Lenders that never were: books of rates, and loans kept month by month in exact arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from dubito.loans.ratebook import RateBook
from dubito.types import Floats, Indices

CENT = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Lender:
    """Rates in percent a year with their grades, terms in months, days of the first period."""

    rates: tuple[float, ...]
    grades: tuple[int, ...]
    terms: tuple[int, ...]
    firsts: tuple[int, ...]

    def book(self, most_paid: int = 12) -> RateBook:
        """What the lender would say of itself: everything equally common."""
        rates, terms, firsts = len(self.rates), len(self.terms), len(self.firsts)
        return RateBook(
            rates=self.rates,
            grades=self.grades,
            rate_shares=(1 / rates,) * rates,
            terms=self.terms,
            term_shares=(1 / terms,) * terms,
            first_days=self.firsts,
            first_shares=(1 / firsts,) * firsts,
            advances=(0.0, 0.15),
            advance_shares=(0.7, 0.3),
            most_paid=most_paid,
        )


NORTH = Lender(
    rates=(5.49, 6.13, 7.02, 9.17, 10.44, 11.83, 14.26, 16.01, 18.75, 21.9, 24.48, 27.77),
    grades=(0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3),
    terms=(36, 60),
    firsts=(-2, -4),
)
SOUTH = Lender(
    rates=(3.3, 4.95, 8.08, 12.5, 17.6, 23.35),
    grades=(0, 0, 1, 1, 2, 2),
    terms=(24, 48),
    firsts=(0, 5),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A loan's books after some instalments, exactly."""

    amount: Fraction
    monthly: Fraction
    instalment: Fraction
    balance: Fraction
    interest: Fraction

    @property
    def principal(self) -> Fraction:
        return self.amount - self.balance

    def days(self, money: Fraction, count: int) -> Fraction:
        """Interest on `money` for days by 30/360."""
        return money * 12 * self.monthly * count / 360


def kept(amount: Fraction, percent: float, months: int, paid: int, first: int = 0) -> Kept:
    """Month by month: interest on the balance, the rest of the instalment off the balance."""
    monthly = Fraction(str(percent)) / 1200
    annuity = amount * monthly / (1 - (1 + monthly) ** -months)
    instalment = ceil(annuity / CENT) * CENT
    balance, interest = amount, Fraction(0)
    for _ in range(paid):
        part = balance * monthly
        balance, interest = balance - (instalment - part), interest + part
    interest += amount * 12 * monthly * first / 360
    return Kept(amount, monthly, instalment, balance, interest)


@dataclass(frozen=True, slots=True)
class Loans:
    """Rows `(N, 9)` as a bundle takes them, and what each is in truth, `(N,)`."""

    rows: Floats
    labels: Indices
    rates: Floats


STORIES = ("on time", "paid off", "late", "extra")


def loans(lender: Lender, count: int, seed: int, story: str = "on time") -> Loans:
    """Loans of whole 25s, after 1 to 10 instalments; what was paid is rounded to cents."""
    random = np.random.default_rng([seed, STORIES.index(story)])
    rows, labels, rates = [], [], []
    for _ in range(count):
        at = int(random.integers(len(lender.rates)))
        amount = Fraction(int(random.integers(40, 1600)) * 25)
        term, first = (int(random.choice(values)) for values in (lender.terms, lender.firsts))
        paid = int(random.integers(2, 11))
        books = kept(amount, lender.rates[at], term, paid, first)
        rows.append(row(amount, *_told(story, books, random)))
        labels.append(lender.grades[at])
        rates.append(lender.rates[at])
    return Loans(np.array(rows), np.array(labels), np.array(rates))


def row(amount: Fraction, principal: Fraction, interest: Fraction) -> Sequence[float]:
    cents = (float(round(money, 2)) for money in (principal, interest))
    return [float(amount), 6e4, 15.0, 20.0, 0.0, *cents, 0.0, 0.0]


def _told(story: str, books: Kept, random: Any) -> tuple[Fraction, Fraction]:
    """Principal and interest paid, as the story has it."""
    days = int(random.integers(1, 28))
    if story == "paid off":
        return books.amount, books.interest + books.days(books.balance, days)
    if story == "late":
        moved = books.days(books.balance, days)
        return books.principal - moved, books.interest + moved
    if story == "extra":
        more = Fraction(int(random.integers(1, 20)) * 50)
        saved = books.days(more, days)
        return books.principal + more + saved, books.interest - saved
    return books.principal, books.interest
