"""Bundles with the interface of scikit-learn's estimators.

The network is trained already: `fit` checks its rows and learns nothing, so that a bundle can stand
where other tools want an estimator.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import validate_data

from dubito.bundle import Bundle, load
from dubito.client.question import records_of
from dubito.errors import UsageError
from dubito.features import FeatureValue
from dubito.inputs.rows import accepted
from dubito.prediction import MonteCarloPrediction
from dubito.targets import class_target, number_target
from dubito.types import Backend, Booleans, Floats

if TYPE_CHECKING:
    from pandas import DataFrame

LOADED = "_loaded"
"""Attribute of the bundle that is loaded, which is no parameter."""
Given: TypeAlias = "NDArray[np.generic] | Sequence[object] | DataFrame"
"""Rows: `(N, F)`, or a data frame with a column for each feature, in any order, under its name or
an alias; or one mapping a row."""


class BundleEstimator(BaseEstimator):
    """What both estimators share."""

    def __init__(
        self,
        bundle: str | Path = "",
        *,
        passes: int | Literal["auto"] | None = None,
        random_state: int | None = 0,
        coverage: float | None = None,
        method: str | None = None,
        target: float | None = None,
        backend: Backend = "auto",
    ) -> None:
        """Set the bundle's folder, and the options of `Bundle.predict_mc`.

        Args:
            bundle: folder of the bundle.
            passes: stochastic passes a row; the bundle's default if None.
            random_state: seed of the passes; drawn anew for each call if None.
            coverage: share of rows whose set or interval contains the truth.
            method: nonconformity score.
            target: largest share of wrong answers promised among automated rows.
            backend: what computes the network.
        """
        self.bundle = bundle
        self.passes = passes
        self.random_state = random_state
        self.coverage = coverage
        self.method = method
        self.target = target
        self.backend = backend

    @property
    def bundle_(self) -> Bundle:
        """The bundle, loaded at its first use.

        Raises:
            BundleError: it must not be used.
        """
        named = str(self.bundle), self.backend
        kept = self.__dict__.get(LOADED)
        if kept is None or kept[0] != named:
            kept = self.__dict__[LOADED] = (named, load(self.bundle, backend=self.backend))
        bundle: Bundle = kept[1]
        return bundle

    @property
    def n_features_in_(self) -> int:
        """Number of features, `F`."""
        return self.bundle_.signature.width

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return self.bundle_.signature.names

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a trained network: always."""
        return True

    def __sklearn_tags__(self) -> Any:
        """Describe the estimator to scikit-learn: values of rows may be missing."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = self.random_state is None
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Return the parameters: the bundle is loaded anew where they are sent."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != LOADED}

    def fit(self, X: Given, y: object = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's own names
        """Check rows, and learn nothing.

        Raises:
            ValueError: the rows have another number of features.
        """
        self._rows(X)
        return self

    def decide(self, X: Given) -> list[bool]:  # noqa: N803 - scikit-learn's own name
        """Return `N` decisions: whether an answer may be used without a person.

        Raises:
            UsageError: the bundle has no calibration.
        """
        judgement = self._predicted(X).judgement
        if judgement is None:
            raise UsageError("decisions need a bundle with a calibration")
        return [one.action == "automate" for one in judgement.decisions]

    def _rows(self, given: Any) -> Any:
        """Return rows as `Bundle.predict_mc` takes them."""
        if hasattr(given, "to_dict") and hasattr(given, "columns"):
            features = self.bundle_.signature.features
            known = {name for feature in features for name in accepted(feature)}
            return [
                {name: value for name, value in row.items() if name in known}
                for row in records_of(given)
            ]
        if isinstance(given, Sequence) and given and isinstance(given[0], Mapping):
            rows: list[Mapping[str, FeatureValue]] = list(given)
            return rows
        return validate_data(
            self, given, reset=False, dtype=np.float64, ensure_all_finite="allow-nan", allow_nd=True
        )

    def _predicted(self, given: Given) -> MonteCarloPrediction:
        return self.bundle_.predict_mc(
            self._rows(given),
            self.passes,
            self.random_state,
            coverage=self.coverage,
            method=self.method,
            target=self.target,
        )


class DubitoClassifier(ClassifierMixin, BundleEstimator):
    """A bundle of classes as a classifier."""

    @property
    def classes_(self) -> NDArray[np.str_]:
        """`(C,)` class names, in the bundle's order, which is that of all columns.

        Raises:
            UsageError: the bundle predicts a number.
        """
        return np.array(class_target(self.bundle_.signature.target).classes)

    def predict(self, X: Given) -> NDArray[np.str_]:  # noqa: N803 - scikit-learn's own name
        """Return `(N,)` class names: the argmax of the mean over the passes."""
        found: NDArray[np.str_] = self.classes_[self._predicted(X).predicted]
        return found

    def predict_proba(self, X: Given) -> Floats:  # noqa: N803
        """Return `(N, C)` mean probabilities over the passes."""
        return self._predicted(X).mean

    def predict_std(self, X: Given) -> Floats:  # noqa: N803
        """Return `(N, C)` standard deviations over the passes."""
        return self._predicted(X).std

    def predict_set(self, X: Given) -> Booleans:  # noqa: N803
        """Return `(N, C)`, whether a class is in the row's conformal prediction set.

        Raises:
            UsageError: the bundle has no calibration.
        """
        judgement = self._predicted(X).judgement
        if judgement is None:
            raise UsageError("prediction sets need a bundle with a calibration")
        return judgement.sets.sets


class DubitoRegressor(RegressorMixin, BundleEstimator):
    """A bundle of a number as a regressor."""

    def predict(self, X: Given) -> Floats:  # noqa: N803 - scikit-learn's own name
        """Return `(N,)` means over the passes, in the number's unit.

        Raises:
            UsageError: the bundle predicts classes.
        """
        number_target(self.bundle_.signature.target)
        return self._predicted(X).mean

    def predict_std(self, X: Given) -> Floats:  # noqa: N803
        """Return `(N,)` standard deviations over the passes; with a noise head, total ones."""
        return self._predicted(X).number.total_std

    def predict_interval(self, X: Given) -> Floats:  # noqa: N803
        """Return `(N, 2)` bounds of the conformal intervals; infinite where none is known.

        Raises:
            UsageError: the bundle has no calibration.
        """
        judgement = self._predicted(X).judgement
        if judgement is None:
            raise UsageError("intervals need a bundle with a calibration")
        return np.column_stack([judgement.intervals.lower, judgement.intervals.upper])

    predict_set = predict_interval
