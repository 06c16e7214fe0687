"""Values of Parquet columns, written as JSON can hold them."""

import base64
import datetime as dt
import json
import math
from typing import Any


def to_json_value(value: Any) -> Any:
    """Turn a value into one that JSON can hold.

    Args:
        value: as pyarrow gives it.

    Returns:
        Bytes in base64; dates and times in ISO 8601; a number that is none as "NaN", "Infinity" or
        "-Infinity"; what JSON has, itself; anything else, such as a decimal, as its text.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else json.dumps(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(name): to_json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(inner) for inner in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)
