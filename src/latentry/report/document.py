"""What every page has around its body: one file without scripts, other files or network, light or dark, printable."""

from __future__ import annotations

import html

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1d21; --paper: #fff; --faint: #6b7280; --line: #e5e7eb; --card: #f8f9fb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e9ed; --paper: #16171b; --faint: #9aa1ad; --line: #2e3138; --card: #1e2026; }
}
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p, figcaption { color: var(--faint); margin: .25rem 0 1rem; } figure { margin: 0; }
img { max-width: 100%; image-rendering: auto; border-radius: 6px; background: #fff; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem; }
.facts b { display: block; font-size: 1.15rem; } .facts span { color: var(--faint); font-size: .85rem; }
.plots svg { width: 100%; height: auto; background: #fff; border-radius: 6px; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; } td { border-top: 1px solid var(--line);
  padding: .3rem .75rem .3rem 0; vertical-align: top; } td:first-child { color: var(--faint); white-space: nowrap; }
.finding { background: var(--card); border: 1px solid var(--line); border-left: 4px solid #dc2626; border-radius: 8px;
  padding: .25rem 1rem; margin: .75rem 0; } .finding h3 { font-size: 1rem; margin: .6rem 0 .25rem; }
.finding pre { white-space: pre-wrap; } .finding svg { max-width: 20rem; background: #fff; border-radius: 6px; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .75rem; overflow-x: auto; }
details summary { cursor: pointer; } @media print { body { max-width: none; } details { display: none; } }
"""


def document(title: str, body: str, style: str = "") -> bytes:
    """The whole page as UTF-8; what no encoding knows, a file name of an old archive say, has question marks.

    Args:
        title: of the window, as plain text.
        body: as HTML.
        style: CSS beside what all pages share.
    """
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}{style}</style></head>'
        f"<body>{body}</body></html>\n"
    )
    return page.encode(errors="replace")
