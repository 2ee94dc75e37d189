"""Keras layers of loan networks; `.keras` files refer to them by this module's path."""

from dubito.loans.layers.evidence import GradeEvidence
from dubito.loans.layers.features import LoanFeatures
from dubito.loans.layers.lattice import AmortizationLattice

__all__ = ["AmortizationLattice", "GradeEvidence", "LoanFeatures"]
