"""Creates the counter of a bundle's answers, by what the bundle predicts."""

from app.monitoring.answer_counter import AnswerCounter
from app.monitoring.class_counter import ClassCounter
from app.monitoring.number_counter import NumberCounter
from app.watched_bundle import WatchedBundle
from dubito.targets import NumberTarget


def answer_counter(watched: WatchedBundle) -> AnswerCounter:
    """Create the counter of a bundle's answers."""
    is_number = isinstance(watched.signature.target, NumberTarget)
    return (NumberCounter if is_number else ClassCounter)(watched)
