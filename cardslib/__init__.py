"""Variational autoencoders for images of atoms: the small package behind the course's lectures.

Data flows one way, and so do the imports: images (cards, digits) → models → training → metrics → figures, live, explore.
"""
__version__ = "0.1.0"
