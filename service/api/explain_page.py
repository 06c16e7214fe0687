"""An explained answer as one HTML document that needs no network, no script and no server."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from starlette.responses import Response

from service.api.lit_document import LitDocument, show
from service.api.page import WEB_FOLDER
from service.api.schemas import DocumentError, SummarizeRequest, SummarizeResponse
from service.api.string_index import StringIndexType

HTML = "text/html"

EXPLAIN_PAGE: dict[str, Any] = {
    "description": "Successful Response; with `Accept: text/html`, one self-contained page.",
    "content": {HTML: {"schema": {"type": "string"}}},
}
"""How the OpenAPI description names the answer."""

_STYLE_FILES = ("lit.css", "saved.css")


def explain_page_request(body: SummarizeRequest) -> SummarizeRequest:
    """Ask for what the page shows: every sentence's score, and offsets as Python counts them.

    Args:
        body: the request for a page.
    """
    return body.model_copy(
        update={"return_all_scores": True, "string_index_type": StringIndexType.CODE_POINT}
    )


class ExplainPage:
    """Writes pages; the style is read once.

    Args:
        folder: holds the style.
    """

    def __init__(self, folder: Path = WEB_FOLDER) -> None:
        self._style = "\n".join(
            (folder / name).read_text(encoding="utf-8") for name in _STYLE_FILES
        )
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        # Nothing but our own style: no script, no address, no form.
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )

    def answer(self, body: SummarizeRequest, response: SummarizeResponse) -> Response:
        """Answer with the page; the same request gives the same bytes.

        Args:
            body: the request; its texts stand in the page.
            response: to `explain_page_request(body)`.
        """
        headers = {
            "Content-Security-Policy": f"{self._policy}; frame-ancestors 'none'",
            "Vary": "Accept",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(self.render(body, response).encode(), headers=headers, media_type=HTML)

    def render(self, body: SummarizeRequest, response: SummarizeResponse) -> str:
        """Write the page.

        It holds neither a date nor the request's id, so that nothing but the request and the model
        can change it.

        Args:
            body: the request; its texts stand in the page.
            response: to `explain_page_request(body)`.
        """
        texts = {str(document.id): document.text for document in body.input_documents()}
        documents = "".join(
            LitDocument(i, texts[result.id], result).render()
            for i, result in enumerate(response.documents)
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{self._policy}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>A summary and its reasons</title><style>{self._style}</style></head>"
            f"<body><main><h1>A summary and its reasons</h1>{documents}"
            f"{''.join(map(_render_error, response.errors))}</main>"
            "<footer><p>Every sentence of the summary stands in the text word for word. "
            f"Model <code>{show(response.model_version)}</code></p></footer></body></html>"
        )


def _render_error(error: DocumentError) -> str:
    return (
        f'<p class="notice"><strong>Document {show(error.id)} has no summary.</strong> '
        f"{show(error.error.message)}</p>"
    )
