"""The rules that every lecture keeps, beyond running without an error (nbval, in `make test`, sees to that).

Some of them hold for the solved exercises as well: those whose test asks for `any_notebook`.
"""

import ast
import json
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LECTURES = sorted(ROOT.glob("lectures/[0-9]*.ipynb"))
SOLVED = sorted(ROOT.glob("lectures/solutions/*.ipynb"))
PATH_OF_A_MACHINE = re.compile(r"/(?:root|home|tmp|Users|work|mnt)/|[A-Z]:\\\\")


@pytest.fixture(params=LECTURES, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(params=LECTURES + SOLVED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def any_path(request):
    return request.param


@pytest.fixture
def any_notebook(any_path):
    return json.loads(any_path.read_text(encoding="utf-8"))


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]


def prose(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell["outputs"]]


def test_the_lectures_are_there():
    assert {path.stem for path in LECTURES} >= {"01_autoencoder", "02_conditional_vae", "03_cards_vae", "04_rvae",
                                                "05_joint_rvae", "06_nio_lsmo", "09_spectra"}


def test_it_was_run_from_top_to_bottom_in_one_go(any_notebook):
    assert [cell["execution_count"] for cell in code(any_notebook)] == list(range(1, len(code(any_notebook)) + 1))


def test_it_holds_no_error_and_nothing_on_stderr(any_notebook):
    assert not [output for output in outputs(any_notebook)
                if output["output_type"] == "error" or output.get("name") == "stderr"]


def test_it_shows_no_path_of_a_machine(any_notebook):
    for output in outputs(any_notebook):
        text = json.dumps(
            {**output, "data": {kind: data for kind, data in output.get("data", {}).items() if kind.startswith("text/p")}}
        )
        assert not PATH_OF_A_MACHINE.search(text), text[:300]


def lengths(notebook):
    return [sum(bool(line.strip()) for line in "".join(cell["source"]).splitlines()) for cell in code(notebook)]


def test_its_cells_are_short(notebook):
    assert statistics.median(lengths(notebook)) <= 5, lengths(notebook)


def test_none_of_its_cells_is_long(any_notebook):
    assert max(lengths(any_notebook)) <= 20, lengths(any_notebook)


def test_no_line_of_code_is_long(any_notebook):
    assert not [line for cell in code(any_notebook) for line in "".join(cell["source"]).splitlines() if len(line) > 100]


def test_its_code_is_plain(any_notebook):
    """Alt text has its name where it is given; no pairs of lambdas; no generator is made anew for each draw."""
    for cell in code(any_notebook):
        for part in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(part, ast.Call) and ast.unparse(part.func).startswith("figures."):
                texts = [argument for argument in part.args if isinstance(argument, (ast.Constant, ast.JoinedStr))]
                assert not any(len(ast.unparse(text)) > 40 for text in texts), ast.unparse(part)
            if isinstance(part, (ast.Tuple, ast.List)):
                assert sum(isinstance(element, ast.Lambda) for element in part.elts) < 2, ast.unparse(part)
            if isinstance(part, (ast.ListComp, ast.GeneratorExp)) and "_" in {ast.unparse(g.target) for g in part.generators}:
                assert "default_rng(_)" not in ast.unparse(part), ast.unparse(part)


def test_each_code_cell_is_preceded_by_prose_or_a_short_run_of_code(any_notebook):
    kinds = "".join(cell["cell_type"][0] for cell in any_notebook["cells"])
    assert "ccc" not in kinds


def pictures(notebook):
    return [output for output in outputs(notebook) if "image/png" in output.get("data", {})]


def test_it_shows_what_it_says(notebook):
    assert len(pictures(notebook)) >= 8


def test_every_picture_has_alt_text(any_notebook):
    assert pictures(any_notebook)
    for picture in pictures(any_notebook):
        alt = picture["metadata"]["image/png"]["alt"]
        assert len(alt) > 20 and 'alt="' in "".join(picture["data"]["text/html"]), alt


def test_it_is_small_enough_to_mail(any_path):
    assert any_path.stat().st_size < 2_500_000


def test_every_explorer_has_a_still_beside_it(notebook):
    cells = notebook["cells"]
    explorers = [
        i
        for i, cell in enumerate(cells)
        if any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in cell.get("outputs", []))
    ]
    assert explorers
    for i in explorers:
        following = [output for cell in cells[i + 1 : i + 4] for output in cell.get("outputs", [])]
        assert any("image/png" in output.get("data", {}) for output in following), "".join(cells[i]["source"])


def test_the_closing_list_mirrors_the_opening_one(notebook):
    items = [
        re.findall(r"^\d\. ", text.split("**Exercises**")[0], re.M)
        for text in prose(notebook)
        if "In this lecture you will" in text or "What you have seen" in text
    ]
    assert len(items) == 2 and items[0] == items[1] and len(items[0]) >= 5


def test_it_says_what_is_needed_how_long_it_takes_and_has_exercises(notebook):
    text = "\n".join(prose(notebook))
    assert "*You need*" in text and re.search(r"takes about \d+ seconds", text) and "**Exercises**" in text


def test_it_names_what_it_builds_on(notebook):
    references, = [text for text in prose(notebook) if re.search(r"^\*\*References\*\*|^#+ References", text, re.M)]
    listed = re.split(r"\*\*References\*\*|#+ References", references)[1]
    assert 5 <= len(re.findall(r"^(?:- |\d+\. |\* ).*\b(?:19|20)\d\d\b", listed, re.M)) <= 12


def test_the_glossary_explains_the_words_that_link_to_it():
    explained = re.findall(r'<a id="([\w-]+)">', (ROOT / "lectures/GLOSSARY.md").read_text(encoding="utf-8"))
    assert len(explained) == len(set(explained))
    linked = set()
    for path in LECTURES + SOLVED:
        here = re.findall(r"\]\(((?:\.\./)?)(\w+\.md)(?:#([\w-]+))?\)", "\n".join(prose(json.loads(path.read_text("utf-8")))))
        for up, file, word in here:
            assert file == "GLOSSARY.md" and bool(up) == (path in SOLVED) and word in ["", *explained], (path.stem, file, word)
        linked |= {word for _, _, word in here if word}
        assert len(here) >= 5 or path in SOLVED, path
    assert not set(explained) - linked, "words that no lecture links to"


def test_it_measures_what_it_claims(notebook):
    assert sum("assert " in "".join(cell["source"]) for cell in code(notebook)) >= 8


def test_the_sliders_are_saved_with_it(notebook):
    state = notebook["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert sum(model["model_name"].endswith("SliderModel") for model in state.values()) >= 2
