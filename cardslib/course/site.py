"""The course as a static site: pages that open from the file system, with no network, and whose sliders live without a kernel.

    python -m cardslib.course.site --to site lectures/*.ipynb lectures/exercises/*.ipynb lectures/GLOSSARY.md

`LivePage` turns one executed notebook into a page; it also stands as "Live page" in JupyterLab's File → Save and Export.
"""
import argparse
import base64
import html
import re
from copy import deepcopy
from pathlib import Path

from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat.v4 import new_markdown_cell, new_notebook
from pygments.formatters import HtmlFormatter
from traitlets import default
from traitlets.config import Config

from cardslib.explorers.html import PAGE_STYLE, stand_alone, whole_page

# Where a notebook keeps its widgets: beside an output which of them is shown, and in its metadata what each of them holds.
WIDGET_VIEW, WIDGET_STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
LARGEST_EXPLORER = 500_000   # bytes of its page, as the README promises
TITLE = "Variational autoencoders for images of atoms"
PARTS = {"": "Lectures", "exercises": "Exercises", "solutions": "Exercises, solved"}   # of the site, by folder
STYLE = PAGE_STYLE + """
h1, h2, h3 { line-height: 1.2; }
a { color: light-dark(#00538a, #7cc4f5); }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { padding: 0.2em 0.7em; border-bottom: 1px solid #8888; text-align: left; }
math { max-width: 100%; overflow-x: auto; }
math[display="block"] { margin: 1em 0; }
pre { overflow-x: auto; padding: 0.6em 0.8em; border-radius: 4px; font-size: 0.9rem; line-height: 1.4; margin: 0.5em 0; }
.highlight pre { background: light-dark(#f5f5f5, #262626); }
.prompt, .anchor-link { display: none; }
.output_area, .output { margin: 0.5em 0; }
.pages { padding: 0; list-style: none; display: grid; gap: 1rem; }
.pages p { margin: 0; }
""" + HtmlFormatter(style="default").get_style_defs(".highlight") + """
@media (prefers-color-scheme: dark) {
""" + HtmlFormatter(style="github-dark").get_style_defs(".highlight") + """
.highlight { background: none; } }
"""


class LivePage(HTMLExporter):
    """A notebook as one HTML file: formulas as MathML, pictures inside, and explorers that move without a kernel."""

    export_from_notebook = "Live page (HTML)"

    @default("template_name")
    def _plain(self):
        return "basic"   # what stands in the body; all else is ours: nothing is asked of any network

    @property
    def default_config(self):
        images = Config({"HTMLExporter": {"embed_images": True}})
        images.merge(super().default_config)
        return images

    def from_notebook_node(self, nb, resources=None, **options):
        nb = _with_live_explorers(nb)
        body, resources = super().from_notebook_node(nb, resources, **options)
        body = re.sub(r'(<a [^>]*href="[^":]*)\.(?:ipynb|md)\b', r"\1.html", body)   # lectures, glossary: pages as well
        return whole_page(title_of(nb), f'<main lang="en">\n{body}\n</main>', STYLE), resources

    def from_markdown(self, path):
        """A page of words alone, such as the glossary."""
        return self.from_notebook_node(new_notebook(cells=[new_markdown_cell(Path(path).read_text("utf-8"))]))

    @pass_context
    def markdown2html(self, context, source):
        """Markdown, with its formulas as MathML, which browsers draw by themselves."""
        path = context.get("resources", {}).get("metadata", {}).get("path", "")
        return MarkdownWithMath(renderer=_Formulas(escape=False, embed_images=True, path=path)).render(source)


class _Formulas(IPythonRenderer):
    def block_math(self, body):
        return mathml(body, "block")

    def inline_math(self, body):
        return mathml(body, "inline")

    def latex_environment(self, name, body):
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


def mathml(formula, display="inline"):
    """A TeX formula as MathML; a ValueError if it holds a command that has no translation."""
    made = convert(html.unescape(formula), display=display)
    if unknown := re.findall(r"\\[A-Za-z]+", made):
        raise ValueError(f"formula must use commands that MathML knows; got {', '.join(unknown)} in {formula.strip()!r}")
    return made


def title_of(notebook):
    """The first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := re.search(r"^#+ +(.+)$", cell.source, re.M)):
            return re.sub(r"[*`$]", "", heading[1])
    return "A lecture"


def _with_live_explorers(notebook):
    """A copy in which each view of an explorer is an explorer that stands alone, made of what the notebook has saved of it."""
    notebook = deepcopy(notebook)   # the caller's is not ours to change
    saved = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).pop(WIDGET_VIEW, None)
            widget = view and _explorer_widget(saved, view["model_id"])
            if widget:
                output.data = {"text/html": _alive(widget, output.data.get("text/html", ""))}
    notebook.metadata.pop("widgets", None)
    return notebook


def _explorer_widget(saved, model_id):
    """The `ExplorerWidget` that was saved, by itself or inside another widget; None if there is none.

    saved  {model_id: {"state": …, "buffers": …}} of all widgets of the notebook
    """
    widget = saved.get(model_id, {})
    if "spec" in widget.get("state", {}):
        return widget
    children = (child.removeprefix("IPY_MODEL_") for child in widget.get("state", {}).get("children", []))
    return next(filter(None, (_explorer_widget(saved, child) for child in children)), None)


def _alive(widget, still):
    """HTML of an explorer that stands alone, from its saved widget."""
    state = widget["state"]
    data, = (base64.b64decode(buffer["data"]) for buffer in widget["buffers"] if buffer["path"] == ["data"])
    values = {slider["name"]: state.get(slider["name"], 0) for slider in state["spec"]["sliders"]}
    return stand_alone(state["spec"], values, data, "".join(still))


# ---------------------------------------------------------------------- the whole site

def build(folder, notebooks, explorers):
    """Write the site: a page a notebook, a page an explorer, and the page that leads to them.  Returns {file: bytes}.

    notebooks  paths of lectures, and of what lies in folders named as in `PARTS`, or of pages of words (.md); links from one
               to another go on working
    explorers  {name: (title, words, Explorer)}
    """
    entries, sizes = {part: [] for part in (*PARTS, "explorers")}, {}

    def write(file, page, part=None, title="", words=""):
        path = Path(folder, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, "utf-8")
        sizes[file] = len(page.encode())
        if part is not None:
            entries[part].append((file, title, words))

    for path in sorted(map(Path, notebooks)):
        part = path.parent.name if path.parent.name in PARTS else ""
        page, _ = LivePage().from_markdown(path) if path.suffix == ".md" else LivePage().from_filename(str(path))
        write(str(Path(part, f"{path.stem}.html")), page, part, re.search("<title>(.*?)</title>", page)[1])
    for name, (title, words, explorer) in explorers.items():
        write(f"explorers/{name}.html", _explorer_page(name, title, words, explorer), "explorers", html.escape(title),
              html.escape(words))
    write("index.html", _index(entries))
    return sizes


def _explorer_page(name, title, words, explorer):
    """A page of an explorer under its title and a few words; a ValueError if it is too large."""
    body = (f'<main>\n<p><a href="../index.html">All lectures and explorers</a></p>\n<h1>{html.escape(title)}</h1>\n'
            f'<p>{html.escape(words)}</p>\n{explorer.part()}\n</main>')
    page = whole_page(title, body, PAGE_STYLE)
    if (size := len(page.encode())) > LARGEST_EXPLORER:
        raise ValueError(f"explorers/{name}.html must not be larger than {LARGEST_EXPLORER:,} bytes; got {size:,}: use a "
                         f"smaller model, or fewer images")
    return page


def _index(entries):
    """The page that leads to all others.  entries: {part of the site: [(file, title, words)]}, titles and words as HTML."""
    def links(part):
        return "\n".join(f'<li><a href="{file}">{title}</a><p>{words}</p></li>' for file, title, words in entries[part])
    headings = {"": PARTS[""], "explorers": "Explorers", **PARTS}
    lists = "\n".join(f'<h2>{heading}</h2>\n<ul class="pages">{links(part)}</ul>' for part, heading in headings.items()
                      if entries[part])
    return whole_page(TITLE, f"<main>\n<h1>{TITLE}</h1>\n{lists}\n</main>", STYLE)


def course_explorers():
    """The explorers of the site: the cards, and a model trained here for each decoder; a minute or so."""
    from cardslib.cards import SUITS, card_set
    from cardslib.explorers import CardExplorer, LatentExplorer, ManifoldExplorer, StyleExplorer
    from cardslib.models import VAE, Pose
    from cardslib.training import fit
    cards = card_set(3, per_suit=500, size=32)

    def trained(labels=None, epochs=None, **options):
        model = VAE(cards.images.shape[1:], **options)
        fit(model, cards.images, labels, epochs=epochs, progress=False)
        return model

    def travel(model):
        return LatentExplorer(model, cards.images, cards.suit, SUITS)

    turning = Pose(rotation=True)
    plain, conditional, warp = trained(), trained(cards.suit, classes=len(SUITS)), trained(pose=turning)
    return {
        "cards": ("A card", "The pictures that the models learn from.", CardExplorer()),
        "dense": ("A plain VAE", "Its decoder is a dense network; nothing tells it what an angle is.", travel(plain)),
        "manifold": ("The grid of a plain VAE", "Every place on the map is an image.", ManifoldExplorer(plain)),
        "style": ("A conditional VAE", "The same style in every suit.", StyleExplorer(conditional, SUITS)),
        "warp": ("An rVAE", "A canonical picture, and a pose that moves it.", travel(warp)),
        **{decoder: (f"An rVAE with a {decoder} decoder", "A network of the coordinates, asked at every pixel.",
                     travel(trained(pose=turning, decoder=decoder, epochs=12))) for decoder in ("spatial", "skip")},
    }


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the static site of the course.")
    parser.add_argument("notebooks", nargs="+", help="executed lectures and exercises, and pages of words (.md)")
    parser.add_argument("--to", default="site", help="folder that gets the site")
    chosen = parser.parse_args(arguments)
    for file, size in build(chosen.to, chosen.notebooks, course_explorers()).items():
        print(f"{size / 1000:8.0f} kB  {file}")


if __name__ == "__main__":
    main()
