"""Explorers in pages of their own: HTML that holds everything it needs, opens from a file and asks no network for anything."""
import base64
import html
import json
from pathlib import Path

HERE = Path(__file__).parent / "js"
# One module, in this order: each file uses what those before it define, and `page` all of them.
SCRIPTS = ("numbers", "geometry", "decoders", "cards", "views", "micrograph", "spectrum", "curves", "plan", "map", "scan",
           "page", "standalone")
SCRIPT = "\n".join(HERE.joinpath(f"{name}.js").read_text("utf-8") for name in SCRIPTS)
STYLE = HERE.joinpath("explorer.css").read_text("utf-8")
PAGE_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem;
  background: Canvas; color: CanvasText; }
"""


def stand_alone(spec, values, data, still=""):
    """HTML of one explorer for a page that has `scripts()` at its end.

    spec, values, data  what the explorer's widget holds;  still: HTML that stands there until the script runs
    """
    state = json.dumps(dict(spec=spec, values=values, data=base64.b64encode(data).decode()), ensure_ascii=False)
    state = state.replace("<", "\\u003c")   # nothing in it can end the script
    return (f'<div class="cards-explorer"><div class="cards-still">{still}</div>'
            f'<script type="application/json">{state}</script></div>')


def scripts():
    """What makes all explorers of a page move: the script itself, not the address of one."""
    return f"""<style>{STYLE}</style>
<script type="module">{SCRIPT}
for (const root of document.querySelectorAll(".cards-explorer")) standAlone(root);
</script>"""


def whole_page(title, body, style=PAGE_STYLE):
    """A complete HTML page."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
{scripts()}
</body>
</html>
"""
