"""The loan layers a bundle may hold, for checks that read files without importing Keras."""

MODULES = {"LoanFeatures": "app.network.loans.features"}
"""Layer to the module it is written under."""

WIDTHS = {"LoanFeatures": (9, 23)}
"""Layer to the widths it takes and gives; it has no weights and no settings."""
