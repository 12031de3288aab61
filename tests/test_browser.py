"""Every slider of every explorer, moved by key in a real browser: JupyterLab on a private port, headless Chromium.

Skipped where there is no Chromium, except in CI.  Set CHROMIUM to use a browser that is not on the PATH.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

import pytest

_ON_PATH = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, _ON_PATH), None)
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium found: apt install chromium")
sync_api = pytest.importorskip("playwright.sync_api")

CELLS = [
    """
import numpy as np
from cardslib.cards import SUITS, card_set
from cardslib.explore import CardExplorer, LatentExplorer, ReconstructionExplorer
from cardslib.models import VAE, Pose
from cardslib.training import fit
cards = card_set(1, per_suit=50, size=16)
model = VAE((16, 16), content=2, pose=Pose(rotation=True, shift=0.1, shear=True))
fit(model, cards.images, epochs=20)
""",
    "CardExplorer()",
    "LatentExplorer(model, cards.images, cards.suit, SUITS)",
    """
ReconstructionExplorer(cards.images, {1: cards.images * 0.3, 2: cards.images * 0.6, 4: cards.images})
""",
    """
broken = CardExplorer()
broken.draw = lambda **values: 1 / 0
broken
""",
]
EXPLORERS = {"CardExplorer": 5, "LatentExplorer": 6, "ReconstructionExplorer": 2}  # and how many sliders each has

READY = """async () => { const app = window.jupyterapp; if (!app) return false; await app.restored;
  const panel = app.shell.currentWidget; if (!panel?.context || !panel.sessionContext) return false;
  await panel.context.ready; await panel.sessionContext.ready;
  return panel.sessionContext.session?.kernel?.status === 'idle'; }"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => true)"
# One number for what a canvas shows; and the time from a key press to the frame in which that number has changed.
PRINT = """canvas => { const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let print = 7; for (const byte of data) print = (Math.imul(print, 31) + byte) | 0; return print; }"""
WATCH = f"""canvas => {{ const print = {PRINT}, before = print(canvas); window.changedAfter = null; let start = null;
  document.addEventListener('keydown', () => {{ start ??= performance.now(); }}, {{capture: true, once: true}});
  const tick = () => {{ if (start !== null && print(canvas) !== before) window.changedAfter = performance.now() - start;
                       else requestAnimationFrame(tick); }}; tick(); }}"""


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
    own = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--expose-app-in-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={folder}",
            "--LabApp.news_url=None",
        ],
        env={
            **os.environ,
            **own,
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        },
        stdout=open(folder / "server.log", "w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
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


def until(condition, seconds=60):
    """Wait until `condition()` is true; a page that is still loading counts as false."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(sync_api.Error):
            if condition():
                return
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The explorers, run in a notebook, in a browser."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [
        dict(cell_type="code", id=f"cell{i}", metadata={}, source=source.strip(), outputs=[], execution_count=None)
        for i, source in enumerate(CELLS)
    ]
    kernel = dict(kernelspec=dict(name="python3", display_name="Python 3", language="python"))
    (folder / "explorers.ipynb").write_text(json.dumps(dict(cells=cells, metadata=kernel, nbformat=4, nbformat_minor=5)))
    with jupyterlab(folder) as (address, token), sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=OPTIONS)
        page = browser.new_page(viewport=dict(width=1200, height=1600))
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.goto(f"{address}/doc/tree/explorers.ipynb?reset&token={token}", wait_until="domcontentloaded")
        until(lambda: page.evaluate(READY))
        page.set_default_timeout(60_000)
        page.evaluate(RUN_ALL)
        until(lambda: page.locator(".cards-canvas").count() == len(EXPLORERS) + 1)
        yield page
        browser.close()


def explorer(page, name):
    position = list(EXPLORERS).index(name) if name in EXPLORERS else len(EXPLORERS)
    return page.locator(".jp-OutputArea-output", has=page.locator(".cards-canvas")).nth(position)


def moves(slider, canvas):
    """Press the arrow key until the picture changes (at an end of the range: the other way); milliseconds that it took."""
    slider.focus()
    for key in ("ArrowRight", "ArrowLeft"):
        canvas.evaluate(WATCH)
        slider.press(key)
        with contextlib.suppress(AssertionError):
            until(lambda: canvas.evaluate("() => window.changedAfter") is not None, seconds=3)
            return canvas.evaluate("() => window.changedAfter")
    raise AssertionError("the picture did not change")


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_slider_moves_pixels_and_says_what_it_shows(page, name):
    here = explorer(page, name)
    canvas, sliders = here.locator("canvas.cards-canvas"), here.locator("[role=slider]")
    canvas.wait_for()
    assert sliders.count() == EXPLORERS[name]
    for number in range(sliders.count()):
        words = canvas.get_attribute("aria-label")
        moves(sliders.nth(number), canvas)
        until(lambda before=words: canvas.get_attribute("aria-label") != before)
        assert here.locator("[role=alert]").inner_text() == ""


def test_a_slider_answers_at_once(page):
    """Median time from key press to changed pixels, through the kernel; 35 ms on an idle machine, with room for a busy one."""
    here = explorer(page, "CardExplorer")
    slider, canvas = here.locator("[role=slider]").nth(1), here.locator("canvas.cards-canvas")
    times = [moves(slider, canvas) for _ in range(15)]
    print(f"\nkey press to changed pixels: median {statistics.median(times):.0f} ms")
    assert statistics.median(times) < 150


def test_an_error_in_a_callback_is_said_in_the_page(page):
    here = explorer(page, "the broken one")
    here.locator("[role=slider]").nth(1).press("ArrowRight")
    until(lambda: "ZeroDivisionError" in here.locator("[role=alert]").inner_text())


def test_the_page_reports_no_error(page):
    assert page.problems == []
