"""How often is a check of the exercises wrong?  `python tests/benchmarks/checks.py [--times 30] [01_autoencoder …]`

Checks draw other numbers each time.  A right answer should pass each time; a wrong one, no answer's numbers typed in, and a
constant should be found out each time.  Prints each that was not, and a line an exercise with the seconds of a check.
"""
import argparse
import contextlib
import io
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from exercise_checks import SOLVED, Solved, wrong_answers  # noqa: E402

from cardslib.course.exercises import Hint  # noqa: E402


def hint_of(run, *arguments):
    """The hint that a check gives, or None if it is passed."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            run(*arguments)
    except Hint as hint:
        return str(hint)
    return None


def measure(lecture, times):
    """Print how often each answer to each exercise of a lecture was judged wrongly."""
    solved = Solved(lecture)
    for name, (answer, _) in solved.exercises.items():
        hint_of(solved.recorded, name)
        start = time.perf_counter()
        hints = [hint_of(solved.check, name, answer.source) for _ in range(times)]
        seconds = (time.perf_counter() - start) / times
        refused = [f"the solution: {hint}" for hint in hints if hint]
        others = [(mistake, hint, solved.check, name, code)
                  for one, mistake, hint, code in wrong_answers(lecture) if one == name]
        others += [("typed in", "", solved.typed_in, name), ("a constant", "", solved.constant, name)]
        passed = []
        for mistake, expected, *run in others:
            hints = [hint_of(*run) for _ in range(times)]
            passed += [f"{mistake}: {hint or 'passed'}" for hint in hints if hint is None or expected not in hint]
        print(f"{lecture:20} {name:22} {seconds:5.2f} s a check; solution refused {len(refused)} times of {times}; "
              f"{len(others)} others {times} times each, {len(passed)} not found out as expected", flush=True)
        for one in refused + passed:
            print(f"      {one}")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description="How often the checks of the exercises are wrong.")
    parser.add_argument("lectures", nargs="*", default=sorted(path.stem for path in SOLVED.glob("*.ipynb")))
    parser.add_argument("--times", type=int, default=30)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for lecture in chosen.lectures:
        measure(lecture, chosen.times)


if __name__ == "__main__":
    main()
