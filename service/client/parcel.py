"""As many documents as one request may hold."""

from collections.abc import Iterable, Iterator

from service.client.body import Document, Item, SummaryOptions, make_item, write_body
from service.client.results import DocumentFailure, Limits
from service.errors import InputError


class Parcel:
    """Documents that go into one request.

    Args:
        limits: of the service.
        n_around: bytes of the request without documents.
    """

    def __init__(self, limits: Limits, n_around: int) -> None:
        self.items: list[Item] = []
        self._limits = limits
        self._n_characters = 0
        self._n_bytes = n_around - 1  # the first document has no comma before it

    def has_room(self, item: Item) -> bool:
        """Tell whether a document fits beside the others; the first always does."""
        return not self.items or (
            len(self.items) < self._limits.max_documents
            and self._n_characters + len(item.text) <= self._limits.max_characters
            and self._n_bytes + len(item.content) + 1 <= self._limits.max_body_bytes
        )

    def add(self, item: Item) -> None:
        """Take a document."""
        self.items.append(item)
        self._n_characters += len(item.text)
        self._n_bytes += len(item.content) + 1


def plan_requests(
    documents: Iterable[Document | str], limits: Limits, options: SummaryOptions
) -> Iterator[list[Item] | DocumentFailure]:
    """Cut documents into requests that the service takes; lazily, in order.

    Args:
        documents: documents or texts.
        limits: of the service.
        options: of every request.

    Yields:
        As many documents as fit into one request, or the failure of one that cannot be sent. One
        that is too large goes alone: the service says why.

    Raises:
        InputError: an option cannot be sent, or documents is a single text.
    """
    if isinstance(documents, str):
        raise InputError("expected several documents, got one text; put it in a list")
    n_around = len(write_body([], options))
    parcel = Parcel(limits, n_around)
    for position, document in enumerate(documents):
        item = _try_item(position, document)
        if isinstance(item, DocumentFailure) or not parcel.has_room(item):
            if parcel.items:
                yield parcel.items
            parcel = Parcel(limits, n_around)
        if isinstance(item, DocumentFailure):
            yield item
        else:
            parcel.add(item)
    if parcel.items:
        yield parcel.items


def _try_item(position: int, document: Document | str) -> Item | DocumentFailure:
    try:
        return make_item(position, document)
    except InputError as error:
        given = None if isinstance(document, str) else document.id
        item_id = str(position) if given is None else given
        return DocumentFailure(id=item_id, code="InvalidDocument", message=str(error))
