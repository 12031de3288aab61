"""What several tests share: a few small cards, and a small VAE trained on them."""
import pytest
import torch
from hypothesis import settings
from threadpoolctl import threadpool_limits

from cardslib.cards import card_set
from cardslib.models import VAE
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
