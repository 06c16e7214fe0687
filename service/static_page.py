"""A page of files that are read once and served from memory: the service's, and the explorer's."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_INDEX = "index.html"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    # The browser keeps a copy but asks whether it still holds, so that an upgrade shows at once.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Asset:
    """One file of the page.

    Attributes:
        content: bytes of the file.
        media_type: for Content-Type.
        etag: in quotes; changes with the content.
    """

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "Asset":
        """Read a file with one of the endings that the page uses."""
        content = path.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return cls(content, _MEDIA_TYPES[path.suffix], etag)

    def answer(self, request: Request) -> Response:
        """Answer with the file, or with 304 when the browser has it already."""
        headers = {**_HEADERS, "ETag": self.etag}
        known = request.headers.get("if-none-match", "").split(",")
        if self.etag in (tag.strip().removeprefix("W/") for tag in known):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def static_page_router(paths: Iterable[Path]) -> APIRouter:
    """Make the routes of a page: `/`, and `/web/NAME` for what it loads.

    Args:
        paths: `index.html` and the other files, read here, once; those whose ending the page does
            not use are left out.
    """
    router = APIRouter(include_in_schema=False)
    assets = {path.name: Asset.read(path) for path in paths if path.suffix in _MEDIA_TYPES}

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return assets[_INDEX].answer(request)

    @router.api_route("/web/{name}", methods=["GET", "HEAD"])
    async def asset(request: Request, name: str) -> Response:
        if name not in assets:
            raise HTTPException(404)
        return assets[name].answer(request)

    return router
