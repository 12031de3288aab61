"""What several tests share: a few small cards, and a small VAE trained on them."""
import pytest
import torch
from hypothesis import settings
from threadpoolctl import threadpool_limits

from cardslib.cards import card_set, make_cards
from cardslib.models import VAE, Pose
from cardslib.training import fit

settings.register_profile("suite", max_examples=25, deadline=None, derandomize=True)   # the same examples each time
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks this small train quickest on one thread, and then no other program on the machine can slow them down."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def cards():
    """The lecture's set 1, small: 800 cards of 24×24 pixels."""
    return card_set(1, per_suit=200, size=24)


@pytest.fixture(scope="session")
def training(cards):
    """A VAE trained on the small cards for 20 epochs, and the history of that: (model, history).  Not to be changed."""
    model = VAE((24, 24))
    return model, fit(model, cards.images, epochs=20, progress=False)


@pytest.fixture(scope="session")
def trained(training):
    return training[0]


@pytest.fixture(scope="session")
def history(training):
    return training[1]


@pytest.fixture(scope="session")
def artist():
    """A function that makes a model without content from a picture: that is its canonical one, whatever it encodes."""
    def make(picture, pose=Pose(rotation=True, shift=0.2, scale=0.2, shear=True), softness=1e-4):   # noqa: B008
        model = VAE(picture.shape, content=0, pose=pose)
        torch.nn.init.zeros_(model.decoder.canonical.layers[-2].weight)
        model.decoder.start_from(torch.logit(torch.from_numpy(picture.copy()), eps=softness))
        return model
    return make


@pytest.fixture(scope="session")
def turned_cards():
    """400 cards of 20×20 pixels, turned by ±120° and shifted a little."""
    return make_cards(100, rotation=120, shear=1, shift=0.1, size=20)


@pytest.fixture(scope="session")
def rvae(turned_cards):
    """An rVAE with three extra latents, trained on the turned cards.  Not to be changed."""
    model = VAE((20, 20), pose=Pose(rotation=True, shift=0.1), hidden=64)
    fit(model, turned_cards.images, epochs=60, progress=False)
    return model
