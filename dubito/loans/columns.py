"""Columns of loan data: nine features with their aliases, seven grades, referral rules."""

from dubito.layout import Column, Dataset, Layout
from dubito.loans.phrases import WORDS

MOST_MONEY = 1e12
MOST_COUNT = 1e6
MOST_PERCENT = 1e6


def _money(name: str, title: str, alias: str) -> Column:
    return Column(
        name=name,
        title=title,
        aliases=(alias,),
        unit="currency",
        minimum=0.0,
        maximum=MOST_MONEY,
    )


def _count(name: str, title: str, alias: str) -> Column:
    return Column(
        name=name,
        title=title,
        aliases=(alias,),
        kind="integer",
        unit="count",
        minimum=0.0,
        maximum=MOST_COUNT,
    )


FEATURES = (
    _money("loan_amount", "Amount of the loan", "대출금액"),
    _money("annual_income", "Income of a year", "연간소득"),
    Column(
        name="debt_to_income",
        title="Monthly debt payments as a share of monthly income",
        aliases=("부채_대비_소득_비율",),
        unit="percent",
        minimum=0.0,
        maximum=MOST_PERCENT,
        nullable=True,
    ),
    _count("total_credit_lines", "Credit lines", "총계좌수"),
    _count("delinq_2y", "Delinquencies in the last two years", "최근_2년간_연체_횟수"),
    _money("paid_principal", "Principal paid so far", "총상환원금"),
    _money("paid_interest", "Interest paid so far", "총상환이자"),
    _money("paid_late_fees", "Late fees paid so far", "총연체금액"),
    _count("current_accounts_delinq", "Accounts delinquent now", "연체계좌수"),
)

LAYOUT = Layout(
    features=FEATURES,
    target=("grade", "대출등급"),
    classes=("A", "B", "C", "D", "E", "F", "G"),
    dataset=Dataset("openintro", "loans_full_schema", "10,000 Lending Club loans"),
    rules={"no_evidence": {"paid_principal": 0.0, "paid_interest": 0.0}},
    words=WORDS,
)
