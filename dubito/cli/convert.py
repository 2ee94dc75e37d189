"""Convert a trained Keras network to a bundle, with dropout that stays on in inference."""

import argparse
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

from dubito.cli.training_flags import positive
from dubito.errors import UsageError
from dubito.layout import ClassColumn
from dubito.training.tables.content import name_of
from dubito.training.tables.kinds import FORMATS
from dubito.uncertainty.conformal import LEAST_COVERAGE, MOST_COVERAGE

DROPOUTS = (
    *("Dropout", "AlphaDropout", "GaussianDropout"),
    *("SpatialDropout1D", "SpatialDropout2D"),
)
"""Keras' classes of dropout that have a Monte-Carlo counterpart."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the network, its features and target, and the output."""
    parser.add_argument("network", type=Path, help="a .keras file, as model.save writes it")
    parser.add_argument(
        "--features",
        type=Path,
        metavar="JSON",
        required=True,
        help='{"features": [{"name": "area", "unit": "m²", "imputed": 70}, …]} in the network\'s '
        "order; also title, aliases, kind (integer, float, boolean, category), minimum, maximum. "
        'For a number beside it: "target": {"name": "rent", "unit": "€", "head": "point"} (or '
        "normal, quantiles)",
    )
    parser.add_argument(
        "--classes",
        type=_classes,
        metavar="A,B,…",
        help="classes in the network's order; one sigmoid unit gives the probability of the second "
        "of two",
    )
    parser.add_argument(
        "--unordered",
        action="store_true",
        help="the order of the classes means nothing: no sets of neighbouring classes",
    )
    parser.add_argument(
        "--logits",
        action="store_true",
        help="the network answers logits: put a softmax, or the sigmoid of one unit, behind it",
    )
    parser.add_argument(
        "--as",
        dest="dropouts",
        type=_dropout,
        action="append",
        default=[],
        metavar="NAME=Dropout",
        help="take layers of your own class NAME as Keras' Dropout, or another dropout of it: for "
        "a subclass that only forces training=True; its code is not run",
    )
    parser.add_argument(
        "--data",
        type=Path,
        help=f"{FORMATS}, also in a zip or gzip: rows like those it was trained on, a column "
        "for each feature",
    )
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="column of the classes, or of 0 and 1, in --data, for metrics",
    )
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder of the bundles")
    parser.add_argument("--name", help="name of the bundle (default: the file's)")
    parser.add_argument("--version", type=positive, help="version (default: the next free one)")
    parser.add_argument(
        "--passes", type=_passes, default=100, help="default passes of the bundle (100)"
    )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="CSV",
        help="labelled rows that nothing was fitted to: adds sets and decisions (needs --target)",
    )
    parser.add_argument(
        "--temperature",
        action="store_true",
        help="divide the last layer's logits by what suits a third of --calibrate",
    )
    parser.add_argument(
        "--coverage",
        type=_coverage,
        metavar="SHARE",
        help="of a number: coverage of its intervals, also of those that decisions are about "
        "(0.99)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    """Convert the network, write its bundle, and print the metrics."""
    if rest:
        raise UsageError(f"convert does not know {rest[0]}")
    if arguments.data is None:
        raise UsageError(
            "convert needs --data: rows like those it was trained on show the features' ranges, "
            "and their answers are stored with the bundle"
        )
    name = arguments.name or arguments.network.stem
    if NAME.fullmatch(name) is None:
        raise UsageError("--name must be letters, digits, dots, dashes and underscores")
    from dubito.training.convert import Conversion, convert
    from dubito.training.description import read_description

    described = read_description(arguments.features)
    if described.classes is not None:
        _take_classes(arguments, described.classes)
    _check_target(arguments, is_number=described.number is not None)
    folder, manifest = convert(
        Conversion(
            network=arguments.network,
            features=described.features,
            classes=arguments.classes or (),
            data=arguments.data,
            target=arguments.target,
            out=arguments.out,
            name=name,
            version=arguments.version,
            passes=arguments.passes,
            calibrate=arguments.calibrate,
            temperature=arguments.temperature,
            command=_command(arguments),
            number=described.number,
            coverage=arguments.coverage,
            is_ordered=not arguments.unordered,
            inputs=described.inputs,
            logits=arguments.logits,
            dropouts=dict(arguments.dropouts),
            file=described.file,
        )
    )
    if arguments.json:
        print(json.dumps({"bundle": str(folder), "metrics": manifest.metrics.get("mc")}))
        return 0
    print(f"{folder}  {manifest.identity.digest}")
    for label, figures in manifest.metrics.items():
        print(f"{label}: " + ", ".join(f"{key} {value:.4f}" for key, value in figures.items()))
    if manifest.metrics:
        print("the network may have been fitted or calibrated on some of these rows")
    return 0


def _take_classes(arguments: argparse.Namespace, described: ClassColumn) -> None:
    """Take the classes that the file of the features describes.

    Raises:
        UsageError: flags name classes too.
    """
    if arguments.classes is not None or arguments.unordered:
        raise UsageError(f"{arguments.features.name} describes the classes: leave out --classes")
    arguments.classes, arguments.unordered = described.classes, not described.is_ordered


def _check_target(arguments: argparse.Namespace, *, is_number: bool) -> None:
    """Check that the flags are those of a network of classes, or of a number.

    Raises:
        UsageError: a flag is missing, or belongs to the other kind.
    """
    if is_number:
        for flag in ("classes", "unordered", "target", "temperature", "logits"):
            if getattr(arguments, flag):
                raise UsageError(f"--{flag} is for classes, but {arguments.features} has a target")
    elif arguments.classes is None:
        raise UsageError("convert needs --classes, or a target in the JSON of --features")
    elif arguments.coverage is not None:
        raise UsageError("--coverage is for a number; sets of classes take it by request")
    if arguments.calibrate is not None and arguments.target is None and not is_number:
        raise UsageError("--calibrate needs --target, the column that has the classes")
    if arguments.temperature and arguments.calibrate is None:
        raise UsageError("--temperature needs --calibrate, the rows it is chosen on")


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that repeats the conversion, without the options of its output."""
    words = [
        f"dubito convert {name_of(arguments.network)}",
        f"--features {name_of(arguments.features)}",
        *([f"--classes {','.join(arguments.classes)}"] if arguments.classes else []),
        f"--data {name_of(arguments.data)}",
        f"--passes {arguments.passes}",
    ]
    if arguments.target:
        words.append(f"--target {arguments.target}")
    if arguments.calibrate:
        words.append(f"--calibrate {name_of(arguments.calibrate)}")
    words += [f"--as {name}={kind}" for name, kind in arguments.dropouts]
    if arguments.logits:
        words.append("--logits")
    if arguments.unordered:
        words.append("--unordered")
    if arguments.coverage is not None:
        words.append(f"--coverage {arguments.coverage:g}")
    return " ".join([*words, *(["--temperature"] if arguments.temperature else [])])


def _dropout(text: str) -> tuple[str, str]:
    name, _, kind = text.partition("=")
    if not name.isidentifier() or kind not in DROPOUTS:
        raise argparse.ArgumentTypeError(f"must be NAME=KIND with {', '.join(DROPOUTS)}")
    return name, kind


def _coverage(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not LEAST_COVERAGE <= value <= MOST_COVERAGE:
        told = f"must be a share from {LEAST_COVERAGE} to {MOST_COVERAGE}"
        raise argparse.ArgumentTypeError(told)
    return value


def _classes(text: str) -> tuple[str, ...]:
    classes = tuple(part.strip() for part in text.split(","))
    if len(classes) < 2 or len(set(classes)) != len(classes) or not all(classes):
        raise argparse.ArgumentTypeError("must be at least two different names, as in A,B,C")
    return classes


def _passes(text: str) -> int:
    value = positive(text)
    if value < 2:
        raise argparse.ArgumentTypeError("must be at least 2: one pass has no deviation")
    return value
