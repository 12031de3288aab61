"""Variational autoencoders for images of atoms: the small package behind the course's lectures.

The top level is what every lecture uses; a folder is what a reader may skip whole.  Data flow one way, and imports run the same
way: cards, digits, microscopy → similarity → models → training → metrics → figures → explorers → course.
"""
import os

# Between two pieces of work torch's threads wait by spinning: the quickest way while they are alone, and ruinous as soon as
# two trainings share the cores (measured on two cores: 0.5 s alone, 36 s each side by side).  After a thousand turns of
# waiting they now go to sleep: as fast alone, and 1 s each side by side.  Thirty students share one hub.
# (GNU's OpenMP reads it when torch is first imported: import cardslib before torch, or set it outside, as the Makefile does.)
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = "0.1.0"
