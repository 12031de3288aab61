"""The explorer of spectra: every slider moves something, and the page shows what Python computes, for every likelihood."""
import base64
import json

import numpy as np
import pytest
from browser import needs_chromium
from ipywidgets.widgets.widget import _instances
from test_explorers import stops

from cardslib.explorers import LatentExplorer, ManifoldExplorer, SpectrumExplorer, StyleExplorer
from cardslib.explorers.scan import store
from cardslib.models import VAE, Pose
from cardslib.training import fit

ROWS, COLUMNS, CHANNELS = 9, 12, 60
ENERGY = 500 + 2.0 * np.arange(CHANNELS)
DRIFT = 3 / (CHANNELS / 2)   # in half widths: three channels, six electron volts
DECODERS = {"dense": dict(), "warp": dict(pose=Pose(shift=DRIFT)), "warp, scale": dict(pose=Pose(shift=DRIFT, scale=0.02))}
LIKELIHOODS = ("bernoulli", "poisson", "gaussian")


def make_spectra(likelihood, count=ROWS * COLUMNS, seed=0):
    """Spectra (count, channels) of an edge whose height and place vary: shares, counts, or numbers about -3."""
    rng = np.random.default_rng(seed)
    height, place = rng.uniform(0.1, 0.6, (count, 1)), rng.normal(0, 3, (count, 1))
    light = 0.2 + height * np.exp(-((np.arange(CHANNELS) - CHANNELS / 2 - place) / 4) ** 2)
    noisy = dict(bernoulli=light, poisson=rng.poisson(200 * light), gaussian=rng.normal(20 * light - 3, 0.5))[likelihood]
    return noisy.astype(np.float32)


def make_explorer(likelihood="poisson", **options):
    spectra, model = make_spectra(likelihood), VAE((CHANNELS,), likelihood=likelihood, hidden=32, **options)
    fit(model, spectra, epochs=60, progress=False)
    return SpectrumExplorer(model, spectra, ENERGY, (ROWS, COLUMNS))


@pytest.fixture(scope="module")
def explorer():
    return make_explorer(pose=Pose(shift=DRIFT))


def at_random(explorer, rng):
    """Values of the sliders, each anywhere on its range."""
    return {name: type(value)(rng.choice(len(slider.options) if hasattr(slider, "options") else stops(slider)))
            for (name, slider), value in zip(explorer.sliders.items(), explorer.values.values())}


# ---------------------------------------------------------------------- in Python

def test_each_slider_is_swept_over_its_whole_range(explorer):
    start = explorer.values
    for name, slider in explorer.sliders.items():
        seen, trait = set(), "index" if hasattr(slider, "options") else "value"
        before = getattr(slider, trait)
        for value in range(len(slider.options)) if trait == "index" else stops(slider):
            setattr(slider, trait, value)
            curves, residual, picture = explorer.panels(**explorer.values).values()
            assert np.isfinite([*curves.values(), *residual.values()]).all() and picture.min() == 0 and picture.max() == 1
            seen.add(b"".join(one.tobytes() for one in (*curves.values(), *residual.values(), picture)))
        setattr(slider, trait, before)
        assert len(seen) == len(stops(slider)), name
    assert explorer.values == start


def test_it_starts_in_the_middle_where_that_pixel_was_encoded(explorer):
    number = 4 * COLUMNS + 6
    assert (explorer.values["row"], explorer.values["column"]) == (4, 6)
    curves, residual, _ = explorer.panels(**explorer.values).values()
    mean = explorer.model.decode(explorer.model.encode(explorer.spectra[number][None]))[0]
    assert np.allclose(curves["decoded"], mean, rtol=1e-4) and np.array_equal(curves["spectrum"], explorer.spectra[number])
    assert np.allclose(residual["residual"], (explorer.spectra[number] - mean) / np.sqrt(mean), atol=1e-3)


def test_the_drift_moves_the_decoded_curve_by_so_many_electron_volts(explorer):
    values = explorer.values
    assert explorer.sliders["shift"].description == "drift (eV)"
    decoded = [next(iter(explorer.panels(**values | dict(shift=drift)).values()))["decoded"] for drift in (-8, 0, 8)]
    assert np.diff([ENERGY[curve.argmax()] for curve in decoded]).tolist() == [8, 8]


def test_every_pixel_is_encoded_within_reach_of_the_sliders(explorer):
    for name, slider in explorer.sliders.items():
        if f"at/{name}" in explorer.widget.spec["arrays"]:
            assert abs(slider.min) == slider.max
    latents = explorer.model.encode(explorer.spectra)
    assert np.abs(latents.content).max() <= explorer.sliders["z1"].max
    assert np.abs(latents.shift).max() * CHANNELS / 2 * 2 <= explorer.sliders["shift"].max * (1 + 1e-6)


def test_the_map_shows_the_signal_and_each_latent(explorer):
    assert [option for option, _ in explorer.sliders["map_of"].options] == ["signal", "z₁", "z₂", "drift"]
    *_, (title, picture) = explorer.panels(**explorer.values).items()
    signal = explorer.spectra.sum(1).reshape(ROWS, COLUMNS)
    assert np.allclose(picture, (signal - signal.min()) / np.ptp(signal), atol=1e-6)
    assert title == f"signal, {signal.min():,.0f} (black) to {signal.max():,.0f} (white)"


def test_a_line_scan_has_no_slider_for_its_row_and_channels_count_without_energies():
    spectra, model = make_spectra("poisson")[:30], VAE((CHANNELS,), content=1, pose=Pose(shift=DRIFT), likelihood="poisson")
    line = SpectrumExplorer(model, spectra)
    assert list(line.sliders) == ["z1", "shift", "column", "map_of"] and line.sliders["column"].max == 29
    assert line.sliders["shift"].description == "drift (channels)" and line.widget.spec["axes"]["x"]["label"] == "channel"
    single = SpectrumExplorer(model, spectra[:1])
    assert list(single.sliders) == ["z1", "shift", "map_of"]


def test_groups_have_a_slider_and_a_map_and_start_where_they_were_found():
    spectra, model = make_spectra("poisson"), VAE((CHANNELS,), content=1, groups=3, likelihood="poisson", seed=2)
    explorer = SpectrumExplorer(model, spectra, ENERGY, (ROWS, COLUMNS))
    assert list(explorer.sliders) == ["z1", "group", "row", "column", "map_of"]
    assert explorer.values["group"] == model.encode(spectra).group[4 * COLUMNS + 6].argmax()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_stored_spectra_are_off_by_a_quarter_of_the_noise_at_most(likelihood):
    spectra, known = make_spectra(likelihood), dict(noise=0.5) if likelihood == "gaussian" else {}
    model = VAE((CHANNELS,), likelihood=likelihood, **known)
    stored = store(spectra, (ROWS, COLUMNS), model.likelihood)
    read = stored.arrays["mean"] + stored.step * stored.arrays["spectra"]
    read = read.clip(0) ** 2 if stored.roots else read
    noise = dict(bernoulli=2 / 255, poisson=np.sqrt(spectra.clip(0)), gaussian=0.5)[likelihood]
    assert stored.every == 1 and 0.1 < (np.abs(read - spectra) / noise).max() < 0.27


def test_hot_pixels_are_stored_as_well():
    spectra = make_spectra("poisson")
    spectra[3, 7] = 1e6
    stored = store(spectra, (ROWS, COLUMNS), VAE((CHANNELS,), likelihood="poisson").likelihood)
    read = (stored.arrays["mean"] + stored.step * stored.arrays["spectra"].astype(float)) ** 2
    assert abs(read[3, 7] / 1e6 - 1) < 1e-3 and np.abs(read[4] - spectra[4]).max() < 10


def test_a_large_scan_makes_no_large_page():
    spectra = np.random.default_rng(0).poisson(100, (64 * 64, 400)).astype(np.float32)
    model = VAE((400,), content=3, likelihood="poisson")
    fit(model, spectra, epochs=1, progress=False)
    explorer = SpectrumExplorer(model, spectra, np.arange(400), (64, 64))
    json.dumps(explorer.widget.spec)
    assert explorer.widget.spec["scan"]["every"] == 2 and len(explorer.html().encode()) < 500_000
    assert explorer.sliders["row"].max == 62 and explorer.sliders["row"].step == 2
    tall = SpectrumExplorer(VAE((2,), content=1), np.full((300 * 200, 2), 0.5), shape=(300, 200))
    assert tall.maps.shape[1:] == (150, 100) and tall.widget.spec["scan"]["mapEvery"] == 2


def test_where_no_widget_is_shown_there_is_a_still_with_words(explorer):
    shown = explorer._repr_mimebundle_()["text/html"]
    assert shown.startswith('<img alt="spectrum of row 4, column 6, and decoded, against energy (eV)"')
    assert "data:image/webp" in shown and "z1, z2, shift, row, column, map_of" in repr(explorer)


def test_a_closed_explorer_leaves_no_widget():
    before = set(_instances)
    SpectrumExplorer(VAE((CHANNELS,)), make_spectra("bernoulli"), shape=(ROWS, COLUMNS)).close()
    assert set(_instances) == before


@pytest.mark.parametrize("arguments, words", [
    (dict(energy=ENERGY[:5]), r"^energy must be 60 finite numbers, one for each channel of this model; got \(5,\)"),
    (dict(energy=ENERGY[::-1]), "^energy must rise in even steps"), (dict(energy=ENERGY**2), "^energy must rise in even steps"),
    (dict(energy=ENERGY * np.nan), "^energy must be 60 finite"), (dict(energy=ENERGY, unit=None), "^unit must be the name"),
    (dict(shape=(5, 5)), r"^shape must be \(rows, columns\) that hold the 108 spectra; got \(5, 5\)"),
    (dict(shape=108), r"^shape must be \(rows, columns\)"), (dict(shape=(108.0, 1)), "^shape must be a whole number"),
    (dict(spectra=-make_spectra("poisson")), "^images must be counts of electrons"),
    (dict(spectra=make_spectra("poisson")[:, :50]), r"^images must be \(60,\) channels each"),
    (dict(model=VAE((8, 8))), r"^model must draw spectra .* this one draws \(8, 8\): use LatentExplorer"),
    (dict(model=VAE((1,))), "^model must draw spectra of at least two channels"),
    (dict(model=VAE((CHANNELS,), classes=2)), "^model must be told nothing beside the spectra; this one is told 2 classes"),
    (dict(model=VAE((CHANNELS,), conditions=1)), "^model must be told nothing .* 1 conditions")])
def test_what_does_not_fit_is_named(arguments, words):
    usual = dict(model=VAE((CHANNELS,), likelihood="poisson"), spectra=make_spectra("poisson"))
    with pytest.raises(ValueError, match=words):
        SpectrumExplorer(**usual | arguments)


def test_explorers_of_images_name_the_one_of_spectra():
    model = VAE((CHANNELS,), classes=2)
    for make in (lambda: LatentExplorer(model, make_spectra("bernoulli")), lambda: ManifoldExplorer(model),
                 lambda: StyleExplorer(model)):
        with pytest.raises(ValueError, match="^model must draw images, .* spectra of 60 channels: use SpectrumExplorer"):
            make()


def test_a_network_of_the_coordinates_is_asked_in_the_kernel(monkeypatch):
    explorer, answers = make_explorer(pose=Pose(shift=DRIFT), decoder="spatial"), []
    assert explorer.widget.spec["decoder"]["pointwise"] and explorer.widget.spec["shape"] == (1, CHANNELS)
    monkeypatch.setattr(explorer.widget, "send", lambda message, buffers=None: answers.append((message, buffers)))
    values = explorer.values
    row = values | dict(right=values["shift"] / explorer.half_width)
    explorer.widget._handle_custom_msg(dict(number=1, rows=[row]), [])
    (message, (numbers,)), = answers
    decoded = next(iter(explorer.panels(**values).values()))["decoded"]
    assert message == dict(number=1)
    assert np.allclose(np.frombuffer(numbers, np.float32) * explorer.widget.spec["grey"]["unit"], decoded, rtol=1e-4)


# ---------------------------------------------------------------------- in the page

SHOWN = """async ([spec, data, rows, chosen]) => {
  const { makeDecoder, inputOf, poseOf, spectrumView } = window.explorer, arrays = await window.unpacked([spec.arrays, data]);
  const decoder = makeDecoder(spec.decoder, arrays);
  const decode = async rows => rows.map(values => decoder(inputOf(spec.inputs, values), poseOf(values)));
  const show = spectrumView(spec, arrays, decode), all = [];
  for (const values of rows) {
    const { panels, moves } = await show(values, chosen);
    const curves = panels.map(({ curves }) => Object.fromEntries(curves.map(({ name, values }) => [name, [...values]])));
    all.push({ titles: panels.map(({ title }) => title), curves, moves });
  }
  return all; }"""


def shown_in_page(script, explorer, rows, chosen):
    return script(SHOWN, [explorer.widget.spec, base64.b64encode(explorer.widget.data).decode(), rows, chosen])


@needs_chromium
@pytest.mark.parametrize("options", [*DECODERS.values(), dict(pose=Pose(shift=DRIFT), decoder="spatial")],
                         ids=[*DECODERS, "spatial"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_page_shows_what_python_computes(script, likelihood, options):
    explorer, rng = make_explorer(likelihood, **options), np.random.default_rng(1)
    white = explorer.widget.spec["grey"]["unit"]
    noise = dict(bernoulli=2 / 255, poisson=20, gaussian=explorer.widget.spec["noise"])[likelihood]
    rows = [at_random(explorer, rng) for _ in range(8)]
    for values, shown in zip(rows, shown_in_page(script, explorer, rows, False)):
        (first, curves), (second, residual), _ = explorer.panels(**values).items()
        assert shown["titles"] == [first, second] and shown["moves"] == {}
        spectrum, decoded, left = (np.array(values) for panel in shown["curves"] for values in panel.values())
        assert np.abs(decoded - curves["decoded"]).max() < 1e-3 * max(white, np.abs(curves["decoded"]).max())
        assert np.abs(spectrum - curves["spectrum"]).max() < 0.3 * noise
        assert np.abs(left - residual["residual"]).max() < 0.05 * max(6, np.abs(left).max())


@needs_chromium
def test_a_chosen_pixel_is_shown_where_it_was_encoded(script, explorer):
    rows = [explorer.values | dict(row=row, column=column) for row, column in ((0, 0), (8, 3), (2, 11))]
    for values, shown in zip(rows, shown_in_page(script, explorer, rows, True)):
        latents = explorer.model.encode(explorer.spectra[values["row"] * COLUMNS + values["column"]][None])
        assert list(shown["moves"]) == ["z1", "z2", "shift"]
        assert np.allclose(list(shown["moves"].values()), [*latents.content[0], latents.shift[0, 0] * CHANNELS], atol=1e-4)
        assert np.abs(np.array(shown["curves"][0]["decoded"]) - explorer.model.decode(latents)[0]).max() < 0.5


@needs_chromium
@pytest.mark.parametrize("low, high, count, ticks", [
    (0, 10, 5, [0, 2, 4, 6, 8, 10]), (499.5, 899.5, 4, [500, 600, 700, 800]), (-5, 5, 2, [-5, 0, 5]),
    (0.0001, 0.0009, 4, [0.0002, 0.0004, 0.0006, 0.0008]), (-3e6, 1e6, 2, [-2e6, 0])])
def test_ticks_are_round_numbers(script, low, high, count, ticks):
    assert script("([low, high, count]) => window.explorer.roundTicks(low, high, count)", [low, high, count]) == ticks
