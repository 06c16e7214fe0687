"""The explorer's page: its own files, and those that the service's page lends it."""

from pathlib import Path

from fastapi import APIRouter

import service
from service.static_page import static_page_router

_OURS = Path(__file__).parent / "web"
_SHARED = Path(service.__file__).parent / "web"
_SHARED_NAMES = ("element.js", "icon.svg", "lit.css", "page.css")


def page_router() -> APIRouter:
    """Make the routes `/`, and `/web/NAME` for what it loads; files are read here, once."""
    return static_page_router([*sorted(_OURS.iterdir()), *(_SHARED / n for n in _SHARED_NAMES)])
