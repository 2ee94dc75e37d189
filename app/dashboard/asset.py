"""The page's files: found by Starlette, packed once, and named by their content."""

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
"""Ours, as a machine may know others, and a browser runs no script of another type."""
NAMES = frozenset({CHARTS, *(path.name for path in ASSETS.iterdir() if path.suffix in MEDIA_TYPES)})
"""The page and what it is made of."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The content of a file, as most clients take it."""

    content: bytes
    """Compressed by gzip; the same content gives the same bytes."""
    digest: str
    """What is other for other content."""


class Assets(StaticFiles):
    """The page and its parts; every answer carries the headers that are given."""

    def __init__(self, headers: dict[str, str]) -> None:
        # Plotly's folder is found without importing Plotly, which takes time and memory.
        super().__init__(directory=ASSETS, packages=[("plotly", "package_data")])
        self._headers = headers
        self._packed: dict[str, Packed] = {}

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file of the page, and pack it the first time; it is asked in a worker thread."""
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
        """A file as this client takes it: compressed or not, or the word that it has it.

        Starlette's own tag is of a date and a size, which another version's file may have too.
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
        # In parts, so that a client that reads nothing holds no more than one of them.
        starts = range(0, len(packed.content), BYTES_AT_A_TIME)
        parts = [packed.content[start : start + BYTES_AT_A_TIME] for start in starts]
        return InParts(parts, media_type, headers | {"Content-Encoding": "gzip"})


class _WholeFile(FileResponse):
    """A file that is sent whole: Starlette answers a wrong range with plain text, not a problem."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def _pack(path: Path) -> Packed:
    content = gzip.compress(path.read_bytes(), mtime=0)
    return Packed(content, hashlib.sha256(content).hexdigest()[:32])
