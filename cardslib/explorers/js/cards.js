// Cards: outlines.py again, from the outline of a suit and a pose to an image.

// arrays: the polygons of all suits, {"suit/part": (points, 2)};  the sliders' values in degrees and half widths → (size²,).
export function card({ size }, arrays, suit, { rotation, shear, right, down }) {
  const matrix = poseMatrix(rotation * RADIANS, shear * RADIANS), half = size / 2;
  const polygons = Object.entries(arrays).filter(([name]) => name.startsWith(`${suit}/`)).map(([, points]) => {
    const moved = [];
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = apply(matrix, [points[i], points[i + 1]]);
      moved.push([(x + right + 1) * half, (y + down + 1) * half]);   // half widths → pixels
    }
    return moved;
  });
  return coverage(polygons, size);
}

// How much of each pixel closed polygons cover, (size²,).  Every edge adds, in each row that it crosses, the signed area to
// its right; the sum along a row is the winding number times what is covered (as in FreeType, and in Agg, which draws the
// cards in Python).  polygons: lists of [x, y] in pixels.
export function coverage(polygons, size) {
  const wide = size + 2, area = new Float64Array(wide * size), picture = new Float32Array(size * size);
  for (const polygon of polygons) {
    polygon.forEach((end, i) => addEdge(area, wide, size, polygon[(i || polygon.length) - 1], end));
  }
  for (let row = 0; row < size; row++) {
    let sum = 0;
    for (let column = 0; column < size; column++) {
      sum += area[row * wide + column];
      picture[row * size + column] = Math.min(Math.abs(sum), 1);
    }
  }
  return picture;
}

function addEdge(area, wide, size, [x0, y0], [x1, y1]) {
  if (y0 === y1) return;
  const sense = y0 < y1 ? 1 : -1, slope = (x1 - x0) / (y1 - y0);
  const top = Math.min(y0, y1), bottom = Math.min(Math.max(y0, y1), size);
  for (let row = Math.max(0, Math.floor(top)); row < bottom; row++) {
    const high = Math.max(row, top), low = Math.min(row + 1, bottom);
    const [x, far] = [high, low].map(y => clamp(x0 + (y - y0) * slope, 0, size));
    addPiece(area, row * wide, Math.min(x, far), Math.max(x, far), sense * (low - high));
  }
}

// The piece of an edge that lies in one row, from `left` to `right`: its signed height, times how much of each pixel lies on
// the right of it, as differences from pixel to pixel.
function addPiece(area, start, left, right, height) {
  let before = 0;   // the same of the pixel before
  for (let column = Math.floor(left); ; column++) {
    const here = ramp(column + 1 - left, right - left) - ramp(column - left, right - left);
    area[start + column] += height * (here - before);
    before = here;
    if (column + 1 >= right) {
      area[start + column + 1] += height * (1 - before);
      return;
    }
  }
}

// ∫ of a ramp that rises from 0 to 1 over `length`, from its foot to x.
const ramp = (x, length) => x <= 0 ? 0 : x < length ? x * x / (2 * length) : x - length / 2;
