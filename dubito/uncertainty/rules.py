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
        ValueError: a rule names an unknown feature.
    """
    found: list[list[str]] = [[] for _ in rows]
    for rule in rules:
        columns = [signature.names.index(name) for name in rule.when]
        holds = (rows[:, columns] == list(rule.when.values())).all(axis=1)
        for row in np.flatnonzero(holds):
            found[row].append(rule.reason)
    return found
