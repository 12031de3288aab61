"""The exercises as students get them, made from the solved ones.

    python -m cardslib.course.release --to lectures/exercises lectures/solutions/*.ipynb

A solved notebook marks its cells as nbgrader does.  An *answer* cell (solution: true) holds the answer between two lines,
`### BEGIN SOLUTION` and `### END SOLUTION`; the *check* cell after it (grade: true) tries the answer.  Everything else stays.
"""
import argparse
import re
from copy import deepcopy
from pathlib import Path

import nbformat

STUB = "...   # your answer"
MARKED = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION[ \t]*$", re.M | re.S)


def is_answer(cell):
    """Does this cell hold an answer, to be taken out?"""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_check(cell):
    """Does this cell check an answer?"""
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def exercises(notebook):
    """{name: (answer cell, check cell)} of a solved notebook, in order; the name is the answer's grade_id.

    Raises ValueError, naming the cell, if an answer is not marked by one pair of lines, if a solution would be left in another
    cell, or if an answer is not followed by its own check, "check-" and the name.
    """
    found, waiting = {}, None
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", cell.get("id"))
        markers = re.findall("### (?:BEGIN|END) SOLUTION", cell.source)
        if is_answer(cell):
            if waiting:
                raise ValueError(f"the answer {waiting!r} must be followed by its check; got another answer, {name!r}")
            if len(MARKED.findall(cell.source)) != 1 or len(markers) != 2:
                raise ValueError(f"the answer {name!r} must have one ### BEGIN SOLUTION and one ### END SOLUTION, each on a "
                                 f"line of its own")
            waiting, answer = name, cell
        elif markers:
            raise ValueError(f"cell {name!r} is no answer, but holds {markers[0]}: its nbgrader metadata need solution: true")
        elif is_check(cell):
            if not waiting or name != f"check-{waiting}":
                raise ValueError(f"the check {name!r} must follow its answer and be named after it, check-{waiting or '…'}")
            found[waiting], waiting = (answer, cell), None
    if waiting or not found:
        raise ValueError(f"the answer {waiting!r} must be followed by its check" if waiting else
                         "a notebook of exercises must have at least one answer and its check")
    return found


def blank(notebook):
    """The notebook without answers and outputs.

    Its checks are folded and cannot be edited by mistake, and *Run All* goes on after one that fails: exercises do not depend
    on one another.
    """
    notebook = deepcopy(notebook)   # the caller's is not ours to change
    for answer, check in exercises(notebook).values():
        answer.source = MARKED.sub(rf"\1{STUB}", answer.source)
        answer.metadata["deletable"] = False
        check.metadata |= dict(deletable=False, editable=False, jupyter=dict(source_hidden=True),
                               tags=[*check.metadata.get("tags", []), "raises-exception"])
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    return notebook


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(description="Make the blank version of solved exercises.")
    parser.add_argument("solved", nargs="+", type=Path, help="notebooks with their answers")
    parser.add_argument("--to", default="lectures/exercises", type=Path, help="folder that gets the blank ones")
    chosen = parser.parse_args(arguments)
    chosen.to.mkdir(parents=True, exist_ok=True)
    for path in chosen.solved:
        nbformat.write(blank(nbformat.read(path, 4)), chosen.to / path.name)


if __name__ == "__main__":
    main()
