"""The report for a terminal: plain text, aligned."""

from bench.result_tables import facts, headline, make_tables
from bench.results import Results


def write_text(results: Results) -> str:
    """Lay out everything that was found."""
    lines = []
    known = list(facts(results))
    width = max(len(name) for name, _ in known)
    for table in make_tables(results):
        lines += [*table.to_text(), ""]
    lines += [f"{name:<{width}}  {value}" for name, value in known]
    if sentence := headline(results):
        lines += ["", sentence]
    return "\n".join(lines)
