"""Writes the model card of a trained bundle in Markdown (Mitchell et al. 2019)."""

from collections.abc import Iterable, Sequence

import numpy as np

from dubito.bundles.manifest import Manifest
from dubito.features import CategoryFeature, Feature, NumberFeature, TensorFeature
from dubito.layout import CardWords, Layout
from dubito.targets import NumberTarget
from dubito.training.card_phrases import ENGLISH, KOREAN, Phrases
from dubito.training.data import Rows, Table
from dubito.training.recipe import Recipe
from dubito.training.split import Split
from dubito.types import Calibration, Cards, NumberCalibration, Policy, Promise

SHOWN_CATEGORIES = 50
AREAS = {"aurc", "aurc_base"}


def training_cards(
    manifest: Manifest, layout: Layout, recipe: Recipe, rows: Rows, split: Split, weights: int
) -> Cards:
    """Write the cards of the layout's languages; the text contains `{digest}` as a placeholder."""
    about, words = (manifest, recipe, rows, split, weights), layout.words
    return Cards(
        _card(*about, words.get("en", CardWords(ENGLISH.rows)), ENGLISH),
        _card(*about, words["ko"], KOREAN) if "ko" in words else None,
    )


def _card(
    manifest: Manifest,
    recipe: Recipe,
    rows: Rows,
    split: Split,
    weights: int,
    words: CardWords,
    say: Phrases,
) -> str:
    sections = [
        *head(manifest, weights, say),
        say.purpose,
        " ".join((*words.notes, say.unlike)),
        *target_sections(manifest, say),
        say.features,
        markdown_table(say.feature_heads, feature_cells(manifest, say)),
        say.held_out.format(rows=len(split.test)),
        markdown_table(say.figure_heads, figure_cells(manifest, say)),
        _evaluation(manifest, rows, split, say),
        *decisions(manifest, words.rows, say),
        *_held_out(manifest, say),
        say.training,
        _data(manifest, split, say),
        f"```\n{manifest.trained.command}\n```",
        " ".join([_recipe(recipe, say), *_members(manifest, say)]),
        library_versions(manifest, say),
    ]
    return "\n\n".join(sections) + "\n"


def head(manifest: Manifest, weights: int, say: Phrases) -> tuple[str, str, str]:
    """Return the title, the digest's line and a one-sentence summary of the bundle."""
    return (
        say.title.format(name=manifest.name, version=manifest.version),
        say.digest,
        _summary(manifest, weights, say),
    )


def _summary(manifest: Manifest, weights: int, say: Phrases) -> str:
    target, features, passes = manifest.target, len(manifest.features), manifest.passes
    if isinstance(target, NumberTarget):
        unit = f" ({target.unit})" if target.unit else ""
        of = {"title": target.title, "unit": unit}
        return say.number.summary.format(features=features, weights=weights, passes=passes, **of)
    classes = ", ".join(target.classes)
    return say.summary.format(features=features, classes=classes, weights=weights, passes=passes)


def target_sections(manifest: Manifest, say: Phrases) -> Iterable[str]:
    """Yield what the card says of a number: its statistics, and what the network answers."""
    target = manifest.target
    if not isinstance(target, NumberTarget):
        return
    seen, levels = target.seen, ", ".join(f"{level:g}" for level in target.levels)
    cells = (
        f"`{target.name}`",
        target.unit,
        say.seen.format(minimum=seen.minimum, maximum=seen.maximum),
        f"{seen.quantiles['0.5']:,.6g}",
        f"{target.std:,.6g}",
    )
    yield markdown_table(say.number.target_heads, [cells])
    yield say.number.heads[target.head].format(levels=levels)


def feature_cells(manifest: Manifest, say: Phrases) -> Iterable[Sequence[str]]:
    """Yield the rows of the table of features, as cells."""
    for feature in manifest.features:
        yield (
            f"`{feature.name}`",
            ", ".join(feature.aliases),
            feature.unit if isinstance(feature, NumberFeature | TensorFeature) else "",
            _values(feature, say),
            _missing(feature, say),
        )


def _values(feature: Feature, say: Phrases) -> str:
    """Describe the values that training saw."""
    if isinstance(feature, TensorFeature):
        norms, shape = feature.seen, " × ".join(map(str, feature.shape))
        return say.norms.format(shape=shape, minimum=norms.minimum, maximum=norms.maximum)
    if not isinstance(feature, NumberFeature):
        seen = feature.seen
        pairs = list(zip(feature.labels, seen.counts, strict=True))
        shown = [f"{label} ({count:,})" for label, count in pairs[:SHOWN_CATEGORIES]]
        more = ["…"] if len(pairs) > SHOWN_CATEGORIES else []
        others = ((say.unknown, seen.unknown), (say.missing, seen.missing))
        rest = [f"{name} ({count:,})" for name, count in others if count]
        return "; ".join(shown + more + rest)
    numbers = feature.seen
    range_ = say.always if numbers.minimum == numbers.maximum else say.seen
    return range_.format(minimum=numbers.minimum, maximum=numbers.maximum)


def _missing(feature: Feature, say: Phrases) -> str:
    """Describe what a missing value does."""
    imputed = _imputed(feature, say)
    return imputed if feature.missing_refers else say.usual.format(imputed=imputed)


def _imputed(feature: Feature, say: Phrases) -> str:
    """Describe what stands for a missing value."""
    imputed = feature.imputed
    if imputed is None:
        return say.not_allowed
    if isinstance(feature, NumberFeature | TensorFeature):
        return say.imputed.format(value=imputed)
    if isinstance(feature, CategoryFeature) and imputed > feature.maximum:
        return say.own_slot
    place = int(imputed)
    known = place < len(feature.labels)
    return say.replaced.format(value=feature.labels[place] if known else say.unknown)


def figure_cells(manifest: Manifest, say: Phrases) -> Iterable[Sequence[str]]:
    """Yield the rows of the table of held-out metrics, as cells."""
    plain, monte_carlo = manifest.metrics["deterministic"], manifest.metrics["mc"]
    if isinstance(manifest.target, NumberTarget):
        for name, value in monte_carlo.items():
            before = f"{plain[name]:,.6g}" if name in plain else ""
            yield name, before, f"{value:,.6g}", say.number.metrics[name]
        return
    for name, meaning in say.metrics.items():
        if name not in plain:
            continue
        yield name, f"{plain[name]:.4f}", f"{monte_carlo[name]:.4f}", meaning


def library_versions(manifest: Manifest, say: Phrases) -> str:
    """Return the sentence that lists the versions of the libraries used."""
    listed = ", ".join(f"{name} {text}" for name, text in manifest.trained.versions.items())
    return say.versions.format(listed=listed)


def _data(manifest: Manifest, split: Split, say: Phrases) -> str:
    trained, held = manifest.trained, len(split.calibration)
    parts = (say.parts_calibrated if held else say.parts).format(
        fitted=len(split.fit), watched=len(split.validation), held=held
    )
    return say.data.format(
        data=trained.data, rows=trained.rows, parts=parts, digest=trained.data_digest
    )


def _evaluation(manifest: Manifest, rows: Rows, split: Split, say: Phrases) -> str:
    if not isinstance(rows, Table):
        return say.number.evaluation.format(passes=manifest.passes)
    counts = np.bincount(rows.labels[split.test], minlength=len(manifest.classes))
    listed = ", ".join(
        f"{name} {count}" for name, count in zip(manifest.classes, counts, strict=True)
    )
    return say.evaluation.format(passes=manifest.passes, listed=listed)


def decisions(manifest: Manifest, called: str, say: Phrases) -> Iterable[str]:
    """Yield the section on sets or intervals and decisions, if any; `called` is a noun for rows."""
    calibration = manifest.calibration
    if calibration is None:
        return
    if isinstance(calibration, NumberCalibration):
        yield from _interval_sentences(calibration, called, say)
        band = say.number.band
    else:
        yield from _set_sentences(calibration, called, say)
        band = say.band
    policy = calibration.policy
    heads = say.promise_heads + (say.band_heads if policy.is_of_cases else ())
    yield markdown_table(
        heads,
        [
            (
                f"{promise.target:.1%}",
                f"{promise.automated:.1%}",
                f"{promise.wrong:.2%}",
                *_band_cells(promise, policy, band),
            )
            for promise in policy.promises
        ],
    )


def _set_sentences(calibration: Calibration, called: str, say: Phrases) -> Iterable[str]:
    policy = calibration.policy
    yield say.sets
    yield say.calibrated.format(
        rows=len(calibration.labels),
        passes=calibration.passes,
        methods=", ".join(calibration.scores),
        coverage=calibration.coverage,
        called=called,
    )
    cases = (
        say.average
        if policy.case_limit is None
        else say.cases.format(
            limit=policy.case_limit, likelihood=policy.likelihood, target=policy.target
        )
    )
    yield say.promises.format(confidence=policy.confidence, called=called, cases=cases)


def _interval_sentences(calibration: NumberCalibration, called: str, say: Phrases) -> Iterable[str]:
    policy, words = calibration.policy, say.number
    yield words.intervals
    yield words.calibrated.format(
        rows=len(calibration.scores[calibration.method]),
        passes=calibration.passes,
        methods=", ".join(calibration.scores),
        method=calibration.method,
        coverage=calibration.coverage,
        called=called,
    )
    yield words.caution
    yield words.promises.format(
        rows=calibration.tested,
        confidence=policy.confidence,
        called=called,
        limit=policy.case_limit,
        target=policy.target,
    )


def _band_cells(promise: Promise, policy: Policy, told: str) -> tuple[str, ...]:
    if not policy.is_of_cases:
        return ()
    if promise.band is None:
        return ("–", "–", f"{promise.wanting:,}")
    band = promise.band
    held = told.format(share=band.share, bound=band.bound)
    return (held, f"{band.wrong:.2%}", f"{promise.wanting:,}")


def _held_out(manifest: Manifest, say: Phrases) -> Iterable[str]:
    """Yield the held-out metrics of calibration, sets, decisions and uncertainty, if any."""
    found = manifest.metrics.get("held_out")
    if found is None:
        return
    yield say.of_held_out.format(name=manifest.name, version=manifest.version)
    yield markdown_table(
        say.held_out_heads,
        [
            (f"`{name}`", f"{value:.5f}" if name in AREAS else f"{value:.4f}", told_of(name, say))
            for name, value in found.items()
        ],
    )


def told_of(name: str, say: Phrases) -> str:
    """Return the meaning of a held-out metric."""
    kind, _, method = name.partition("_")
    told = say.measures.get(name)
    return told or say.of_method.format(told=say.measures[kind], method=method)


def _recipe(recipe: Recipe, say: Phrases) -> str:
    fitting = say.fitting.format(
        optimizer=recipe.optimizer,
        learning_rate=recipe.learning_rate,
        others=_steps(recipe, say),
        batch=recipe.batch,
        epochs=recipe.epochs,
    )
    ending = (
        say.stopping.format(patience=recipe.patience)
        if recipe.average is None
        else say.averaged.format(momentum=recipe.average)
    )
    return say.recipe.format(network=_network(recipe, say), fitting=fitting, ending=ending)


def _members(manifest: Manifest, say: Phrases) -> Iterable[str]:
    """Yield what is said of an ensemble."""
    if manifest.members > 1:
        last = manifest.trained.seed + manifest.members - 1
        seeds = {"first": manifest.trained.seed, "last": last}
        yield say.ensemble.format(members=manifest.members, **seeds)


def _network(recipe: Recipe, say: Phrases) -> str:
    if recipe.network is not None:
        return recipe.network.describe(say.language)
    shape = recipe.architecture
    layers = say.layers.format(
        widths=", ".join(map(str, shape.widths)), activation=shape.activation, rate=shape.rate
    )
    penalty = say.penalty.format(l1=shape.l1) if shape.l1 else ""
    return layers + penalty + (say.encoded if recipe.encoded else "")


def _steps(recipe: Recipe, say: Phrases) -> str:
    """Return what an optimiser's steps depend on besides the learning rate."""
    if recipe.optimizer == "sgd":
        return say.momentum.format(momentum=recipe.momentum)
    if recipe.optimizer == "adamw":
        return say.decay.format(weight_decay=recipe.weight_decay)
    return ""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)
