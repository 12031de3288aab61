"""What the page computes is what Python computes: decoders to 1e-3 of a pixel's value, cards to a tenth where an
edge crosses a pixel (Agg makes its curves of straight pieces that depend a little on the pose) and to 0.001 on average."""
import base64
import json

import numpy as np
import pytest
import torch
from browser import chromium, needs_chromium

from cardslib.cards import SUITS, render
from cardslib.explorers.html import SCRIPT
from cardslib.explorers.latent import CardExplorer, decoder_inputs, latents_of
from cardslib.explorers.weights import compact_decoder, pack
from cardslib.models import VAE, Pose

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
}


@pytest.fixture(scope="module")
def script():
    """A function that evaluates JavaScript with the explorers' own module as `explorer`."""
    with chromium() as browser:
        page = browser.new_page()
        page.evaluate("""async text => {
            window.explorer = await import(URL.createObjectURL(new Blob([text], {type: 'text/javascript'}))); }""", SCRIPT)
        yield page.evaluate


def random_model(contrast, seed=0, **options):
    """A model whose decoder draws something of contrast: random weights, the last layer's enlarged."""
    model = VAE(seed=seed, **options)
    layers = (model.decoder.canvas if model.kind == "warp" else model.decoder)
    last = layers.last if hasattr(layers, "last") else layers.layers[-2]
    with torch.no_grad():
        last.weight *= contrast
        last.bias += torch.randn(last.bias.shape, generator=torch.Generator().manual_seed(seed))
    return model


def random_values(model, count, rng):
    """Sliders' values anywhere within their reach."""
    reach = dict(rotation=180, right=0.3, down=0.3, scale=0.5, shear=30)
    parts = {"angle": ["rotation"], "shift": ["right", "down"], "scale": ["scale"], "shear": ["shear"]}
    names = [name for part in (model.pose.widths if model.pose else ()) for name in parts[part]]
    return [{name: int(rng.integers(k)) if k else rng.uniform(-2.5, 2.5) for name, k in decoder_inputs(model)}
            | {name: rng.uniform(-reach[name], reach[name]) for name in names} for _ in range(count)]


DECODE = """async ([about, inputs, index, data, rows]) => {
  const { unpack, Decoder, inputOf, poseOf } = window.explorer;
  const decoder = new Decoder(about, await unpack(index, Uint8Array.from(atob(data), letter => letter.charCodeAt(0))));
  return rows.map(values => [...decoder.image(inputOf(inputs, values), poseOf(values))]);
}"""


@pytest.mark.parametrize("contrast", [1, 30])
@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_decoder_in_the_page_draws_what_torch_draws(script, options, contrast):
    model, rng = random_model(contrast, **options), np.random.default_rng(1)
    inputs = decoder_inputs(model)
    about, arrays = compact_decoder(model, inputs, 2.5)
    index, data = pack(arrays)
    rows = random_values(model, 12, rng)
    expected = model.decode(latents_of(model, rows))
    made = np.array(script(DECODE, [about, inputs, index, base64.b64encode(data).decode(), rows])).reshape(expected.shape)
    assert np.abs(made - expected).max() < 1e-3
    assert contrast == 1 or expected.size < 100 or np.ptp(expected) > 0.3   # there is something to see


@pytest.mark.parametrize("size", [24, 48])
def test_a_card_in_the_page_is_the_card_of_the_data(script, size):
    explorer, rng = CardExplorer(size=size), np.random.default_rng(0)
    for suit in range(len(SUITS)):
        poses = rng.uniform(-1, 1, (15, 4)) * (180, 20, 0.2, 0.2)
        made = script("""async ([scene, data, suit, poses]) => {
            const { unpack, card } = window.explorer;
            const arrays = await unpack(scene.arrays, Uint8Array.from(atob(data), letter => letter.charCodeAt(0)));
            return poses.map(([rotation, shear, right, down]) => [...card(scene, arrays, suit,
                                                                          { rotation, shear, right, down })]); }""",
            [json.loads(json.dumps(explorer.canvas.scene)), base64.b64encode(explorer.canvas.data).decode(), suit,
             poses.tolist()])
        angle, shear, *shift = poses.T
        expected = render(np.full(15, suit), np.radians(angle), np.radians(shear), np.transpose(shift), size)
        difference = np.abs(np.array(made).reshape(expected.shape) - expected)
        assert difference.max() < 0.1 and difference.mean() < 0.3 / 255   # Agg bends a curve a little with its pose


def test_what_covers_a_pixel_is_exact(script):
    """A square, a hole of the other sense, and two overlapping squares: areas that one can work out."""
    square = [[1.25, 1.5], [3.5, 1.5], [3.5, 3], [1.25, 3]]
    picture = np.array(list(script("polygons => [...window.explorer.covered(polygons, 4)]", [square]))).reshape(4, 4)
    assert np.allclose(picture, np.outer([0, 0.5, 1, 0], [0, 0.75, 1, 0.5]))
    twice = script("polygons => [...window.explorer.covered(polygons, 4)]", [square, square])
    assert np.allclose(twice, np.minimum(2 * picture, 1).ravel())
    none = script("polygons => [...window.explorer.covered(polygons, 4)]", [square, square[::-1]])
    assert np.allclose(none, 0)


def test_half_precision_is_read_as_written(script):
    values = np.array([0, 1, -2.5, 65504, 6e-8, -3e-5, 1 / 3], np.float16)
    index, data = pack({"odd": np.arange(3, dtype=np.int8), "half": values})
    read = script("""async ([index, data]) => [...(await window.explorer.unpack(index,
        Uint8Array.from(atob(data), letter => letter.charCodeAt(0)))).half]""", [index, base64.b64encode(data).decode()])
    assert np.array_equal(np.array(read, np.float32), values.astype(np.float32))


def test_weights_that_are_not_finite_are_refused():
    model = VAE((8, 8))
    model.decoder.layers[0].weight.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match="^model must have finite weights"):
        compact_decoder(model, decoder_inputs(model), 2.5)
