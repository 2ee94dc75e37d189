"""Children: a metric's series, looked up once for each label instead of at every observation."""

from typing import Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

Kind = TypeVar("Kind", bound=MetricWrapperBase)


class Children(dict[str, Kind], Generic[Kind]):
    """By the last label's value, all others being given; made when they are first asked for."""

    def __init__(self, metric: Kind, *given: str) -> None:
        """Take the metric and the values of all its labels but the last."""
        super().__init__()
        self._metric = metric
        self._given = given

    def __missing__(self, value: str) -> Kind:
        child = self[value] = self._metric.labels(*self._given, value)
        return child
