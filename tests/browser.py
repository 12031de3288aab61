"""What the browser tests share: Debian's Chromium or another one, and how to wait for a page."""
import contextlib
import os
import shutil
import time

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

_ON_PATH = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, _ON_PATH), None)
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
needs_chromium = pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"),
                                    reason="no Chromium found: apt install chromium")

# One number for what the pictures of an explorer show; and the time from a key press to the frame in which it has changed.
PRINT = """view => { let print = 7;
  for (const canvas of view.querySelectorAll('.cards-canvas'))
    for (const byte of canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)
      print = (Math.imul(print, 31) + byte) | 0;
  return print; }"""
WATCH = f"""view => {{ const print = {PRINT}, before = print(view); window.changedAfter = null; let start = null;
  document.addEventListener('keydown', () => {{ start ??= performance.now(); }}, {{capture: true, once: true}});
  const tick = () => {{ if (start !== null && print(view) !== before) window.changedAfter = performance.now() - start;
                       else requestAnimationFrame(tick); }}; tick(); }}"""


@contextlib.contextmanager
def chromium():
    """A headless browser."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=OPTIONS)
        yield browser
        browser.close()


def new_page(browser, **options):
    """A page that keeps in `page.problems` what went wrong in it, and every address that it asked beyond its file."""
    page = browser.new_page(**options)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: message.type == "error" and page.problems.append(message.text))
    page.on("request", lambda request: request.url.startswith(("http:", "https:", "ws")) and page.problems.append(request.url))
    return page


def until(condition, seconds=60):
    """Wait until `condition()` is true; a page that is still loading counts as false."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(sync_api.Error):
            if condition():
                return
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def moves(slider, view):
    """Press the arrow key until the pictures change (at an end of the range: the other way); milliseconds that it took."""
    slider.focus()
    for key in (*2 * ["ArrowRight"], *3 * ["ArrowLeft"], "PageUp", "PageDown"):   # one small step may not show
        view.evaluate(WATCH)
        slider.press(key)
        with contextlib.suppress(AssertionError):
            until(lambda: view.evaluate("() => window.changedAfter") is not None, seconds=1)
            return view.evaluate("() => window.changedAfter")
    raise AssertionError("the pictures did not change")
