"""What the tests of the exercises and the measurement of their checks share: the pieces of a solved notebook, run alone."""
import re
import tomllib
from pathlib import Path

import nbformat

from cardslib.course.release import exercises, is_answer, is_check

ROOT = Path(__file__).parents[1]
SOLVED, BLANK, WRONG = ROOT / "lectures/solutions", ROOT / "lectures/exercises", ROOT / "tests/wrong_answers"


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

    def typed_in(self, name):
        """Run the check on what the solution said the last time, call by call."""
        said = {one: iter(several * 9) for one, several in self.recorded(name).items()}
        self.check(name, self.exercises[name][0].source, lambda one, _: lambda *arguments: next(said[one]))

    def constant(self, name):
        """Run the check on the first thing that the solution said the last time, whatever is asked."""
        said = self.recorded(name)
        self.check(name, self.exercises[name][0].source, lambda one, _: lambda *arguments: said[one][0])
