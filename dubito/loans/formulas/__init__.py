"""Formulas of loan networks, which neither training nor serving needs Keras for."""
