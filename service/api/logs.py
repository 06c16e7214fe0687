"""One JSON object a line on stderr; never a word of a caller's text."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from service.errors import PatsumError

FIELDS = "fields"
"""Name of the attribute of a log record that holds further fields."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message, the record's fields, and an error's origin."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe_error(record.exc_info[1])
        return json.dumps(line)


def describe_error(error: BaseException) -> dict[str, Any]:
    """Tell where an error came from.

    The message of an error of ours is kept. Any other is left out: it may quote a caller's text.
    """
    frames = traceback.extract_tb(error.__traceback__)
    described: dict[str, Any] = {
        "type": type(error).__name__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, PatsumError):
        described["message"] = str(error)
    return described


def log_fields_of(request: Request) -> dict[str, Any]:
    """Give what the log line of a request will say beside its route and status; add to it.

    Sizes, times and names only: never a word of a text.
    """
    if not hasattr(request.state, "log_fields"):
        request.state.log_fields = {}
    fields: dict[str, Any] = request.state.log_fields
    return fields


def configure_logging(level: str) -> None:
    """Send every log record of the process through the JSON formatter.

    Args:
        level: least severe level, such as "info".
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
