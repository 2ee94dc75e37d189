"""The loan layers a bundle may hold, for checks that read files without importing Keras."""

MODULES = {
    "LoanFeatures": "app.network.loans.features",
    "AmortizationLattice": "app.network.loans.lattice",
    "GradeEvidence": "app.network.loans.evidence",
}
"""Layer to the module it is written under."""

SETTINGS = {
    "LoanFeatures": "",
    "AmortizationLattice": "classes kept rates grades rate_shares terms term_shares first_days"
    " first_shares advances advance_shares most_paid",
    "GradeEvidence": "temperature",
}
"""Layer to the settings of its own."""

FEATURES = 9
FEATURES_WIDTH = 23
HYPOTHESIS_WIDTH = 68
"""Numbers that say how well one hypothesis of the lattice fits, beside its grade."""
