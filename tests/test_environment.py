"""One list of what must be installed: pyproject.toml.  The other two files say the same."""
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base", "playwright": "playwright-python"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIRED = [Requirement(line) for line in (*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), []))]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] not in ("", "#")]


def test_conda_gets_the_same_packages_with_the_same_lower_bounds():
    expected = {f"{CONDA_NAMES.get(need.name, need.name)}{need.specifier}" for need in REQUIRED}
    expected |= {f"python{PROJECT['requires-python']}", "pip"}
    assert set(CONDA["dependencies"]) == expected


def test_conda_forge_is_the_only_channel():
    assert CONDA["channels"] == ["conda-forge"]


@pytest.mark.parametrize("need", REQUIRED, ids=str)
def test_every_package_has_one_lower_bound_and_no_upper(need):
    bound, = need.specifier
    assert bound.operator == ">="


@pytest.mark.parametrize("need", REQUIRED, ids=str)
def test_every_package_is_pinned_within_its_bounds(need):
    pin, = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(need.name)]
    exact, = pin.specifier
    assert need.specifier.contains(exact.version)


def test_every_pin_is_exact_and_there_is_one_a_package():
    for pin in PINS:
        exact, = pin.specifier
        assert exact.operator == "==" and "*" not in exact.version, pin
    names = [canonicalize_name(pin.name) for pin in PINS]
    assert len(names) == len(set(names))


def test_torch_is_pinned_to_the_version_of_the_design():
    assert [str(pin.specifier) for pin in PINS if pin.name == "torch"] == ["==2.13.0"]


def test_nothing_of_cuda_is_pinned():
    assert not [pin.name for pin in PINS if pin.name.startswith(("nvidia", "cuda", "triton"))]
