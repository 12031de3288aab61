"""The explorers of a micrograph: every slider moves something, and the page shows what Python computes."""
import json

import numpy as np
import pytest
from browser import chromium, needs_chromium, new_page, until
from test_explorers import stops

from cardslib.explorers import ColumnExplorer, PatchExplorer
from cardslib.microscopy.atomic_columns import find_columns
from cardslib.microscopy.crystals import single_crystal
from cardslib.microscopy.microscope import scan
from cardslib.microscopy.patches import column_patches
from cardslib.models import VAE, Pose
from cardslib.training import fit

MICROGRAPH = scan(single_crystal(size=40))                     # 267×267 pixels
COLUMNS = find_columns(MICROGRAPH.image)
PATCHES = column_patches(MICROGRAPH, COLUMNS.position, 32)
LABELS = (COLUMNS.amplitude > np.median(COLUMNS.amplitude))[PATCHES.index].astype(int)


@pytest.fixture(scope="module")
def model():
    model = VAE((32, 32), pose=Pose(rotation=0.1, shift=0.1))
    fit(model, PATCHES.images, epochs=20, progress=False)
    return model


@pytest.fixture(scope="module", params=["columns", "patches", "groups", "counts"])
def explorer(request, model):
    if request.param == "columns":
        return ColumnExplorer(MICROGRAPH.image, COLUMNS.position, COLUMNS.amplitude, corner=(20, 10))
    if request.param == "groups":
        model = VAE((32, 32), content=0, groups=2, pose=Pose(shear=True))
    if request.param == "counts":
        model = VAE((32, 32), pose=Pose(rotation=0.1), likelihood="poisson")
        fit(model, PATCHES.counts, epochs=20, progress=False)
    return PatchExplorer(model, MICROGRAPH, PATCHES, LABELS, ("dim", "bright"), corner=(20, 10))


def test_each_slider_is_swept_over_its_whole_range(explorer):
    start = explorer.values
    for name, slider in explorer.sliders.items():
        pictures, before = set(), slider.value
        for value in stops(slider):
            slider.value = value
            panels = explorer.panels(**explorer.values)
            assert all(image.min() >= 0 and image.max() <= 1 for image in panels.values())
            pictures.add(b"".join(image.tobytes() for image in panels.values()))
        slider.value = before
        assert len(pictures) > 1 or name == "image", name
    assert explorer.values == start


def test_what_the_page_is_told_is_json_and_small(explorer):
    json.dumps(explorer.widget.spec)
    assert len(explorer.html().encode()) < 500_000


def test_a_patch_is_framed_where_it_was_cut(model):
    explorer = PatchExplorer(model, MICROGRAPH, PATCHES, corner=(20, 10))
    z1, z2 = explorer.shown.latents.content[5]
    values = explorer.values | {"image": 5, "z1": float(z1), "z2": float(z2)}
    where, _, _, patch = explorer.panels(**values).values()
    left, top = explorer.corner[5]
    assert np.array_equal(where[top + 2:top + 30, left + 2:left + 30], patch[2:30, 2:30])
    assert (where[top, left:left + 32] == 1).all() and (where[top + 1, left + 1:left + 31] == 0).all()


def test_a_model_of_counts_is_shown_counts(model):
    counting = VAE((32, 32), pose=Pose(rotation=0.1), likelihood="poisson")
    fit(counting, PATCHES.counts, epochs=5, progress=False)
    explorer = PatchExplorer(counting, MICROGRAPH, PATCHES, corner=(20, 10))
    n = int(explorer.sliders["image"].max)
    left, top = explorer.corner[n] + (20, 10)
    electrons = MICROGRAPH.counts[0, top:top + 32, left:left + 32]
    assert np.allclose(explorer.shown.images[n], (electrons / float(counting.likelihood.white)).clip(0, 1), atol=1e-6)
    assert np.allclose(explorer.shown.latents.content[n], counting.encode(electrons[None]).content[0], atol=1e-4)


def test_fewer_maxima_are_above_a_higher_threshold():
    explorer = ColumnExplorer(MICROGRAPH.image, COLUMNS.position, COLUMNS.amplitude)
    counts = [int(next(iter(explorer.panels(threshold, 2, 0))).split()[0]) for threshold in (0, 0.3, 2)]
    assert counts[0] > counts[1] > counts[2] == 0


@pytest.mark.parametrize("arguments, words", [
    (dict(corner=(250, 0)), "corner must be x and y"), (dict(corner=(0.5, 0)), "whole numbers"), (dict(across=4), "across"),
    (dict(sizes=(300,)), "sizes must be"), (dict(position=[[260, 260]], strength=[1]), "position must hold a column")])
def test_what_does_not_fit_is_named(arguments, words):
    usual = dict(image=MICROGRAPH.image, position=COLUMNS.position, strength=COLUMNS.amplitude)
    with pytest.raises(ValueError, match=words):
        ColumnExplorer(**usual | arguments)


def test_patches_outside_the_region_are_refused(model):
    with pytest.raises(ValueError, match="patches must lie in the region"):
        PatchExplorer(model, MICROGRAPH, PATCHES[:1], corner=(100, 100), across=100)


MOVE = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
SHOWN = """view => [...view.querySelectorAll('.cards-canvas')].map(canvas => [canvas.width,
  [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0)])"""


@needs_chromium
def test_the_page_shows_what_python_computes_and_a_click_chooses_a_column(explorer, tmp_path):
    explorer.save(tmp_path / "page.html")
    rng = np.random.default_rng(0)
    with chromium() as browser:
        page = new_page(browser)
        page.goto((tmp_path / "page.html").as_uri())
        here = page.locator(".cards-explorer")
        until(lambda: here.locator("[role=status]").inner_text())
        sliders = dict(zip(explorer.sliders, here.get_by_role("slider").all(), strict=True))
        for _ in range(3):
            for name, about in zip(sliders, explorer.widget.spec["sliders"]):
                if name != "image":
                    stop = about["min"] + about["step"] * rng.integers(round((about["max"] - about["min"]) / about["step"]) + 1)
                    sliders[name].evaluate(MOVE, float(stop))
            page.wait_for_timeout(100)
            whole = {"size", "column", "image", "group"}
            values = {name: (int if name in whole else float)(slider.input_value()) for name, slider in sliders.items()}
            panels = explorer.panels(**values)
            assert here.locator("figcaption").all_inner_texts() == list(panels)
            for (width, pixels), image in zip(here.evaluate(SHOWN), panels.values()):
                times = width // image.shape[1]
                expected = 255 * image.repeat(times, 0).repeat(times, 1)
                assert np.abs(np.reshape(pixels, expected.shape) - expected).max() <= 1.5
        chosen = sliders["column" if "column" in sliders else "image"]
        box = here.locator(".cards-canvas").first.bounding_box()
        seen = set()
        for x, y in ((0.2, 0.2), (0.8, 0.3), (0.5, 0.8)):
            here.locator(".cards-canvas").first.click(position=dict(x=box["width"] * x, y=box["height"] * y))
            page.wait_for_timeout(100)
            seen.add(chosen.input_value())
        assert len(seen) == 3 and page.problems == []
        page.close()
