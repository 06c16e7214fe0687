"""How numbers are shown: three digits, milliseconds, the interval behind the estimate."""

from bench.results import Bounds


def digits(value: float) -> str:
    """Show three significant digits, never as a power of ten."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def interval(bounds: Bounds | None, scale: float = 1.0) -> str:
    """Show a number as "21.3 [20.9, 21.8]"; an end that is not known is a "?"."""
    if bounds is None:
        return "-"
    return f"{digits(scale * bounds.estimate)} {interval_alone(bounds, scale)}"


def interval_alone(bounds: Bounds, scale: float = 1.0) -> str:
    """Show the interval alone, as "[20.9, 21.8]"."""
    ends = ("?" if end is None else digits(scale * end) for end in (bounds.low, bounds.high))
    return f"[{', '.join(ends)}]"


def milliseconds(bounds: Bounds | None) -> str:
    """Show seconds as milliseconds, with their interval."""
    return interval(bounds, 1e3)


def megabytes(n_bytes: float) -> str:
    """Show bytes as millions of them."""
    return f"{n_bytes / 1e6:.0f} MB"


def share(value: float | None) -> str:
    """Show a share in per cent; "-" where it is not known."""
    return "-" if value is None else f"{100 * value:.0f} %"
