"""The page at `/`: the files of `service/web`."""

from pathlib import Path

from fastapi import APIRouter

from service.static_page import static_page_router

WEB_FOLDER = Path(__file__).parents[1] / "web"


def page_router(folder: Path = WEB_FOLDER) -> APIRouter:
    """Make the routes of the page: `/`, and `/web/NAME` for what it loads.

    Args:
        folder: holds `index.html` and the other files; read here, once.
    """
    return static_page_router(sorted(folder.iterdir()))
