"""A bundle's rules: reasons that need facts of the domain, evaluated without knowing it."""

from collections.abc import Sequence

import numpy as np

from dubito.types import Floats, Rule, Signature


def rule_reasons(rows: Floats, signature: Signature, rules: Sequence[Rule]) -> list[list[str]]:
    """The reasons that hold for each of the rows `(N, F)`, in the order of the rules.

    A rule holds where each feature it names has exactly the value it gives; a missing value (NaN)
    is none. A rule that names no feature holds everywhere.

    Raises:
        ValueError: a rule names what is no feature.
    """
    found: list[list[str]] = [[] for _ in rows]
    for rule in rules:
        columns = [signature.names.index(name) for name in rule.when]
        holds = (rows[:, columns] == list(rule.when.values())).all(axis=1)
        for row in np.flatnonzero(holds):
            found[row].append(rule.reason)
    return found
