"""A bundle that is open: its manifest, and the engine that predicts with it."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from dubito.bundles.golden import faults
from dubito.bundles.manifest import NETWORK_FILE, Manifest
from dubito.bundles.validation.inspection import inspect
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.engine import Engine
from dubito.engine.environment import environment
from dubito.errors import BundleError, NetworkError, UsageError
from dubito.inputs.arrays import features_of
from dubito.prediction import MonteCarloPrediction, PlainPrediction, check_finite
from dubito.types import (
    MAX_SEED,
    Calibration,
    Cards,
    Environment,
    Floats,
    Identity,
    Query,
    Signature,
)
from dubito.uncertainty.adaptive_passes import Estimate, adaptive
from dubito.uncertainty.conformal import LEAST_COVERAGE, MOST_COVERAGE
from dubito.uncertainty.decomposition import summarise
from dubito.uncertainty.guard import Guard
from dubito.uncertainty.passes import TOLERANCE
from dubito.uncertainty.policy import Judge, PolicyOptions, usual

AUTO: Literal["auto"] = "auto"
MOST_AUTO_PASSES = 10_000
"""Most passes that are made until they are enough, unless a call names a number."""

Rows = Floats | Sequence[Sequence[float]] | Sequence[Mapping[str, float | None]]
"""`(N, F)` features in the bundle's order, NaN where one is missing; or a mapping from a feature's
name or alias to its value for each row, None where one is missing."""


@dataclass(frozen=True)
class Bundle:
    """A trained network with all that is needed to predict with it; threads may share it."""

    manifest: Manifest
    engine: Engine
    environment: Environment
    """The numerical environment: where it is equal, predictions are equal to the last bit."""
    cards: Cards

    @property
    def identity(self) -> Identity:
        """Name, version and digest."""
        return self.manifest.identity

    @property
    def signature(self) -> Signature:
        """The ordered features and classes."""
        return self.manifest.signature

    @property
    def classes(self) -> tuple[str, ...]:
        """The ordered classes `(C,)`, to which every last axis of length C refers."""
        return self.manifest.classes

    def predict(self, rows: Rows) -> PlainPrediction:
        """Predict by one deterministic pass, without dropout.

        Args:
            rows: `(N, F)`, or a mapping for each row.

        Raises:
            InvalidInput: names each feature that is wrong.
            Ungradable: rows on which the network's numbers overflow.
        """
        features = features_of(self.signature, rows)
        probabilities = self.engine.predict(features)
        check_finite(probabilities)
        return PlainPrediction(probabilities, self._guard.notices(features))

    def predict_mc(
        self,
        rows: Rows,
        passes: int | Literal["auto"] | None = None,
        seed: int | None = None,
        *,
        tolerance: float = TOLERANCE,
        max_passes: int = MOST_AUTO_PASSES,
        coverage: float | None = None,
        method: str | None = None,
        class_conditional: bool | None = None,
        target: float | None = None,
        keep_draws: bool = False,
    ) -> MonteCarloPrediction:
        """Predict by Monte-Carlo dropout (Gal & Ghahramani 2016): mean and std over the passes.

        A row's prediction is a function of its features, the passes and the seed alone, to the last
        bit, whatever else is predicted with it.

        Args:
            rows: `(N, F)`, or a mapping for each row.
            passes: stochastic passes a row, the bundle's default where None; or `auto`, as many as
                bring the half-width of a 95% interval of every class' mean within `tolerance`.
            seed: from 0 to 2**53 − 1; a fresh one where None.
            tolerance: half-width to reach with `auto`.
            max_passes: most passes a row with `auto`.
            coverage: share of rows whose prediction set holds the right class; the bundle's where
                None, as the next three are.
            method: how sets are scored: `lac`, `aps`, `raps` or `adjacent`.
            class_conditional: whether the coverage holds for the rows of every class by itself.
            target: most P(wrong | automated) that decisions promise; one that the bundle has.
            keep_draws: whether the probabilities of every pass, `(T, N, C)`, are kept.

        Raises:
            InvalidInput: names each feature that is wrong.
            Ungradable: rows on which the network's numbers overflow.
            UsageError: an option that is out of range, or asks for what the bundle does not have.
        """
        features = features_of(self.signature, rows)
        is_auto = passes == AUTO
        most = max_passes if passes == AUTO else self.manifest.passes if passes is None else passes
        check_options(most, seed, tolerance)
        chosen = secrets.randbelow(MAX_SEED + 1) if seed is None else seed
        options = self._options(coverage, method, class_conditional, target)
        query = Query(features, most, chosen)
        estimate, draws = self._estimated(query, tolerance if is_auto else None, keep_draws)
        check_finite(estimate.summary.mean)
        notices = self._guard.notices(features)
        judgement = (
            None
            if self._judge is None or options is None
            else self._judge.judge(features, estimate, notices, options)
        )
        reached = tolerance if is_auto else None
        return MonteCarloPrediction(query, estimate, reached, draws, notices, judgement, most)

    def _estimated(
        self, query: Query, tolerance: float | None, keep_draws: bool
    ) -> tuple[Estimate, Floats | None]:
        if tolerance is None:
            if not keep_draws:
                (summary,) = self.engine.summarise([query])
                return Estimate.of(summary, query.passes), None
            draws = self.engine.draws(query)
            return Estimate.of(summarise(draws), query.passes), draws
        steps = adaptive(query, tolerance, 1 if self._judge is None else self._judge.passes)
        part = next(steps)
        while True:
            (summary,) = self.engine.summarise([part])
            try:
                part = steps.send(summary)
            except StopIteration as end:
                estimate: Estimate = end.value
                break
        if not keep_draws:
            return estimate, None
        return estimate, self.engine.draws(replace(query, passes=int(estimate.passes.max())))

    def _options(
        self,
        coverage: float | None,
        method: str | None,
        class_conditional: bool | None,
        target: float | None,
    ) -> PolicyOptions | None:
        """The options of sets and decisions, those that are None as the bundle has them."""
        calibration = self.manifest.calibration
        given = {
            "coverage": coverage,
            "method": method,
            "class_conditional": class_conditional,
            "target": target,
        }
        changed = {name: value for name, value in given.items() if value is not None}
        if calibration is None:
            if changed:
                raise UsageError(f"{next(iter(changed))} needs a bundle with a calibration")
            return None
        options = replace(usual(calibration), **changed)  # type: ignore[arg-type]
        check_policy(calibration, options)
        return options

    @cached_property
    def _judge(self) -> Judge | None:
        manifest = self.manifest
        if manifest.calibration is None:
            return None
        return Judge(manifest.calibration, manifest.rules, manifest.signature)

    @cached_property
    def _guard(self) -> Guard:
        tells_margin = self._judge is not None and self._judge.is_of_cases
        return Guard(self.signature, tells_margin=tells_margin)


def check_options(passes: int, seed: int | None, tolerance: float) -> None:
    """Check what says how passes are drawn.

    Raises:
        UsageError: names the option that is out of range.
    """
    if passes < 1:
        raise UsageError("passes must be at least 1")
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise UsageError(f"seed must be from 0 to {MAX_SEED}")
    if not 0 < tolerance < np.inf:
        raise UsageError("tolerance must be above 0")


def check_policy(calibration: Calibration, options: PolicyOptions) -> None:
    """Check which sets and decisions are asked for.

    Raises:
        UsageError: names the option that the calibration does not have.
    """
    if not LEAST_COVERAGE <= options.coverage <= MOST_COVERAGE:
        raise UsageError(f"coverage must be from {LEAST_COVERAGE} to {MOST_COVERAGE}")
    if options.method not in calibration.scores:
        raise UsageError(f"method must be one of {', '.join(calibration.scores)}")
    targets = [promise.target for promise in calibration.policy.promises]
    if options.target not in targets:
        raise UsageError(f"target must be one of {', '.join(map(str, targets))}")


def load(folder: str | Path, *, pinned: str | None = None, threads: int = 1) -> Bundle:
    """Load a bundle, or say in one sentence why it must not be used.

    Args:
        folder: the bundle's.
        pinned: the only digest it may have.
        threads: how many may share the work of one call of its engine.

    Raises:
        BundleError: names the file and what is wrong with it.
    """
    path = Path(folder)
    inspected = inspect(path, pinned=pinned)
    # Keras takes seconds to import, and only a network needs it.
    from dubito.engine.compiler.compiler import read_engine

    pin_arithmetic()
    manifest, file = inspected.manifest, path / NETWORK_FILE
    try:
        engine = read_engine(inspected.network, threads)
        fault = next(faults(engine, manifest.golden), None)
    except NetworkError as error:
        raise BundleError(f"{file}: {error}") from error
    if fault is not None:
        raise BundleError(f"{file}: the network {fault}")
    return Bundle(manifest, engine, environment(engine.path), inspected.cards)
