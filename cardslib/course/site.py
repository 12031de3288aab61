"""The course as a static site: pages that open from the file system, with no network, and whose sliders live without a kernel.

    python -m cardslib.course.site --to site lectures/*.ipynb lectures/exercises/*.ipynb lectures/solutions/*.ipynb

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
from pygments.formatters import HtmlFormatter
from traitlets import default
from traitlets.config import Config

from cardslib.explorers.html import OF_A_PAGE, stand_alone, whole_page

VIEW, STATE = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
LARGEST = 500_000   # bytes of an explorer's page
PARTS = {"": "Lectures", "exercises": "Exercises", "solutions": "Exercises, solved"}   # of the site, by folder
STYLE = OF_A_PAGE + """
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
        body = re.sub(r'(<a [^>]*href="[^":]*)\.ipynb\b', r"\1.html", body)   # other lectures are pages as well
        return whole_page(title_of(nb), f'<main lang="en">\n{body}\n</main>', STYLE), resources

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
    models = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).pop(VIEW, None)
            canvas = view and _canvas(models, view["model_id"])
            if canvas:
                output.data = {"text/html": _alive(canvas, output.data.get("text/html", ""))}
    notebook.metadata.pop("widgets", None)
    return notebook


def _canvas(models, model_id):
    """The saved canvas inside a saved widget, or None."""
    model = models.get(model_id, {})
    if "scene" in model.get("state", {}):
        return model
    children = (child.removeprefix("IPY_MODEL_") for child in model.get("state", {}).get("children", []))
    return next(filter(None, (_canvas(models, child) for child in children)), None)


def _alive(canvas, still):
    state = canvas["state"]
    data, = (base64.b64decode(buffer["data"]) for buffer in canvas["buffers"] if buffer["path"] == ["data"])
    values = {slider["name"]: state.get(slider["name"], 0) for slider in state["scene"]["sliders"]}
    return stand_alone(state["scene"], values, data, "".join(still))


# ---------------------------------------------------------------------- the whole site

def build(folder, notebooks, explorers):
    """Write the site: a page a notebook, a page an explorer, and the page that leads to them.  Returns {file: bytes}.

    notebooks  paths of lectures, and of what lies in folders named as in `PARTS`; links from one to another go on working
    explorers  {name: (title, words, Explorer)}
    """
    folder = Path(folder)
    entries, sizes = {part: [] for part in (*PARTS, "explorers")}, {}
    for path in sorted(map(Path, notebooks)):
        part = path.parent.name if path.parent.name in PARTS else ""
        page, _ = LivePage().from_filename(str(path))
        file = str(Path(part, f"{path.stem}.html"))
        sizes[file] = _write(folder / file, page)
        entries[part].append((file, re.search("<title>(.*?)</title>", page)[1], ""))
    for name, (title, words, explorer) in explorers.items():
        body = (f'<main>\n<p><a href="../index.html">All lectures and explorers</a></p>\n<h1>{html.escape(title)}</h1>\n'
                f'<p>{html.escape(words)}</p>\n{explorer.part()}\n</main>')
        file = f"explorers/{name}.html"
        sizes[file] = _write(folder / file, whole_page(title, body, OF_A_PAGE))
        if sizes[file] > LARGEST:
            raise ValueError(f"{file} must not be larger than {LARGEST:,} bytes; got {sizes[file]:,}: use a "
                             f"smaller model, or fewer images")
        entries["explorers"].append((file, html.escape(title), html.escape(words)))
    title = "Variational autoencoders for images of atoms"
    lists = "\n".join(f'<h2>{heading}</h2>\n<ul class="pages">{_links(entries[part])}</ul>'
                      for part, heading in {"": PARTS[""], "explorers": "Explorers", **PARTS}.items() if entries[part])
    sizes["index.html"] = _write(folder / "index.html", whole_page(title, f"<main>\n<h1>{title}</h1>\n{lists}\n</main>", STYLE))
    return sizes


def _links(rows):
    """List items of (file, title, words), titles and words as HTML."""
    return "\n".join(f'<li><a href="{file}">{title}</a><p>{words}</p></li>' for file, title, words in rows)


def _write(path, page):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")
    return len(page.encode())


def course_explorers(per_suit=500, size=32):
    """The explorers of the site: the cards, and a model trained here for each decoder; a minute or so."""
    from cardslib.cards import SUITS, card_set
    from cardslib.explorers import CardExplorer, LatentExplorer, ManifoldExplorer, StyleExplorer
    from cardslib.models import VAE, Pose
    from cardslib.training import fit
    cards = card_set(3, per_suit, size)

    def trained(labels=None, epochs=None, **options):
        model = VAE((size, size), **options)
        fit(model, cards.images, labels, epochs=epochs, progress=False)
        return model

    def journey(model):
        return LatentExplorer(model, cards.images, cards.suit, SUITS)

    turning = Pose(rotation=True)
    plain, conditional, warp = trained(), trained(cards.suit, classes=len(SUITS)), trained(pose=turning)
    return {
        "cards": ("A card", "The pictures that the models learn from.", CardExplorer()),
        "dense": ("A plain VAE", "Its decoder is a dense network; nothing tells it what an angle is.", journey(plain)),
        "manifold": ("The grid of a plain VAE", "Every place on the map is an image.", ManifoldExplorer(plain)),
        "style": ("A conditional VAE", "The same style in every suit.", StyleExplorer(conditional, SUITS)),
        "warp": ("An rVAE", "A canonical picture, and a pose that moves it.", journey(warp)),
        **{kind: (f"An rVAE with a {kind} decoder", "A network of the coordinates, asked at every pixel.",
                  journey(trained(pose=turning, decoder=kind, epochs=12))) for kind in ("spatial", "skip")},
    }


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the static site of the course.")
    parser.add_argument("notebooks", nargs="+", help="executed lectures, and exercises")
    parser.add_argument("--to", default="site", help="folder that gets the site")
    chosen = parser.parse_args(arguments)
    for file, size in build(chosen.to, chosen.notebooks, course_explorers()).items():
        print(f"{size / 1000:8.0f} kB  {file}")


if __name__ == "__main__":
    main()
