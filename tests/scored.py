"""Tables that are scored, and what is made of the answers."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dubito.bundle import Bundle
from dubito.features import FeatureValue
from dubito.types import Floats


def rows_like(bundle: Bundle, count: int, seed: int = 0) -> list[dict[str, FeatureValue]]:
    """Rows of a bundle's features: typical ones, of which each has another value somewhere."""
    random = np.random.default_rng(seed)
    return [_row(bundle, random) for _ in range(count)]


def _row(bundle: Bundle, random: np.random.Generator) -> dict[str, FeatureValue]:
    found: dict[str, FeatureValue] = {}
    for feature in bundle.signature.features:
        seen: Any = feature.seen
        if feature.kind in ("integer", "float"):
            value = random.uniform(seen.minimum, seen.maximum)
            found[feature.name] = float(round(value)) if feature.is_whole else float(value)
        elif feature.kind == "tensor":
            shape = feature.shape
            found[feature.name] = random.integers(0, 16, shape).astype(float).tolist()
        else:
            counts = np.array(seen.counts, float)
            place = float(random.choice(len(counts), p=counts / counts.sum()))
            found[feature.name] = feature.value_of(place)
        if feature.nullable and random.random() < 0.1:
            found[feature.name] = None
    return found


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), **options)
        writer.writeheader()
        writer.writerows([{name: _cell(one) for name, one in row.items()} for row in rows])
    return path


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def read_answers(folder: Path) -> list[dict[str, Any]]:
    """The answers of a job in the order of the table's rows, each member under its full name."""
    found: list[dict[str, Any]] = []
    for part in sorted((folder / "answers").iterdir()):
        found += list(_READ[part.suffix](part))
    return sorted(found, key=lambda one: int(one["row"]))


def digest_of(folder: Path) -> str:
    """The digest of a job's answers, sorted, and of the rows that were rejected."""
    texts = [json.dumps(one, sort_keys=True) for one in read_answers(folder)]
    rejected = (folder / "rejected.ndjson").read_text(encoding="utf-8")
    return hashlib.sha256("\n".join([*texts, rejected]).encode()).hexdigest()


def _of_parquet(part: Path) -> Iterator[dict[str, Any]]:
    for one in parquet.read_table(part).to_pylist():
        yield {**one, "warnings": json.loads(one["warnings"])}


def _of_csv(part: Path) -> Iterator[dict[str, Any]]:
    with part.open(encoding="utf-8", newline="") as file:
        for one in csv.DictReader(file):
            yield {name: _value(name, text) for name, text in one.items()}


TEXTS = {"key", "grade", "decision.action", "prediction_set.method", "interval.method"}
TEXTS |= {"model.name", "model.digest"}


def _value(name: str, text: str) -> Any:
    """What stands in a cell of a CSV."""
    if name in TEXTS:
        return text
    return None if not text else json.loads(text)


def _of_lines(part: Path) -> Iterator[dict[str, Any]]:
    for line in part.read_text(encoding="utf-8").splitlines():
        yield flat(json.loads(line))


_READ = {".parquet": _of_parquet, ".csv": _of_csv, ".ndjson": _of_lines}


def flat(answer: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The members of an answer, each under its full name; without those a bundle does not have."""
    found: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        elif value is not None or before:
            found[f"{before}{name}"] = value
    return found


def features_of(bundle: Bundle, rows: Sequence[Mapping[str, Any]]) -> Floats:
    return np.concatenate([bundle.signature.row_of(row.values()) for row in rows])
