"""Every slider of every explorer, moved by key in a real browser: JupyterLab on a private port, headless Chromium.

Skipped where there is no Chromium, except in CI.  Set CHROMIUM to use a browser that is not on the PATH.
"""
import contextlib
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from browser import chromium, moves, needs_chromium, until

from cardslib.course.release import blank

pytestmark = needs_chromium

CELLS = [
    """
import numpy as np
from cardslib.cards import SUITS, card_set
from cardslib.explorers import (
    CardExplorer, LatentExplorer, ManifoldExplorer, PictureExplorer, ReconstructionExplorer, SpectrumExplorer, StyleExplorer)
from cardslib.models import VAE, Pose
from cardslib.training import fit
cards = card_set(1, per_suit=50, size=16)
model = VAE((16, 16), content=2, pose=Pose(rotation=True, shift=0.1, shear=True))
conditional = VAE((16, 16), content=2, classes=4)
fit(model, cards.images, epochs=150, progress=False)
fit(conditional, cards.images, cards.suit, epochs=150, progress=False)
""",
    "CardExplorer()",
    "LatentExplorer(model, cards.images, cards.suit, SUITS)",
    "ManifoldExplorer(conditional, SUITS, grid=4)",
    "StyleExplorer(conditional, SUITS)",
    "ReconstructionExplorer(cards.images, {1: cards.images * 0.3, 2: cards.images * 0.6, 4: cards.images})",
    "PictureExplorer('β', {1: cards.images[0], 2: cards.images[1], 4: cards.images[2]})",
    """
spectra = np.random.default_rng(0).poisson(50 + 100 * cards.images[:48, 4:12].mean(1)).astype(float) + 1
of_spectra = VAE((16,), content=2, pose=Pose(shift=0.1), likelihood='poisson')
fit(of_spectra, spectra, epochs=150, progress=False)
SpectrumExplorer(of_spectra, spectra, np.arange(16), (6, 8))
""",
    "LatentExplorer(VAE((16, 16), pose=Pose(shift=0.1), decoder='spatial'), cards.images)",
    """
broken = ManifoldExplorer(VAE((16, 16), pose=Pose(shift=0.1), decoder='spatial'), grid=2)
display(broken)
broken.model = None
""",
]
EXPLORERS = {"CardExplorer": 5, "LatentExplorer": 7, "ManifoldExplorer": 3, "StyleExplorer": 2, "ReconstructionExplorer": 2,
             "PictureExplorer": 1, "SpectrumExplorer": 6, "through the kernel": 5,
             "broken": 4}   # in the cells' order; how many sliders each has
IN_THE_PAGE = [name for name in EXPLORERS if name.endswith("Explorer")]

READY = """async () => { const app = window.jupyterapp; if (!app) return false; await app.restored;
  const panel = app.shell.currentWidget; if (!panel?.context || !panel.sessionContext) return false;
  await panel.context.ready; await panel.sessionContext.ready;
  return panel.sessionContext.session?.kernel?.status === 'idle'; }"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => true)"
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown().then(() => true)"


@contextlib.contextmanager
def jupyterlab(folder):
    """A throw-away JupyterLab that serves `folder`; yields its address and token."""
    settings = folder / "settings"
    for name, values in {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "docmanager-extension/plugin": {"autosave": False},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }.items():
        file = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {name: str(folder / name.lower())
           for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser", "--allow-root",
         "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--IdentityProvider.token={token}",
         f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None"],
        env={**os.environ, **own, "JUPYTERLAB_SETTINGS_DIR": str(settings),
             "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces")},
        stdout=open(folder / "server.log", "w"), stderr=subprocess.STDOUT, start_new_session=True)
    address, opener = f"http://127.0.0.1:{port}", urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                opener.open(f"{address}/api/status?token={token}", timeout=2)
                break
            time.sleep(0.2)
        yield address, token
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def write_notebook(path, cells):
    """A notebook of code cells, each given as source, or as a cell that is there already."""
    cells = [cell if isinstance(cell, dict) else
             dict(cell_type="code", id=f"cell{number}", metadata={}, source=cell.strip(), outputs=[], execution_count=None)
             for number, cell in enumerate(cells)]
    kernel = dict(kernelspec=dict(name="python3", display_name="Python 3", language="python"))
    path.write_text(json.dumps(dict(cells=cells, metadata=kernel, nbformat=4, nbformat_minor=5)))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A function that opens a notebook of these cells in JupyterLab, in a page of its own."""
    folder = tmp_path_factory.mktemp("lab")
    with jupyterlab(folder) as (address, token), chromium() as browser:
        def open_notebook(name, cells):
            write_notebook(folder / f"{name}.ipynb", cells)
            page = browser.new_page(viewport=dict(width=1300, height=1600))
            page.problems = []
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            page.goto(f"{address}/doc/workspaces/{name}/tree/{name}.ipynb?reset&token={token}", wait_until="domcontentloaded")
            until(lambda: page.evaluate(READY))
            page.set_default_timeout(60_000)
            return page
        yield open_notebook


@pytest.fixture(scope="module")
def page(lab):
    """The explorers, run in a notebook."""
    page = lab("explorers", CELLS)
    page.evaluate(RUN_ALL)
    until(lambda: page.locator(".cards-view").count() == len(EXPLORERS))
    until(lambda: page.locator(".cards-view .cards-canvas").count() >= 12)
    return page


def explorer(page, name):
    return page.locator(".jp-OutputArea-output", has=page.locator(".cards-view")).nth(list(EXPLORERS).index(name))


def sweep(here, count):
    """Each slider moves pixels, and the canvas says so."""
    canvas, sliders = here.locator("canvas.cards-canvas").first, here.locator("[role=slider]")
    canvas.wait_for()
    assert sliders.count() == count
    for number in range(count):
        words = canvas.get_attribute("aria-label")
        moves(sliders.nth(number), here.locator(".cards-view"))
        until(lambda before=words: canvas.get_attribute("aria-label") != before)
        assert here.locator("[role=alert]").inner_text() == ""


@pytest.mark.parametrize("name", [name for name in EXPLORERS if name != "broken"])
def test_every_slider_moves_pixels_and_says_what_it_shows(page, name):
    sweep(explorer(page, name), EXPLORERS[name])


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_slider_has_a_name_and_says_its_value(page, name):
    handles = explorer(page, name).locator("[role=slider]")
    until(lambda: all(handle.get_attribute("aria-label") for handle in handles.all()))
    labels = [handle.get_attribute("aria-label") for handle in handles.all()]
    assert len(set(labels)) == EXPLORERS[name]
    assert all(handle.get_attribute("aria-valuetext") for handle in handles.all())


def test_arrow_keys_travel_on_the_map(page):
    here = explorer(page, "LatentExplorer")
    plan, z1 = here.locator(".cards-map"), here.locator("[role=slider]").first
    until(lambda: "cursor at" in (plan.get_attribute("aria-label") or ""))
    before = float(z1.get_attribute("aria-valuenow"))
    plan.focus()
    for _ in range(3):
        plan.press("ArrowDown")   # which in a notebook would go to the next cell
    moves(plan, here.locator(".cards-view"))
    until(lambda: float(z1.get_attribute("aria-valuenow")) == pytest.approx(before + 0.1))
    assert plan.evaluate("map => map === document.activeElement")


def test_a_click_on_the_map_travels_and_an_image_is_reconstructed(page):
    here = explorer(page, "LatentExplorer")
    plan, sliders = here.locator(".cards-map"), here.locator("[role=slider]")
    box = plan.bounding_box()
    plan.click(position=dict(x=box["width"] * 0.75, y=box["height"] * 0.25))
    until(lambda: float(sliders.nth(0).get_attribute("aria-valuenow")) == pytest.approx(1.35, abs=0.1))
    assert float(sliders.nth(1).get_attribute("aria-valuenow")) == pytest.approx(1.35, abs=0.1)
    sliders.last.press("Home")
    sliders.last.press("ArrowRight")
    until(lambda: "image 1, a" in here.locator("[role=status]").inner_text())
    assert float(sliders.nth(0).get_attribute("aria-valuenow")) != pytest.approx(1.35, abs=0.01)


@pytest.mark.parametrize("name, limit", [("CardExplorer", 80), ("LatentExplorer", 80), ("through the kernel", 200)])
def test_a_slider_answers_at_once(page, name, limit):
    """Median time from key press to changed pixels; a tenth of that on an idle machine (tests/benchmarks measures it)."""
    here = explorer(page, name)
    times = [moves(here.locator("[role=slider]").nth(1), here.locator(".cards-view")) for _ in range(11)]
    print(f"\n{name}, key press to changed pixels: median {statistics.median(times):.1f} ms")
    assert statistics.median(times) < limit


def test_a_decoder_that_goes_through_the_kernel_says_so(page):
    assert explorer(page, "through the kernel").locator(".cards-note").inner_text() == "This decoder is computed by the kernel."
    assert explorer(page, "LatentExplorer").locator(".cards-note").inner_text() == ""


def test_an_error_in_the_kernel_is_said_in_the_page(page):
    here = explorer(page, "broken")
    until(lambda: "AttributeError: 'NoneType'" in here.locator("[role=alert]").inner_text())


def test_with_the_kernel_shut_down_every_slider_goes_on(page):
    """Runs last: the same page, nobody behind it."""
    page.evaluate(SHUT_DOWN)
    for name in IN_THE_PAGE:
        sweep(explorer(page, name), EXPLORERS[name])
    slow = explorer(page, "through the kernel")
    slow.locator("[role=slider]").first.press("ArrowLeft")
    until(lambda: "No kernel answers" in slow.locator(".cards-note").inner_text())
    sweep(slow, EXPLORERS["through the kernel"])


def test_the_page_reports_no_error(page):
    assert page.problems == []


LIVE = ["""
from cardslib.cards import card_set
from cardslib.explorers import LiveTraining
from cardslib.models import VAE
from cardslib.training import fit
cards, model = card_set(1, per_suit=200, size=24), VAE((24, 24))
""", """
live = LiveTraining(cards.images[:100], frames=4).start(model, cards.images, epochs=3000)
"""]


def test_a_training_is_paused_and_stopped_by_its_buttons(lab):
    page = lab("live", LIVE)
    page.evaluate(RUN_ALL)
    words = page.locator(".jp-OutputArea-output .widget-label", has_text=" of 3000 ·").first

    def epoch():
        return int(words.inner_text().split()[1])
    words.wait_for()
    page.get_by_role("button", name="pause").click()
    page.get_by_role("button", name="go on").wait_for()
    time.sleep(0.5)
    paused = epoch()
    time.sleep(0.5)
    assert epoch() == paused > 0
    page.get_by_role("button", name="go on").click()
    until(lambda: epoch() > paused)
    page.get_by_role("button", name="stop", exact=True).click()
    until(lambda: words.inner_text().endswith("· stopped"))
    until(lambda: page.get_by_role("button", name="stop", exact=True).is_disabled())
    assert page.locator("img[alt*='while it learns']").count() == 1 and page.problems == []


EXERCISES = nbformat.v4.new_notebook(cells=[
    nbformat.v4.new_code_cell(source, metadata=dict(nbgrader=dict(grade_id=name, solution=answer, grade=not answer)))
    for name, answer, source in (
        ("double", True, "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"),
        ("check-double", False, "from cardslib.course.exercises import ask\nask(double, 1, shape=())\nprint('Right.')"),
        ("half", True, "def half(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION"),
        ("check-half", False, "ask(half, 1, shape=())\nprint('Right.')"))])


def test_in_blank_exercises_run_all_shows_each_hint_and_no_traceback(lab):
    page = lab("blank", [*map(dict, blank(EXERCISES).cells), "print('the end')"])
    page.evaluate(RUN_ALL)
    hints = page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")
    page.locator(".jp-OutputArea-output", has_text="the end").wait_for()
    shown = [hint.inner_text() for hint in hints.all()]
    assert [words.split()[2] for words in shown] == ["double", "half"]
    assert all(words.startswith("Not yet: ") and "Traceback" not in words for words in shown) and page.problems == []
