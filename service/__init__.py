"""The service: text in, summary out.

    from service import Summarizer
    Summarizer().summarize(text).text

The model's libraries are loaded when a name is first used, so that importing a small part of this
package (its errors, its text functions) costs nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.inference.summarizer import Summarizer, Summary

__all__ = ["Summarizer", "Summary"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from service.inference import summarizer

    return getattr(summarizer, name)
