"""Measures L1, L2 and weight decay."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from benchmarks.lessons.line import Line, parts, trained
from dubito.training.architecture import Architecture
from dubito.training.recipe import Recipe

layers = keras.layers
PENALTY = 1e-3
NEARLY_ZERO = 1e-3
STEPS = 200
ONE, LARGE = 1.0, 100.0
"""Absolute gradients of two weights that start equal."""


def lines() -> Iterator[Line]:
    """Yield the lines of the study's second section."""
    zero = {name: _kernels(**choice) for name, choice in _CHOICES.items()}
    figures = [
        f"{name}: {(np.abs(kernel) < NEARLY_ZERO).mean():.0%} of {kernel.size:,} weights below "
        f"{NEARLY_ZERO:g}, root mean square {np.sqrt(np.square(kernel).mean()):.3f}"
        for name, kernel in zero.items()
    ]
    yield Line(
        "L1 drives many weights to zero; L2 shrinks them without sparsity.",
        "; ".join(figures),
        ("test_study.py::test_l1_is_sparse_and_l2_shrinks",),
    )
    yield Line(
        "L2 is not combined with Adam and its kin: for weight decay take AdamW.",
        "of two equal weights, the second with gradients a hundred times as large, "
        + "; ".join(
            f"{name} leaves {small:.0%} and {large:.0%}" for name, small, large in decays()
        ),
        ("test_study.py::test_l2_under_adam_is_no_decay", "test_study.py::test_l2_with_adam_warns"),
    )
    yield _three_layers()


_CHOICES: dict[str, dict[str, float]] = {
    "no penalty": {},
    "L1 0.001": {"l1": PENALTY},
    "L2 0.001": {"l2": PENALTY},
}


def _kernels(**choice: Any) -> np.ndarray:
    shape = Architecture(widths=(64, 64), rate=0.1, **choice)
    recipe = Recipe(architecture=shape, optimizer="sgd", learning_rate=0.01, batch=32, epochs=15)
    model = trained(recipe).model
    return np.concatenate(
        [np.asarray(model.get_layer(f"hidden_{at}").kernel).ravel() for at in range(2)]
    )


def decays() -> Iterator[tuple[str, float, float]]:
    """Yield what remains of two weights of 1, by optimiser, when only the penalty has a direction.

    Their gradients have absolute values 1 and 100, and alternate in sign so that they sum to 0.
    """
    sgd = keras.optimizers.SGD(1e-2)
    yield "SGD with L2", *_left(sgd, 0.5)
    yield "Adam with L2", *_left(keras.optimizers.Adam(1e-2), 0.5)
    yield "AdamW", *_left(keras.optimizers.AdamW(1e-2, weight_decay=0.5), 0.0)


def _left(optimizer: Any, penalty: float) -> tuple[float, float]:
    weights = keras.Variable([1.0, 1.0])
    optimizer.build([weights])
    for step in range(STEPS):
        noise = np.array([ONE, LARGE], np.float32) * (1 if step % 4 in (0, 3) else -1)
        optimizer.apply([keras.ops.convert_to_tensor(noise + penalty * np.asarray(weights))])
    small, large = np.asarray(weights).tolist()
    return small, large


def _three_layers() -> Line:
    names = ("loan_amount", "paid_interest", "annual_income")
    found = {penalty: _losses(penalty) for penalty in (None, 0.01)}
    shown = ", ".join(f"{value:.4f}" for value in found[0.01][0])
    before, after = found[0.01][1]
    return Line(
        "Three layers (2, 2, 1; relu, he_normal, L1 0.01), SGD 0.01 with Nesterov momentum 0.9, "
        "MSE: `model.losses` has one value per regularised layer, and is empty for the plain one.",
        f"from {names[0]} and {names[1]} to {names[2]}: [{shown}] and {found[None][0]}; columns "
        f"scaled to a mean of 1, an epoch takes the loss from {before:.3f} to {after:.3f}",
        ("test_study.py::test_each_regularised_layer_has_a_loss",),
    )


def _losses(penalty: float | None) -> tuple[list[float], tuple[float, float]]:
    """Return `model.losses` after a call, and the loss before and after an epoch."""
    rows = parts()[0].features
    rows = rows[:, [0, 6, 1]]
    rows = (rows / rows.mean(axis=0)).astype(np.float32)
    inputs, targets = rows[:, :2], rows[:, 2:]
    outputs = source = keras.Input((2,))
    for at, units in enumerate((2, 2, 1)):
        outputs = layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(seed=at),
            kernel_regularizer=keras.regularizers.L1(penalty) if penalty else None,
        )(outputs)
    model = keras.Model(source, outputs)
    model(inputs[:4])
    losses = [float(loss) for loss in model.losses]
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True), "mse")
    before = float(model.evaluate(inputs, targets, verbose=0))
    model.fit(inputs, targets, verbose=0, shuffle=False)
    return losses, (before, float(model.evaluate(inputs, targets, verbose=0)))
