"""Every lecture as a live page: each of its explorers opens from the file system, and each slider moves pixels."""
from pathlib import Path

import nbformat
import pytest
from browser import chromium, moves, needs_chromium, new_page, until

from cardslib.course.site import LivePage

LECTURES = sorted(Path(__file__).parents[2].glob("lectures/[0-9]*.ipynb"))
VIEW = "application/vnd.jupyter.widget-view+json"


def explorers_in(notebook):
    """The names of the explorers that a notebook shows."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.data["text/plain"].split(",")[0] for output in outputs if VIEW in output.get("data", {})]


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@needs_chromium
@pytest.mark.parametrize("lecture", LECTURES, ids=lambda path: path.stem)
def test_every_slider_of_a_lecture_moves_pixels_without_a_kernel(browser, tmp_path, lecture):
    notebook = nbformat.read(lecture, 4)
    expected = explorers_in(notebook)
    (tmp_path / "page.html").write_text(LivePage().from_notebook_node(notebook)[0], encoding="utf-8")
    page = new_page(browser)
    page.goto((tmp_path / "page.html").as_uri())
    explorers = page.locator(".cards-explorer")
    assert explorers.count() == len(expected) > 0
    for explorer, name in zip(explorers.all(), expected):
        explorer.scroll_into_view_if_needed()
        until(lambda explorer=explorer: explorer.locator("[role=status]").inner_text())
        sliders = explorer.get_by_role("slider").all()
        assert len(sliders) >= (name != "PictureExplorer") + 1, name
        for slider in sliders:
            moves(slider, explorer)
        assert explorer.get_by_role("alert").inner_text() == ""
    assert page.problems == []
    page.close()
