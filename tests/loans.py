"""Real loans, and what a network says of them, each row with passes of its own seed."""

from dataclasses import dataclass

import numpy as np

from dubito.engine.compiler.compiler import engine_of
from dubito.engine.engine import Engine
from dubito.loans.columns import LAYOUT
from dubito.loans.recipes import LATTICE
from dubito.training.calibrate import temperature_of
from dubito.training.data import Table
from dubito.training.fit import fit
from dubito.training.heads import ClassHead
from dubito.training.temperature import fold
from dubito.types import Booleans, DomainRule, Indices, Query, Signature, Summary
from dubito.uncertainty import selection
from dubito.uncertainty.decision import fixed_reasons
from dubito.uncertainty.guard import RangeGuard
from dubito.uncertainty.rules import rule_reasons

PASSES = 100
RULES = tuple(DomainRule(reason, when) for reason, when in LAYOUT.rules.items())


@dataclass(frozen=True)
class Held:
    """Rows that the network was not fitted on."""

    table: Table
    summary: Summary
    fixed: Booleans
    """Whether a rule refers the row whatever the network says."""

    @property
    def part(self) -> selection.Part:
        """The same, as policies are selected by."""
        found = self.summary
        return selection.Part(found.mean, self.table.labels, found.mutual_information, self.fixed)

    def taken(self, rows: np.ndarray) -> "Held":
        """Some of the rows, in this order."""
        summary = self.summary.where(rows)
        return Held(self.table.where(rows), summary, self.fixed[rows])


def described(engine: Engine, signature: Signature, table: Table) -> Held:
    """What a network says of the rows, and which of them are referred anyhow."""
    rows = table.features
    queries = [Query(rows[at : at + 1], PASSES, 10**6 + at) for at in range(len(rows))]
    reasons = fixed_reasons(
        RangeGuard(signature).notices(rows), rule_reasons(rows, signature, RULES)
    )
    summary = Summary.joined(engine.summarise(queries))
    return Held(table, summary, np.array([bool(found) for found in reasons]))


def trained(loans: Table, fitted: Indices, watched: Indices) -> Engine:
    """The shipped recipe on other rows: fitted on some, watched and tempered on others."""
    part, watch = loans.where(fitted), loans.where(watched)
    medians = np.nanmedian(part.features, axis=0)
    filled = [
        float(medians[at]) if column.nullable else None for at, column in enumerate(LAYOUT.features)
    ]
    classes = len(LAYOUT.classes)
    recipe = LATTICE.learn(part.features, part.labels, classes)
    model = fit(recipe, part, watch, filled, ClassHead(classes), 0, verbose=0)
    fold(model, temperature_of(engine_of(model), watch, PASSES))
    return engine_of(model)
