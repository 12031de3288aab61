"""The exercises: solved they pass, blank they fail where they should and with hints, and wrong answers are found out.

A class a lecture, so that several run at a time.  Wrong answers are data: tests/wrong_answers/.
"""
import json
import re

import nbformat
import pytest
from exercise_checks import BLANK, ROOT, SOLVED, WRONG, Solved, asked, wrong_answers
from nbclient import NotebookClient

from cardslib.course.exercises import Hint
from cardslib.course.release import STUB, blank, exercises, is_check

TRACES = re.compile(r"Traceback|File |line \d|-->|site-packages")


class Exercises:
    lecture = ""

    @pytest.fixture(scope="class")
    def solved(self):
        return Solved(self.lecture)

    def test_there_are_at_least_four_and_each_has_two_wrong_answers(self, solved):
        assert len(solved.exercises) >= 4
        names = [name for name, *_ in wrong_answers(self.lecture)]
        assert set(names) == set(solved.exercises) and min(map(names.count, solved.exercises)) >= 2

    def test_the_blank_version_is_the_one_that_make_exercises_makes(self, solved):
        made = json.loads(nbformat.writes(blank(solved.notebook)))
        assert json.loads((BLANK / f"{self.lecture}.ipynb").read_text("utf-8")) == made

    def test_no_answer_is_left_in_the_blank_version(self, solved):
        source = "\n".join(cell.source for cell in blank(solved.notebook).cells if cell.cell_type == "code")
        assert "SOLUTION" not in source and source.count(STUB) == len(solved.exercises)

    def test_every_answer_is_documented_and_every_check_asks_it_and_says_when_it_is_right(self, solved):
        for name, (answer, check) in solved.exercises.items():
            assert '"""' in answer.source.split("### BEGIN")[0], f"{name}: the answer's docstring says what is asked for"
            assert asked(check), f"{name}: the check asks the answer"
            assert re.search(r'print\(f?"Right\. ', check.source), f"{name}: the check says what was right"
            assert "default_rng()" in check.source, f"{name}: the check draws numbers that nobody has seen"

    def test_the_solution_passes(self, solved, name):
        assert solved.recorded(name)

    def test_no_answer_is_no_right_answer(self, solved, name):
        source = blank(solved.notebook).cells[solved.notebook.cells.index(solved.exercises[name][0])].source
        with pytest.raises(Hint, match="gives nothing back"):
            solved.check(name, source)

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")
    def test_a_wrong_answer_is_found_out(self, solved, wrong):
        name, _, hint, code = wrong
        with pytest.raises(Hint, match=re.escape(hint)):
            solved.check(name, code)

    def test_the_numbers_of_the_solution_typed_in_are_found_out(self, solved, name):
        with pytest.raises(Hint):
            solved.typed_in(name)

    def test_a_constant_is_found_out(self, solved, name):
        with pytest.raises(Hint):
            solved.constant(name)

    def test_the_blank_notebook_fails_in_its_checks_only_with_hints_and_no_traceback(self):
        notebook = nbformat.read(BLANK / f"{self.lecture}.ipynb", 4)
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(BLANK))   # goes on after a failed check
        for cell in notebook.cells:
            errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
            assert len(errors) == is_check(cell), cell.source
            for error in errors:
                shown = "\n".join(error.traceback)
                assert error.ename == "Hint" and shown.startswith("Not yet: ") and not TRACES.search(shown), shown


class TestAutoencoder(Exercises):
    lecture = "01_autoencoder"


class TestConditionalVAE(Exercises):
    lecture = "02_conditional_vae"


class TestCards(Exercises):
    lecture = "03_cards_vae"


class TestRVAE(Exercises):
    lecture = "04_rvae"


class TestJointRVAE(Exercises):
    lecture = "05_joint_rvae"


class TestNiOLSMO(Exercises):
    lecture = "06_nio_lsmo"


class TestSpectra(Exercises):
    lecture = "09_spectra"


def pytest_generate_tests(metafunc):
    lecture = getattr(metafunc.cls, "lecture", None)
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", exercises(nbformat.read(SOLVED / f"{lecture}.ipynb", 4)))
    if "wrong" in metafunc.fixturenames:
        metafunc.parametrize("wrong", wrong_answers(lecture), ids=lambda wrong: f"{wrong[0]}: {wrong[1]}")


def test_every_lecture_has_exercises_and_every_notebook_of_exercises_its_tests():
    tested = {test.lecture for test in Exercises.__subclasses__()}
    for folder, pattern in ((ROOT / "lectures", "[0-9]*.ipynb"), (SOLVED, "*.ipynb"), (BLANK, "*.ipynb"), (WRONG, "*.toml")):
        assert {path.stem for path in folder.glob(pattern)} == tested, folder
