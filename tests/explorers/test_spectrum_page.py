"""The page of an explorer of spectra: sliders, the map and its keys, and charts that follow the page around them."""
import numpy as np
import pytest
from browser import PRINT, chromium, moves, needs_chromium, new_page, until
from test_spectrum import CHANNELS, COLUMNS, DRIFT, ENERGY, ROWS, make_explorer

from cardslib.explorers.html import SCRIPT
from cardslib.models import Pose

pytestmark = needs_chromium

# How many pixels of a colour lie within two of each place [x, y], in screen pixels, of a canvas; x and y given by its scales.
NEAR = """(canvas, [colour, panel, points]) => {
  const pen = canvas.getContext('2d'), times = canvas.width / canvas.clientWidth;
  const { x, y } = window.explorer.chartScales(panel, canvas.clientWidth);
  return points.map(([energy, value]) => {
    const { data } = pen.getImageData((x(energy) - 2) * times, (y(value) - 2) * times, 5 * times, 5 * times);
    let found = 0;
    for (let i = 0; i < data.length; i += 4)
      found += colour.every((part, k) => Math.abs(data[i + k] - part) < 60) * data[i + 3] / 255;
    return found; }); }"""
ORANGE = [0xD5, 0x5E, 0x00]


@pytest.fixture(scope="module")
def explorer():
    return make_explorer(pose=Pose(shift=DRIFT))


@pytest.fixture(scope="module")
def opened(explorer, tmp_path_factory):
    """A function that opens the explorer's own page; nothing may go wrong in it."""
    path = tmp_path_factory.mktemp("spectrum") / "page.html"
    explorer.save(path)
    with chromium() as browser:
        def opened(**options):
            page = new_page(browser, **options)
            page.goto(path.as_uri())
            until(lambda: page.locator("[role=status]").inner_text())
            return page
        yield opened


def test_every_slider_moves_pixels_and_says_what_it_shows(opened, explorer):
    page = opened()
    here = page.locator(".cards-explorer")
    sliders, canvas = here.get_by_role("slider"), here.locator(".cards-canvas").first
    names = [slider.get_attribute("aria-label") for slider in sliders.all()]
    assert names == ["z₁", "z₂", "drift (eV)", "row", "column", "map of"]
    for slider in sliders.all():
        words = canvas.get_attribute("aria-label")
        moves(slider, here.locator(".cards-view"))
        until(lambda before=words: canvas.get_attribute("aria-label") != before)
        assert here.get_by_role("alert").inner_text() == ""
    assert page.problems == []
    page.close()


def test_a_pixel_is_chosen_by_click_and_by_key_and_all_sliders_go_where_it_was_encoded(opened, explorer):
    page = opened()
    here = page.locator(".cards-explorer")
    z1, z2, drift, row, column, _ = here.get_by_role("slider").all()
    plan, latents = here.locator(".cards-map"), explorer.model.encode(explorer.spectra)

    def stands_at(*pixel):
        until(lambda: (int(row.input_value()), int(column.input_value())) == pixel)
        number = pixel[0] * COLUMNS + pixel[1]
        at = [float(slider.input_value()) for slider in (z1, z2, drift)]
        half_a_step = dict(abs=float(drift.get_attribute("step")) / 2 + 1e-6)
        assert at == pytest.approx([*latents.content[number], latents.shift[number, 0] * CHANNELS], **half_a_step)
        assert f"cursor at row {pixel[0]}, column {pixel[1]};" in plan.get_attribute("aria-label")
    box = plan.bounding_box()
    plan.click(position=dict(x=box["width"] * 2.5 / COLUMNS, y=box["height"] * 7.5 / ROWS))
    stands_at(7, 2)
    z1.press("End")
    for key, pixel in (("ArrowRight", (7, 3)), ("ArrowUp", (6, 3)), ("Shift+ArrowDown", (8, 3)), ("ArrowDown", (8, 3)),
                       ("ArrowLeft", (8, 2)), ("Home", (0, 0)), ("ArrowLeft", (0, 0))):
        plan.press(key)
        stands_at(*pixel)
    column.press("ArrowRight")
    stands_at(0, 1)
    assert page.problems == []
    page.close()


@pytest.mark.parametrize("scheme, width", [("light", 1200), ("dark", 1200), ("light", 390)])
def test_curves_are_drawn_where_they_belong_in_light_and_dark_at_any_width(opened, explorer, scheme, width):
    page = opened(color_scheme=scheme, viewport=dict(width=width, height=900), device_scale_factor=2)
    canvas = page.locator(".cards-canvas").first
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    curves = next(iter(explorer.panels(**explorer.values).values()))
    panel = dict(explorer.widget.spec["axes"], height=260)
    page.evaluate("""async text => {
        window.explorer = await import(URL.createObjectURL(new Blob([text], {type: 'text/javascript'}))); }""", SCRIPT)
    left, right, bottom, top, first = canvas.evaluate("""(canvas, panel) => {
        const { x, y } = window.explorer.chartScales(panel, canvas.clientWidth);
        return [x(panel.x.low), x(panel.x.high), y(panel.y.low), y(panel.y.high), x(panel.x.first)]; }""", panel)
    assert 0 < left < first < right <= canvas.bounding_box()["width"] and 0 <= top < bottom < 260
    points = [[float(energy), float(value)] for energy, value in zip(ENERGY, curves["decoded"])][3::7]
    away = [[energy, value + 45] for energy, value in points]
    on, off = (canvas.evaluate(NEAR, [ORANGE, panel, some]) for some in (points, away))
    assert min(on) > 3 and np.mean(np.array(off) > 3) < 0.2
    ink = [255] * 3 if scheme == "dark" else [0] * 3
    frame = canvas.evaluate(NEAR, [ink, panel, [[panel["x"]["low"], 0.5 * panel["y"]["high"]]]])
    assert frame[0] > 3 and page.problems == []
    page.close()


def test_charts_follow_when_the_page_turns_dark_or_narrow(opened):
    page = opened(color_scheme="light", viewport=dict(width=1200, height=900))
    view, canvas = page.locator(".cards-view"), page.locator(".cards-canvas").first
    light = view.evaluate(PRINT)
    page.emulate_media(color_scheme="dark")
    until(lambda: view.evaluate(PRINT) != light)
    assert canvas.bounding_box()["width"] > 400
    page.set_viewport_size(dict(width=390, height=800))
    until(lambda: canvas.bounding_box()["width"] < 380)
    assert page.problems == []
    page.close()
