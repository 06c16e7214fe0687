"""The report as one HTML file: no script, nothing fetched, for light and dark."""

from collections.abc import Iterator
from html import escape

from bench.plots import draw_engine, draw_latencies, draw_server, draw_stages, style_sheet
from bench.result_tables import facts, headline, make_tables
from bench.results import Results
from bench.table import Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
.facts td { text-align: left; overflow-wrap: anywhere; }
.facts td:first-child { vertical-align: top; }
.note { opacity: .75; } figure { margin: 1rem 0; }
.loud { border-left: 4px solid var(--second); padding-left: .8rem; }
"""


def write_html(results: Results) -> str:
    """Lay out everything that was found, with plots."""
    model = results.target.model if results.target else "cold starts"
    title = f"patsum bench: {model}"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f"<style>{style_sheet()}{_STYLE}</style></head><body>",
            f"<h1>{escape(headline(results) or title)}</h1>",
            *_warnings(results),
            *(f"<figure>{svg}</figure>" for svg in _plots(results)),
            *(line for table in make_tables(results) for line in _table(table)),
            "<h2>What was measured, where and how</h2>",
            '<div class="wide"><table class="facts">',
            *(
                f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
                for name, value in facts(results)
            ),
            "</table></div></body></html>",
            "",
        ]
    )


def _warnings(results: Results) -> Iterator[str]:
    warnings = list(results.warnings)
    if not results.quiet.is_quiet:
        reasons = "; ".join(results.quiet.reasons)
        warnings.insert(0, f"The machine was not quiet ({reasons}): do not publish these numbers.")
    for warning in warnings:
        yield f'<p class="loud">{escape(warning)}</p>'


def _plots(results: Results) -> Iterator[str]:
    if results.server:
        yield draw_server(results)
    if results.single_stream and results.single_stream.latencies_s:
        yield draw_latencies(results)
    if any(s and s.stages for s in (results.single_stream, results.offline)):
        yield draw_stages(results)
    if results.engine:
        yield draw_engine(results)


def _table(table: Table) -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    yield '<div class="wide"><table>'
    yield f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in table.head)}</tr>"
    for row in table.rows:
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
    yield "</table></div>"
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'
