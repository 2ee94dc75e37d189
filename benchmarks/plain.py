"""The plain route: FastAPI's simplest route of one row, which the service is measured beside.

One body model of nine numbers, one small answer model, `async def`, no query model and no network.
Run by `uvicorn --factory benchmarks.plain:create_app`.
"""

from fastapi import FastAPI
from pydantic import BaseModel


class Loan(BaseModel):
    """A row, as the shipped bundles take it."""

    loan_amount: float
    annual_income: float
    debt_to_income: float
    total_credit_lines: float
    delinq_2y: float
    paid_principal: float
    paid_interest: float
    paid_late_fees: float
    current_accounts_delinq: float


class Grade(BaseModel):
    """A small answer."""

    grade: str
    probability: float


def create_app() -> FastAPI:
    """Create an app with one route, which gives the same answer to every valid row."""
    app = FastAPI()

    @app.post("/predict/mc")
    async def predict_mc(loan: Loan) -> Grade:  # noqa: ARG001 - validated, as the service does
        return Grade(grade="B", probability=0.75)

    return app
