"""Let nbgrader itself release the exercises and grade three students: `make nbgrader`.

Makes a course folder (source, release, submitted, autograded, gradebook.db), and fails unless nbgrader's release is our blank
version, cell by cell, and a student who hands in the solutions gets all points, one who hands in the blank notebooks none, and
one whose answers are all wrong none.  nbgrader is installed in an environment of its own; the notebooks run in the course's.
"""
import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from exercise_checks import BLANK, ROOT, SOLVED, wrong_answers

from cardslib.course.release import exercises, is_answer


def run_notebooks_here(course):
    """Let nbgrader execute notebooks by the Python that runs this script: a kernel in the course folder says so."""
    kernel = course / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(dict(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], display_name="Python 3",
        language="python")))


def nbgrader(command, course, *arguments):
    """Run an nbgrader command in the course folder."""
    own = f"{Path(command).parent}{os.pathsep}{os.environ['PATH']}"   # nbgrader calls alembic, which is beside it
    environment = {**os.environ, "JUPYTER_PATH": str(course / "jupyter"), "PATH": own}
    done = subprocess.run([command, *arguments], cwd=course, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"nbgrader {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def sources(path):
    return [cell.source for cell in nbformat.read(path, 4).cells]


def hand_in(released, path, answers):
    """What a student hands in: the released notebook with answers, {name: source}."""
    notebook = nbformat.read(released, 4)
    for cell in notebook.cells:
        if is_answer(cell):
            cell.source = answers.get(cell.metadata.nbgrader.grade_id, cell.source)
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def answers_of(lecture):
    """{student: {name of the exercise: source}}: solved, blank, and each answer the first wrong one of the list."""
    solved = exercises(nbformat.read(SOLVED / f"{lecture}.ipynb", 4))
    wrong = {name: code for name, _, _, code in reversed(wrong_answers(lecture))}
    return {"solved": {name: answer.source for name, (answer, _) in solved.items()}, "blank": {}, "wrong": wrong}


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="Release the exercises by nbgrader, and grade three students.")
    parser.add_argument("--nbgrader", default="nbgrader", help="the command")
    parser.add_argument("--to", type=Path, default=ROOT / "nbgrader_course", help="the course folder, made anew")
    chosen = parser.parse_args()
    command, course = shutil.which(os.path.abspath(chosen.nbgrader)) or shutil.which(chosen.nbgrader), chosen.to.resolve()
    if command is None:
        sys.exit(f"there is no {chosen.nbgrader}: `make nbgrader` installs it")
    if course.exists() and not (course / "nbgrader_config.py").exists():
        sys.exit(f"{course} exists and is no nbgrader course: choose another folder with --to")
    shutil.rmtree(course, ignore_errors=True)
    course.mkdir(parents=True)
    shutil.copy(ROOT / "lectures/nbgrader_config.py", course)
    run_notebooks_here(course)
    lectures = sorted(path.stem for path in SOLVED.glob("*.ipynb"))
    for lecture in lectures:
        (course / "source" / lecture).mkdir(parents=True)
        shutil.copy(SOLVED / f"{lecture}.ipynb", course / "source" / lecture)
        nbgrader(command, course, "generate_assignment", lecture, "--create")
        released = course / "release" / lecture / f"{lecture}.ipynb"
        if sources(released) != sources(BLANK / f"{lecture}.ipynb"):
            sys.exit(f"nbgrader's release of {lecture} differs from lectures/exercises")
        for student, answers in answers_of(lecture).items():
            hand_in(released, course / "submitted" / student / lecture / f"{lecture}.ipynb", answers)
        nbgrader(command, course, "autograde", lecture, "--create")
    nbgrader(command, course, "export", "--to", "grades.csv")
    judge(course / "grades.csv", len(lectures))


def judge(grades, lectures):
    """Print each student's points; exit with an error unless the solutions got all of them and everything else none."""
    as_it_must_be, students = [], ("solved", "blank", "wrong")
    for row in csv.DictReader(grades.open()):
        if (student := row["student_id"]) in students:
            points, most = float(row["score"] or 0), float(row["max_score"])
            as_it_must_be.append(points == (most if student == "solved" else 0))
            print(f"{row['assignment']:22} {student:8} {points:4.0f} of {most:.0f} points")
    if len(as_it_must_be) != len(students) * lectures or not all(as_it_must_be):
        sys.exit("That is not as it must be: all points for the solutions, none for the others.")
    print("nbgrader releases our blank versions, and grades the three students as it must.")


if __name__ == "__main__":
    main()
