"""The house rules that a machine can check: which way imports run, how long a module is, what is never called."""
import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cardslib

PACKAGE = Path(cardslib.__file__).parent
ORDER = ["checks", "exercises", "geometry", "outlines", "cards", "digits", "lattices", "crystals", "micrographs", "microscope",
         "views", "neighbours", "alignment", "grouping", "latents", "poses", "networks", "files", "bound", "models", "training",
         "columns", "column_network", "patches", "metrics", "drawing", "figures", "maps",
         "compact", "page", "canvas", "live", "explore", "column_explorers", "site", "blank"]
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def tree(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text("utf-8"))


def imported(module):
    """Full names of the modules that a module imports, wherever in its text."""
    names = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module} if node.module != "cardslib" else {f"cardslib.{alias.name}" for alias in node.names}
    return names


def called(node):
    """`a.b.c` of a call a.b.c(…), as text."""
    return ast.unparse(node.func)


def undocumented(module):
    """Names of public functions and classes without a docstring."""
    return [node.name for node in tree(module).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            and not node.name.startswith("_") and not ast.get_docstring(node)]


def test_every_module_has_its_place_in_the_order():
    assert set(MODULES) == set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    own = {name.split(".")[1] for name in imported(module) if name.startswith("cardslib.")}
    assert own <= set(ORDER[:ORDER.index(module)])


@pytest.mark.parametrize("module", ["checks", "exercises", "geometry", "outlines", "cards", "digits", "lattices", "crystals",
                                    "micrographs", "microscope", "columns", "patches", "metrics", "drawing", "figures"])
def test_images_scores_and_figures_know_no_model(module):
    assert not {name.split(".")[0] for name in imported(module)} & {"torch", "safetensors"}
    assert not imported(module) & {"cardslib.models", "cardslib.training", "cardslib.networks"}


@pytest.mark.parametrize("module", ORDER[ORDER.index("views"):ORDER.index("metrics") + 1])
def test_models_training_and_scores_know_no_plot_and_no_data_set(module):
    assert not {name.split(".")[0] for name in imported(module)} & {"matplotlib", "ipywidgets", "anywidget", "PIL", "pooch"}
    assert not imported(module) & {f"cardslib.{name}" for name in ("cards", "digits", "crystals", "microscope")}


@pytest.mark.parametrize("module", MODULES)
def test_nobody_uses_pyplot(module):
    assert "matplotlib.pyplot" not in imported(module) | {called(node) for node in ast.walk(tree(module))
                                                          if isinstance(node, ast.Call)}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short_enough_to_be_read(module):
    assert len((PACKAGE / f"{module}.py").read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("module", ["__init__", *MODULES])
def test_every_module_and_public_function_says_what_it_does(module):
    assert ast.get_docstring(tree(module))
    assert undocumented(module) == []


@pytest.mark.parametrize("module", MODULES)
def test_nothing_from_a_file_is_ever_run(module):
    assert not imported(module) & {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call):
            assert called(node) not in {"torch.load", "np.load", "eval", "exec", "np.fromfile"}, ast.unparse(node)
            assert not [keyword for keyword in node.keywords if keyword.arg == "allow_pickle"], ast.unparse(node)


@pytest.mark.parametrize("module", MODULES)
def test_no_global_random_numbers_are_drawn_or_seeded(module):
    """torch.manual_seed is allowed only where the caller's state is put back afterwards."""
    calls = {called(node) for node in ast.walk(tree(module)) if isinstance(node, ast.Call)}
    drawn = {name for name in calls if name.startswith("np.random.") and not name.startswith("np.random.default_rng")}
    assert not drawn and "random" not in imported(module)
    assert "torch.manual_seed" not in calls or "torch.random.fork_rng" in calls


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, cardslib; sys.exit(bool({'numpy', 'torch', 'matplotlib', 'sklearn', 'IPython'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_looking_at_cards_does_not_import_torch():
    program = ("import sys; from cardslib import cards, columns, digits, figures, metrics, microscope, patches; "
               "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("given, then", [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_waiting_threads_go_to_sleep_unless_the_user_says_otherwise(given, then):
    """So that two trainings on the same cores do not stop each other."""
    program = "import os, cardslib; print(os.environ['GOMP_SPINCOUNT'])"
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout == f"{then}\n"


def test_the_script_of_the_explorers_is_in_the_package_and_asks_no_network():
    for name in ("explorer.js", "explorer.css"):
        text = (PACKAGE / name).read_text("utf-8")
        assert text and not [word for word in ("http", "fetch(", "import(", "@import", "url(") if word in text]
