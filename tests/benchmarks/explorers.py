"""From a key press to changed pixels, and frames drawn in a drag of 60 steps, in JupyterLab and in a page without a kernel.

    python tests/benchmarks/explorers.py
"""
import statistics
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "explorers")]
from browser import PRINT, chromium, moves, new_page, until  # noqa: E402
from test_browser import READY, RUN_ALL, jupyterlab, write_notebook  # noqa: E402

PRESSES, STEPS = 25, 60
CELLS = ["""
from cardslib.cards import card_set
from cardslib.explorers import CardExplorer, LatentExplorer
from cardslib.models import VAE, Pose
from cardslib.training import fit
cards, turning = card_set(4, per_suit=250), Pose(rotation=True, shift=0.1)
models = [VAE((48, 48)), VAE((48, 48), pose=turning), VAE((48, 48), pose=turning, decoder="spatial")]
for model in models[:2]:
    fit(model, cards.images, epochs=15, progress=False)
""", "CardExplorer()",
         *(f"explorer = LatentExplorer(models[{n}], cards.images)\nexplorer.save('{n}.html')\nexplorer" for n in range(3))]
NAMES = ["card", "dense decoder", "warp decoder", "spatial decoder, through the kernel"]
COUNT = f"""view => {{ const print = {PRINT}; let last = print(view); window.frames_drawn = 0;
  const tick = () => {{ const now = print(view); if (now !== last) window.frames_drawn++; last = now;
                       requestAnimationFrame(tick); }}; tick(); }}"""


def pressed(slider, view):
    """Median milliseconds from a key press to changed pixels, a tenth of a second between two presses."""
    return statistics.median(time.sleep(0.1) or moves(slider, view) for _ in range(PRESSES))


def dragged(page, track, handle, view):
    """Frames in which the pictures changed while the handle was dragged in so many steps, a sixtieth of a second each."""
    view.evaluate(COUNT)
    handle.press("Home")
    frame, grip = track.bounding_box(), handle.bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    if handle == track:   # a native slider: its handle is where its value is
        x = frame["x"] + 8
    page.mouse.move(x, y)
    page.mouse.down()
    start = time.perf_counter()
    for step in range(1, STEPS + 1):
        page.mouse.move(x + (frame["x"] + frame["width"] * 0.95 - x) * step / STEPS, y)
        time.sleep(max(0, start + step / 60 - time.perf_counter()))
    page.mouse.up()
    page.wait_for_timeout(300)
    return page.evaluate("() => window.frames_drawn")


def main():
    with tempfile.TemporaryDirectory() as folder, jupyterlab(Path(folder)) as (address, token), chromium() as browser:
        write_notebook(Path(folder) / "bench.ipynb", CELLS)
        page = browser.new_page(viewport=dict(width=1300, height=1600))
        page.goto(f"{address}/doc/tree/bench.ipynb?reset&token={token}", wait_until="domcontentloaded")
        until(lambda: page.evaluate(READY))
        page.evaluate(RUN_ALL)
        until(lambda: page.locator(".cards-view .cards-canvas").count() >= 1 + 2 + 3 + 3)
        for number, name in enumerate(NAMES):
            here = page.locator(".jp-OutputArea-output", has=page.locator(".cards-view")).nth(number)
            slider, view = here.locator("[role=slider]").nth(1), here.locator(".cards-view")
            slider.scroll_into_view_if_needed()
            ms = pressed(slider, view)
            frames = dragged(page, here.locator(".noUi-base").nth(1), slider, view)
            print(f"{name}: {ms:.1f} ms, {frames} frames in a drag of {STEPS} steps")
        page = new_page(browser)
        page.goto((Path(folder) / "1.html").as_uri())
        here = page.locator(".cards-explorer")
        until(lambda: here.locator(".cards-canvas").count() == 3)
        slider = here.get_by_role("slider").nth(2)
        print(f"warp decoder, page without a kernel: {pressed(slider, here):.1f} ms, "
              f"{dragged(page, slider, slider, here)} frames in a drag of {STEPS} steps")


if __name__ == "__main__":
    main()
