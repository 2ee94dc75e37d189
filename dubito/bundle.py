"""Loads a bundle and predicts with it: the library's entry point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec import structs

from dubito.bundles.golden import golden_faults
from dubito.bundles.manifest import NETWORK_FILE, Manifest
from dubito.bundles.program import read_programs
from dubito.bundles.validation.inspection import Inspected, inspect
from dubito.engine.arithmetic import pin_arithmetic
from dubito.engine.backends.choice import engine_for
from dubito.engine.engine import Engine
from dubito.engine.environment import environment
from dubito.errors import BackendUnavailable, BundleError, NetworkError, UsageError
from dubito.features import FeatureValue
from dubito.inputs.arrays import array_features
from dubito.prediction import JudgedRows, MonteCarloPrediction, PlainPrediction, check_finite
from dubito.system_random import random_bits
from dubito.types import (
    MAX_SEED,
    SEED_BITS,
    AnyCalibration,
    Backend,
    Cards,
    Environment,
    Floats,
    Identity,
    NumberCalibration,
    Query,
    Signature,
    Threads,
)
from dubito.uncertainty.adaptive_passes import RowStatistics, adaptive
from dubito.uncertainty.conformal import LEAST_COVERAGE, MOST_COVERAGE
from dubito.uncertainty.guard import RangeGuard
from dubito.uncertainty.passes import MeanPrecision
from dubito.uncertainty.policy import Judge, PolicyOptions, judge_of, usual

AUTO: Literal["auto"] = "auto"
MOST_AUTO_PASSES = 10_000
"""Most passes a row with `passes="auto"`, unless the call sets `max_passes`."""

Rows = Floats | Sequence[Sequence[float]] | Sequence[Mapping[str, FeatureValue]]
"""`(N, F)` features in the bundle's order, NaN where a value is missing; or one mapping a row, from
a feature's name or alias to its value, None where it is missing."""


@dataclass(frozen=True)
class Bundle:
    """A trained network with its signature, calibration and rules. Threads may share it."""

    manifest: Manifest
    engine: Engine
    environment: Environment
    """Numerical environment: where it is equal, predictions are equal to the last bit."""
    cards: Cards

    @property
    def identity(self) -> Identity:
        """Name, version and digest of the bundle."""
        return self.manifest.identity

    @property
    def signature(self) -> Signature:
        """Ordered features, and the target."""
        return self.manifest.signature

    @property
    def classes(self) -> tuple[str, ...]:
        """`(C,)` ordered class names, the labels of every last axis of length C.

        There are none for a number.
        """
        return self.manifest.classes

    def predict(self, rows: Rows) -> PlainPrediction:
        """Predict by one deterministic pass, without dropout; an ensemble by its members' mean.

        Args:
            rows: `(N, F)`, or one mapping a row.

        Raises:
            InvalidInput: a value is missing or not allowed; the error names each such feature.
            Ungradable: the network's arithmetic overflows on a row.
        """
        features = array_features(self.signature, rows)
        outputs = self.engine.predict(features)
        check_finite(outputs)
        return PlainPrediction(outputs, self.guard.notices(features), self.signature.target)

    def predict_mc(
        self,
        rows: Rows,
        passes: int | Literal["auto"] | None = None,
        seed: int | None = None,
        *,
        tolerance: float | None = None,
        max_passes: int = MOST_AUTO_PASSES,
        coverage: float | None = None,
        method: str | None = None,
        class_conditional: bool | None = None,
        target: float | None = None,
        keep_draws: bool = False,
    ) -> MonteCarloPrediction:
        """Predict by Monte-Carlo dropout (Gal & Ghahramani 2016): mean and std over the passes.

        Within one numerical environment, a row's prediction is a function of its features, the
        passes and the seed alone, to the last bit, whatever else is predicted in the same call.

        Args:
            rows: `(N, F)`, or one mapping a row.
            passes: stochastic passes a row, of an ensemble a multiple of its members; the bundle's
                default if None. With `auto`, each row gets as many as bring the half-width of a 95%
                interval of the mean, of every class' or of the number, within `tolerance`.
            seed: from 0 to 2**53 − 1; drawn by the operating system if None.
            tolerance: half-width to reach with `auto`; if None 0.01, for a number 5% of the
                standard deviation of its values.
            max_passes: most passes a row with `auto`.
            coverage: share of rows whose prediction set contains the right class, or whose interval
                contains the right number. This and the next three default to the bundle's own
                value.
            method: nonconformity score, see `dubito.uncertainty.scores.class_scores` and, for
                intervals, `dubito.uncertainty.intervals.SCORES`.
            class_conditional: whether the coverage holds among the rows of each class separately;
                not for a number.
            target: upper bound promised for P(wrong | automated), one from the bundle's policy.
            keep_draws: whether to return the outputs of every pass, `(T, N, C)`.

        Raises:
            InvalidInput: a value is missing or not allowed; the error names each such feature.
            Ungradable: the network's arithmetic overflows on a row.
            UsageError: an option is out of range, or is not offered by the bundle.
        """
        features = array_features(self.signature, rows)
        is_auto = passes == AUTO
        most = max_passes if passes == AUTO else self.manifest.passes if passes is None else passes
        members = self.manifest.members
        check_whole("max_passes" if is_auto else "passes", most, members)
        if is_auto:
            most = most // members * members
        elif most % members:
            raise UsageError(f"passes must be a multiple of the ensemble's {members} members")
        if seed is not None:
            check_whole("seed", seed, 0, MAX_SEED)
        reached = None
        if is_auto:
            reached = self.precision.usual if tolerance is None else tolerance
        check_tolerance(self.precision.usual if tolerance is None else tolerance)
        chosen = random_bits(SEED_BITS) if seed is None else seed
        options = self._options(coverage, method, class_conditional, target)
        query = Query(features, most, chosen)
        estimate, draws = self._estimated(query, reached, keep_draws)
        check_finite(estimate.summary.mean)
        notices = self.guard.notices(features)
        judgement = (
            None
            if self.judge is None or options is None
            else self.judge.judge(features, estimate, notices, options)
        )
        judged = JudgedRows(estimate, notices, judgement, self.signature.target)
        return MonteCarloPrediction(query, judged, 0, reached, draws, most)

    def _estimated(
        self, query: Query, tolerance: float | None, keep_draws: bool
    ) -> tuple[RowStatistics, Floats | None]:
        if tolerance is None:
            if not keep_draws:
                (summary,) = self.engine.summarise([query])
                return RowStatistics.of(summary, query.passes, self.precision), None
            draws = self.engine.draws(query)
            reduced = self.engine.reduced(draws)
            return RowStatistics.of(reduced, query.passes, self.precision), draws
        least = 1 if self.judge is None else self.judge.passes
        steps = adaptive(query, tolerance, self.precision, least)
        part = next(steps)
        while True:
            (summary,) = self.engine.summarise([part])
            try:
                part = steps.send(summary)
            except StopIteration as end:
                estimate: RowStatistics = end.value
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
        """Complete the options of sets or intervals and decisions with the bundle's defaults.

        Returns:
            The options, or None if the bundle has no calibration.

        Raises:
            UsageError: an option is out of range, or the bundle has no calibration.
        """
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
        if class_conditional is not None and isinstance(calibration, NumberCalibration):
            raise UsageError("class_conditional needs a bundle of classes")
        options = structs.replace(usual(calibration), **changed)
        check_policy(calibration, options)
        return options

    @cached_property
    def judge(self) -> Judge | None:
        """What computes sets or intervals, and decisions; None without a calibration."""
        manifest = self.manifest
        return judge_of(manifest.calibration, manifest.rules, manifest.signature)

    @cached_property
    def precision(self) -> MeanPrecision:
        """How far a mean over the passes may be from its limit."""
        return MeanPrecision.of(self.signature.target, self.manifest.members)

    @cached_property
    def guard(self) -> RangeGuard:
        """What compares rows with the values that training saw."""
        tells_margin = self.judge is not None and self.judge.is_of_cases
        return RangeGuard(self.signature, tells_margin=tells_margin)


def check_whole(name: str, value: object, least: int, most: float = np.inf) -> None:
    """Check an option that counts something.

    Raises:
        UsageError: it is not a whole number, or is out of range; the sentence names it.
    """
    if not isinstance(value, int | np.integer):
        raise UsageError(f"{name} must be a whole number")
    if not least <= value <= most:
        allowed = f"at least {least}" if most == np.inf else f"from {least} to {most}"
        raise UsageError(f"{name} must be {allowed}")


def check_tolerance(tolerance: float) -> None:
    """Check the half-width that adaptive passes are to reach.

    Raises:
        UsageError: it is not a finite number above 0.
    """
    if not 0 < tolerance < np.inf:
        raise UsageError("tolerance must be above 0")


def check_policy(calibration: AnyCalibration, options: PolicyOptions) -> None:
    """Check the options of sets or intervals and decisions against a calibration.

    Raises:
        UsageError: the calibration does not offer an option; the sentence names it.
    """
    if not LEAST_COVERAGE <= options.coverage <= MOST_COVERAGE:
        raise UsageError(f"coverage must be from {LEAST_COVERAGE} to {MOST_COVERAGE}")
    if options.method not in calibration.scores:
        raise UsageError(f"method must be one of {', '.join(calibration.scores)}")
    targets = [promise.target for promise in calibration.policy.promises]
    if options.target not in targets:
        raise UsageError(f"target must be one of {', '.join(map(str, targets))}")


def _engine(inspected: Inspected, threads: Threads, backend: Backend) -> Engine:
    programs = () if backend == "tensorflow" else read_programs(inspected.checked)
    if programs:
        return engine_for(programs, backend, threads)
    try:
        # Imported here: Keras takes seconds, and few networks need it.
        from dubito.engine.compiler.compiler import read_engine
    except ImportError as error:
        reason = f"the network needs Keras and TensorFlow, which cannot be imported: {error}"
        raise BackendUnavailable(reason) from error
    return read_engine(inspected.networks, threads, backend)


def load(
    folder: str | Path,
    *,
    pinned: str | None = None,
    threads: int | Threads = 1,
    backend: Backend = "auto",
) -> Bundle:
    """Check and load a bundle.

    Args:
        folder: folder of the bundle.
        pinned: digest that the bundle must have, `sha256:…`; any if None.
        threads: most threads that one call of the engine uses, or that and from what size on.
        backend: what computes the network: `native`, a kernel in C with the same bits on every
            processor; `numpy`; `tensorflow`; or `auto`, the first of these that runs all layers.

    Raises:
        BundleError: the bundle must not be used, or the backend does not run it; the sentence names
            the file and the fault.
    """
    return load_inspected(
        inspect(Path(folder), pinned=pinned), Path(folder), threads=threads, backend=backend
    )


def load_inspected(
    inspected: Inspected,
    folder: Path,
    *,
    threads: int | Threads = 1,
    backend: Backend = "auto",
) -> Bundle:
    """Load a bundle of a folder that has been checked; see `load`.

    Raises:
        BundleError: the backend does not run the bundle, or does not give its golden rows.
    """
    pin_arithmetic()
    manifest, file = inspected.manifest, folder / NETWORK_FILE
    sharing = Threads(threads) if isinstance(threads, int) else threads
    try:
        engine = _engine(inspected, sharing, backend)
        fault = next(golden_faults(engine, manifest.golden, manifest.target), None)
    except NetworkError as error:
        raise BundleError(f"{file}: {error}") from error
    if fault is not None:
        raise BundleError(f"{file}: the network {fault}")
    return Bundle(manifest, engine, environment(engine.path), inspected.cards)
