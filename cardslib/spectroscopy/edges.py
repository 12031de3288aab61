"""What an electron energy-loss spectrum is made of: a background, edges with their near-edge structure; and three materials.

A spectrum is a power law times a sum of steps, plus a sum of lines, all functions of the energy loss in eV.  Edges: O K 532,
Mn L₃/L₂ 640/651, La M₅/M₄ 832/849, Ni L₃/L₂ 855/872 eV (Ahn & Krivanek, EELS Atlas, 1983).  Heights are beside the background
of LSMO, which is 1 at 500 eV.  Those of O and Mn in LSMO are about those of a measured film; the others follow from the number
of atoms, the smaller cross-section at higher losses and, for lines, from the holes in the 3d shell (Pearson, Ahn & Fultz,
Phys. Rev. B 47, 1993, 8471).  The shapes are for teaching; they are no cross-sections to quantify a specimen with.
"""
import math
from dataclasses import dataclass

import numpy as np

REFERENCE = 500.0      # eV: where the background is 1
EXPONENT = 2.9         # r of the background A·E^-r, and of how edges fall off (Egerton, EELS in the Electron Microscope)
RESOLUTION = 1.0       # eV, full width at half maximum of the zero-loss peak: a cold field emission gun in daily use
LN2 = math.log(2)


def power_law(energy):
    """(E / 500 eV)^-r: the background, and how edges fall off."""
    return np.exp(-EXPONENT * np.log(energy / REFERENCE))


@dataclass(frozen=True)
class Step:
    """Transitions into free states, in units of the power law: 0 below `onset` (eV), 1 above it.

    width  eV in which it rises from 12 to 88 %: resolution, lifetime, and how late the edge sets in
    """

    onset: float
    width: float = 2.0

    def __call__(self, energy):
        return 0.5 + 0.5 * np.tanh(_distance(energy, self.onset, self.width))


@dataclass(frozen=True)
class Line:
    """Transitions into bound states: a Lorentzian about `centre` (eV) blurred by the resolution, of area 1 eV.

    width  eV, full width at half maximum of the Lorentzian: lifetime, and the multiplet that it stands for

    The convolution is the pseudo-Voigt function of Thompson, Cox & Hastings, J. Appl. Cryst. 20, 1987, 79: right to 1 %.
    """

    centre: float
    width: float

    def __call__(self, energy):
        width, lorentzian = _pseudo_voigt(RESOLUTION, self.width)
        square = _distance(energy, self.centre, width) ** 2                             # 1 at half the maximum
        peak_gaussian, peak_lorentzian = 2 * math.sqrt(LN2 / math.pi) / width, 2 / (math.pi * width)
        return (1 - lorentzian) * peak_gaussian * np.exp(-LN2 * square) + lorentzian * peak_lorentzian / (1 + square)


def _distance(energy, centre, width):
    """In halves of a width.  Single precision is enough once the difference is taken, and several times as fast."""
    return ((energy - centre) * (2 / width)).astype(np.float32)


def _pseudo_voigt(gaussian, lorentzian):
    """Full width and Lorentzian share of the sum that stands for the convolution of two lines of these full widths."""
    coefficients = 1, 2.69269, 2.42843, 4.47163, 0.07842, 1
    width = sum(c * gaussian ** (5 - power) * lorentzian**power for power, c in enumerate(coefficients)) ** 0.2
    ratio = lorentzian / width
    return width, 1.36603 * ratio - 0.47719 * ratio**2 + 0.11116 * ratio**3


# ---------------------------------------------------------------------- materials

REDUCTION_SHIFT = -1.5   # eV: of the Mn L edge from Mn³⁺/Mn⁴⁺ to Mn²⁺ (Garvie & Craven, Phys. Chem. Minerals 21, 1994, 191)
MIXED_WIDTH = 3.0        # eV: L₃ of Mn³⁺ and Mn⁴⁺ side by side, each with a broad multiplet
REDUCED_WIDTH = 1.8      # eV: ... of Mn²⁺, which is sharp
MIXED_RATIO = 2.3        # L₃ : L₂ between Mn³⁺, 2.6, and Mn⁴⁺, 2.0 (Schmid & Mader, Micron 37, 2006, 426)
REDUCED_RATIO = 3.9      # ... of Mn²⁺
NICKEL_RATIO = 3.0       # ... of Ni in NiO (Leapman, Grunes & Fejes, Phys. Rev. B 26, 1982, 614)
LANTHANUM_RATIO = 0.8    # M₅ : M₄ of La³⁺, whose 4f shell is empty (Thole et al., Phys. Rev. B 32, 1985, 5107)


@dataclass(frozen=True)
class Material:
    """background: beside LSMO's;  steps {Step: height};  lines {Line: area in eV}."""

    background: float
    steps: dict
    lines: dict


def manganese(ratio, width, shift=0.0):
    """Steps, 2 : 1, and lines, L₃ : L₂ = `ratio`, of Mn L: the valence shifts and broadens them (eV)."""
    steps = {Step(642 + shift): 0.32, Step(653 + shift): 0.16}
    return steps, two_lines(5.8, ratio, Line(640 + shift, width), Line(651 + shift, width + 0.4))


def two_lines(area, ratio, first, second):
    """{Line: area} of two lines of `area` eV in all, the first `ratio` times as strong as the second."""
    return {first: area * ratio / (1 + ratio), second: area / (1 + ratio)}


def manganite(prepeak, oxygen, mn):
    """La₀.₇Sr₀.₃MnO₃ with a line of area `prepeak` below its O K edge, of height `oxygen`; and with steps and lines of `mn`.

    O K: states of Mn 3d below the edge, of La 5d and Sr 4d above it, of Mn 4sp (Varela et al., Phys. Rev. B 79, 2009, 085117).
    La M: its d electrons go to f states; what goes to free ones is little, and comes late.
    """
    steps, lines = mn
    return Material(1.0, {Step(532): oxygen, **steps, Step(856, 14): 0.4},
                    {Line(529.5, 1.8): prepeak, Line(535.5, 3.5): 1.3, Line(543, 4.5): 1.1, **lines,
                     **two_lines(6.5, LANTHANUM_RATIO, Line(832, 2.4), Line(849, 2.6))})


def nickel_oxide():
    """NiO.  O K: a sharp line of Ni 3d at the edge, then Ni 4sp (Kurata et al., Phys. Rev. B 47, 1993, 13763)."""
    return Material(0.9, {Step(532): 0.52, Step(857): 0.8, Step(874): 0.4},
                    {Line(532, 1.5): 1.0, Line(540.5, 4.0): 2.2, Line(548, 5.0): 0.6,
                     **two_lines(2.4, NICKEL_RATIO, Line(855, 1.8), Line(872, 2.4))})


MATERIALS = {"LSMO": manganite(prepeak=0.9, oxygen=0.5, mn=manganese(MIXED_RATIO, MIXED_WIDTH)),
             "NiO": nickel_oxide(),
             "reduced manganite": manganite(prepeak=0.1, oxygen=0.38,      # lost oxygen: Mn²⁺
                                            mn=manganese(REDUCED_RATIO, REDUCED_WIDTH, REDUCTION_SHIFT))}


def mixture(energy, amounts):
    """Spectra of mixtures of the `MATERIALS`, in their order, every edge evaluated at just these energies.

    energy   (n, channels) eV, or (1, channels) for the same of all
    amounts  (n, 3), of each material

    Returns (n, channels), in units of the background of LSMO at 500 eV, to six digits.
    """
    continuum = amounts @ [[material.background] for material in MATERIALS.values()] + _sum("steps", energy, amounts)
    return power_law(energy) * continuum + _sum("lines", energy, amounts)


def _sum(kind, energy, amounts):
    """Of all steps or lines that any material has, each as high as the amounts say."""
    of_materials = [getattr(material, kind) for material in MATERIALS.values()]
    total = np.zeros((len(amounts), energy.shape[1]))
    for feature in dict.fromkeys(feature for features in of_materials for feature in features):
        height = amounts @ [features.get(feature, 0.0) for features in of_materials]    # (n,)
        total += height.astype(np.float32)[:, None] * feature(energy)
    return total
