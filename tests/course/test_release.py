"""The blank version of solved exercises: what is taken out, what stays, and what a notebook must be like to be blanked."""
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cardslib.course.release import STUB, blank, exercises, main

ANSWER = '''def price(mean):
    """Of an answer."""
    ### BEGIN SOLUTION
    secret = 2 * mean
    return secret
    ### END SOLUTION'''


def marked(name, source, **more):
    return new_code_cell(source, metadata=dict(nbgrader=dict(grade_id=name, **dict(dict(grade=False, solution=False), **more))))


def answer(name="price", source=ANSWER):
    return marked(name, source, solution=True)


def check(name="check-price", source="ask(price, 1)"):
    return marked(name, source, grade=True, points=1)


@pytest.fixture
def solved():
    shown = new_code_cell("1 + 1", outputs=[new_output("execute_result", {"text/plain": "2"})], execution_count=3)
    notebook = new_notebook(cells=[new_markdown_cell("Think."), shown, answer(), check()])
    notebook.metadata["widgets"] = {"state": {}}
    return notebook


def test_the_answer_is_taken_out_and_its_place_keeps_the_indentation(solved):
    source = blank(solved).cells[2].source
    assert source == f'def price(mean):\n    """Of an answer."""\n    {STUB}'


def test_the_blank_answer_is_valid_python_that_says_nothing(solved):
    defined = {}
    exec(blank(solved).cells[2].source, defined)
    assert defined["price"](1) is None


def test_outputs_and_widgets_go_and_text_and_checks_stay(solved):
    made = blank(solved)
    assert made.cells[1].outputs == [] and made.cells[1].execution_count is None and "widgets" not in made.metadata
    assert [cell.source for cell in made.cells if cell is not made.cells[2]] == ["Think.", "1 + 1", "ask(price, 1)"]


def test_checks_cannot_be_edited_and_neither_they_nor_answers_be_deleted(solved):
    made = blank(solved)
    assert made.cells[3].metadata["editable"] is False and made.cells[3].metadata["deletable"] is False
    assert "editable" not in made.cells[2].metadata and made.cells[2].metadata["deletable"] is False


def test_checks_are_folded(solved):
    assert blank(solved).cells[3].metadata["jupyter"] == {"source_hidden": True}


def test_run_all_goes_on_after_a_failed_check(solved):
    assert blank(solved).cells[3].metadata["tags"] == ["raises-exception"]


def test_the_solved_notebook_is_left_as_it_is(solved):
    before = nbformat.writes(solved)
    blank(solved)
    assert nbformat.writes(solved) == before


def test_exercises_come_by_name(solved):
    assert list(exercises(solved)) == ["price"] and exercises(solved)["price"] == (solved.cells[2], solved.cells[3])


@pytest.mark.parametrize("cells, problem", [
    ([answer()], "'price' must be followed by its check"),
    ([answer(), answer("other"), check()], "got another answer, 'other'"),
    ([answer(), check("check-other")], "must follow its answer and be named after it, check-price"),
    ([check()], "must follow its answer"),
    ([answer(source="x = 1"), check()], "must have one ### BEGIN SOLUTION and one ### END SOLUTION"),
    ([answer(source=ANSWER + "\n" + ANSWER), check()], "must have one"),
    ([answer(source="### BEGIN SOLUTION\nx = 1"), check()], "must have one"),
    ([answer(), marked("plot", ANSWER), check()], "'plot' is no answer, but holds ### BEGIN SOLUTION"),
    ([answer(), check(source=ANSWER)], "'check-price' is no answer, but holds"),
    ([new_markdown_cell("Think.")], "at least one answer"),
])
def test_what_cannot_be_blanked_is_refused_with_the_cell_named(cells, problem):
    with pytest.raises(ValueError, match=problem):
        blank(new_notebook(cells=cells))


def test_the_command_writes_a_blank_notebook_of_the_same_name(solved, tmp_path):
    nbformat.write(solved, tmp_path / "solved.ipynb")
    main(["--to", str(tmp_path / "to" / "students"), str(tmp_path / "solved.ipynb")])
    assert nbformat.read(tmp_path / "to" / "students" / "solved.ipynb", 4).cells == blank(solved).cells
