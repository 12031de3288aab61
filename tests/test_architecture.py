"""The house rules that a machine can check: which way imports run, how long a module is, what is never called."""
import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cardslib

PACKAGE = Path(cardslib.__file__).parent
MODULES = sorted(".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py"))

# Data flows down this list, and imports look up it.  A room is a module or a folder; within a folder the same order holds.
ROOMS = ["geometry", "validation", "records", "transforms", "outlines", "cards", "digits", "microscopy", "spectroscopy",
         "similarity", "models", "training", "metrics", "figures", "explorers", "course"]
IN_ROOM = {
    "microscopy": ["lattices", "crystals", "file_checks", "signals", "readers", "micrographs", "gain", "microscope",
                   "practice_images", "image_scale", "gaussian_fit", "blemishes", "local_order", "column_scores",
                   "atomic_columns", "deformation", "primitive_cell", "sublattices", "displacements", "column_files", "bonds",
                   "light", "segmentation", "patches", "precision"],
    "spectroscopy": ["spectra", "edges", "simulation", "drift", "unmixing"],
    "similarity": ["neighbours", "spectra", "alignment", "clustering"],
    "models": ["latents", "pose", "likelihoods", "networks", "arguments", "storage", "elbo", "refinement", "vae", "guide"],
    "metrics": ["arguments", "factors", "labels", "disentanglement", "calibration", "mixtures"],
    "figures": ["wrapping", "style", "scale_bars", "drawings", "plots", "maps", "vector_maps", "spectrum_images"],
    "explorers": ["packing", "weights", "html", "sliders", "rerun", "widget", "images", "decoder", "latent", "scan",
                  "micrograph", "spectrum", "live"],
    "course": ["exercises", "release", "site"],
}
WITHOUT_TORCH = {"geometry", "validation", "records", "outlines", "cards", "digits", "microscopy", "spectroscopy", "metrics",
                 "figures"}


def text(module):
    return (PACKAGE / module.replace(".", "/")).with_suffix(".py").read_text("utf-8")


def tree(module):
    return ast.parse(text(module))


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


def room_of(module):
    return module.split(".")[0]


def place(module):
    """Where a module stands on the way of the data: (room, place in the room); a folder's __init__ stands last in it."""
    room, *rest = module.split(".")
    inside = rest and rest != ["__init__"]
    return ROOMS.index(room), IN_ROOM[room].index(rest[0]) if inside else len(IN_ROOM.get(room, ()))


def own(module):
    """What a module imports of the package, without its leading name."""
    return {name.removeprefix("cardslib.") for name in imported(module) if name.startswith("cardslib.")}


INSIDE = [module for module in MODULES if module != "__init__"]


def test_every_module_has_its_place():
    assert {room_of(module) for module in INSIDE} == set(ROOMS)
    assert {module for module in INSIDE if "." in module and not module.endswith("__init__")} \
        == {f"{room}.{name}" for room, names in IN_ROOM.items() for name in names}


@pytest.mark.parametrize("module", INSIDE)
def test_imports_run_one_way(module):
    assert [name for name in own(module) if place(name) >= place(module)] == []


@pytest.mark.parametrize("module", INSIDE)
def test_a_folder_is_not_asked_for_what_it_re_exports_by_its_own_modules(module):
    """Within a room modules import one another, not the room: or the order of its __init__ would matter."""
    assert room_of(module) not in own(module)


@pytest.mark.parametrize("module", [module for module in INSIDE if room_of(module) in WITHOUT_TORCH])
def test_pictures_scores_and_figures_know_no_model(module):
    if module != "microscopy.segmentation":   # a network that finds columns
        assert not {name.split(".")[0] for name in imported(module)} & {"torch", "safetensors"}
    assert not {room_of(name) for name in own(module)} & {"similarity", "models", "training"}


@pytest.mark.parametrize("module", [module for module in INSIDE if room_of(module) in ("similarity", "models", "training")])
def test_models_and_training_know_no_plot_and_no_data_set(module):
    assert not {name.split(".")[0] for name in imported(module)} & {"matplotlib", "ipywidgets", "anywidget", "PIL", "pooch"}
    assert not {room_of(name) for name in own(module)} \
        & {"cards", "digits", "outlines", "microscopy", "spectroscopy", "figures"}


def test_nothing_but_the_course_imports_explorers():
    assert {room_of(module) for module in INSIDE if "explorers" in {room_of(name) for name in own(module)}} \
        <= {"explorers", "course"}


@pytest.mark.parametrize("module", MODULES)
def test_nobody_uses_pyplot(module):
    assert "matplotlib.pyplot" not in imported(module) | {called(node) for node in ast.walk(tree(module))
                                                          if isinstance(node, ast.Call)}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short_enough_to_be_read(module):
    assert len(text(module).splitlines()) <= 300


@pytest.mark.parametrize("module", MODULES)
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


def test_looking_at_pictures_does_not_import_torch():
    program = ("import sys; from cardslib import cards, digits, figures, metrics, microscopy, spectroscopy; "
               "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("given, then", [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_waiting_threads_go_to_sleep_unless_the_user_says_otherwise(given, then):
    """So that two trainings on the same cores do not stop each other."""
    program = "import os, cardslib; print(os.environ['GOMP_SPINCOUNT'])"
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | given
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout == f"{then}\n"


@pytest.mark.parametrize("path", sorted((PACKAGE / "explorers/js").iterdir()), ids=lambda path: path.name)
def test_the_script_of_the_explorers_is_in_the_package_and_asks_no_network(path):
    text = path.read_text("utf-8")
    assert text and not [word for word in ("http", "fetch(", "import(", "@import", "url(") if word in text]
