"""A plain reading of a `bundle.json`: sets, intervals and decisions from its own numbers.

Written from the papers and the documentation, without a line of `app`: Sadinle et al. 2019 (`lac`),
Romano et al. 2020 (`aps`), Angelopoulos et al. 2021 (`raps`), Vovk 2012 (class-conditional), and
`docs/decisions/0007-promises.md`.
"""

from fractions import Fraction
from math import ceil, inf
from typing import Any

import numpy as np

Json = dict[str, Any]
CLOSE = 1e-8
"""What two scores may differ by and count as equal, as in MAPIE."""


def classes_of(manifest: Json) -> list[str]:
    """The classes, wherever the manifest's format has them."""
    return list(manifest["target"]["classes"] if "target" in manifest else manifest["classes"])


def value_of(feature: Json, number: float | None) -> float | bool | str | None:
    """What a request says for a number of a row; a text that is no category for the unknown."""
    if number is None or feature["kind"] in ("integer", "float"):
        return number
    if feature["kind"] == "boolean":
        return bool(number)
    names = [one["name"] for one in feature["categories"]]
    return names[int(number)] if number < len(names) else "".join(names) + "?"


def values_of(manifest: Json, row: list[float | None]) -> Json:
    """What a request says for a row, by the names of the features."""
    features = manifest["features"]
    if features[0]["kind"] == "tensor":
        return {features[0]["name"]: np.array(row).reshape(features[0]["shape"]).tolist()}
    pairs = zip(features, row, strict=True)
    return {feature["name"]: value_of(feature, number) for feature, number in pairs}


def grade(manifest: Json, mean: list[float]) -> str:
    """The most probable class, a tie going to the lower index."""
    return classes_of(manifest)[int(np.argmax(mean))]


def prediction_set(
    manifest: Json, mean: list[float], method: str, coverage: float, class_conditional: bool
) -> list[str]:
    """The classes of the set that is answered."""
    calibration, classes = manifest["calibration"], classes_of(manifest)
    scores, labels = np.array(calibration["scores"][method]), np.array(calibration["labels"])
    own = _scores(calibration, mean, method)
    if class_conditional:
        limits = [_quantile(scores[labels == at], coverage) for at in range(len(classes))]
        inside = {at for at, limit in enumerate(limits) if own[at] <= limit + CLOSE}
    else:
        limit = _quantile(scores, coverage)
        inside = _cumulative(mean, own, limit) if method in ("aps", "raps") else set()
        if method in ("lac", "adjacent") or limit == inf:
            inside = {at for at in range(len(classes)) if own[at] <= limit + CLOSE}
    inside.add(int(np.argmax(mean)))
    if method == "adjacent":
        inside = set(range(min(inside), max(inside) + 1))
    return [classes[at] for at in sorted(inside)]


def decision(
    manifest: Json,
    row: list[float | None],
    mean: list[float],
    information: float,
    passes: int,
    target: float,
) -> Json:
    """Whether the grade is automated, and why not."""
    calibration = manifest["calibration"]
    policy = calibration["policy"]
    reasons = [*_warnings(manifest, row), *_rules(manifest, row)]
    (threshold,) = (one["threshold"] for one in policy["promises"] if one["target"] == target)
    second = sorted(mean)[-2]
    if information > policy["epistemic"]:
        reasons.append("epistemic")
    if threshold is None or second > threshold:
        reasons.append("ambiguous")
    if max(mean) < policy.get("likelihood", 0):
        reasons.append("unlikely")
    if passes < calibration["passes"]:
        reasons.append("few_passes")
    return {
        "action": "refer" if reasons else "automate",
        "reasons": list(dict.fromkeys(reasons)),
        "target": target,
        "guaranteed": passes >= calibration["passes"],
        **{name: policy[name] for name in ("case_limit",) if name in policy},
    }


def interval(
    manifest: Json, mean: list[float], std: list[float], method: str, coverage: float
) -> tuple[float, float]:
    """The bounds for the means and deviations of a number's outputs, before they are rounded.

    Lei et al. 2018 (`residual`, `normalized`), Romano et al. 2019 (`quantile`).
    """
    calibration, head = manifest["calibration"], manifest["target"]["head"]
    limit = _quantile(calibration["scores"][method], coverage)
    value, deviation = value_and_std(manifest, mean, std)
    if method == "quantile":
        low, high = mean[0] - limit, mean[2] + limit
        return (low, high) if low <= high else ((low + high) / 2, (low + high) / 2)
    if method == "normalized":
        total = (deviation**2 + (mean[1] if head == "normal" else 0.0)) ** 0.5
        limit *= max(total, calibration["least_std"])
    return value - limit, value + limit


def value_and_std(manifest: Json, mean: list[float], std: list[float]) -> tuple[float, float]:
    """The number, and its deviation over the passes."""
    at = 1 if manifest["target"]["head"] == "quantiles" else 0
    return mean[at], std[at]


def number_decision(
    manifest: Json,
    row: list[float | None],
    mean: list[float],
    std: list[float],
    passes: int,
    target: float,
) -> Json:
    """Whether the number is automated, and why not."""
    calibration = manifest["calibration"]
    policy = calibration["policy"]
    reasons = [*_warnings(manifest, row), *_rules(manifest, row)]
    (threshold,) = (one["threshold"] for one in policy["promises"] if one["target"] == target)
    low, high = interval(manifest, mean, std, calibration["method"], calibration["coverage"])
    if value_and_std(manifest, mean, std)[1] > policy["epistemic"]:
        reasons.append("epistemic")
    if threshold is None or high - low > threshold * (1 + CLOSE):
        reasons.append("wide")
    if passes < calibration["passes"]:
        reasons.append("few_passes")
    return {
        "action": "refer" if reasons else "automate",
        "reasons": list(dict.fromkeys(reasons)),
        "target": target,
        "guaranteed": passes >= calibration["passes"],
        "case_limit": policy["case_limit"],
    }


def _quantile(scores: Any, coverage: float) -> float:
    rank = ceil((len(scores) + 1) * Fraction(str(coverage)))
    return float(sorted(scores)[rank - 1]) if rank <= len(scores) else inf


def _scores(calibration: Json, mean: list[float], method: str) -> list[float]:
    """The score of every class of one row."""
    if method == "lac":
        return [1 - probability for probability in mean]
    if method == "adjacent":
        return _interval(mean)
    penalty = calibration["penalty"] if method == "raps" else 0
    order = sorted(range(len(mean)), key=lambda at: -mean[at])
    mass, found = 0.0, [0.0] * len(mean)
    for place, at in enumerate(order, start=1):
        mass += mean[at]
        found[at] = mass + penalty * max(0, place - calibration["free"])
    return found


def _interval(mean: list[float]) -> list[float]:
    """The mass of the interval around the grade when it reaches each class."""
    low = high = int(np.argmax(mean))
    found = [0.0] * len(mean)
    mass = found[low] = mean[low]
    while high - low + 1 < len(mean):
        below = mean[low - 1] if low else -1.0
        above = mean[high + 1] if high + 1 < len(mean) else -1.0
        low, high = (low - 1, high) if below >= above else (low, high + 1)
        reached = low if below >= above else high
        mass = found[reached] = mass + mean[reached]
    return found


def _cumulative(mean: list[float], own: list[float], limit: float) -> set[int]:
    """The most probable classes up to the first that reaches the limit, which is in as well."""
    order = sorted(range(len(mean)), key=lambda at: -mean[at])
    limit = min(limit, max(own))
    last = next(at for at in order if own[at] >= limit - CLOSE)
    least = min(probability for probability in mean if probability >= CLOSE)
    return {at for at in order if mean[at] >= max(mean[last], least) - CLOSE}


def _warnings(manifest: Json, row: list[float | None]) -> list[str]:
    """Why the guard refers a row: values out of the seen range and its margin, or missing."""
    kinds = set()
    if manifest["features"][0]["kind"] == "tensor":
        row = [float(np.linalg.norm(np.array(row, np.float64)))]
    for feature, value in zip(manifest["features"], row, strict=True):
        if value is None:
            kinds |= {"missing"} if feature.get("missing_refers", True) else set()
        elif "counts" in feature["seen"]:
            counts = [*feature["seen"]["counts"], 0]
            kinds |= set() if counts[int(value)] else {"unknown_category"}
        elif not _margin(feature)[0] <= value <= _margin(feature)[1]:
            kinds.add("out_of_range")
    return sorted(kinds, reverse=True)


def _margin(feature: Json) -> tuple[float, float]:
    low, high = feature["seen"]["minimum"], feature["seen"]["maximum"]
    if feature["unit"] == "currency" and low >= 0:
        return low / 2, high * 2
    margin = max((high - low) / 2, 1.0 if feature["kind"] == "integer" else 0.0)
    return (max(low - margin, 0.0) if low >= 0 else low - margin), high + margin


def _rules(manifest: Json, row: list[float | None]) -> list[str]:
    values = values_of(manifest, row)
    return [
        rule["reason"]
        for rule in manifest["rules"]
        if all(values[name] == value for name, value in rule["when"].items())
    ]
