"""Evaluates a bundle's rules: domain-specific reasons for referral, given as data."""

from collections.abc import Sequence

import numpy as np

from dubito.types import DomainRule, Floats, Signature


def rule_reasons(
    rows: Floats, signature: Signature, rules: Sequence[DomainRule]
) -> list[list[str]]:
    """Return the reasons that apply to each of the rows `(N, F)`, in the order of the rules.

    A rule applies if each feature it names has exactly the value it gives; a missing value (NaN)
    equals none. A rule that names no feature applies to every row.

    Raises:
        ValueError: a rule names an unknown feature, or a value that it does not take.
    """
    return RuleTable(signature, rules).reasons(rows)


class RuleTable:
    """A bundle's rules, with the columns of the features that they name."""

    def __init__(self, signature: Signature, rules: Sequence[DomainRule]) -> None:
        """Look the columns up.

        Raises:
            ValueError: a rule names an unknown feature, or a value that it does not take.
        """
        names, features = signature.names, signature.features
        columns = [[names.index(name) for name in rule.when] for rule in rules]
        self._rules = [
            (
                rule.reason,
                places,
                [
                    features[place].number_of(value)
                    for place, value in zip(places, rule.when.values(), strict=True)
                ],
            )
            for rule, places in zip(rules, columns, strict=True)
        ]

    def reasons(self, rows: Floats) -> list[list[str]]:
        """Return the reasons that apply to each of the rows `(N, F)`, see `rule_reasons`."""
        found: list[list[str]] = [[] for _ in rows]
        for reason, columns, values in self._rules:
            holds = (rows[:, columns] == values).all(axis=1)
            if holds.any():
                for row in np.flatnonzero(holds):
                    found[row].append(reason)
        return found
