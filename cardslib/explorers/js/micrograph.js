// Views of a square region of a micrograph, `across` pixels wide: pictures with marks in them, at which one can point.  Such a
// panel has a function `pick` from pixels x, y to the sliders that then move.

// As latentView, but the images are patches of the region, which is shown with the patch's frame in it.
function patchView(spec, arrays, decode) {
  const { region, corner } = arrays, { shape, across } = spec, middle = (shape[0] - 1) / 2;
  const show = latentView(spec, { ...arrays, images: cutPatches(region, across, corner, shape) }, decode);
  const pick = (x, y) => ({ image: nearestPoint(corner, x - middle, y - middle) });
  return async (values, chosen) => {
    const shown = await show(values, chosen), n = shown.moves.image, pixels = greyImage(region, [across, across]);
    markFrame(pixels, across, corner[2 * n], corner[2 * n + 1], shape[0]);
    const where = { title: "where it lies", pixels, shape: [across, across], zoom: 1.5, pick };
    return { ...shown, panels: [where, ...shown.panels] };
  };
}

function cutPatches(region, across, corner, [height, width]) {
  const patches = new Uint8Array(corner.shape[0] * height * width);
  for (let n = 0, at = 0; n < corner.shape[0]; n++) {
    for (let row = 0; row < height; row++, at += width) {
      const start = (corner[2 * n + 1] + row) * across + corner[2 * n];
      patches.set(region.subarray(start, start + width), at);
    }
  }
  return patches;
}

// Maxima of an image with a ring each, if they are above the threshold, and the patch about one of them.
function columnsView({ across, sizes, ring }, { region, position, strength }) {
  return ({ threshold, size, column }) => {
    const pixels = greyImage(region, [across, across]), side = sizes[size];
    const [left, top] = [0, 1].map(i => clamp(Math.round(position[2 * column + i] - (side - 1) / 2), 0, across - side));
    const inPatch = i => pixels[(top + Math.floor(i / side)) * across + left + i % side];
    const patch = Float32Array.from({ length: side * side }, (_, i) => inPatch(i));
    let above = 0;
    for (let n = 0; n < strength.length; n++) {
      if (strength[n] < threshold) continue;
      above++;
      markRing(pixels, across, ring, Math.round(position[2 * n]), Math.round(position[2 * n + 1]));
    }
    markFrame(pixels, across, left, top, side);
    const found = `above ${threshold.toFixed(2)}`, pick = (x, y) => ({ column: nearestPoint(position, x, y) });
    return {
      panels: [{ title: `${above} maxima ${found}`, pixels, shape: [across, across], zoom: 2, pick },
               { title: `patch of ${side}×${side} pixels`, pixels: patch, shape: [side, side], zoom: 4 }],
      words: `${above} of ${strength.length} maxima are ${found}; a patch of ${side} pixels about maximum ${column}`,
    };
  };
}

// A white frame with a black one inside, about the pixels that a patch holds.
function markFrame(pixels, across, left, top, side) {
  for (let i = 0; i < side; i++) {
    for (const [x, y] of [[i, 0], [i, side - 1], [0, i], [side - 1, i]]) pixels[(top + y) * across + left + x] = 1;
    if (i === 0 || i === side - 1) continue;
    for (const [x, y] of [[i, 1], [i, side - 2], [1, i], [side - 2, i]]) pixels[(top + y) * across + left + x] = 0;
  }
}

// A white ring: pixels [dx, dy] beside its middle.
function markRing(pixels, across, ring, x, y) {
  for (const [dx, dy] of ring) {
    if (x + dx >= 0 && x + dx < across && y + dy >= 0 && y + dy < across) pixels[(y + dy) * across + x + dx] = 1;
  }
}

// Which of the points (n, 2) is nearest to (x, y).
function nearestPoint(points, x, y) {
  let best = 0, least = Infinity;
  for (let n = 0; n < points.length / 2; n++) {
    const squares = (points[2 * n] - x) ** 2 + (points[2 * n + 1] - y) ** 2;
    if (squares < least) [best, least] = [n, squares];
  }
  return best;
}
