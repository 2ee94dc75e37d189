"""The study's family of networks: layers, weights, placement of dropout, normalisation."""

from typing import Any

import keras
import numpy as np
import pytest

from dubito.layers.encode import Encode
from dubito.layers.impute import Impute
from dubito.layout import NumberColumn
from dubito.loans.layers.features import LoanFeatures
from dubito.training.architecture import Architecture, build
from dubito.training.feature_stats import target_of
from dubito.training.heads import ClassHead, RegressionHead
from dubito.training.recipe import REGRESSOR_RECIPE
from tests.networks import CLASSES, FEATURES, IMPUTED, rows

SEEN = rows(300, 3, missing=True)
FILLED = [Impute(IMPUTED, name="impute")]


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def made(seed: int = 0, **choices: Any) -> Any:
    return build(Architecture(**choices), SEEN, FILLED, ClassHead(CLASSES), seed)


def test_the_default_is_the_studys_network() -> None:
    """Normalization, twice Dropout 0.4 and Dense 16 relu, Dropout 0.4, softmax; 570 weights."""
    model = made()
    block = ["Dropout", "Dense"]
    assert kinds(model) == ["InputLayer", "Impute", "Normalization", *block, *block, *block]
    assert [layer.rate for layer in model.layers if "Dropout" in type(layer).__name__] == [0.4] * 3
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [16, 16, 7]
    initializers = [type(layer.kernel_initializer).__name__ for layer in dense]
    assert initializers == ["HeNormal", "HeNormal", "GlorotNormal"]
    assert sum(weight.size for layer in dense for weight in layer.get_weights()) == 551
    assert model.count_params() == 570


@pytest.mark.parametrize(("placement", "expected"), [("every", 4), ("hidden", 3), ("output", 1)])
def test_dropout_stands_where_it_is_placed(placement: str, expected: int) -> None:
    """Dropout stands before every layer, every layer but the first, or the last alone."""
    model = made(widths=(8, 8, 8), placement=placement)
    names = [layer.name for layer in model.layers if "Dropout" in type(layer).__name__]
    assert len(names) == expected
    assert kinds(model)[-2:] == ["Dropout", "Dense"]


def test_selu_comes_with_its_dropout_and_its_initializer() -> None:
    """SELU networks have alpha dropout and LeCun's normal initialisation."""
    model = made(activation="selu")
    assert kinds(model).count("AlphaDropout") == 3
    assert "Dropout" not in kinds(model)
    assert type(model.get_layer("hidden_0").kernel_initializer).__name__ == "LecunNormal"


def test_batch_normalization_stands_between_the_product_and_the_activation() -> None:
    """With BatchNorm a dense layer is linear, then normalised, then activated."""
    model = made(batch_norm=True)
    at = kinds(model).index("Dense")
    assert kinds(model)[at : at + 3] == ["Dense", "BatchNormalization", "Activation"]
    assert model.layers[at].activation is keras.activations.linear


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"l1": 0.01}, "L1"),
        ({"l2": 0.01}, "L2"),
        ({"l1": 0.01, "l2": 0.02}, "L1L2"),
        ({}, "NoneType"),
    ],
)
def test_penalties_act_on_the_hidden_kernels(choices: dict[str, Any], expected: str) -> None:
    """Each hidden kernel has the penalty asked for, the output none."""
    model = made(**choices)
    penalties = [type(model.get_layer(f"hidden_{at}").kernel_regularizer) for at in range(2)]
    assert [penalty.__name__ for penalty in penalties] == [expected] * 2
    assert model.get_layer("grades").kernel_regularizer is None
    assert len(model.losses) == (2 if choices else 0)


def test_residual_layers_add_to_what_they_get() -> None:
    """Every layer but the first is added to its input."""
    model = made(widths=(8, 8, 8), residual=True, placement="hidden")
    assert kinds(model).count("Add") == 2


def test_one_seed_gives_one_network_and_leaves_the_global_seed_alone() -> None:
    """Equal seeds give equal weights, others others; global randomness is not touched."""
    keras.utils.set_random_seed(1)
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    first, second, other = made(3), made(3), made(4)
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert (before == after).all()
    pairs = zip(first.get_weights(), second.get_weights(), strict=True)
    assert all((a == b).all() for a, b in pairs)
    assert (first.get_layer("hidden_0").kernel != other.get_layer("hidden_0").kernel).numpy().any()


def test_normalisation_is_of_the_rows_that_have_the_value() -> None:
    """Inputs leave the normalisation with mean 0 and variance 1, missing values imputed."""
    layer = made().get_layer("normalization")
    filled = np.where(np.isnan(SEEN), 17.5, SEEN)
    np.testing.assert_allclose(np.asarray(layer.mean).ravel(), filled.mean(0), rtol=1e-4)
    np.testing.assert_allclose(np.asarray(layer.variance).ravel(), filled.var(0), rtol=1e-3)


@pytest.mark.parametrize("constant", [0.0, 1.0, 7.3])
def test_a_constant_column_is_not_divided_by_nothing(constant: float) -> None:
    """A column without variance is shifted alone: another value there does not drown the rest."""
    seen = rows(1_000, 1)
    seen[:, 4] = constant
    layer = build(Architecture(), seen, FILLED, ClassHead(CLASSES)).get_layer("normalization")
    other = seen[:1].copy()
    other[0, 4] = constant + 2
    scaled = np.asarray(layer(other.astype(np.float32)))[0, 4]
    assert scaled == pytest.approx(2, rel=1e-3)


def test_the_feature_layer_stands_between_imputing_and_normalising() -> None:
    """Domain features are computed of imputed rows, and normalised."""
    model = build(Architecture(), SEEN, [*FILLED, LoanFeatures(name="loan")], ClassHead(CLASSES))
    assert kinds(model)[:4] == ["InputLayer", "Impute", "LoanFeatures", "Normalization"]
    assert model.get_layer("normalization").mean.shape[-1] == 23
    assert model.input_shape == (None, FEATURES)


def test_encoded_truths_are_left_as_they_are() -> None:
    """One-hot and gap columns are not normalised; inputs that no row has start without weights."""
    random = np.random.default_rng(6)
    amounts = np.where(random.random(200) < 0.05, np.nan, random.normal(50, 9, 200))
    # Of three slots the last is in no row, and the second number is never missing.
    seen = np.column_stack([amounts, random.normal(5, 3, 200), random.integers(0, 2, 200)])
    encode = Encode(["number", "number", "category"], [0, 0, 3], [48.0, 5.0, None])
    model = build(Architecture(), seen, [encode], ClassHead(CLASSES))
    encoded = np.asarray(encode(seen.astype(np.float32)))
    numbers, truths = [0, 2], [1, 3, 4, 5, 6]

    found = np.asarray(model.get_layer("normalization")(encoded))
    np.testing.assert_array_equal(found[:, truths], encoded[:, truths])
    np.testing.assert_allclose(found[:, numbers].mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(found[:, numbers].std(0), 1, rtol=1e-3)

    kernel = np.asarray(model.get_layer("hidden_0").kernel)
    assert kernel.shape == (7, 16)
    assert np.flatnonzero((kernel == 0).all(axis=1)).tolist() == [3, 6]
    assert np.flatnonzero((kernel == 0).any(axis=1)).tolist() == [3, 6]


@pytest.mark.parametrize(
    "choices",
    [
        {"widths": ()},
        {"rate": 0.0},
        {"rate": 1.0},
        {"rate": -0.1},
        {"rate": float("nan")},
        {"residual": True, "widths": (8, 9)},
    ],
)
def test_what_cannot_be_built_is_refused(choices: dict[str, Any]) -> None:
    """No hidden layer, a rate that is none, or unequal residual widths are refused."""
    with pytest.raises(ValueError, match=r"^(a network needs|residual layers)"):
        Architecture(**choices)


def test_the_regressor_is_the_studys() -> None:
    """Layers of 2, 2 and 1 units, each relu, He's and penalised; one dropout, before the last."""
    random = np.random.default_rng(0)
    features, values = random.uniform(10, 90, (200, 2)), random.uniform(100, 900, 200)
    target = target_of(NumberColumn(name="income"), values)
    head = RegressionHead.of(target, values, 0.5, REGRESSOR_RECIPE.scaling)
    model = build(REGRESSOR_RECIPE.architecture, features, [], head, 1, REGRESSOR_RECIPE.scaling)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [2, 2, 1]
    assert {layer.activation for layer in dense} == {keras.activations.relu}
    assert {type(layer.kernel_initializer) for layer in dense} == {keras.initializers.HeNormal}
    assert len(model.losses) == 3
    expected = [0.01 * np.abs(np.asarray(layer.kernel)).sum() for layer in dense]
    np.testing.assert_allclose([float(loss) for loss in model.losses], expected, rtol=1e-6)
    found = kinds(model)
    assert found.count("Dropout") == 1
    assert found[-2:] == ["Dropout", "Dense"]
    scaled = model.get_layer("scaling")(features.astype(np.float32))
    np.testing.assert_allclose(np.asarray(scaled).mean(axis=0), 1, rtol=1e-5)
    assert (head.mean, head.std) == (0.0, values.mean())
