"""The dashboard's static files, compressed once and tagged by their content."""

import gzip
import hashlib
import os
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Receive, Scope, Send

from app.http.compression import takes_gzip
from app.http.response import BYTES_AT_A_TIME, InParts

ASSETS = Path(__file__).parent / "assets"
PAGE = "index.html"
CHARTS = "plotly.min.js"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Media types by suffix; the machine's own table may differ, and browsers run no script of
another."""
NAMES = frozenset({CHARTS, *(path.name for path in ASSETS.iterdir() if path.suffix in MEDIA_TYPES)})
"""Names of the page and of the files it uses."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A compressed file, which is what most clients accept."""

    content: bytes
    """Content compressed by gzip; the same content gives the same bytes."""
    digest: str
    """Digest of the compressed content, 32 hexadecimal digits."""


class Assets(StaticFiles):
    """Static files of the dashboard; every response carries the given headers."""

    def __init__(self, headers: dict[str, str]) -> None:
        # Starlette locates Plotly's folder without importing Plotly, which costs time and memory.
        super().__init__(directory=ASSETS, packages=[("plotly", "package_data")])
        self._headers = headers
        self._packed: dict[str, Packed] = {}

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file and compress it the first time; Starlette calls this in a worker thread."""
        if path not in NAMES:
            return "", None
        full_path, about = super().lookup_path(path)
        if about is not None and full_path not in self._packed:
            self._packed[full_path] = _pack(Path(full_path))
        return full_path, about

    def file_response(
        self,
        full_path: PathLike,
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = HTTPStatus.OK,
    ) -> Response:
        """Create the response for a file: compressed if the client accepts it, or 304.

        Starlette's own tag is made of date and size, which the file of another version may share.
        """
        asked = Headers(scope=scope)
        is_packed = takes_gzip(asked.get("accept-encoding", ""))
        packed = self._packed[os.fspath(full_path)]
        headers = self._headers | {"ETag": f'"{packed.digest}{"-gzip" if is_packed else ""}"'}
        if self.is_not_modified(Headers(headers), asked):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        media_type = MEDIA_TYPES[Path(full_path).suffix]
        if not is_packed:
            return _WholeFile(full_path, status_code, headers, media_type, stat_result=stat_result)
        # A client that reads nothing holds up no more than one part.
        starts = range(0, len(packed.content), BYTES_AT_A_TIME)
        parts = [packed.content[start : start + BYTES_AT_A_TIME] for start in starts]
        return InParts(parts, media_type, headers | {"Content-Encoding": "gzip"})


class _WholeFile(FileResponse):
    """A file served without ranges: Starlette answers an invalid range in plain text."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def _pack(path: Path) -> Packed:
    content = gzip.compress(path.read_bytes(), mtime=0)
    return Packed(content, hashlib.sha256(content).hexdigest()[:32])
