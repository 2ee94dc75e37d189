"""Reads the members of the archive `model.keras`, safely against decompression bombs.

Keras' own reader inflates a member before it checks the declared size. Here each member is inflated
with a bound, and the result must have exactly the declared size.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

from dubito.bundles.files import MIB
from dubito.bundles.manifest import NETWORK_FILE
from dubito.bundles.validation.objects import quoted
from dubito.errors import BundleError

LIMITS = {
    "config.json": 8 * MIB,
    "metadata.json": MIB // 16,
    "model.weights.h5": 256 * MIB,
}
"""Largest size of each member, in bytes."""

VOCABULARY = re.compile(r"assets/(?:[A-Za-z0-9_.-]+/)*vocabulary\.txt")
"""Path of the vocabulary of an adapted lookup layer, which only files of other origin have."""
MOST_VOCABULARY = 4 * MIB
"""Largest size of a vocabulary, in bytes."""
MOST_VOCABULARIES = 256

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ENCRYPTED = 0x1


class Members(NamedTuple):
    """The contents of the archive's three members, as bytes."""

    config: bytes
    metadata: bytes
    weights: bytes


def read_members(network: bytes) -> Members:
    """Read the members from the bytes of `model.keras`.

    Raises:
        BundleError: the bytes are not an archive of exactly these members, or a member does not
            match its declared size or checksum.
    """
    members, _ = _members(network, lambda _: False)
    return members


def read_with_vocabularies(network: bytes) -> tuple[Members, dict[str, bytes]]:
    """Read the members of a foreign file, and the vocabularies of its lookup layers by their paths.

    Raises:
        BundleError: as for `read_members`, or there are too many vocabularies.
    """
    members, vocabularies = _members(network, lambda name: VOCABULARY.fullmatch(name) is not None)
    return members, vocabularies


def _members(network: bytes, is_asset: Callable[[str], bool]) -> tuple[Members, dict[str, bytes]]:
    if network.startswith(HDF5_MAGIC):
        raise BundleError(f"{NETWORK_FILE} is an HDF5 file, not a .keras archive")
    try:
        with zipfile.ZipFile(io.BytesIO(network)) as archive:
            names = [info.filename for info in archive.infolist()]
            assets = [name for name in names if is_asset(name)]
            _check_names([name for name in names if name not in assets])
            _check_assets(assets)
            infos = {info.filename: info for info in archive.infolist()}
            for info in infos.values():
                _check_declared(info)
                archive.open(info).close()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError) as error:
        raise BundleError(f"{NETWORK_FILE} is damaged or not a .keras archive") from error
    members = Members(*(_content(network, infos[name]) for name in LIMITS))
    return members, {name: _content(network, infos[name]) for name in assets}


def _check_names(names: list[str]) -> None:
    for name in names:
        if name not in LIMITS:
            raise BundleError(f"{NETWORK_FILE} has the member {quoted(name)}, which is not known")
    for name in LIMITS:
        if names.count(name) != 1:
            raise BundleError(f"{NETWORK_FILE} has {names.count(name)} members {name}, not one")


def _check_assets(names: list[str]) -> None:
    if len(set(names)) < len(names) or len(names) > MOST_VOCABULARIES:
        raise BundleError(
            f"{NETWORK_FILE} has more than {MOST_VOCABULARIES} vocabularies, or one twice"
        )


def _check_declared(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & ENCRYPTED:
        raise BundleError(f"{NETWORK_FILE}: {info.filename} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{NETWORK_FILE}: {info.filename} is neither stored nor deflated")
    limit = LIMITS.get(info.filename, MOST_VOCABULARY)
    if info.file_size > limit:
        raise BundleError(
            f"{NETWORK_FILE}: {info.filename} declares {info.file_size} bytes, "
            f"more than the {limit} allowed"
        )


def _content(network: bytes, info: zipfile.ZipInfo) -> bytes:
    stored = _stored(network, info)
    content = stored if info.compress_type == zipfile.ZIP_STORED else _inflated(stored, info)
    if len(content) != info.file_size:
        raise BundleError(f"{NETWORK_FILE}: {info.filename} is not of the size it declares")
    if zlib.crc32(content) != info.CRC:
        raise BundleError(f"{NETWORK_FILE}: the checksum of {info.filename} is wrong")
    return content


def _stored(network: bytes, info: zipfile.ZipInfo) -> bytes:
    """Return the member's stored bytes, which follow its local header."""
    header = LOCAL_HEADER.unpack_from(network, info.header_offset)
    start = info.header_offset + LOCAL_HEADER.size + header[-2] + header[-1]
    stored = network[start : start + info.compress_size]
    if len(stored) != info.compress_size:
        raise BundleError(f"{NETWORK_FILE}: {info.filename} is cut short")
    return stored


def _inflated(stored: bytes, info: zipfile.ZipInfo) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = stream.decompress(stored, info.file_size + 1)
    except zlib.error as error:
        raise BundleError(f"{NETWORK_FILE}: {info.filename} is damaged") from error
    if not stream.eof or stream.unused_data:
        raise BundleError(f"{NETWORK_FILE}: {info.filename} is not of the size it declares")
    return content
