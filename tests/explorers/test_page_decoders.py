"""What the page computes is what Python computes: decoders to 1e-3 of a pixel's value, cards to a tenth where an
edge crosses a pixel (Agg makes its curves of straight pieces that depend a little on the pose) and to 0.001 on average."""
import numpy as np
import pytest
import torch
from browser import needs_chromium
from torch import nn

from cardslib.cards import SUITS, render
from cardslib.explorers.decoder import decoder_inputs, grey_values, latents_of
from cardslib.explorers.html import HERE, SCRIPTS
from cardslib.explorers.images import polygons
from cardslib.explorers.weights import compact_decoder
from cardslib.models import VAE, Pose
from cardslib.training import fit

pytestmark = needs_chromium

EVERYTHING = Pose(rotation=True, shift=0.2, scale=0.2, shear=True)
MODELS = {
    "dense": dict(shape=(12, 12)),
    "dense, wide, one latent": dict(shape=(9, 17), content=1),
    "dense, tall, seven latents": dict(shape=(20, 7), content=7),
    "dense, four classes": dict(shape=(16, 16), classes=4),
    "dense, one pixel": dict(shape=(1, 1)),
    "warp, rotation": dict(shape=(13, 13), pose=Pose(rotation=True)),
    "warp, shift": dict(shape=(12, 12), pose=Pose(shift=0.3)),
    "warp, shift and scale, wide": dict(shape=(7, 16), pose=Pose(shift=0.3, scale=0.3)),   # reaches less along y than x
    "warp, scale": dict(shape=(12, 12), pose=Pose(scale=0.3)),
    "warp, shear": dict(shape=(12, 12), pose=Pose(shear=True)),
    "warp, everything, wide": dict(shape=(10, 23), pose=EVERYTHING),
    "warp, everything, tall, classes": dict(shape=(21, 8), pose=EVERYTHING, classes=3),
    "warp, no content": dict(shape=(16, 16), content=0, pose=EVERYTHING),
    "warp, no content, classes": dict(shape=(16, 16), content=0, pose=EVERYTHING, classes=5),
    "warp, forty-eight pixels": dict(shape=(48, 48), pose=EVERYTHING, hidden=64),
    "dense, groups": dict(shape=(12, 12), groups=3),
    "dense, conditions": dict(shape=(12, 12), conditions=2),
    "warp, groups alone": dict(shape=(12, 12), content=0, pose=EVERYTHING, groups=4),
    "spatial": dict(shape=(11, 14), pose=EVERYTHING, decoder="spatial"),
    "spatial, classes": dict(shape=(9, 9), pose=Pose(rotation=True), decoder="spatial", classes=3),
    "skip": dict(shape=(14, 11), pose=EVERYTHING, decoder="skip", classes=2),
    "dense, spectra": dict(shape=(90,), content=3),
    "warp, spectra": dict(shape=(90,), content=3, pose=Pose(shift=0.02, scale=0.05)),
    "warp, spectra, groups": dict(shape=(90,), content=1, pose=Pose(shift=0.02), groups=2),
    "spatial, spectra": dict(shape=(40,), pose=Pose(shift=0.02), decoder="spatial"),
}
LIKELIHOODS = ("bernoulli", "poisson", "gaussian")
BOTH_KINDS = ("dense", "warp, everything, wide", "dense, spectra", "warp, spectra", "spatial")


def data_of(model, rng, count=200):
    """Images such as the likelihood allows, of blobs whose height and place vary: shares of light, electrons, or about -100."""
    place, height = rng.uniform(-0.3, 0.3, (2, count, 1))
    points = model.points.numpy()[:, 0]
    light = np.exp(-20 * (points - place) ** 2) * (0.6 + height) + 0.05                       # (count, p)
    unit = dict(bernoulli=light, poisson=rng.poisson(50 * light) + 1, gaussian=30 * light + rng.normal(-100, 1, light.shape))
    return unit[model.likelihood.name].astype(np.float32).reshape(count, *model.shape)


def dense_layers(decoder):
    """The layers of a dense decoder, or of the one that draws a warp decoder's canonical picture."""
    return next(module.layers for module in decoder.modules() if hasattr(module, "layers"))


def random_model(contrast, seed=0, deeper=0, **options):
    """A model whose decoder draws something of contrast: random weights, the last layer's enlarged; other hidden layers too."""
    model = VAE(seed=seed, **options)
    model.likelihood.measure(torch.from_numpy(data_of(model, np.random.default_rng(seed))))
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        change_depth(model.decoder, deeper)
        last = model.decoder.last if model.decoder.pointwise else dense_layers(model.decoder)[-2]
        last.weight *= contrast
        last.bias += torch.randn(last.bias.shape, generator=torch.Generator().manual_seed(seed))
    return model


def change_depth(decoder, deeper):
    """One hidden layer more (1) or fewer (-1) than usual."""
    if decoder.pointwise:
        wide, inputs = decoder.hidden[0].in_features, decoder.of_content[0].in_features
        changed = [(decoder.hidden, nn.Linear(wide, wide))]
        if len(decoder.of_waves) > 1:
            changed += [(decoder.of_waves, nn.Linear(wide, wide, bias=False)), (decoder.of_content, nn.Linear(inputs, wide))]
        for layers, more in changed:
            layers.append(more) if deeper > 0 else layers.pop(-1) if deeper < 0 else None
        return
    layers = dense_layers(decoder)
    wide = layers[2].in_features
    if deeper > 0:
        layers.insert(2, nn.Linear(wide, wide))
        layers.insert(3, nn.SiLU())
    elif deeper < 0:
        del layers[2:4]


def random_values(model, count, rng):
    """Sliders' values anywhere within their reach."""
    reach = dict(rotation=180, right=0.3, down=0.3, scale=0.5, shear=30)
    parts = {"angle": ["rotation"], "shift": ["right", "down"][:len(model.shape)], "scale": ["scale"], "shear": ["shear"]}
    names = [name for part in (model.pose.widths if model.pose else ()) for name in parts[part]]
    return [{name: int(rng.integers(k)) if k else rng.uniform(-2.5, 2.5) for name, k in decoder_inputs(model)}
            | {name: rng.uniform(-reach[name], reach[name]) for name in names} for _ in range(count)]


DECODE = """async ([about, inputs, packed, rows]) => {
  const { makeDecoder, inputOf, poseOf } = window.explorer, decoder = makeDecoder(about, await window.unpacked(packed));
  return rows.map(values => [...decoder(inputOf(inputs, values), poseOf(values))]);
}"""


def in_page_and_in_torch(script, packed, model, rng):
    """Twelve images anywhere in reach of the sliders, in grey values, as the page draws them, and as torch does."""
    inputs, rows = decoder_inputs(model), random_values(model, 12, rng)
    about, arrays = compact_decoder(model, inputs, 2.5)
    expected = grey_values(model, model.decode(latents_of(model, rows)))
    return np.array(script(DECODE, [about, inputs, packed(arrays), rows])).reshape(expected.shape), expected


@pytest.mark.parametrize("contrast", [1, 30])
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_decoder_in_the_page_draws_what_torch_draws(script, packed, options, contrast):
    made, expected = in_page_and_in_torch(script, packed, random_model(contrast, **options), np.random.default_rng(1))
    assert np.abs(made - expected).max() < 1e-3
    assert contrast == 1 or expected.size < 100 or np.ptp(expected) > 0.2   # there is something to see


def off_by(made, expected):
    """The largest error of grey values: of white, or of the value itself where that is brighter."""
    return (np.abs(made - expected) / np.abs(expected).clip(1)).max()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_natural_parameter_is_as_grey_in_the_page(script, likelihood):
    model = random_model(1, shape=(12, 12), likelihood=likelihood)
    about, _ = compact_decoder(model, decoder_inputs(model), 2.5)
    natural = torch.linspace(-30, 30, 121)   # counts: far beyond twenty times the white, from where on rates grow straight on
    made = script("([link, values]) => values.map(window.explorer.LINKS[link.name](link))", [about["link"], natural.tolist()])
    assert np.allclose(made, grey_values(model, model.likelihood.mean(natural).numpy()), rtol=1e-5)


@pytest.mark.parametrize("contrast", [1, 10])   # the latter up to fifteen times as bright as white, where counts are electrons
@pytest.mark.parametrize("name", BOTH_KINDS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS[1:])
def test_it_does_with_every_likelihood(script, packed, name, likelihood, contrast):
    model = random_model(contrast, likelihood=likelihood, **MODELS[name])
    made, expected = in_page_and_in_torch(script, packed, model, np.random.default_rng(1))
    assert off_by(made, expected) < 1e-3 and np.ptp(expected) > 0.01 * contrast


@pytest.mark.parametrize("name", BOTH_KINDS[:4])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_trained_decoder_is_drawn_as_well(script, packed, name, likelihood):
    model = VAE(likelihood=likelihood, hidden=32, **MODELS[name])
    fit(model, data_of(model, np.random.default_rng(0)), epochs=60, progress=False)
    made, expected = in_page_and_in_torch(script, packed, model, np.random.default_rng(1))
    assert off_by(made, expected) < 1e-3 and np.ptp(expected) > 0.3


@pytest.mark.parametrize("deeper", [1, -1], ids=["one layer more", "one layer fewer"])
@pytest.mark.parametrize("name", ["dense", "warp, everything, wide", "spatial", "skip"])
def test_a_decoder_may_have_any_number_of_layers(script, packed, name, deeper):
    usual, model = (random_model(30, deeper=change, **MODELS[name]) for change in (0, deeper))
    count = [sum(isinstance(module, nn.Linear) for module in one.decoder.modules()) for one in (usual, model)]
    assert count[1] == count[0] + deeper * (3 if name == "skip" else 1)
    made, expected = in_page_and_in_torch(script, packed, model, np.random.default_rng(2))
    assert np.abs(made - expected).max() < 1e-3 and np.ptp(expected) > 0.05


def test_answers_of_the_kernel_that_overtake_one_another_are_not_mixed_up(script, packed):
    """The map and the panels ask at the same time; here each image is one pixel, of the grey value that the latent says."""
    model = VAE((1, 1), content=1, pose=Pose(shift=0.1), decoder="spatial")
    about, arrays = compact_decoder(model, decoder_inputs(model), 2.5)
    drawn = script("""async ([decoder, inputs, packed]) => {
        const listeners = new Set(), asked = [];
        const kernel = { send: message => asked.push(message), on: (_, hear) => listeners.add(hear),
                         off: (_, hear) => listeners.delete(hear) };
        const spec = { decoder, inputs, shape: [1, 1] };
        const decode = window.explorer.chooseDecoder(kernel, spec, await window.unpacked(packed), () => {});
        const both = decode([{ z1: 1 }, { z1: 2 }]), one = decode([{ z1: 1 }]);
        for (const { number, rows } of asked.toReversed()) {
          for (const hear of [...listeners]) hear({ number }, [Float32Array.from(rows, ({ z1 }) => z1)]);
          await new Promise(next => setTimeout(next));
        }
        return (await Promise.all([both, one])).map(images => images.map(([pixel]) => pixel)); }""",
        [about, decoder_inputs(model), packed(arrays)])
    assert drawn == [[1, 2], [1]]


def test_every_file_of_the_script_is_in_it_once_and_anywidget_finds_what_it_calls(script):
    assert sorted(SCRIPTS) == sorted(path.stem for path in HERE.glob("*.js"))
    assert script("() => typeof window.explorer.default.render") == "function"


@pytest.mark.parametrize("size", [24, 48])
def test_a_card_in_the_page_is_the_card_of_the_data(script, packed, size):
    outlines, rng = packed(polygons(size)), np.random.default_rng(0)
    for suit in range(len(SUITS)):
        poses = rng.uniform(-1, 1, (15, 4)) * (180, 20, 0.2, 0.2)
        made = script("""async ([size, packed, suit, poses]) => {
            const arrays = await window.unpacked(packed);
            return poses.map(([rotation, shear, right, down]) =>
              [...window.explorer.card({ size }, arrays, suit, { rotation, shear, right, down })]); }""",
            [size, outlines, suit, poses.tolist()])
        angle, shear, *shift = poses.T
        expected = render(np.full(15, suit), np.radians(angle), np.radians(shear), np.transpose(shift), size)
        difference = np.abs(np.array(made).reshape(expected.shape) - expected)
        assert difference.max() < 0.1 and difference.mean() < 0.3 / 255   # Agg bends a curve a little with its pose


def test_what_covers_a_pixel_is_exact(script):
    """A square, a hole of the other sense, and two overlapping squares: areas that one can work out."""
    square = [[1.25, 1.5], [3.5, 1.5], [3.5, 3], [1.25, 3]]
    picture = np.array(list(script("polygons => [...window.explorer.coverage(polygons, 4)]", [square]))).reshape(4, 4)
    assert np.allclose(picture, np.outer([0, 0.5, 1, 0], [0, 0.75, 1, 0.5]))
    twice = script("polygons => [...window.explorer.coverage(polygons, 4)]", [square, square])
    assert np.allclose(twice, np.minimum(2 * picture, 1).ravel())
    none = script("polygons => [...window.explorer.coverage(polygons, 4)]", [square, square[::-1]])
    assert np.allclose(none, 0)


def test_half_precision_is_read_as_written(script, packed):
    values = np.array([0, 1, -2.5, 65504, 6e-8, -3e-5, 1 / 3], np.float16)
    read = script("async packed => [...(await window.unpacked(packed)).half]",
                  packed({"odd": np.arange(3, dtype=np.int8), "half": values}))
    assert np.array_equal(np.array(read, np.float32), values.astype(np.float32))


def test_weights_that_are_not_finite_are_refused():
    model = VAE((8, 8))
    model.decoder.layers[0].weight.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match="^model must have finite weights"):
        compact_decoder(model, decoder_inputs(model), 2.5)
