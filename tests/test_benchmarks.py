"""The benchmarks run by hand, and for minutes: at least what they import from the package is there."""
import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "benchmarks").glob("*.py"))


def imported(path):
    """(module, name) of everything that a script imports from the package, wherever in its text."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cardslib"):
            for alias in node.names:
                yield node.module, alias.name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_is_there(path):
    for module, name in imported(path):
        assert hasattr(importlib.import_module(module), name) or importlib.import_module(f"{module}.{name}")
