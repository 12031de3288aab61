"""The exercises: solved they pass, blank they fail where they should and with hints, and wrong answers are found out.

A class a lecture, so that several run at a time.  Wrong answers are data: tests/wrong_answers/.
"""
import json
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from cardslib.blank import STUB, blank, exercises, is_answer, is_check
from cardslib.exercises import Hint

ROOT = Path(__file__).parents[1]
SOLVED, BLANK = ROOT / "lectures/solutions", ROOT / "lectures/exercises"
WRONG = ROOT / "tests/wrong_answers"
TRACES = re.compile(r"Traceback|File |line \d|-->|site-packages")


def asked(check):
    """The names of the functions that a check asks."""
    return sorted(set(re.findall(r"\bask\((\w+)", check.source)))


def wrong_answers(lecture):
    """[(name of the exercise, mistake, hint, code)]"""
    table = tomllib.loads((WRONG / f"{lecture}.toml").read_text("utf-8"))
    return [(name, one["mistake"], one["hint"], one["code"]) for name, several in table.items() for one in several]


class Solved:
    """A solved notebook: what its cells define, but for answers and checks, on which no other cell depends."""

    def __init__(self, lecture):
        self.notebook = nbformat.read(SOLVED / f"{lecture}.ipynb", 4)
        self.exercises = exercises(self.notebook)
        self.cells, self.namespace = iter(self.notebook.cells), {"__name__": "__main__"}
        self.before, self.said = {}, {}

    def defined_before(self, name):
        """A copy of what is defined when the reader comes to an exercise's check, but for the answer."""
        while name not in self.before:
            cell = next(self.cells)
            if is_check(cell):
                self.before[cell.metadata.nbgrader.grade_id.removeprefix("check-")] = dict(self.namespace)
            elif cell.cell_type == "code" and not is_answer(cell):
                exec(cell.source, self.namespace)
        return dict(self.before[name])

    def check(self, name, answer, replace=None):
        """Run an exercise's check on an answer, given as source; replace: of each function that is asked, {name: function}."""
        namespace = self.defined_before(name)
        exec(compile(answer, "answer", "exec"), namespace)
        if replace:
            namespace |= {one: replace(one, namespace[one]) for one in asked(self.exercises[name][1])}
        namespace["display"] = lambda *shown: None
        exec(self.exercises[name][1].source, namespace)

    def recorded(self, name):
        """{function: [what the solution said, call by call]} in a run of its check, which it passes."""
        def recorder(one, function):
            def recording(*arguments):
                said.setdefault(one, []).append(function(*arguments))
                return said[one][-1]
            return recording
        if name not in self.said:
            said = {}
            self.check(name, self.exercises[name][0].source, recorder)
            self.said[name] = said
        return self.said[name]


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
            assert '"""' in answer.source.split("### BEGIN")[0] and asked(check) and "print(f\"Right. " in check.source \
                or "print(\"Right. " in check.source, name
            assert "default_rng()" in check.source, f"{name}: a check draws numbers that nobody has seen"

    def test_the_solution_passes(self, solved, name):
        assert solved.recorded(name)

    def test_no_answer_is_no_right_answer(self, solved, name):
        source = blank(solved.notebook).cells[solved.notebook.cells.index(solved.exercises[name][0])].source
        with pytest.raises(Hint, match="gives nothing back"):
            solved.check(name, source)

    def test_a_wrong_answer_is_found_out(self, solved, wrong):
        name, _, hint, code = wrong
        with pytest.raises(Hint, match=re.escape(hint)):
            solved.check(name, code)

    def test_the_numbers_of_the_solution_typed_in_are_found_out(self, solved, name):
        """What the solution said the last time the check ran, call by call."""
        said = {one: iter(several * 9) for one, several in solved.recorded(name).items()}
        with pytest.raises(Hint):
            solved.check(name, solved.exercises[name][0].source, lambda one, _: lambda *arguments: next(said[one]))

    def test_a_constant_is_found_out(self, solved, name):
        said = solved.recorded(name)
        with pytest.raises(Hint):
            solved.check(name, solved.exercises[name][0].source, lambda one, _: lambda *arguments: said[one][0])

    def test_the_blank_notebook_fails_in_its_checks_only_with_hints_and_no_traceback(self):
        notebook = nbformat.read(BLANK / f"{self.lecture}.ipynb", 4)
        NotebookClient(notebook, timeout=300, kernel_name="python3", allow_errors=True).execute(cwd=str(BLANK))
        for cell in notebook.cells:
            errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
            assert len(errors) == is_check(cell), cell.source
            for error in errors:
                shown = "\n".join(error.traceback)
                assert error.ename == "Hint" and shown.startswith("Not yet: ") and not TRACES.search(shown), shown


class TestAutoencoder(Exercises):
    lecture = "01_autoencoder"


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
