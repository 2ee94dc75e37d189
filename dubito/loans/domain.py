"""Registers lending as a domain: the `Domain` object that the entry point names; without Keras."""

from dubito.domains import Domain, DomainLayer, DomainRecipe, Mistakes
from dubito.layer_shapes import LayerSettings
from dubito.loans import shapes
from dubito.loans.columns import LAYOUT
from dubito.loans.formulas.features import LoanFeaturesFormula
from dubito.loans.formulas.lattice import Lattice
from dubito.loans.ratebook import RateBook
from dubito.numerics.kernels import FormulaFunction, Mixture

TIMES: dict[str, dict[str, float]] = {
    "money × 1000": dict.fromkeys(
        ("loan_amount", "annual_income", "paid_principal", "paid_interest", "paid_late_fees"),
        1000.0,
    ),
    "income × 1000": {"annual_income": 1000.0},
    "amount × 3": {"loan_amount": 3.0},
    "interest × 5": {"paid_interest": 5.0},
}
"""Factors of features by mistake: another unit of money, or a slip in one number."""

SWAPPED: dict[str, tuple[str, str]] = {
    "interest and principal swapped": ("paid_interest", "paid_principal"),
    "amount and income swapped": ("loan_amount", "annual_income"),
}
"""Pairs of features whose values are swapped, by mistake."""


def _features(_settings: LayerSettings, _dtype: str) -> FormulaFunction:
    return LoanFeaturesFormula()


def _lattice(settings: LayerSettings, _dtype: str) -> FormulaFunction:
    book = RateBook.from_config(settings)
    return Lattice(settings["classes"], settings["kept"], book)


def _evidence(settings: LayerSettings, _dtype: str) -> FormulaFunction:
    return Mixture(settings["temperature"])


LOANS = Domain(
    name="loans",
    layer_module="dubito.loans.layers",
    layers={
        "LoanFeatures": DomainLayer(
            "", shapes.features, ("app.network.loans.features",), _features
        ),
        "AmortizationLattice": DomainLayer(
            "classes kept rates grades rate_shares terms term_shares first_days first_shares"
            " advances advance_shares most_paid",
            shapes.lattice,
            ("app.network.loans.lattice",),
            _lattice,
        ),
        "GradeEvidence": DomainLayer(
            "temperature", shapes.evidence, ("app.network.loans.evidence",), _evidence
        ),
    },
    layout=LAYOUT,
    bundle_name="loan-grade",
    recipes={
        "residual": DomainRecipe(
            "dubito.loans.recipes:RESIDUAL", "a deeper one with features inside"
        ),
        "lattice": DomainRecipe("dubito.loans.recipes:LATTICE", "the best"),
    },
    default_recipe="lattice",
    mistakes=Mistakes(TIMES, SWAPPED),
)
