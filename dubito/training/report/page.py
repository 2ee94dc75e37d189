"""Renders the report's HTML page; the same metrics give the same bytes."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dubito.training.evaluation.metrics import EvaluationMetrics
from dubito.training.evaluation.number_evaluation import NumberEvaluationMetrics
from dubito.training.evaluation.run import Evaluation
from dubito.training.report.calibration_plots import KINDS, reliability_picture, sets_picture
from dubito.training.report.error_plots import confusion_picture, risk_picture
from dubito.training.report.number_sections import number_sections_of
from dubito.training.report.section import (
    Section,
    precision_section,
    promise_rows,
    shifts_section,
    shown,
)
from dubito.training.report.uncertainty_plots import entropy_picture
from dubito.types import Identity

METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1 over all classes",
    "macro_f1_common": "macro-F1 over classes of ten rows or more",
    "nll": "negative log likelihood, nats",
    "brier": "Brier score, 0 to 2",
    "ece": "calibration error, 15 bins of equal width",
    "auroc": "chance that a row of the second class ranks above one of the first",
}
MEANING = (
    "A grade says nothing about granting a loan, or whatever else is graded. None of these figures "
    "says how the network does on rows unlike these."
)
NUMBER_MEANING = "None of these figures says how the network does on rows unlike these."

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    # Names of bundles, classes and files are arbitrary text.
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)


def render_page(identity: Identity, evaluation: Evaluation) -> str:
    """Render the report on a bundle as HTML."""
    figures = evaluation.figures
    is_number = isinstance(figures, NumberEvaluationMetrics)
    head = (
        f"Asked about {evaluation.rows}, {figures.passes:,} passes each, every row with a seed of "
        "its own."
    )
    return TEMPLATES.get_template("page.html").render(
        title=f"{identity.name}, version {identity.version}",
        digest=identity.digest,
        text=f"{head} {NUMBER_MEANING if is_number else MEANING}",
        sections=list(sections_of(figures)),
    )


def sections_of(figures: EvaluationMetrics | NumberEvaluationMetrics) -> Iterator[Section]:
    """Yield the sections of the page; those without metrics are left out."""
    if isinstance(figures, NumberEvaluationMetrics):
        yield from number_sections_of(figures)
        return
    yield _quality(figures)
    yield _reliability(figures)
    yield _risk(figures)
    yield from _guarantees(figures)
    yield _confusion(figures)
    yield _entropies(figures)
    if figures.shifts:
        yield shifts_section(figures.shifts, "more mutual information")
    if figures.precision is not None:
        yield precision_section(figures.precision, "a class' mean, the largest of a row,")


def _quality(figures: EvaluationMetrics) -> Section:
    rows = [
        (told, f"{figures.mc[name]:.4f}", f"{figures.deterministic[name]:.4f}")
        for name, told in METRICS.items()
        if name in figures.mc
    ]
    rare = "".join(
        f" {name} has {count:,} rows only; {right:,} of them are right."
        for name, (right, count) in figures.rare.items()
    )
    return Section(
        title="How good the grades are",
        text=f"The mean of {figures.passes:,} passes beside one pass without dropout.{rare}",
        head=("", "Monte Carlo", "deterministic"),
        rows=rows,
    )


def _reliability(figures: EvaluationMetrics) -> Section:
    return Section(
        title="Does it say how sure it is?",
        text="Rows by their confidence, the largest probability of the mean: on the diagonal, as "
        "many are right as it says. A model that is calibrated perfectly lies inside the grey bars "
        "nine times of ten, and its error is below the level of chance 95 times of a hundred.",
        picture=reliability_picture(figures.reliability),
        head=("calibration error", "measured", "level of chance"),
        rows=[
            (KINDS[bins.kind], f"{bins.ece:.4f}", f"{bins.expected:.4f}")
            for bins in figures.reliability
        ],
    )


def _risk(figures: EvaluationMetrics) -> Section:
    return Section(
        title="Do doubtful answers turn out wrong?",
        text="If only the surest rows are answered, fewer of the answers are wrong. The grey line "
        "is what one pass without dropout knows; lower is better.",
        picture=risk_picture(figures.risks),
        head=("measure of doubt", "area under the curve", "AUROC of finding errors"),
        rows=[(risk.score, f"{risk.aurc:.5f}", shown(risk.auroc)) for risk in figures.risks],
    )


def _guarantees(figures: EvaluationMetrics) -> Iterator[Section]:
    if not figures.sets:
        yield Section(
            "Sets and decisions", "None: without a calibration, or with fewer passes than it has."
        )
        return
    at_default = [sets for sets in figures.sets if sets.asked == figures.coverage]
    yield Section(
        title="Do prediction sets hold the right grade?",
        text="The coverage is promised on average over rows exchangeable with the calibration "
        "rows, and over the draw of those; not for each grade by itself, which the picture shows.",
        picture=sets_picture(at_default, figures.classes) if at_default else None,
        head=("method", "asked", "coverage", "mean size"),
        rows=[
            (sets.method, f"{sets.asked:g}", f"{sets.coverage:.4f}", f"{sets.size:.3f}")
            for sets in figures.sets
        ],
    )
    yield Section(
        title="Are automated grades right?",
        text="Each line by itself: with 95% confidence over the draw of the calibration rows, at "
        "most the target of the automated grades is wrong, for rows exchangeable with those; and "
        "where a band is promised, no more of its rows than the bundle's limit of single cases.",
        head=("target", "automated", "wrong among them", "errors", "wrong in the band"),
        rows=promise_rows(figures.promises),
    )
    yield Section(
        title="How likely are automated grades?",
        text="Rows that are automated at the default target, by the mean probability of their "
        "grade.",
        head=("likelihood", "automated", "wrong among them"),
        rows=[
            (f"{one.least:.0%} to {one.most:.0%}", f"{one.rows:,}", f"{one.errors:,}")
            for one in figures.likelihoods
            if one.rows
        ],
    )


def _confusion(figures: EvaluationMetrics) -> Section:
    without = "" if figures.target is None else f", at a target of {figures.target:.1%}"
    return Section(
        title="Which grades are taken for which?",
        text=f"Of all rows, and of those that no person looks at{without}.",
        picture=confusion_picture(figures.confusion, figures.confusion_automated, figures.classes),
    )


def _entropies(figures: EvaluationMetrics) -> Section:
    doubts = [("right", figures.right), ("wrong", figures.wrong)]
    return Section(
        title="What is the doubt about?",
        text="Total uncertainty (predictive entropy) is what the passes agree is open (aleatoric, "
        "expected entropy) and what they disagree about (epistemic, mutual information). Boxes "
        "hold the middle half of the rows, lines the middle nine tenths.",
        picture=entropy_picture(figures.right, figures.wrong),
        head=("mean, nats", "rows", "total", "aleatoric", "epistemic"),
        rows=[
            (
                name,
                f"{doubt.rows:,}",
                f"{doubt.predictive:.4f}",
                f"{doubt.expected:.4f}",
                f"{doubt.mutual_information:.4f}",
            )
            for name, doubt in doubts
            if doubt is not None
        ],
    )
