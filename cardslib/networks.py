"""The neural networks inside the models: plain layers, no latent variables."""
import torch
from torch import nn


class DenseEncoder(nn.Module):
    """Image, and a label if there is one, → `outputs` numbers: (n, h, w), (n, classes) → (n, outputs)."""

    def __init__(self, shape, outputs, hidden, classes=0):
        super().__init__()
        height, width = shape
        self.layers = nn.Sequential(
            nn.Linear(height * width + classes, hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, outputs))

    def forward(self, images, label=None):
        pixels = images.flatten(1)                                          # (n, h, w) → (n, h·w)
        return self.layers(pixels if label is None else torch.cat([pixels, label], 1))


class DenseDecoder(nn.Module):
    """Content, and a label if there is one, → logits of the pixels: (n, content), (n, classes) → (n, h, w)."""

    def __init__(self, shape, content, hidden, classes=0):
        super().__init__()
        height, width = shape
        self.layers = nn.Sequential(
            nn.Linear(content + classes, hidden), nn.SiLU(),
            nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, height * width), nn.Unflatten(1, (height, width)))   # (n, h·w) → (n, h, w)

    @property
    def offset(self):
        """The bias of the last layer, (h·w,): the logits of the picture that is drawn before anything else is known."""
        return self.layers[-2].bias

    def forward(self, content, label=None):
        return self.layers(content if label is None else torch.cat([content, label], 1))
