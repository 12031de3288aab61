// The conventions of geometry.py and transforms.py, which a test compares with these.  Points are in half widths of the image,
// x to the right, y down; angles are in radians, counter-clockwise on the screen.  Matrices are lists of rows.

const RADIANS = Math.PI / 180;   // radians in a degree
const STEEPEST = 1.2;            // radians of shear, as in transforms.py: near a right angle the tangent knows no bounds

export function rotation(angle) {
  const cos = Math.cos(angle), sin = Math.sin(angle);
  return [[cos, sin], [-sin, cos]];
}

// The symmetric shear, and its inverse.
export function strain(shear) {
  const t = Math.tan(shear);
  return [[1, -t], [-t, 1 + t * t]];
}

export function strainBack(shear) {
  const t = Math.tan(clamp(shear, -STEEPEST, STEEPEST));
  return [[1 + t * t, t], [t, 1]];
}

const multiply = ([[a, b], [c, d]], [[e, f], [g, h]]) => [[a * e + b * g, a * f + b * h], [c * e + d * g, c * f + d * h]];
const apply = ([[a, b], [c, d]], [x, y]) => [a * x + b * y, c * x + d * y];

// First strained, then turned.
export const poseMatrix = (angle, shear) => multiply(rotation(angle), strain(shear));

// Where in the canonical picture a point of the image lies: [[a, b, e], [c, d, f]] for (a x + b y + e, c x + d y + f).  The
// inverse of rotation · strain · p · exp(scale) + shift.
export function toCanonical({ angle = 0, shear = 0, scale = 0, right = 0, down = 0 }) {
  const smaller = Math.exp(-scale);
  const matrix = multiply(strainBack(shear), rotation(-angle)).map(row => row.map(value => value * smaller));
  const offset = apply(matrix, [right, down]);
  return matrix.map((row, n) => [...row, -offset[n]]);
}

// visit(u, v, n) for each pixel n of an image in a pose: where in the canonical picture its middle lies.
export function eachPixel([height, width], pose, visit) {
  const [[a, b, e], [c, d, f]] = toCanonical(pose);
  for (let row = 0, n = 0; row < height; row++) {
    const y = (2 * row + 1 - height) / width;
    for (let column = 0; column < width; column++, n++) {
      const x = (2 * column + 1 - width) / width;
      visit(a * x + b * y + e, c * x + d * y + f, n);
    }
  }
}
