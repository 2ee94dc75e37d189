"""The loans as a domain: the one object by which Dubito knows of them."""

from dubito.domains import Domain, DomainLayer
from dubito.loans import shapes

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
)
