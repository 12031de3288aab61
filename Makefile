# Two commands do everything: `make lab` opens the course, `make test` proves that it works.
# Both first make an environment of their own in .venv/ (once; again when pyproject.toml or constraints.txt changes).

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# Threads that wait soon go to sleep: see cardslib/__init__.py.
export GOMP_SPINCOUNT = 1000

.PHONY: lab test lectures exercises nbgrader site bench bench-columns bench-groups bench-hub bench-measured bench-precision bench-rvae clean

lab: $(VENV)/installed
	$(BIN)/jupyter lab $(ARGS) lectures

# Two files (or classes of tests) at a time, each on one thread: quicker on two cores than one after the other on both.
test: $(VENV)/installed
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadscope --nbval-lax --nbval-current-env --nbval-cell-timeout=300 -p no:randomly $(ARGS)

# Execute every lecture, and the solved exercises, from top to bottom and save them with what they showed (what a cell prints in
# one piece).
lectures: $(VENV)/installed
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --log-level=WARN --ExecutePreprocessor.record_timing=False \
	    --ExecutePreprocessor.kernel_name=python3 $(or $(ARGS),lectures/*.ipynb lectures/solutions/*.ipynb)
	$(BIN)/jupyter nbconvert --coalesce-streams --log-level=WARN $(or $(ARGS),lectures/*.ipynb lectures/solutions/*.ipynb)

# The exercises as students get them, from the solved ones.
exercises: $(VENV)/installed
	$(BIN)/python -m cardslib.course.release --to lectures/exercises lectures/solutions/*.ipynb

# nbgrader releases the exercises and grades three made-up students, in an environment of its own (350 MB; once).
nbgrader: $(VENV)/installed tests/.nbgrader/bin/nbgrader
	$(BIN)/python tests/nbgrader_course.py --nbgrader tests/.nbgrader/bin/nbgrader $(ARGS)

tests/.nbgrader/bin/nbgrader:
	$(PYTHON) -m venv tests/.nbgrader
	tests/.nbgrader/bin/python -m pip install --quiet --disable-pip-version-check nbgrader==0.9.6

# The course as a static site, in site/: it opens from the file system, needs no network, and its sliders live.
site: $(VENV)/installed
	$(BIN)/python -m cardslib.course.site --to site lectures/*.ipynb lectures/GLOSSARY.md $(wildcard lectures/exercises/*.ipynb lectures/solutions/*.ipynb)

bench: $(VENV)/installed
	$(BIN)/python tests/benchmarks/measure.py $(ARGS)

# Every finder of columns on crystals of many kinds.
bench-columns: $(VENV)/installed
	$(BIN)/python tests/benchmarks/columns.py $(ARGS)

# Columns of a folder of measured images, beside atomap (ARGS=FOLDER; the script says how files are named).
bench-measured: $(VENV)/installed
	$(BIN)/python tests/benchmarks/measured_columns.py $(ARGS)

# Angle, shift, shear and scale against the physical limit, and whether the stated error bars are true (ARGS="--doses 20").
bench-precision: $(VENV)/installed
	$(BIN)/python tests/benchmarks/precision.py $(ARGS)

# Beside pyroVED, which gets an environment of its own (1 GB; once).
bench-rvae: $(VENV)/installed
	$(BIN)/python tests/benchmarks/rvae.py --json rvae.json --figure tests/benchmarks/rvae.png $(ARGS)

# Memory and CPU time of a student who runs a notebook; ARGS="--students 4" for several at once.
bench-hub: $(VENV)/installed
	$(BIN)/python tests/benchmarks/hub.py $(ARGS) lectures/*.ipynb lectures/solutions/*.ipynb

# Suits found without labels, five seeds a set (ten minutes; ARGS="--mnist FOLDER" for digits as well).
bench-groups: $(VENV)/installed
	$(BIN)/python tests/benchmarks/groups.py $(ARGS)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[files,lab,site,test]"
	touch $@

clean:
	rm -rf $(VENV) tests/benchmarks/.peers tests/benchmarks/.peers-atomap tests/.nbgrader nbgrader_course
