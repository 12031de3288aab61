"""Pages without a kernel: the site and exported notebooks open from the file system, ask no network, and their sliders live."""
import re
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser import chromium, moves, needs_chromium, new_page, until
from nbclient import NotebookClient

from cardslib.cards import SUITS
from cardslib.course.site import LivePage, build, mathml
from cardslib.explorers import CardExplorer, LatentExplorer, ManifoldExplorer, ReconstructionExplorer, StyleExplorer
from cardslib.figures.style import enlargement
from cardslib.models import VAE, Pose
from cardslib.training import fit

EXPLORERS = {   # and how many sliders each has
    "cards": 5, "latent": 3, "posed": 8, "manifold": 3, "style": 2, "reconstruction": 2, "spatial": 5}
CELLS = [
    "# A *small* lecture\n\nWith $x^2$,\n\n$$\\log p(x) \\ge \\underbrace{\\mathbb{E}\\, z}_{\\text{words}}$$\n\n"
    "and [another](04_rvae.ipynb), and [a word](GLOSSARY.md#latent).",
    "from cardslib.explorers import CardExplorer, ManifoldExplorer\nfrom cardslib.models import VAE\n"
    "CardExplorer('heart', size=24)",
    "ManifoldExplorer(VAE((12, 12)), grid=3)",
    "import ipywidgets\nipywidgets.IntSlider(7)",
]


@pytest.fixture(scope="module")
def explorers(cards, trained):
    conditional, posed = VAE((24, 24), classes=4), VAE((24, 24), pose=Pose(rotation=True, shift=0.2, scale=0.1, shear=True))
    for model in (conditional, posed):
        fit(model, cards.images, cards.suit if model.classes else None, epochs=15, progress=False)
    some = cards.images[:200], cards.suit[:200], SUITS
    return dict(cards=CardExplorer(), latent=LatentExplorer(trained, *some), posed=LatentExplorer(posed, *some),
                manifold=ManifoldExplorer(conditional, SUITS, grid=4), style=StyleExplorer(conditional, SUITS),
                reconstruction=ReconstructionExplorer(some[0][:20], {width: some[0][:20] * width / 8 for width in (1, 2, 4)}),
                spatial=LatentExplorer(VAE((24, 24), pose=Pose(rotation=0.2, shear=True), decoder="spatial"), some[0]))


@pytest.fixture(scope="module")
def site(tmp_path_factory, explorers):
    """The folder of a small site: one executed notebook, and an explorer of each kind."""
    folder = tmp_path_factory.mktemp("site")
    make = nbformat.v4
    cells = [make.new_markdown_cell(CELLS[0]), *(make.new_code_cell(source) for source in CELLS[1:])]
    notebook = make.new_notebook(cells=cells, metadata=dict(kernelspec=dict(name="python3", display_name="Python 3")))
    NotebookClient(notebook).execute()
    nbformat.write(notebook, folder / "09_small.ipynb")
    (folder / "exercises").mkdir()
    asks = [make.new_markdown_cell("# Small exercises\n\nTo [the lecture](../09_small.ipynb)."), make.new_code_cell("1 + ...")]
    nbformat.write(make.new_notebook(cells=asks), folder / "exercises" / "09_small.ipynb")
    words = "# Words\n\n" + "Something.\n\n" * 60 + '<a id="latent"></a>**Latent.** Not seen, but $z$.\n'
    (folder / "GLOSSARY.md").write_text(words, "utf-8")
    described = {name: (f"The {name}", f"Words on {name}.", explorer) for name, explorer in explorers.items()}
    sizes = build(folder / "site", [folder / "09_small.ipynb", folder / "exercises" / "09_small.ipynb", folder / "GLOSSARY.md"],
                  described)
    assert set(sizes) == {"index.html", "09_small.html", "exercises/09_small.html", "GLOSSARY.html",
                          *(f"explorers/{name}.html" for name in explorers)}
    assert max(sizes.values()) <= 500_000
    return folder / "site"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, site):
    """A function that opens a page of the site from the file system; nothing may go wrong in it while the test runs."""
    pages = []

    def opened(file, **options):
        pages.append(new_page(browser, **options))
        pages[-1].goto((site / file).as_uri())
        return pages[-1]
    yield opened
    for page in pages:
        assert page.problems == []
        page.close()


def ready(view):
    until(lambda: view.locator("[role=status]").inner_text())
    return view


@needs_chromium
@pytest.mark.parametrize("name", EXPLORERS)
def test_every_slider_of_a_page_moves_pixels_by_key(opened, name):
    here = ready(opened(f"explorers/{name}.html").locator(".cards-explorer"))
    sliders = here.get_by_role("slider")
    assert sliders.count() == EXPLORERS[name]
    for slider in sliders.all():
        said = slider.get_attribute("aria-valuetext")
        assert said and slider.get_attribute("aria-label")
        moves(slider, here)
        assert here.get_by_role("alert").inner_text() == ""
    for canvas in here.locator("canvas").all():
        assert len(canvas.get_attribute("aria-label")) > 3


MOVE = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
SHOWN = """view => [...view.querySelectorAll('.cards-canvas')].map(canvas => [canvas.width,
  [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0)])"""


@needs_chromium
@pytest.mark.parametrize("name", EXPLORERS)
def test_a_page_shows_what_python_computes(opened, explorers, name):
    explorer, rng = explorers[name], np.random.default_rng(0)
    page = opened(f"explorers/{name}.html")
    here = ready(page.locator(".cards-explorer"))
    for _ in range(3):
        values = {}
        for slider, about in zip(here.get_by_role("slider").all(), explorer.widget.spec["sliders"]):
            if about["name"] != "image" or name == "reconstruction":
                stop = about["min"] + about["step"] * rng.integers(round((about["max"] - about["min"]) / about["step"]) + 1)
                slider.evaluate(MOVE, float(stop))
                values[about["name"]] = float(slider.input_value())
        page.wait_for_timeout(100)
        if "image" not in values and "image" in explorer.values:
            values["image"] = int(here.get_by_role("slider").last.input_value())
        panels = explorer.panels(**{key: int(value) if key in ("suit", "class", "width", "image") else value
                                  for key, value in values.items()})
        assert here.locator("figcaption").all_inner_texts() == list(panels)
        tolerance = 13 if name == "cards" else 1.5 if name != "reconstruction" else 2.1   # grey levels
        for (width, pixels), image in zip(here.evaluate(SHOWN), panels.values()):
            times = enlargement(image.shape[1])
            expected = image.clip(0, 1).repeat(times, 0).repeat(times, 1)
            assert width == expected.shape[1]
            assert np.abs(np.reshape(pixels, expected.shape) - 255 * expected).max() <= tolerance


@needs_chromium
def test_keys_and_fingers_travel_on_the_map(opened):
    page = opened("explorers/latent.html", viewport=dict(width=390, height=844), has_touch=True, is_mobile=True)
    here = ready(page.locator(".cards-explorer"))
    plan, first, second = here.locator(".cards-map"), *here.get_by_role("slider").all()[:2]
    box = plan.bounding_box()
    plan.scroll_into_view_if_needed()
    plan.tap(position=dict(x=box["width"] * 0.75, y=box["height"] * 0.25))
    until(lambda: abs(float(first.input_value()) - 1.35) < 0.06)
    assert abs(float(second.input_value()) - 1.35) < 0.06
    plan.press("ArrowLeft")
    until(lambda: abs(float(first.input_value()) - 1.25) < 0.06)
    plan.press("Home")
    until(lambda: float(first.input_value()) == float(second.input_value()) == 0)


@needs_chromium
def test_a_chosen_image_is_reconstructed(opened, explorers):
    here = ready(opened("explorers/posed.html").locator(".cards-explorer"))
    image = here.get_by_role("slider").last
    image.evaluate(MOVE, 17)
    until(lambda: re.search("image 17, .* 0.00 away", here.get_by_role("status").inner_text()))
    (_, decoded), *_ = here.evaluate(SHOWN)
    explorer = explorers["posed"]
    expected = explorer.model.decode(explorer.shown.latents[17])[0].repeat(2, 0).repeat(2, 1)
    assert np.abs(np.reshape(decoded, expected.shape) - 255 * expected).max() <= 1.5


@needs_chromium
def test_the_grid_of_a_manifold_is_decoded_where_it_lies(opened, explorers):
    here = ready(opened("explorers/manifold.html").locator(".cards-explorer"))
    model = explorers["manifold"].model
    along = (2 * np.arange(4) + 1) / 4 - 1
    content = np.array([(z1, z2) for z2 in -along for z1 in along]) * 2.5 * 1.08
    expected = model.decode(content, np.zeros(16, int)).mean((1, 2))

    def seen():
        return np.array(here.evaluate("""view => { const map = view.querySelector('.cards-map'), side = map.width / 4;
            return Array.from({ length: 16 }, (_, n) => { let sum = 0;
              const part = map.getContext('2d').getImageData(n % 4 * side, (n >> 2) * side, side - 1, side - 1).data;
              for (let i = 0; i < part.length; i += 4) sum += part[i];
              return sum / 255 / part.length * 4; }); }"""))
    until(lambda: np.abs(np.delete(seen() - expected, [5, 6, 9, 10])).max() < 0.05)   # the cursor is in the middle ones


@needs_chromium
@pytest.mark.parametrize("file", ["index.html", "09_small.html", "explorers/posed.html", "explorers/manifold.html",
                                  "explorers/style.html"])
def test_a_page_fits_a_phone(opened, file):
    page = opened(file, viewport=dict(width=360, height=740), is_mobile=True, has_touch=True)
    page.wait_for_timeout(300)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    for slider in page.get_by_role("slider").all():
        assert slider.bounding_box()["width"] > 90 and slider.bounding_box()["height"] >= 24   # a finger can take it


@needs_chromium
def test_an_explorer_of_a_model_that_is_still_learning_says_so(browser, tmp_path):
    def note(model, name):
        ManifoldExplorer(model, grid=3).save(tmp_path / f"{name}.html")
        page = new_page(browser)
        page.goto((tmp_path / f"{name}.html").as_uri())
        words = ready(page.locator(".cards-explorer")).locator(".cards-note").inner_text()
        assert page.problems == []
        page.close()
        return words

    model, words = VAE((12, 12), hidden=8), []
    images = np.random.default_rng(0).uniform(size=(20, 12, 12))
    fit(model, images, epochs=1, progress=False,
        callback=lambda progress: progress.epoch and words.append(note(progress.model, "early")))
    assert "still learning" in words[0] and "Run this cell again" in words[0]
    assert note(model, "done") == ""


CONTRAST = """element => { const rgb = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = c => c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const pair = [getComputedStyle(element).color, getComputedStyle(document.body).backgroundColor].map(c => light(rgb(c)));
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05); }"""


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_readable_in_light_and_dark(opened, scheme):
    page = opened("explorers/latent.html", color_scheme=scheme)
    ready(page.locator(".cards-explorer"))
    for words in (".cards-caption", ".cards-title", ".cards-slider", ".cards-problem", ".cards-note"):
        assert page.locator(words).first.evaluate(CONTRAST) >= 4.5, words
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


@needs_chromium
def test_an_exported_notebook_keeps_its_sliders_alive(opened):
    page = opened("09_small.html")
    card, grid = (ready(here) for here in page.locator(".cards-explorer").all())
    assert card.get_by_role("status").inner_text().startswith("heart,")
    for here in (card, grid):
        for slider in here.get_by_role("slider").all():
            moves(slider, here)
    assert page.title() == "A small lecture" and page.locator("math").count() == 2
    assert page.get_by_role("link", name="another").get_attribute("href") == "04_rvae.html"
    assert "IntSlider(value=7)" in page.inner_text("main")   # another widget: what can be said of it


@needs_chromium
def test_without_any_script_there_is_a_still(browser, site):
    page = browser.new_page(java_script_enabled=False)
    page.goto((site / "explorers/posed.html").as_uri())
    still = page.locator(".cards-still img")
    assert "decoded" in still.get_attribute("alt") and still.bounding_box()["width"] > 200


@needs_chromium
def test_the_index_leads_to_every_page(opened, site):
    page = opened("index.html")
    files = {link.get_attribute("href") for link in page.get_by_role("link").all()}
    assert files == {str(path.relative_to(site)) for path in site.rglob("*.html")} - {"index.html"}


@needs_chromium
def test_exercises_lead_to_their_lecture(opened):
    page = opened("exercises/09_small.html")
    page.get_by_role("link", name="the lecture").click()
    until(lambda: page.title() == "A small lecture")


@needs_chromium
def test_a_word_leads_to_where_the_glossary_explains_it(opened):
    page = opened("09_small.html")
    page.get_by_role("link", name="a word").click()
    until(lambda: page.title() == "Words" and page.evaluate("scrollY") > 500)
    assert page.locator("math").count() == 1 and page.get_by_text("Latent.").is_visible()


@needs_chromium
def test_an_error_in_the_page_is_said_in_words(browser, site, tmp_path):
    broken = (site / "explorers/latent.html").read_text("utf-8").replace('"at/z1"', '"at/no"').replace('"basis"', '"no"', 1)
    (tmp_path / "broken.html").write_text(broken, "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "broken.html").as_uri())
    until(lambda: "undefined" in page.get_by_role("alert").inner_text())


def test_nothing_in_the_site_names_a_network(site):
    for path in site.rglob("*.html"):
        text = re.sub(r"data:[a-z/]+;base64,[\w+/=]+|http://www\.w3\.org/1998/Math/MathML", "", path.read_text("utf-8"))
        assert not re.findall(r"https?://\S+", text), path


def test_an_explorer_whose_page_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("cardslib.course.site.LARGEST_EXPLORER", 1000)
    with pytest.raises(ValueError, match=r"^explorers/card.html must not be larger than 1,000 bytes"):
        build(tmp_path, [], {"card": ("A card", "", CardExplorer())})


def test_a_formula_that_cannot_be_translated_is_named():
    assert "<msup>" in mathml("x^2")
    with pytest.raises(ValueError, match=r"got \\nonsense in"):
        mathml(r"x + \nonsense{2}")


def test_the_notebook_is_left_as_it_was(site):
    notebook = nbformat.read(site.parent / "09_small.ipynb", 4)
    before = nbformat.writes(notebook)
    LivePage().from_notebook_node(notebook)
    assert nbformat.writes(notebook) == before


def test_jupyter_is_told_of_the_live_page():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    exporter = EntryPoint("live", project["entry-points"]["nbconvert.exporters"]["live"], "nbconvert.exporters").load()
    assert exporter is LivePage and exporter.export_from_notebook


def test_saving_an_explorer_writes_its_page(tmp_path, explorers):
    explorers["cards"].save(tmp_path / "card.html")
    assert (tmp_path / "card.html").read_text("utf-8") == explorers["cards"].html()
