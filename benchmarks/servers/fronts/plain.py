"""Trivial FastAPI route: a body of nine numbers, a small response, and no computation."""

import asyncio

from fastapi import FastAPI
from pydantic import BaseModel


class Row(BaseModel):
    """Features of the shipped bundle."""

    loan_amount: float
    annual_income: float
    debt_to_income: float | None
    total_credit_lines: int
    delinq_2y: int
    paid_principal: float
    paid_interest: float
    paid_late_fees: float
    current_accounts_delinq: int


class Answer(BaseModel):
    """Grade and its probability."""

    grade: str
    probability: float


app = FastAPI()


@app.post("/predict/mc")
async def predict_mc(row: Row) -> Answer:  # noqa: ARG001 - validated, and that is all
    """Return the same response to every request."""
    return Answer(grade="A", probability=0.5)


@app.post("/slow")
async def slow(row: Row) -> Answer:
    """Respond after a delay, in which a client may close its sending side."""
    await asyncio.sleep(0.05)
    return await predict_mc(row)
