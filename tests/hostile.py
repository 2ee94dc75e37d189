"""Bundles that must not be served: each made from a good one in place, digests remade.

`HOSTILE` maps a name to how a copy of any good bundle's folder is damaged, and to a fragment of
the sentence that refuses it. Faults "of files" are found before Keras is imported; those "of
answers" only by the golden rows.
"""

import hashlib
import io
import json
import os
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import rfc8785

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MONTE_CARLO = ("MCDropout", "MCAlphaDropout")
Json = dict[str, Any]
Damage = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Hostile:
    """How a good bundle is damaged, and how it is refused."""

    damage: Damage
    sentence: str
    seen_in: Literal["files", "answers"] = "files"


# Sealing: files rewritten with matching digests.


def seal(folder: Path, network: bytes | None = None, **fields: Any) -> None:
    """Write `model.keras` and fields of `bundle.json`, and remake every digest."""
    if network is not None:
        (folder / "model.keras").write_bytes(network)
    manifest = json.loads((folder / "bundle.json").read_bytes())
    digest = hashlib.sha256((folder / "model.keras").read_bytes()).hexdigest()
    manifest |= {"network_sha256": digest, **fields}
    (folder / "bundle.json").write_bytes(rfc8785.dumps(manifest))
    if (folder / "SHA256SUMS").exists():
        list_sums(folder)


def list_sums(folder: Path) -> None:
    names = ("bundle.json", "model.keras", "MODEL_CARD.md")
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    lines = [f"{digest}  {name}\n" for name, digest in sums.items()]
    (folder / "SHA256SUMS").write_text("".join(lines))


def members_of(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "model.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive, warnings.catch_warnings():
        # A name twice is on purpose.
        warnings.simplefilter("ignore", UserWarning)
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, method)
    return buffer.getvalue()


def with_members(**changed: bytes | None) -> Damage:
    """Members replaced (`config`, `metadata`, `weights`), or left out where None."""
    names = {"config": CONFIG, "metadata": METADATA, "weights": WEIGHTS}

    def damage(folder: Path) -> None:
        members = members_of(folder)
        for key, content in changed.items():
            del members[names[key]]
            if content is not None:
                members[names[key]] = content
        seal(folder, packed(*members.items()))

    return damage


def with_added(name: str) -> Damage:
    def damage(folder: Path) -> None:
        seal(folder, packed(*members_of(folder).items(), (name, b"{}")))

    return damage


def with_config(change: Callable[[Json], None]) -> Damage:
    """`config.json` changed as an object."""

    def damage(folder: Path) -> None:
        config = json.loads(members_of(folder)[CONFIG])
        change(config)
        with_members(config=json.dumps(config).encode())(folder)

    return damage


def with_config_text(change: Callable[[str], str]) -> Damage:
    def damage(folder: Path) -> None:
        text = change(members_of(folder)[CONFIG].decode())
        with_members(config=text.encode())(folder)

    return damage


def with_weights(change: Callable[[h5py.File], None]) -> Damage:
    """`model.weights.h5` changed as an HDF5 file."""

    def damage(folder: Path) -> None:
        buffer = io.BytesIO(members_of(folder)[WEIGHTS])
        with h5py.File(buffer, "r+") as file:
            change(file)
        with_members(weights=buffer.getvalue())(folder)

    return damage


def with_field(**fields: Any) -> Damage:
    return lambda folder: seal(folder, **fields)


def with_headers(network: bytes, name: str, **fields: int) -> bytes:
    """A member's two zip headers overwritten: `method`, `flags`, `crc`, `packed`, `size`."""
    places = {"flags": "<H", "method": "<H", "crc": "<I", "packed": "<I", "size": "<I"}
    starts = {b"PK\3\4": (30, (6, 8, 14, 18, 22)), b"PK\1\2": (46, (8, 10, 16, 20, 24))}
    data = bytearray(network)
    for magic, (length, offsets) in starts.items():
        start = data.find(magic)
        while data[start + length : start + length + len(name)] != name.encode():
            start = data.index(magic, start + 1)
        for (field, form), offset in zip(places.items(), offsets, strict=True):
            if field in fields:
                struct.pack_into(form, data, start + offset, fields[field])
    return bytes(data)


# Choosing: where a good configuration is changed.


def objects(value: Any) -> Iterator[Json]:
    """Every object with a class, outermost first."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for member in value.values():
            yield from objects(member)
    elif isinstance(value, list):
        for member in value:
            yield from objects(member)


def first(config: Json, *classes: str) -> Json:
    return next(found for found in objects(config) if found["class_name"] in classes)


def output(config: Json) -> Json:
    """The layer whose output is the model's."""
    layers: list[Json] = config["config"]["layers"]
    if config["class_name"] == "Sequential":
        return layers[-1]
    leave = config["config"]["output_layers"]
    name = leave[0] if isinstance(leave[0], str) else leave[0][0]
    return next(layer for layer in layers if layer["config"]["name"] == name)


def settings(*classes: str, **changed: Any) -> Damage:
    """Settings of the first layer of one of these classes."""
    return with_config(lambda config: first(config, *classes)["config"].update(changed))


def parts(*classes: str, **changed: Any) -> Damage:
    """What stands around the settings of the first object of one of these classes."""
    return with_config(lambda config: first(config, *classes).update(changed))


def monte_carlo_becomes(
    module: str | None, name: str, registered: str | None, **kept: Any
) -> Damage:
    """Every Monte-Carlo layer named as another class; its settings kept, or replaced."""

    def change(config: Json) -> None:
        for found in [one for one in objects(config) if one["class_name"] in MONTE_CARLO]:
            found.update(module=module, class_name=name, registered_name=registered)
            if kept:
                found["config"] = {"name": found["config"]["name"], **kept}

    return with_config(change)


def noise(deviation: Any) -> Damage:
    """Every Monte-Carlo layer becomes Gaussian noise."""
    kind = "MCGaussianNoise"
    return monte_carlo_becomes("dubito.layers", kind, f"dubito>{kind}", stddev=deviation)


def datasets(file: h5py.File) -> list[str]:
    """Paths of the datasets of at least one axis."""
    paths: list[str] = []
    file.visititems(
        lambda path, member: (
            paths.append(path) if isinstance(member, h5py.Dataset) and member.shape else None
        )
    )
    return paths


def exchanged(make: Callable[[h5py.File, str, Any], None]) -> Damage:
    """The first dataset taken out and made again otherwise, from its values."""

    def change(file: h5py.File) -> None:
        path = datasets(file)[0]
        values = file[path][()]
        del file[path]
        make(file, path, values)

    return with_weights(change)


# Files and archives.


def without(name: str) -> Damage:
    def damage(folder: Path) -> None:
        list_sums(folder)
        (folder / name).unlink()

    return damage


def flipped(folder: Path, position: int = 1000) -> None:
    """One byte of the network changed; digests are not remade."""
    data = bytearray((folder / "model.keras").read_bytes())
    data[position % len(data)] ^= 0xFF
    (folder / "model.keras").write_bytes(data)


def crc_wrong(folder: Path) -> None:
    """One byte of the stored weights changed behind the archive's checksum."""
    weights = members_of(folder)[WEIGHTS]
    network = (folder / "model.keras").read_bytes()
    at = network.index(weights) + len(weights) // 2
    seal(folder, network[:at] + bytes([network[at] ^ 0xFF]) + network[at + 1 :])


def cut(folder: Path) -> None:
    network = (folder / "model.keras").read_bytes()
    seal(folder, network[: len(network) // 2])


def pipe(folder: Path) -> None:
    (folder / "model.keras").unlink()
    os.mkfifo(folder / "model.keras")


def large(name: str, size: int) -> Damage:
    def damage(folder: Path) -> None:
        (folder / "SHA256SUMS").unlink(missing_ok=True)
        os.truncate(folder / name, size)

    return damage


def one_in_another(folder: Path) -> None:
    """Two members of the directory that are one part of the archive."""
    network = bytearray((folder / "model.keras").read_bytes())
    places = {}
    for name in (CONFIG, METADATA):
        start = network.find(b"PK\1\2")
        while network[start + 46 : start + 46 + len(name)] != name.encode():
            start = network.index(b"PK\1\2", start + 1)
        places[name] = start + 42
    offset = network[places[CONFIG] : places[CONFIG] + 4]
    network[places[METADATA] : places[METADATA] + 4] = offset
    seal(folder, bytes(network))


def hdf5(folder: Path) -> None:
    seal(folder, members_of(folder)[WEIGHTS])


def twice(folder: Path) -> None:
    members = members_of(folder)
    seal(folder, packed(*members.items(), (CONFIG, members[CONFIG])))


def headers(name: str, **fields: int) -> Damage:
    def damage(folder: Path) -> None:
        seal(folder, with_headers((folder / "model.keras").read_bytes(), name, **fields))

    return damage


def gibibyte(before: bytes) -> bytes:
    """A deflate stream of `before` and then 1 GiB of blanks, about 1 MB long."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    head = stream.compress(before) + stream.flush(zlib.Z_FULL_FLUSH)
    block = stream.compress(b" " * 2**20) + stream.flush(zlib.Z_FULL_FLUSH)
    return head + 1024 * block + stream.flush()


def bomb(*, honest: bool) -> Damage:
    """A configuration that inflates to 1 GiB, and says so or claims to be as before."""

    def damage(folder: Path) -> None:
        members = members_of(folder)
        text = members[CONFIG]
        members[CONFIG] = gibibyte(text)
        size = 2**30 + len(text) if honest else len(text)
        network = packed(*members.items())
        seal(folder, with_headers(network, CONFIG, method=8, size=size, crc=zlib.crc32(text)))

    return damage


def short(folder: Path) -> None:
    """Weights that declare fewer bytes than they deflate to."""
    network = packed(*members_of(folder).items(), method=zipfile.ZIP_DEFLATED)
    seal(folder, with_headers(network, WEIGHTS, size=1000))


# Configurations.


def dense_of_3e7(config: Json) -> None:
    first(config, "Dense")["config"]["units"] = 30_000_000


def many_weights(folder: Path) -> None:
    """A Dense whose declared width is within the limit of values but not of weights."""

    def change(config: Json) -> None:
        wide = [one for one in objects(config) if one["class_name"] == "Dense"]
        for layer in wide[:-1] or wide:
            layer["config"]["units"] = 2**19

    with_config(change)(folder)


def lambda_argument(config: Json) -> None:
    layer = first(config, "Dense")
    node: Json = {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}}
    layer["inbound_nodes"] = [{"args": [node], "kwargs": {}}]


def typespec(config: Json) -> None:
    layer = first(config, "Dense")
    node: Json = {"class_name": "__typespec__", "spec_name": "TensorSpec", "module": "tensorflow"}
    node |= {"config": [[1], "float32"], "registered_name": None}
    layer["inbound_nodes"] = [{"args": [node], "kwargs": {}}]


def called_in_training(config: Json) -> None:
    layer = first(config, "Dense")
    layer.setdefault("inbound_nodes", [{"args": [], "kwargs": {}}])
    layer["inbound_nodes"][0]["kwargs"] = {"training": True}


def built_wrong(config: Json) -> None:
    build = first(config, "Dense")["build_config"]
    build["input_shape"] = [None, 40_000_000]


def unclassed(config: Json) -> None:
    del first(config, "Dense")["module"]


def stolen_share(config: Json) -> None:
    """Two objects under one number: Keras would take the first for both."""
    for name in ("Zeros", "DTypePolicy"):
        first(config, name)["shared_object_id"] = 2**40


def nested(levels: int) -> Damage:
    """Brackets in place of the input shape of the first layer that has one."""
    deep = "[" * levels + "]" * levels
    shape = re.compile(r'"input_shape": \[[^]]*\]')
    return with_config_text(lambda text: shape.sub(f'"input_shape": {deep}', text, count=1))


def endless_golden(folder: Path) -> None:
    golden = json.loads((folder / "bundle.json").read_bytes())["golden"]
    seal(folder, golden=[{**row, "passes": 2**40} for row in golden])


def wider_input(config: Json) -> None:
    first(config, "InputLayer")["config"]["batch_shape"][1] += 1


def one_class_more(folder: Path) -> None:
    """Another number of classes, the same everywhere in the network."""

    def widen(config: Json) -> None:
        output(config)["config"]["units"] += 1

    def grow(file: h5py.File) -> None:
        classes = len(json.loads((folder / "bundle.json").read_bytes())["classes"])
        for path in datasets(file):
            if file[path].shape[-1] == classes:
                values = np.concatenate([file[path][()], file[path][()][..., :1]], axis=-1)
                del file[path]
                file[path] = values

    with_weights(grow)(folder)
    with_config(widen)(folder)


# Weights.


def first_value(value: float) -> Damage:
    def change(file: h5py.File) -> None:
        dataset = file[datasets(file)[0]]
        dataset[(0,) * dataset.ndim] = value

    return with_weights(change)


def compressed(file: h5py.File, path: str, values: Any) -> None:
    file.create_dataset(path, data=values, compression="gzip")


def in_chunks(file: h5py.File, path: str, values: Any) -> None:
    file.create_dataset(path, data=values, chunks=values.shape)


def external(file: h5py.File, path: str, values: Any) -> None:
    place = [("/etc/passwd", 0, values.nbytes)]
    file.create_dataset(path, values.shape, values.dtype, external=place)


def virtual(file: h5py.File, path: str, values: Any) -> None:
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    layout[...] = h5py.VirtualSource("/etc/passwd", "weights", values.shape)
    file.create_virtual_dataset(path, layout)


def not_allocated(file: h5py.File, path: str, values: Any) -> None:
    file.create_dataset(path, values.shape, values.dtype)


def half_precision(file: h5py.File, path: str, values: Any) -> None:
    file[path] = values.astype(np.float16)


def soft_link(file: h5py.File, path: str, values: Any) -> None:
    file["elsewhere"] = values
    file[path] = h5py.SoftLink("/elsewhere")


def external_link(file: h5py.File, path: str, values: Any) -> None:
    file[path] = h5py.ExternalLink("/etc/passwd", "/weights")


def cropped(file: h5py.File, path: str, values: Any) -> None:
    file[path] = np.concatenate([values, values])


def gone(file: h5py.File, path: str, values: Any) -> None:
    """The dataset is not made again."""


def as_group(file: h5py.File, path: str, values: Any) -> None:
    file.create_group(path)


def as_bfloat16(file: h5py.File, path: str, values: Any) -> None:
    file[path] = values
    file[path].attrs["dtype"] = "bfloat16"


def named_type(file: h5py.File, path: str, values: Any) -> None:
    file[path] = np.dtype("<f4")


def of_references(file: h5py.File, path: str, values: Any) -> None:
    file.create_dataset(path, values.shape, h5py.ref_dtype)


def of_nothing(file: h5py.File, path: str, values: Any) -> None:
    file[path] = h5py.Empty("<f4")


def checksummed(file: h5py.File, path: str, values: Any) -> None:
    file.create_dataset(path, data=values, chunks=values.shape, fletcher32=True)


def huge(file: h5py.File, path: str, values: Any) -> None:
    file.create_dataset(path, (2**40, 2**20), "<f4", chunks=(1, 2**16))


def circle(file: h5py.File) -> None:
    """A group that holds the group it is in."""
    group = file[datasets(file)[0]].parent
    group["again"] = group.parent


def circle_on_the_way(file: h5py.File) -> None:
    """The group of a layer's weights is the layer's own, and so on for ever."""
    group = file[datasets(file)[0]].parent
    parent, name = group.parent, group.name
    del file[name]
    file[name] = parent


def optimizer(file: h5py.File) -> None:
    file["optimizer/vars/0"] = np.int64(7)


def doubled(file: h5py.File) -> None:
    for path in datasets(file):
        if np.issubdtype(file[path].dtype, np.floating):
            file[path][...] = file[path][()] * 2


MC = MONTE_CARLO
FUNCTION: Json = {"module": "builtins", "class_name": "function", "config": "eval"}
FUNCTION["registered_name"] = "function"
LAMBDA: Json = {"function": {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}}}
DENSE_LINEAR = with_config(lambda config: output(config)["config"].update(activation="linear"))

HOSTILE: dict[str, Hostile] = {
    # The folder and its files.
    "no bundle.json": Hostile(without("bundle.json"), "bundle.json is missing"),
    "no model.keras": Hostile(without("model.keras"), "model.keras is missing"),
    "no model card": Hostile(without("MODEL_CARD.md"), "MODEL_CARD.md is missing"),
    "another name": Hostile(with_field(name="other"), "bundle.json is for 'other'"),
    "another version": Hostile(with_field(version=77), "version 77"),
    "an unknown format": Hostile(
        with_field(format=4), "bundle.json is of format 4: this version reads 1, 2 and 3"
    ),
    "an unknown field": Hostile(with_field(extra=1), "bundle.json is not of format 1"),
    "endless golden rows": Hostile(endless_golden, "bundle.json: golden has"),
    "a huge manifest": Hostile(large("bundle.json", 2**40), "bundle.json is larger"),
    "a huge network": Hostile(large("model.keras", 2**40), "model.keras is larger"),
    "a pipe": Hostile(pipe, "model.keras is not a regular file"),
    "a flipped byte": Hostile(flipped, "model.keras"),
    # The archive.
    "cut short": Hostile(cut, "model.keras is damaged or not a .keras archive"),
    "empty": Hostile(lambda folder: seal(folder, b""), "not a .keras archive"),
    "HDF5 in disguise": Hostile(hdf5, "an HDF5 file, not a .keras archive"),
    "a wrong checksum": Hostile(crc_wrong, "the checksum of model.weights.h5 is wrong"),
    "a member twice": Hostile(twice, "2 members config.json"),
    "a member more": Hostile(with_added("assets/vocabulary.txt"), "'assets/vocabulary.txt'"),
    "an absolute path": Hostile(with_added("/etc/cron.d/evil"), "'/etc/cron.d/evil'"),
    "a member in another": Hostile(one_in_another, "damaged or not a .keras archive"),
    "a path out of the archive": Hostile(with_added("../../evil"), "'../../evil'"),
    "no configuration": Hostile(with_members(config=None), "0 members config.json"),
    "no metadata": Hostile(with_members(metadata=None), "0 members metadata.json"),
    "no weights": Hostile(with_members(weights=None), "0 members model.weights.h5"),
    "huge metadata": Hostile(with_members(metadata=b" " * 2**20), "metadata.json declares"),
    "encrypted": Hostile(headers(CONFIG, flags=1), "config.json is encrypted"),
    "an odd compression": Hostile(headers(CONFIG, method=14), "neither stored nor deflated"),
    "a bomb": Hostile(bomb(honest=True), "config.json declares"),
    "a bomb that lies": Hostile(bomb(honest=False), "not of the size it declares"),
    "a size too small": Hostile(short, "not of the size it declares"),
    "a size too large": Hostile(headers(CONFIG, size=2**22), "model.keras"),
    # The configuration as a document.
    "no JSON": Hostile(with_members(config=b"\x80\x04."), "config.json is not valid JSON"),
    "a list": Hostile(with_members(config=b"[]"), "config.json is not a JSON object"),
    "an empty object": Hostile(with_members(config=b"{}"), "config.json is not a network"),
    "an infinite setting": Hostile(settings("Dense", units=float("inf")), "not valid JSON"),
    "a key twice": Hostile(
        with_config_text(lambda text: '{"module": "os", ' + text[1:]), "not valid JSON"
    ),
    "deep nesting": Hostile(nested(100), "nested deeper"),
    "very deep nesting": Hostile(nested(200_000), "not valid JSON"),
    # Objects that are not allowed.
    "a Lambda": Hostile(monte_carlo_becomes("keras.layers", "Lambda", None, **LAMBDA), "'Lambda'"),
    "a TFSMLayer": Hostile(
        monte_carlo_becomes("keras.layers", "TFSMLayer", None, filepath="/tmp/x"),  # noqa: S108
        "'TFSMLayer'",
    ),
    "a vocabulary that is a path": Hostile(
        monte_carlo_becomes("keras.layers", "StringLookup", None, vocabulary="/etc/passwd"),
        "'StringLookup'",
    ),
    "an integer vocabulary that is a path": Hostile(
        monte_carlo_becomes("keras.layers", "IntegerLookup", None, vocabulary="/etc/passwd"),
        "'IntegerLookup'",
    ),
    "a vocabulary beside the network": Hostile(
        with_added("assets/layers/string_lookup/vocabulary.txt"),
        "'assets/layers/string_lookup/vocabulary.txt'",
    ),
    "a foreign class": Hostile(monte_carlo_becomes("os", "system", None), "'system'"),
    "a foreign package": Hostile(
        monte_carlo_becomes("evil.layers", "MCDropout", "evil>MCDropout"), "'evil>MCDropout'"
    ),
    "a layer without a module": Hostile(with_config(unclassed), "'Dense'"),
    "a null module": Hostile(parts("Dense", module=None), "(null, 'Dense', null)"),
    "another's registered name": Hostile(
        parts("Dense", registered_name="dubito>Impute"), "'dubito>Impute'"
    ),
    "ours unregistered": Hostile(parts(*MC, registered_name=None), "Dropout', null)"),
    "ours from elsewhere": Hostile(parts(*MC, module="keras.layers"), "keras.layers"),
    "another class of ours": Hostile(parts(*MC, class_name="Identity"), "'Identity'"),
    "a class that is no name": Hostile(parts("Dense", class_name=["Dense"]), "is not a name"),
    "a lambda argument": Hostile(with_config(lambda_argument), "'__lambda__'"),
    "a type specification": Hostile(with_config(typespec), "'__typespec__'"),
    "an activation function": Hostile(settings("Dense", activation=FUNCTION), "activation"),
    "an unknown activation": Hostile(settings("Dense", activation="eval"), "activation"),
    "an activation that is a layer": Hostile(settings("Dense", activation="dubito>Impute"), "act"),
    "an unknown policy": Hostile(settings("DTypePolicy", name="mixed_bfloat16"), "'DTypePolicy'"),
    "a policy map": Hostile(parts("DTypePolicy", class_name="DTypePolicyMap"), "'DTypePolicyMap'"),
    "a foreign initializer": Hostile(parts("Zeros", module="keras.utils"), "'keras.utils'"),
    "a setting that is a layer": Hostile(
        with_config(
            lambda config: first(config, "Dense")["config"].update(
                kernel_initializer=first(config, *MC)
            )
        ),
        "does not belong",
    ),
    "an unknown setting": Hostile(settings("Dense", lora_rank=4), "'lora_rank'"),
    "a quantized layer": Hostile(settings("Dense", quantization_config="int8"), "quantization"),
    "compiled": Hostile(
        with_config(lambda config: config.update(compile_config={"optimizer": "adam"})), "compiled"
    ),
    "a layer taken from elsewhere": Hostile(parts(*MC, shared_object_id=1), "in two models"),
    "another object's number": Hostile(with_config(stolen_share), "shared_object_id"),
    # Doubt that is gone.
    "plain dropout": Hostile(
        monte_carlo_becomes("keras.layers", "Dropout", None), "plain Dropout, which would be inert"
    ),
    "plain alpha dropout": Hostile(
        monte_carlo_becomes("keras.layers", "AlphaDropout", None), "plain AlphaDropout"
    ),
    "plain noise": Hostile(
        monte_carlo_becomes("keras.layers", "GaussianNoise", None), "plain GaussianNoise"
    ),
    "no Monte-Carlo layer": Hostile(
        monte_carlo_becomes("keras.layers", "Identity", None, trainable=True),
        "no Monte-Carlo layer",
    ),
    "rate 0": Hostile(settings(*MC, rate=0), "would report no uncertainty at all"),
    "rate 0.0": Hostile(settings(*MC, rate=0.0), "would report no uncertainty at all"),
    "a rate of nearly 0": Hostile(settings(*MC, rate=1e-9), "would report no uncertainty at all"),
    "rate 1": Hostile(settings(*MC, rate=1), "would drop everything"),
    "a negative rate": Hostile(settings(*MC, rate=-0.5), "is not from 0 to 1"),
    "noise of nothing": Hostile(noise(0), "a standard deviation of 0 is not above 0"),
    "noise of infinity": Hostile(noise(1e300), "a standard deviation of 1e+300 is not above 0"),
    "noise of text": Hostile(noise("0.1"), "has no standard deviation"),
    "a rate that is true": Hostile(settings(*MC, rate=True), "is not from 0 to 1"),
    "a mask over the batch": Hostile(settings(*MC, noise_shape=[64, 1]), "does not fit"),
    # Shapes.
    "another input width": Hostile(with_config(wider_input), "features"),
    "one class more": Hostile(one_class_more, "classes"),
    "a Dense of 30 million": Hostile(with_config(dense_of_3e7), "more than"),
    "many weights": Hostile(many_weights, "model.keras"),
    "no units": Hostile(settings("Dense", units=0), "units"),
    "a build for 40 million": Hostile(with_config(built_wrong), "build_config"),
    "a call in training": Hostile(with_config(called_in_training), "options"),
    # Weights.
    "NaN": Hostile(first_value(float("nan")), "a weight that is not finite"),
    "infinity": Hostile(first_value(float("inf")), "a weight that is not finite"),
    "no HDF5": Hostile(with_members(weights=b"\0" * 5000), "model.weights.h5 is damaged"),
    "compressed": Hostile(exchanged(compressed), "is compressed"),
    "in chunks": Hostile(exchanged(in_chunks), "not stored in one piece"),
    "external storage": Hostile(exchanged(external), "outside of the file"),
    "virtual": Hostile(exchanged(virtual), "outside of the file"),
    "checksummed": Hostile(exchanged(checksummed), "is compressed or filtered"),
    "huge dimensions": Hostile(exchanged(huge), "is of shape (1099511627776, 1048576), not"),
    "a named type": Hostile(exchanged(named_type), "is not a group or a dataset as Keras writes"),
    "references": Hostile(exchanged(of_references), "is not plain float32, float64 or int64"),
    "an empty dataset": Hostile(exchanged(of_nothing), "is of shape None, not"),
    "a circle of groups": Hostile(with_weights(circle), "again' belongs to no layer"),
    "a circle on the way": Hostile(with_weights(circle_on_the_way), "model.weights.h5: "),
    "not allocated": Hostile(exchanged(not_allocated), "not stored in full"),
    "half precision": Hostile(exchanged(half_precision), "not plain float32"),
    "a soft link": Hostile(exchanged(soft_link), "model.weights.h5"),
    "an external link": Hostile(exchanged(external_link), "is a link"),
    "another shape": Hostile(exchanged(cropped), "is of shape"),
    "a weight missing": Hostile(exchanged(gone), "is missing"),
    "a group for a weight": Hostile(exchanged(as_group), "not a group or a dataset"),
    "bfloat16": Hostile(exchanged(as_bfloat16), "not plain float32"),
    "optimizer state": Hostile(with_weights(optimizer), "'optimizer' belongs to no layer"),
    # What only the answers show.
    "a linear output": Hostile(DENSE_LINEAR, "golden row", "answers"),
    "other weights": Hostile(with_weights(doubled), "golden row", "answers"),
    "hardly any dropout": Hostile(settings(*MC, rate=3e-5), "golden row", "answers"),
}
