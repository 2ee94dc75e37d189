"""Columns of loan data: nine features with their aliases, seven grades, referral rules."""

from dubito.layout import Column, Dataset, Layout
from dubito.loans.phrases import WORDS

MOST_MONEY = 1e12
MOST_COUNT = 1e6
MOST_PERCENT = 1e6

FEATURES = (
    Column(
        name="loan_amount",
        title="Amount of the loan",
        aliases=("대출금액",),
        unit="currency",
        minimum=0.0,
        maximum=MOST_MONEY,
    ),
    Column(
        name="annual_income",
        title="Income of a year",
        aliases=("연간소득",),
        unit="currency",
        minimum=0.0,
        maximum=MOST_MONEY,
    ),
    Column(
        name="debt_to_income",
        title="Monthly debt payments as a share of monthly income",
        aliases=("부채_대비_소득_비율",),
        unit="percent",
        minimum=0.0,
        maximum=MOST_PERCENT,
        nullable=True,
    ),
    Column(
        name="total_credit_lines",
        title="Credit lines",
        aliases=("총계좌수",),
        kind="integer",
        unit="count",
        minimum=0.0,
        maximum=MOST_COUNT,
    ),
    Column(
        name="delinq_2y",
        title="Delinquencies in the last two years",
        aliases=("최근_2년간_연체_횟수",),
        kind="integer",
        unit="count",
        minimum=0.0,
        maximum=MOST_COUNT,
    ),
    Column(
        name="paid_principal",
        title="Principal paid so far",
        aliases=("총상환원금",),
        unit="currency",
        minimum=0.0,
        maximum=MOST_MONEY,
    ),
    Column(
        name="paid_interest",
        title="Interest paid so far",
        aliases=("총상환이자",),
        unit="currency",
        minimum=0.0,
        maximum=MOST_MONEY,
    ),
    Column(
        name="paid_late_fees",
        title="Late fees paid so far",
        aliases=("총연체금액",),
        unit="currency",
        minimum=0.0,
        maximum=MOST_MONEY,
    ),
    Column(
        name="current_accounts_delinq",
        title="Accounts delinquent now",
        aliases=("연체계좌수",),
        kind="integer",
        unit="count",
        minimum=0.0,
        maximum=MOST_COUNT,
    ),
)

LAYOUT = Layout(
    features=FEATURES,
    target=("grade", "대출등급"),
    classes=("A", "B", "C", "D", "E", "F", "G"),
    dataset=Dataset("openintro", "loans_full_schema", "10,000 Lending Club loans"),
    rules={"no_evidence": {"paid_principal": 0.0, "paid_interest": 0.0}},
    words=WORDS,
)
