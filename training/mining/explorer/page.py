"""The explorer's page: its own files, and those that the service's page lends it."""

import hashlib
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

import service

_OURS = Path(__file__).parent / "web"
_SHARED = Path(service.__file__).parent / "web"
_SHARED_NAMES = ("element.js", "icon.svg", "lit.css", "page.css")
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page_router() -> APIRouter:
    """Make the routes `/`, and `/web/NAME` for what it loads; files are read here, once."""
    router = APIRouter(include_in_schema=False)
    paths = [*sorted(_OURS.iterdir()), *(_SHARED / name for name in _SHARED_NAMES)]
    assets = {
        path.name: (path.read_bytes(), _MEDIA_TYPES[path.suffix])
        for path in paths
        if path.suffix in _MEDIA_TYPES
    }

    def answer(name: str, request: Request) -> Response:
        if name not in assets:
            raise HTTPException(404)
        content, media_type = assets[name]
        headers = {**_HEADERS, "ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    @router.get("/")
    async def page(request: Request) -> Response:
        return answer("index.html", request)

    @router.get("/web/{name}")
    async def asset(request: Request, name: str) -> Response:
        return answer(name, request)

    return router
