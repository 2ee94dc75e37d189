"""Registers lending as a domain: the `Domain` object that the entry point names; without Keras."""

from dubito.domains import Domain, DomainLayer, DomainRecipe
from dubito.loans import shapes
from dubito.loans.shifts import MISTAKES
from dubito.loans.signature import LAYOUT

LOANS = Domain(
    name="loans",
    layer_module="dubito.loans.layers",
    layers={
        "LoanFeatures": DomainLayer("", shapes.features, ("app.network.loans.features",)),
        "AmortizationLattice": DomainLayer(
            "classes kept rates grades rate_shares terms term_shares first_days first_shares"
            " advances advance_shares most_paid",
            shapes.lattice,
            ("app.network.loans.lattice",),
        ),
        "GradeEvidence": DomainLayer(
            "temperature", shapes.evidence, ("app.network.loans.evidence",)
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
    mistakes=MISTAKES,
)
