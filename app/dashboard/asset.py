"""An asset: a file that the page is made of, as it is sent."""

import asyncio
import gzip
import hashlib
from functools import cached_property
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

ASSETS = files("app.dashboard") / "assets"
PAGE = "index.html"
CHARTS = "plotly.min.js"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Asset:
    """One file; read, compressed and unpacked when it is first asked for so, then kept."""

    def __init__(self, path: Path) -> None:
        """Take where it lies."""
        self._path = path
        self.media_type = MEDIA_TYPES[path.suffix]

    @cached_property
    def packed(self) -> bytes:
        """Its content, compressed by gzip; the same content gives the same bytes."""
        return gzip.compress(self._path.read_bytes(), mtime=0)

    @cached_property
    def plain(self) -> bytes:
        """The same content uncompressed, which few clients want: kept once one did."""
        return gzip.decompress(self.packed)

    @cached_property
    def digest(self) -> str:
        """What is other for other content."""
        return hashlib.sha256(self.packed).hexdigest()[:32]

    async def content(self, *, packed: bool) -> bytes:
        """Its content as it is sent; the first time it takes a moment, in which others go on."""
        kind = "packed" if packed else "plain"
        if not {kind, "digest"} <= vars(self).keys():
            await asyncio.to_thread(lambda: (getattr(self, kind), self.digest))
        return self.packed if packed else self.plain


def own_assets() -> dict[str, Asset]:
    """The page and its parts, by name."""
    paths = [Path(str(entry)) for entry in ASSETS.iterdir()]
    return {path.name: Asset(path) for path in paths if path.suffix in MEDIA_TYPES}


def charts() -> Asset:
    """Plotly's JavaScript, found without importing Plotly, which takes time and memory.

    Raises:
        FileNotFoundError: Plotly is not installed.
    """
    spec = find_spec("plotly")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    for folder in folders:
        path = Path(folder) / "package_data" / CHARTS
        if path.is_file():
            return Asset(path)
    raise FileNotFoundError(f"plotly is not installed: there is no {CHARTS}")
