"""Small tables for notebooks. Whatever is shown is escaped: the names in traces are nobody's promise."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def shown(text: str) -> str:
    """Text as HTML shows it: nothing in it is markup, and nothing moves what stands beside it."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def facts_html(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """A table of two columns below a title, names left and values right."""
    cells = "".join(
        f'<tr><th style="text-align:left">{shown(name)}</th><td style="text-align:left">{shown(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table><caption><b>{shown(title)}</b></caption><tbody>{cells}</tbody></table>"


def grid_html(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with a head above each column, below a title."""
    head = "".join(f"<th>{shown(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{shown(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><caption><b>{shown(title)}</b></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def folded_html(title: str, html: str) -> str:
    """HTML that is seen when its title is clicked."""
    return f"<details><summary>{shown(title)}</summary>{html}</details>"
