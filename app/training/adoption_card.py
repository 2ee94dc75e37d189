"""The model card of a network that was trained elsewhere: what is known of it, and what is not."""

from app.network.manifest import Manifest
from app.training.card import decisions, feature_cells, figure_cells, summary, table_of

UNKNOWN = (
    "It was trained elsewhere. How, on which rows, and whether the rows below were among them, is "
    "for whoever trained it to say."
)
CONVERSION = "Every dropout layer was put on for good (Gal & Ghahramani 2016); {changed}."
KEPT = "no weight was changed"
TEMPERED = "the last layer's logits were divided by a temperature, and no other weight was changed"
SEEDS = "Seeds and split in `bundle.json` are those of the conversion, 0."


def card(manifest: Manifest, network: str, weights: int, *, tempered: bool = False) -> str:
    """The text of `MODEL_CARD.md`; `{digest}` stands where the digest will be.

    Args:
        manifest: complete but for the digest of the network.
        network: the name of the file that was converted.
        weights: their number.
        tempered: whether a temperature was folded in.
    """
    trained = manifest.trained
    conversion = CONVERSION.format(changed=TEMPERED if tempered else KEPT)
    sections = [
        f"# {manifest.name}, version {manifest.version}",
        "Digest: `{digest}`",
        summary(manifest, weights),
        "## Where it comes from",
        f"Converted from `{network}`. {UNKNOWN} {conversion} {SEEDS}",
        f"```\n{trained.command}\n```",
        "Versions: " + ", ".join(f"{name} {text}" for name, text in trained.versions.items()) + ".",
        "## Features",
        table_of(("feature", "also", "unit", "the rows have", "missing"), feature_cells(manifest)),
        *_figures(manifest),
        *decisions(manifest, "rows"),
    ]
    return "\n\n".join(sections) + "\n"


def _figures(manifest: Manifest) -> list[str]:
    trained = manifest.trained
    rows = f"{trained.data}: {trained.rows:,} rows, digest `{trained.data_digest}`."
    if not manifest.metrics:
        return ["## Figures", f"None: {rows[:-1]}, without classes."]
    head = ("metric", "deterministic", "Monte Carlo", "meaning")
    return ["## Figures", table_of(head, figure_cells(manifest)), f"On {rows}"]
