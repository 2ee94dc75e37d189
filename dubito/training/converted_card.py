"""Writes the model card of a converted network, whose training is unknown."""

from dubito.bundles.manifest import Manifest
from dubito.training.card_phrases import ENGLISH, KOREAN, Phrases
from dubito.training.model_card import (
    decisions,
    feature_cells,
    figure_cells,
    head,
    library_versions,
    markdown_table,
    target_sections,
)
from dubito.types import Cards


def conversion_cards(
    manifest: Manifest, network: str, weights: int, *, tempered: bool = False
) -> Cards:
    """Write the English and the Korean card; the text contains `{digest}` as a placeholder.

    Args:
        manifest: the manifest, complete except for the digest of the network.
        network: name of the converted file.
        weights: number of the network's weights.
        tempered: whether a temperature was folded into the network.
    """
    english, korean = (
        _card(manifest, network, weights, say, tempered=tempered) for say in (ENGLISH, KOREAN)
    )
    return Cards(english, korean)


def _card(manifest: Manifest, network: str, weights: int, say: Phrases, *, tempered: bool) -> str:
    changed = say.tempered if tempered else say.kept
    sections = [
        *head(manifest, weights, say),
        say.origin,
        say.converted.format(network=network, changed=changed),
        f"```\n{manifest.trained.command}\n```",
        library_versions(manifest, say),
        *target_sections(manifest, say),
        say.features,
        markdown_table(say.feature_heads_converted, feature_cells(manifest, say)),
        say.figures,
        *_figures(manifest, say),
        *decisions(manifest, say.rows, say),
        *([] if manifest.calibration is None else [say.their_word]),
    ]
    return "\n\n".join(sections) + "\n"


def _figures(manifest: Manifest, say: Phrases) -> list[str]:
    trained = manifest.trained
    of = {"data": trained.data, "rows": trained.rows, "digest": trained.data_digest}
    if not manifest.metrics:
        return [say.no_classes.format(**of)]
    return [markdown_table(say.figure_heads, figure_cells(manifest, say)), say.on_rows.format(**of)]
