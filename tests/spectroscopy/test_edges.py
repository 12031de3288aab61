"""Edges: where the lines are, what is between them, and how materials mix."""
import numpy as np
import pytest
from scipy.special import voigt_profile

from cardslib.spectroscopy.edges import EXPONENT, MATERIALS, RESOLUTION, Line, Step, mixture, power_law

ENERGY = np.arange(480, 920, 0.05)[None]
LSMO, NIO, REDUCED = mixture(ENERGY, np.eye(3))


def peak(spectrum, near):
    """eV of the highest point within 4 eV, above the straight line between the ends of that window."""
    window = np.abs(ENERGY[0] - near) < 4
    part = spectrum[window]
    return ENERGY[0, window][np.argmax(part - np.linspace(part[0], part[-1], part.size))]


def test_the_background_is_a_power_law_and_1_at_500_ev():
    assert power_law(500.0) == pytest.approx(1)
    low = ENERGY[0] < 515
    for spectrum in (LSMO, NIO):
        slope = np.polyfit(np.log(ENERGY[0, low]), np.log(spectrum[low]), 1)[0]
        assert slope == pytest.approx(-EXPONENT, abs=0.15)                              # tails of lines reach down to there


@pytest.mark.parametrize("spectrum, energies", [(LSMO, (529.5, 640, 651, 832, 849)), (NIO, (532, 855, 872)),
                                                (REDUCED, (638.5, 649.5, 832, 849))], ids=["LSMO", "NiO", "reduced"])
def test_lines_stand_at_their_energies(spectrum, energies):
    assert [peak(spectrum, energy) for energy in energies] == pytest.approx(energies, abs=0.5)


def test_the_materials_differ_where_they_should():
    ratio = [np.trapezoid((s - NIO)[np.abs(ENERGY[0] - first) < 3]) / np.trapezoid((s - NIO)[np.abs(ENERGY[0] - second) < 3])
             for s, first, second in ((LSMO, 640, 651), (REDUCED, 638.5, 649.5))]
    assert ratio[1] > 1.3 * ratio[0]                                                    # L₃ : L₂ of Mn²⁺
    below_edge = np.abs(ENERGY[0] - 529.5) < 0.5
    assert LSMO[below_edge].mean() > 1.15 * REDUCED[below_edge].mean()                  # the prepeak needs oxygen
    lanthanum = np.abs(ENERGY[0] - 840) < 15
    rest = ((LSMO - REDUCED) / power_law(ENERGY[0]))[lanthanum]
    assert np.ptp(rest) < 0.02 * (LSMO / power_law(ENERGY[0]))[lanthanum].max()         # La does not know of it


def test_a_line_is_a_lorentzian_blurred_by_the_resolution():
    gaussian, lorentzian = RESOLUTION / np.sqrt(8 * np.log(2)), 1.6 / 2
    expected = voigt_profile(ENERGY[0] - 700, gaussian, lorentzian)
    assert np.abs(Line(700, 1.6)(ENERGY[0]) - expected).max() < 0.012 * expected.max()
    assert np.trapezoid(Line(700, 1.6)(ENERGY[0]), ENERGY[0]) == pytest.approx(1, abs=0.01)


def test_a_step_rises_from_0_to_1_about_its_onset():
    step = Step(640, 2.0)
    assert step(np.array([600, 639, 640, 641, 700.0])) == pytest.approx([0, 0.119, 0.5, 0.881, 1], abs=1e-3)


def test_mixtures_add_and_every_spectrum_has_its_own_energies():
    amounts = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    assert np.allclose(mixture(ENERGY, amounts), amounts @ np.stack([LSMO, NIO, REDUCED]), rtol=1e-5)
    shifted = mixture(np.concatenate([ENERGY, ENERGY - 3.21]), np.eye(3)[[1, 1]])
    assert np.allclose(shifted[1], mixture(ENERGY - 3.21, np.eye(3)[1:2])[0], rtol=1e-6)
    assert len(MATERIALS) == 3
