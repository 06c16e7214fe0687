"""The service: text in, summary out.

    from service import LengthRule, Summarizer
    Summarizer().summarize(text, rule=LengthRule(sentence_count=2)).text

The model's libraries are loaded when a name is first used, so that importing a small part of this
package (its errors, its text functions) costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.inference.explain import ExplainMethod
    from service.inference.summarizer import LongInput, Summarizer, Summary
    from service.text.select import LengthRule, Order, Redundancy

_HOMES = {
    "ExplainMethod": "service.inference.explain",
    "LengthRule": "service.text.select",
    "LongInput": "service.inference.summarizer",
    "Order": "service.text.select",
    "Redundancy": "service.text.select",
    "Summarizer": "service.inference.summarizer",
    "Summary": "service.inference.summarizer",
}

__all__ = [
    "ExplainMethod",
    "LengthRule",
    "LongInput",
    "Order",
    "Redundancy",
    "Summarizer",
    "Summary",
]

# onnxruntime >= 1.32 for Linux reports usage to its maker, and keeps an id of the machine in $HOME,
# unless this is set before it is first imported. The service has no business with any network.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
