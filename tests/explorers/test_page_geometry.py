"""The page's geometry is Python's: JavaScript, NumPy and torch turn, strain, magnify and shift alike, and back."""
import numpy as np
import pytest
import torch
from browser import needs_chromium

from cardslib import geometry, transforms
from cardslib.models.latents import Latents

pytestmark = needs_chromium

ANGLES = np.linspace(-7, 7, 57)
SHEARS = np.linspace(-1.1, 1.1, 45)
POSES = np.random.default_rng(0).uniform(-1, 1, (200, 5)) * (4, 1.1, 0.5, 0.4, 0.4)   # angle, shear, scale, right, down
SEEN = """([shape, poses]) => poses.map(([angle, shear, scale, right, down]) => {
  const points = [];
  window.explorer.eachPixel(shape, { angle, shear, scale, right, down }, (u, v, n) => { points[n] = [u, v]; });
  return points; })"""


def test_a_positive_angle_turns_the_same_way(script):
    made = script("angles => angles.map(window.explorer.rotation)", ANGLES.tolist())
    assert np.abs(np.array(made) - geometry.rotation(ANGLES)).max() < 1e-12
    assert np.abs(np.array(made) - transforms.rotation(torch.from_numpy(ANGLES)).numpy()).max() < 1e-12


def test_the_shear_is_the_same(script):
    made = script("shears => shears.map(window.explorer.strain)", SHEARS.tolist())
    assert np.abs(np.array(made) - geometry.strain(SHEARS)).max() < 1e-12


def test_what_undoes_the_shear_undoes_it(script):
    made = np.array(script("shears => shears.map(window.explorer.strainBack)", SHEARS.tolist()))
    assert np.abs(made @ geometry.strain(SHEARS) - np.eye(2)).max() < 1e-9


def test_a_pose_is_strained_first_then_turned(script):
    angle, shear = POSES[:, :2].T
    made = script("poses => poses.map(([angle, shear]) => window.explorer.poseMatrix(angle, shear))", POSES.tolist())
    assert np.abs(np.array(made) - geometry.pose_matrix(angle, shear)).max() < 1e-12


def test_the_way_to_the_canonical_picture_and_back_leads_to_the_same_point(script):
    angle, shear, scale, *shift = POSES.T
    canonical = np.random.default_rng(1).uniform(-1, 1, (len(POSES), 2))
    seen = (geometry.pose_matrix(angle, shear) @ canonical[..., None])[..., 0] * np.exp(scale)[:, None] + np.transpose(shift)
    affine = np.array(script("""poses => poses.map(([angle, shear, scale, right, down]) =>
        window.explorer.toCanonical({ angle, shear, scale, right, down }))""", POSES.tolist()))   # (n, 2, 3)
    found = (affine[..., :2] @ seen[..., None])[..., 0] + affine[..., 2]
    assert np.abs(found - canonical).max() < 1e-9


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (5, 12), (9, 4)])
@pytest.mark.parametrize("further", [1, 1.4], ids=["within reach", "sheared too far"])   # where the tangent is cut off
def test_each_pixel_is_read_where_torch_reads_it(script, shape, further):
    poses = POSES * (1, further, 1, 1, 1)
    angle, shear, scale, *shift = torch.from_numpy(poses).T
    pose = Latents(torch.zeros(len(poses), 0), angle=angle, shear=shear, scale=scale, shift=torch.stack(shift, 1))
    expected = transforms.to_canonical(transforms.pixel_grid(*shape).double().reshape(-1, 2), pose)
    made = np.array(script(SEEN, [shape, poses.tolist()]))
    assert np.abs(made - expected.numpy()).max() < 1e-6   # the grid is float32 in torch


def test_without_a_pose_a_pixel_is_where_it_is(script):
    made = script("""() => { const points = []; window.explorer.eachPixel([3, 4], {}, (u, v) => points.push([u, v]));
                             return points; }""")
    assert np.allclose(made, transforms.pixel_grid(3, 4).reshape(-1, 2), atol=1e-7)
