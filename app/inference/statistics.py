"""Statistics of a model, in the form of the Open Inference Protocol's extension."""

from typing import Any

from app.monitoring.inference_metrics import Duration, ModelStatistics, Part

NONE = Duration()


def to_statistics(name: str, version: str, found: ModelStatistics) -> dict[str, Any]:
    """Return the member of `model_stats` that tells of a model."""
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
            "cache_hit": _told(NONE),
            "cache_miss": _told(NONE),
        },
        "batch_stats": [],
        "memory_usage": [],
        "response_stats": {},
    }


def _of(found: ModelStatistics, part: Part) -> dict[str, int]:
    return _told(found.parts.get(part, NONE))


def _told(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": round(duration.seconds * 1e9)}
