"""Keras layers of loan networks. Files of networks name this module."""

from dubito.loans.layers.evidence import GradeEvidence
from dubito.loans.layers.features import LoanFeatures
from dubito.loans.layers.lattice import AmortizationLattice

__all__ = ["AmortizationLattice", "GradeEvidence", "LoanFeatures"]
