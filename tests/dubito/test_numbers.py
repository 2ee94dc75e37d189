"""Bundles of a number with each head, from a table to predictions, as a library."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dubito import load
from dubito.bundle import Bundle
from dubito.bundles.manifest_parser import parse_manifest
from dubito.errors import BundleError, DataError, NetworkError, UsageError
from dubito.layers.archive import from_bytes
from dubito.targets import NumberHead, number_target
from dubito.training.convert import convert
from dubito.training.description import read_description
from dubito.training.evaluation.number_evaluation import NumberEvaluationMetrics
from dubito.training.evaluation.run import evaluate
from dubito.training.rows import read_number_rows
from dubito.types import Floats, NumberCalibration
from tests import mixed, rents
from tests.networks import loop
from tests.rents import FLAT, HEADS, LEVELS, PASSES, description, number_bundle, rows, write_table

HELD = 2_000


@pytest.fixture(params=HEADS)
def head(request: pytest.FixtureRequest) -> NumberHead:
    found: NumberHead = request.param
    return found


@pytest.fixture
def bundle(head: NumberHead) -> Bundle:
    return load(number_bundle(head))


def calibration_of(bundle: Bundle) -> NumberCalibration:
    calibration = bundle.manifest.calibration
    assert isinstance(calibration, NumberCalibration)
    return calibration


def draws_of(bundle: Bundle, features: Floats, seed: int) -> Floats:
    """Draws `(T, N, C)` of the plain Keras loop, given the same noise."""
    model = from_bytes(
        (number_bundle(number_target(bundle.signature.target).head) / "model.keras").read_bytes()
    )
    return loop(model, features, PASSES, seed)


def test_it_is_of_format_2_and_canonical(head: NumberHead) -> None:
    """Read and written it has the same bytes; the target says what the network answers."""
    data = (number_bundle(head) / "bundle.json").read_bytes()
    manifest = parse_manifest(data)
    assert manifest.to_bytes() == data
    content = json.loads(data)
    target = content["target"]
    assert ("number", "rent", head) == (target["kind"], target["name"], target["head"])
    assert (list(LEVELS) if head == "quantiles" else []) == target["levels"]
    assert "likelihood" not in content["calibration"]["policy"]
    _, rents = rows(500, 1)
    assert (rents.min(), rents.max()) == (target["seen"]["minimum"], target["seen"]["maximum"])
    assert np.std(rents) == pytest.approx(target["std"])


def test_the_dense_network_is_on_the_fast_path(bundle: Bundle) -> None:
    """Scaling the output needs no Keras."""
    assert bundle.engine.path.startswith("native")


def test_moments_are_those_of_the_plain_loop(head: NumberHead, bundle: Bundle) -> None:
    """Of the head's outputs over the passes, within 1e-6 of the target's deviation."""
    target = number_target(bundle.signature.target)
    features, _ = rows(20, 5)
    draws = draws_of(bundle, features, 11)
    found = bundle.predict_mc(features, seed=11)
    value = draws[..., target.value_column]
    scale = 1e-6 * target.std
    assert np.abs(found.mean - value.mean(axis=0)).max() < scale
    assert np.abs(found.std - value.std(axis=0)).max() < scale
    number = found.number
    if head == "normal":
        noise = np.sqrt(draws[..., 1].mean(axis=0))
        assert number.aleatoric_std is not None
        np.testing.assert_allclose(number.aleatoric_std, noise, rtol=1e-6)
        np.testing.assert_allclose(number.total_std, np.hypot(noise, value.std(axis=0)), rtol=1e-6)
    else:
        assert number.aleatoric_std is None
        assert (number.total_std == number.std).all()
    if head == "quantiles":
        assert number.lower is not None
        assert number.upper is not None
        assert np.abs(number.lower - draws[..., 0].mean(axis=0)).max() < scale
        assert np.abs(number.upper - draws[..., 2].mean(axis=0)).max() < scale


def test_the_deterministic_value_is_the_heads(bundle: Bundle) -> None:
    """Its value column, with the same passes switched off."""
    target = number_target(bundle.signature.target)
    features, _ = rows(20, 6)
    plain = bundle.predict(features)
    assert (plain.values == bundle.engine.predict(features)[:, target.value_column]).all()
    with pytest.raises(UsageError, match="predicts a number"):
        _ = plain.probabilities
    with pytest.raises(UsageError, match="predicts classes"):
        _ = load(mixed.mixed_bundle()).predict(features).values


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95, 0.99])
def test_intervals_cover(bundle: Bundle, coverage: float) -> None:
    """Every method holds the value of new rows within the beta-binomial band of its rows."""
    features, rents = rows(HELD, 9)
    calibration = calibration_of(bundle)
    count = len(calibration.scores[calibration.method])
    rank = int(np.ceil((count + 1) * coverage))
    band = stats.betabinom(HELD, rank, count + 1 - rank)
    for method in calibration.scores:
        found = bundle.predict_mc(features, seed=3, coverage=coverage, method=method)
        assert found.judgement is not None
        held = int((~found.judgement.intervals.misses(rents)).sum())
        assert band.ppf(0.0005) <= held <= band.ppf(0.9995), method


def test_a_decision_is_about_the_own_interval(bundle: Bundle) -> None:
    """Whatever coverage or method is asked for; rows with a wider one than the threshold refer."""
    features, _ = rows(400, 8)
    calibration = calibration_of(bundle)
    usual = bundle.predict_mc(features, seed=3)
    other = bundle.predict_mc(features, seed=3, coverage=0.5, method="residual")
    assert usual.judgement is not None
    assert other.judgement is not None
    assert usual.judgement.decisions == other.judgement.decisions
    policy = calibration.policy
    promise = next(one for one in policy.promises if one.target == policy.target)
    limit = -np.inf if promise.threshold is None else promise.threshold
    for decision, width, std in zip(
        usual.judgement.decisions, usual.judgement.intervals.width, usual.std, strict=True
    ):
        assert ("wide" in decision.reasons) == (not width <= limit)
        assert ("epistemic" in decision.reasons) == (not std <= policy.epistemic)
    assert {"automate", "refer"} == {one.action for one in usual.judgement.decisions}


def test_few_passes_promise_nothing(bundle: Bundle) -> None:
    """The interval is there, and not guaranteed; the row is referred."""
    found = bundle.predict_mc([FLAT], passes=PASSES - 1, seed=1)
    assert found.judgement is not None
    (decision,) = found.judgement.decisions
    assert ("refer", False) == (decision.action, decision.guaranteed)
    assert "few_passes" in decision.reasons


def test_precision_is_in_the_unit(bundle: Bundle) -> None:
    """As many passes as bring the half-width within the tolerance, to the bits of that number."""
    target = number_target(bundle.signature.target)
    tolerance = 0.03 * target.std
    found = bundle.predict_mc([FLAT], passes="auto", seed=4, tolerance=tolerance)
    passes = int(found.passes[0])
    assert found.estimate.half_widths[0] <= tolerance
    exact = bundle.predict_mc([FLAT], passes=passes, seed=4)
    assert found.mean.tobytes() == exact.mean.tobytes()
    spread = bundle.predict_mc([FLAT], passes=passes, seed=4, keep_draws=True).draws
    assert spread is not None
    columns = spread[:, 0, list(target.unit_columns)]
    deviation = columns.std(axis=0, ddof=1).max()
    floor = target.std / (4 * passes)
    expected = 2 * np.sqrt(deviation**2 / passes + floor**2)
    assert found.estimate.half_widths[0] == pytest.approx(expected, rel=1e-6)


def test_classes_have_options_of_their_own(bundle: Bundle) -> None:
    """A number has no class-conditional coverage, and no method that it has no scores of."""
    with pytest.raises(UsageError, match="class_conditional needs a bundle of classes"):
        bundle.predict_mc([FLAT], class_conditional=True)
    with pytest.raises(UsageError, match="method must be one of"):
        bundle.predict_mc([FLAT], method="lac")


def test_neighbours_change_no_bit(bundle: Bundle) -> None:
    """A row alone has the number, the interval and the decision that it has among others."""
    features, _ = rows(60, 4)
    whole = bundle.predict_mc(features, seed=2)
    assert whole.judgement is not None
    for at in (0, 17, 59):
        alone = bundle.predict_mc(features[at : at + 1], seed=2)
        assert alone.judgement is not None
        assert alone.mean.tobytes() == whole.mean[at : at + 1].tobytes()
        assert alone.judgement.intervals.lower[0] == whole.judgement.intervals.lower[at]
        assert alone.judgement.decisions[0] == whole.judgement.decisions[at]


def test_golden_rows_are_relative_to_the_targets_deviation(tmp_path: Path) -> None:
    """A network whose passes hardly differ, for numbers of this size, is refused."""
    job = rents.conversion(tmp_path, "point")
    network = rents.network("point", epochs=1)
    for layer in network.layers:
        if layer.name.startswith("dropout"):
            layer.rate = 1e-4
    rescaling = network.layers[-1]
    rescaling.scale = 1e-3
    network.save(job.network)
    with pytest.raises(NetworkError, match="no Monte-Carlo deviation"):
        convert(job)


def test_a_network_of_another_head_is_refused(tmp_path: Path) -> None:
    """Before anything is run, naming what the head answers."""
    job = rents.conversion(tmp_path, "normal")
    rents.network("point", epochs=1).save(job.network)
    sentence = "it answers 1 value a row, but a head of kind normal has 2: value, variance"
    with pytest.raises(NetworkError, match=sentence):
        convert(job)


def test_a_variance_below_0_is_refused(tmp_path: Path) -> None:
    """And it is said what such a network may mean."""
    import keras

    job = rents.conversion(tmp_path, "normal")
    inputs = keras.Input((5,))
    hidden = keras.layers.Dropout(0.2)(keras.layers.Dense(4, name="hidden")(inputs))
    keras.Model(inputs, keras.layers.Dense(2, name="ends")(hidden)).save(job.network)
    with pytest.raises(NetworkError, match="layer ends gives a variance below 0; if it is the log"):
        convert(job)


def test_rows_without_the_number_are_refused(tmp_path: Path) -> None:
    """The first is named, and nothing of its values."""
    features, rents = rows(10, 1)
    file = write_table(tmp_path / "t.csv", features, rents)
    text = file.read_text(encoding="utf-8").splitlines()
    text[4] = text[4].rpartition(",")[0] + ","
    file.write_text("\n".join(text), encoding="utf-8")
    described = tmp_path / "d.json"
    described.write_text(json.dumps(description("point")), encoding="utf-8")
    found = read_description(described)
    assert found.number is not None
    with pytest.raises(DataError, match=r"rent \(월세\) has no value in row 4"):
        read_number_rows(file, found.features, found.number)


def test_an_evaluation_measures_what_scipy_does(bundle: Bundle, tmp_path: Path) -> None:
    """Errors, log density and coverage, and that shifted rows are detected."""
    features, rents = rows(500, 12)
    found = evaluate(bundle, write_table(tmp_path / "t.csv", features, rents), None, None).figures
    assert isinstance(found, NumberEvaluationMetrics)
    assert found.rows == 500
    mean = np.concatenate(
        [bundle.predict_mc(row[None], seed=(1 << 42) + at).mean for at, row in enumerate(features)]
    )
    assert found.mc["rmse"] == pytest.approx(np.sqrt(np.mean((mean - rents) ** 2)))
    assert found.mc["mae"] == pytest.approx(np.mean(np.abs(mean - rents)))
    if number_target(bundle.signature.target).head == "normal":
        stds = np.concatenate(
            [
                bundle.predict_mc(row[None], seed=(1 << 42) + at).number.total_std
                for at, row in enumerate(features)
            ]
        )
        densities = np.asarray(stats.norm.logpdf(rents, mean, stds))
        assert found.mc["log_density"] == pytest.approx(densities.mean())
    assert {0.8, 0.9, 0.95, 0.99} == {one.asked for one in found.intervals}
    assert all(abs(one.coverage - one.asked) < 0.06 for one in found.intervals)
    tripled = next(one for one in found.shifts if one.name == "space × 3")
    assert tripled.auroc is not None
    assert tripled.auroc > 0.9


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"head": "points"}, "target.head must be 'point', 'normal' or 'quantiles'"),
        ({"std": 0.0}, "target.std is not above 0"),
        ({"levels": [0.1]}, "target.levels is given, but a head of kind point has none"),
        ({"kind": "numbers"}, "target.kind must be 'classes'"),
        ({"name": ""}, "target.name is not a name"),
        ({"unit": 1}, "target.unit"),
        ({"more": 1}, "target.more is not known"),
    ],
)
def test_a_wrong_target_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """With one sentence that names the member."""
    content = json.loads((number_bundle("point") / "bundle.json").read_bytes())
    content["target"] |= changes
    with pytest.raises(BundleError, match=sentence):
        parse_manifest(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("way", "value", "sentence"),
    [
        ("method", "quantile", "calibration.method is not one that has scores"),
        ("least_std", 0.0, "calibration.least_std is not above 0"),
        ("tested", 0, "calibration.stds does not have a row for each"),
        ("coverage", 0.2, "calibration.coverage is not from"),
        ("stds", [], "calibration.stds does not have a row for each"),
        ("passes", 0, "calibration.passes is not from"),
    ],
)
def test_a_wrong_calibration_is_refused(way: str, value: Any, sentence: str) -> None:
    """With one sentence that names the member."""
    content = json.loads((number_bundle("point") / "bundle.json").read_bytes())
    content["calibration"][way] = value
    with pytest.raises(BundleError, match=sentence):
        parse_manifest(json.dumps(content).encode())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"threshold": -1.0}, "threshold is below 0"),
        ({"automated": 0.5, "wrong": 0.5}, "is not kept by its rows"),
        ({"automated": 0.123456}, "has shares that are not of whole rows"),
        ({"band": None}, "band is needed exactly where there is a threshold"),
    ],
)
def test_a_promise_that_its_rows_break_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """The last line of the policy, which automates rows."""
    content = json.loads((number_bundle("point") / "bundle.json").read_bytes())
    promise = content["calibration"]["policy"]["promises"][-1]
    assert promise["threshold"] is not None
    promise |= changes
    with pytest.raises(BundleError, match=sentence):
        parse_manifest(json.dumps(content).encode())
