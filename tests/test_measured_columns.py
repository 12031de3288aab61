"""The benchmark on measured images: what it reads, and how it asks atomap, which itself is not run."""
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

SCRIPT = Path(__file__).parent / "benchmarks" / "measured_columns.py"
IMAGE = np.random.default_rng(0).random((20, 30)).astype(np.float32)


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """The script, with atomap's environment in an empty folder."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    specification = importlib.util.spec_from_file_location("measured_columns", SCRIPT)
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    monkeypatch.setattr(script, "PEERS", tmp_path / "peers")
    monkeypatch.setattr(script, "INSTALLED", tmp_path / "peers" / "installed")
    monkeypatch.setattr(script.venv, "create", lambda path, **_: path.mkdir(exist_ok=True))
    return script


def test_an_installation_that_was_interrupted_is_made_anew(benchmark, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    runs = []
    monkeypatch.setattr(benchmark.subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        benchmark.install()
    monkeypatch.setattr(benchmark.subprocess, "run", lambda *arguments, **_: runs.append(arguments))
    benchmark.install()
    benchmark.install()
    assert len(runs) == 1


def test_atomap_is_given_the_image_that_our_finders_are_given(benchmark, monkeypatch):
    seen = []

    def run(command, **_):
        if SCRIPT.with_name("atomap_run.py") in command:
            seen.append(np.load(command[2]))
        return SimpleNamespace(returncode=0, stdout='{"position": [[1, 2]], "seconds": 3}', stderr="")

    monkeypatch.setattr(benchmark.subprocess, "run", run)
    position, seconds = benchmark.atomap(IMAGE, 9.5)
    assert np.array_equal(seen, [IMAGE]) and np.array_equal(position, [[1, 2]]) and seconds == 3


@pytest.mark.parametrize("stderr, said", [("", "exit status 9"), ("Traceback\nValueError: no atom\n", "ValueError: no atom")])
def test_where_atomap_stops_it_is_said_why(benchmark, monkeypatch, capsys, stderr, said):
    monkeypatch.setattr(benchmark.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=9, stderr=stderr))
    assert benchmark.atomap(IMAGE, 9.5) is None
    assert f"atomap stopped: {said}" in capsys.readouterr().err


def test_atomap_is_not_waited_for_for_ever(benchmark, monkeypatch, capsys):
    wait = [sys.executable, "-c", "import time; time.sleep(3)"]
    real_run = subprocess.run
    benchmark.PEERS.mkdir()
    benchmark.INSTALLED.touch()
    monkeypatch.setattr(benchmark, "PATIENCE", 0.1)
    monkeypatch.setattr(benchmark.subprocess, "run", lambda _, **options: real_run(wait, **options))
    assert benchmark.atomap(IMAGE, 9.5) is None
    assert "atomap took more than 0.1 s" in capsys.readouterr().err


def test_an_image_is_measured_once_under_the_name_of_its_folder_too(benchmark, tmp_path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        for name in ("x", "x-xy", "x_xy", "alone"):
            np.save(tmp_path / folder / f"{name}.npy", IMAGE if name in ("x", "alone") else np.full((3, 2), "-" in name, float))
    found = [example for folder in ("one", "other") for example in benchmark.examples(tmp_path / folder)]
    assert [name for name, *_ in found] == [(tmp_path / folder / "x").as_posix() for folder in ("one", "other")]
    assert all((true == 1).all() for *_, true in found)
