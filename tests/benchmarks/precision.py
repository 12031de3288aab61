"""How near the physical limit are angle, shift, shear and scale, and are the stated error bars true?

    python tests/benchmarks/precision.py [--doses 2 5 20 100] [--seeds 2] [--usual] [--only NiO-LSMO]

Every method sees the same simulated micrographs, learns from some and is scored on one of another seed, on columns away from
interfaces and domain walls.  Prints tables of root mean square errors over the bound of Cramér and Rao
(`microscopy.pose_bound`, of the noiseless patch of each kind, all parts unknown together), and for the models, after a
semicolon, the spread of the z-scores (1 is right) and the coverage of 95 % intervals.  From every method one zero a kind is
taken out: it is a gauge.  What else they are told:

    rVAE, joint  nothing more;  affine fit: the kind of each column;  PCA: the kind, and all true poses of what it learns from

    encoder   what `encode` says
    refined   what `refine` makes of it, patch by patch
    standard  the same, with zero and error bar of each kind from a third micrograph, whose truth is known: what scatters
              there beyond the stated standard deviation is added to it in quadrature.  The truth of the scored one is not used

Positions are refined by a Gaussian fit before patches are cut; the affine fit's shift is the error of that.  Scans are without
line jitter, lattices without static disorder, and NiO-LSMO without displaced Mn columns: no dose makes these smaller.  --usual
takes all three as `scan` and the crystals have them.  Errors below the bound are those of an estimate that sees more than the
patch (the affine fit's eight neighbours stand at its rim and beyond), or that its prior pulls towards zero.

Some minutes for each dose, seed and material.
"""
import argparse
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from cardslib.metrics import coverage, z_spread
from cardslib.microscopy import column_patches, ferroelectric, find_columns, nio_lsmo, scan, score_columns
from cardslib.microscopy.deformation import local_deformation, log_scale, symmetric_shear
from cardslib.microscopy.patches import Patches, join
from cardslib.microscopy.precision import PARTS, pose_bound
from cardslib.models import VAE, Pose
from cardslib.training import fit

SIZE = 32                     # pixels of a patch, 4.8 Å
HALF_WIDTH = SIZE / 2
AWAY = 8.0                    # Å from interfaces and domain walls, further than a patch reaches
SCORED = 1200                 # columns of an image at most, drawn by lot: enough for a spread to two per cent
JOINT_CONTENT = 2             # latents beside the kind: thickness, and the stretch along x or y, are no part of a pose
COMPONENTS = 24               # of PCA
NOISELESS = 1e6               # electrons a pixel
UNITS = dict(angle=(np.degrees(1), "°"), shift=(HALF_WIDTH * 15, " pm"), shear=(np.degrees(1), "°"), scale=(100, " %"))
POSE = dict(rotation=0.1, shift=0.1, scale=0.03, shear=0.05)
STRAIGHT = dict(tilt=0, strain=0, disorder=0, seed=1)
MATERIALS = {   # crystal, arguments that make it straight, kinds of patches, images to learn from
    "NiO-LSMO": (nio_lsmo, dict(misorientation=0, polar=0, pillars=1), 3, 1),
    "BiFeO3": (ferroelectric, {}, 8, 3)}       # two sublattices in four polar directions

PERFECT = {"NiO-LSMO": dict(disorder=0, polar=0), "BiFeO3": dict(disorder=0)}


@dataclass
class Columns:
    """Columns found in one or more micrographs, with what is true of them: patches, kind (n,) and pose {part: (n,) or (n, 2)};
    and what the affine fits say, {neighbours: pose}."""

    patches: Patches
    kind: np.ndarray
    true: dict
    affine: dict


def kinds(crystal):
    """(n,) whole numbers: species and, where columns are polar, the direction in which: the patches that look alike."""
    direction = np.round(np.arctan2(crystal.displacement[:, 1], crystal.displacement[:, 0]) / (np.pi / 2) - 0.5).astype(int) % 4
    polar_in = {domain: np.bincount(direction[chosen], minlength=4).argmax() for domain in np.unique(crystal.domain)
                if (chosen := (crystal.domain == domain) & (np.hypot(*crystal.displacement.T) > 0.15)).any()}
    of_domain = np.array([polar_in.get(domain, 0) for domain in crystal.domain])
    return crystal.species + len(crystal.species_names) * (of_domain if "BiFeO3" in crystal.phase_names else 0)


def look(micrograph):
    """`Columns` of a simulated micrograph, those away from interfaces."""
    found = find_columns(micrograph.image)
    truth = micrograph.truth[micrograph.truth.visible]
    pairs = score_columns(found.position, truth.position, micrograph.image.shape)
    kind = np.full(len(found), kinds(truth).max() + 1)                                  # what is no column is of another kind
    kind[pairs.found] = kinds(truth)[pairs.true]
    true = np.full(len(found), -1)
    true[pairs.found] = pairs.true
    patches = column_patches(micrograph, found.position, SIZE)
    patches = patches[(true[patches.index] >= 0) & (truth.boundary[true[patches.index]] > AWAY)]
    its = truth[true[patches.index]]
    middle = patches.corner + (SIZE - 1) / 2
    pose = dict(angle=its.rotation, shift=(its.position - middle) / HALF_WIDTH, shear=symmetric_shear(its.deformation),
                scale=log_scale(its.deformation))
    affine = {}
    for neighbours in (4, 8):
        fitted = local_deformation(found.position, kind, neighbours)[patches.index]
        affine[neighbours] = dict(angle=fitted.angle, shift=patches.offset, shear=fitted.shear, scale=fitted.scale)
    return Columns(patches, kind[patches.index], pose, affine)


def together(several):
    """One `Columns` of several."""
    return Columns(join(*(one.patches for one in several)), np.concatenate([one.kind for one in several]),
                   {part: np.concatenate([one.true[part] for one in several]) for part in PARTS}, {})


def some(columns, seed):
    """At most `SCORED` of the `Columns`."""
    chosen = np.random.default_rng(seed).permutation(len(columns.kind))[:SCORED]
    return Columns(columns.patches[chosen], columns.kind[chosen], {part: columns.true[part][chosen] for part in PARTS},
                   {neighbours: {part: pose[part][chosen] for part in PARTS} for neighbours, pose in columns.affine.items()})


def bounds(material, dose, kind):
    """Bound of each part, root mean square over columns of these kinds (n,): {part: number}, of the shift along x and y."""
    make, straight, *_ = MATERIALS[material]
    of_kind = {}
    for seed in range(1, 30):                                                           # until every direction has been there
        micrograph = scan(make(**{**STRAIGHT, **straight, "seed": seed}), counts=NOISELESS, jitter=0, drift=0, thickness=0)
        truth = micrograph.truth[micrograph.truth.visible]
        truth = truth[(truth.boundary > AWAY)]
        patches = column_patches(micrograph, truth.position, SIZE)
        centred = np.abs(patches.offset).max(1)
        for number in set(kinds(truth[patches.index])) - set(of_kind):
            best = np.argmin(np.where(kinds(truth[patches.index]) == number, centred, np.inf))
            of_kind[number] = pose_bound(patches[int(best)].counts[0] * (dose / NOISELESS))
        if set(kind) <= set(of_kind):
            break
    return {part: np.sqrt(np.mean([np.mean(np.square(of_kind[number][part])) for number in kind])) for part in PARTS}


def rms(error):
    return np.sqrt(np.nanmean(np.square(error)))


def zeros(said, true, kind):
    """What is said, (n,) or (n, 2), in excess of the truth in the mean of each kind: {kind: number or (2,)}."""
    return {number: np.nanmean(said[kind == number] - true[kind == number], axis=0) for number in np.unique(kind)}


def errors(said, true, kind, zero):
    """Of what is said, (n,) or (n, 2), after the zero of each kind."""
    return said - true - np.array([zero[number] for number in kind])


def read_out(learnt, unseen):
    """Pose of unseen columns from PCA's components: a straight line for each kind, fitted to the true poses of the learnt."""
    pixels = learnt.patches.counts.reshape(len(learnt.kind), -1)
    pca = PCA(COMPONENTS, random_state=0).fit(pixels)
    codes, unseen_codes = pca.transform(pixels), pca.transform(unseen.patches.counts.reshape(len(unseen.kind), -1))
    said = {part: np.full_like(unseen.true[part], np.nan) for part in PARTS}
    for number in set(learnt.kind) & set(unseen.kind):
        here, there = learnt.kind == number, unseen.kind == number
        for part in PARTS:
            said[part][there] = LinearRegression().fit(codes[here], learnt.true[part][here]).predict(unseen_codes[there])
    return said


def models(material):
    """The two models, by name."""
    groups = MATERIALS[material][2]
    return {"rVAE": VAE((SIZE, SIZE), content=2, pose=Pose(**POSE), likelihood="poisson"),
            "joint": VAE((SIZE, SIZE), content=JOINT_CONTENT, groups=groups, pose=Pose(**POSE), likelihood="poisson")}


def of_itself(pose, columns):
    """Errors of a method, {part: (n,) or (n, 2)}, with the zero of each kind taken from the truth."""
    return {part: errors(pose[part], columns.true[part], columns.kind, zeros(pose[part], columns.true[part], columns.kind))
            for part in PARTS}


def stated(latents):
    """Pose and standard deviations, shaped alike, in double precision: {part: (n,) or (n, 2)} both."""
    pose = {part: np.asarray(getattr(latents, part), float) for part in PARTS}
    sd = {part: np.asarray(getattr(latents, part + "_sd"), float) for part in PARTS}
    return pose, {**sd, "shift": np.stack([sd["shift"]] * 2, 1)}


def by_standard(latents, columns, of_standard, standard):
    """Errors and standard deviations with zero *and* error bar of each kind from a standard, another image with its truth.

    What scatters there beyond the stated standard deviation is added to it in quadrature: the lattice that is not as the model
    draws it.
    """
    (pose, sd), (standard_pose, standard_sd) = stated(latents), stated(of_standard)
    error, wider = {}, {}
    for part in PARTS:
        zero = zeros(standard_pose[part], standard.true[part], standard.kind)
        scatter = errors(standard_pose[part], standard.true[part], standard.kind, zero) ** 2 - standard_sd[part] ** 2
        extra = {number: max(0.0, scatter[standard.kind == number].mean()) for number in zero}
        known = np.isin(columns.kind, list(zero))
        error[part] = errors(pose[part][known], columns.true[part][known], columns.kind[known], zero)
        more = np.array([extra[number] for number in columns.kind[known]])
        wider[part] = np.sqrt(sd[part][known] ** 2 + more.reshape(-1, *[1] * (sd[part].ndim - 1)))
    return error, wider


def scored(error, limit, sd=None):
    """{part: (error / bound, spread of z-scores, coverage of 95 %)}."""
    return {part: (rms(error[part]) / limit[part],
                   *((np.nan, np.nan) if sd is None else
                     (z_spread(error[part], sd[part], 0 * error[part]), coverage(error[part], sd[part], 0 * error[part]))))
            for part in PARTS}


def measure(material, dose, seed, usual):
    """Of one seed: {method: {part: (error / bound, spread of z-scores, coverage of 95 %)}}, and {part: bound}.

    The last two are NaN for methods that state no standard deviation.
    """
    make, _, _, images = MATERIALS[material]
    crystal, scanner = ({}, {}) if usual else (PERFECT[material], dict(jitter=0))
    micrographs = [scan(make(seed=one, **crystal), counts=dose, seed=one, **scanner)
                   for one in [*range(100 * seed, 100 * seed + images), 100 * seed + 50, 100 * seed + 51]]
    *learnt, unseen, standard = map(look, micrographs)
    learnt, unseen, standard = together(learnt), some(unseen, seed), some(standard, seed)
    limit = bounds(material, dose, unseen.kind)
    knows_nothing = {part: np.zeros_like(unseen.true[part]) for part in PARTS}
    scores = {name: scored(of_itself(pose, unseen), limit) for name, pose in (
        ("knows nothing", knows_nothing), ("affine fit, 4", unseen.affine[4]), ("affine fit, 8", unseen.affine[8]),
        ("PCA", read_out(learnt, unseen)))}
    for name, model in models(material).items():
        fit(model, learnt.patches.counts, seed=seed, progress=False)
        for how, estimate in (("encoder", model.encode), ("refined", model.refine)):
            latents = estimate(unseen.patches.counts)
            pose, sd = stated(latents)
            scores[f"{name}, {how}"] = scored(of_itself(pose, unseen), limit, sd)
            error, wider = by_standard(latents, unseen, estimate(standard.patches.counts), standard)
            scores[f"{name}, {how}, standard"] = scored(error, limit, wider)
    return scores, limit


def average(several):
    """Root mean square over seeds of nested dictionaries of numbers."""
    return {name: {part: np.sqrt(np.mean(np.square([one[name][part] for one in several]), axis=0)) for part in PARTS}
            for name in several[0]}


def entry(ratio, spread, covered):
    """A cell of the table."""
    return f"{ratio:.2f}" if np.isnan(spread) else f"{ratio:.2f}; {spread:.2f}, {covered:.0%}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--doses", type=float, nargs="*", default=[2, 5, 20, 100], help="electrons a pixel")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=list(MATERIALS), choices=list(MATERIALS))
    parser.add_argument("--usual", action="store_true", help="with line jitter and static disorder")
    arguments = parser.parse_args()
    for material in arguments.only:
        for dose in arguments.doses:
            scores, limits = zip(*(measure(material, dose, seed, arguments.usual) for seed in range(arguments.seeds)))
            limit = average([{"bound": one} for one in limits])["bound"]
            print(f"\n| {material}, {dose:g} electrons a pixel | {' | '.join(PARTS)} |\n|---|{'---|' * len(PARTS)}")
            print("| bound | " + " | ".join(f"{limit[part] * UNITS[part][0]:.3g}{UNITS[part][1]}" for part in PARTS) + " |")
            for name, of_parts in average(scores).items():
                print(f"| {name} | " + " | ".join(entry(*of_parts[part]) for part in PARTS) + " |", flush=True)


if __name__ == "__main__":
    main()
