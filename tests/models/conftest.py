"""What the tests of the models share."""
import pytest

from cardslib import training
from cardslib.models.guide import objective


@pytest.fixture
def seen(monkeypatch):
    """What `objective` is asked, step by step, by the names of its arguments, in a list that fills while a model learns."""
    seen = []

    def noted(model, images, label, guide, explore, generator):
        seen.append(dict(images=images, label=label, guide=guide, explore=explore))
        return objective(model, images, label, guide, explore, generator)

    monkeypatch.setattr(training, "objective", noted)
    return seen
