"""Datatypes of the Open Inference Protocol, and how JSON and binary data have their elements."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["float", "integer", "boolean", "text"]
"""Kind of the elements: floats may be NaN, and texts have a length each."""


@dataclass(frozen=True, slots=True, eq=False)
class Datatype:
    """One datatype."""

    name: str
    kind: Kind
    dtype: np.dtype[Any]
    """Type of an element of binary data, little-endian; of BF16 its bits, of texts none."""

    @property
    def size(self) -> int:
        """Bytes of an element of binary data; of texts, of its length."""
        return self.dtype.itemsize


BOOL = Datatype("BOOL", "boolean", np.dtype("u1"))
FP32 = Datatype("FP32", "float", np.dtype("<f4"))
FP64 = Datatype("FP64", "float", np.dtype("<f8"))
INT64 = Datatype("INT64", "integer", np.dtype("<i8"))
BF16 = Datatype("BF16", "float", np.dtype("<u2"))
BYTES_TYPE = Datatype("BYTES", "text", np.dtype("<u4"))
DATATYPES: Mapping[str, Datatype] = {
    one.name: one
    for one in (
        BOOL,
        *(Datatype(f"UINT{8 * size}", "integer", np.dtype(f"<u{size}")) for size in (1, 2, 4, 8)),
        *(Datatype(f"INT{8 * size}", "integer", np.dtype(f"<i{size}")) for size in (1, 2, 4)),
        INT64,
        Datatype("FP16", "float", np.dtype("<f2")),
        FP32,
        FP64,
        BF16,
        BYTES_TYPE,
    )
}
"""The datatypes by name."""
