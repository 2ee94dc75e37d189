"""Formula that turns scores of hypotheses and general logits into probabilities, without Keras."""

from dataclasses import dataclass
from typing import Any

TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Evidence:
    """Probabilities of grades; see `dubito.loans.layers.evidence`."""

    temperature: float

    def __call__(self, xp: Any, hypotheses: Any, scores: Any, general: Any) -> Any:
        """Compute `(…, M, W)`, `(…, M, 1)`, `(…, C)` → `(…, C)`."""
        grades = hypotheses[..., : general.shape[-1]]
        scores = scores[..., 0]
        top = xp.maximum(
            xp.max(scores, axis=-1, keepdims=True), xp.max(general, axis=-1, keepdims=True)
        )
        weights = xp.exp(scores - top)
        found = xp.matmul(weights[..., None, :], grades)[..., 0, :]
        odds = xp.log(found + xp.exp(general - top) + TINY) / self.temperature
        odds = xp.exp(odds - xp.max(odds, axis=-1, keepdims=True))
        return odds / xp.sum(odds, axis=-1, keepdims=True)
