"""Statistics of a model, in the form of the Open Inference Protocol's extension."""

from collections.abc import Sequence
from typing import Any

from app.inference.model import ServedModel, ServedModels
from app.monitoring.inference_metrics import Duration, InferencePart, ModelStatistics

NONE = Duration()


async def told_statistics(models: ServedModels, asked: Sequence[ServedModel]) -> dict[str, Any]:
    """Return what models have done since the service started, in all workers."""
    found, nothing = await models.statistics(), ModelStatistics()
    told = [
        _of_model(one.name, one.version, found.get((one.name, one.version), nothing))
        for one in asked
    ]
    return {"model_stats": told}


def _of_model(name: str, version: str, found: ModelStatistics) -> dict[str, Any]:
    success = found.parts.get("success", NONE)
    return {
        "name": name,
        "version": version,
        "last_inference": int(found.last * 1e3),
        "inference_count": found.rows,
        "execution_count": found.batches,
        "inference_stats": {
            "success": _told(success),
            "fail": _of(found, "fail"),
            # How long requests wait is not told apart from how long they compute.
            "queue": {"count": success.count, "ns": 0},
            "compute_input": _of(found, "compute_input"),
            "compute_infer": _of(found, "compute_infer"),
            "compute_output": _of(found, "compute_output"),
            "cache_hit": _of(found, "cache_hit"),
            "cache_miss": _told(NONE),
        },
        "batch_stats": [],
        "memory_usage": [],
        "response_stats": {},
    }


def _of(found: ModelStatistics, part: InferencePart) -> dict[str, int]:
    return _told(found.parts.get(part, NONE))


def _told(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": round(duration.seconds * 1e9)}
