// What happens in an explorer between a slider and the pixels, all of it in the page.
//
// Two callers: in a notebook anywidget calls `render` with a model that the sliders are linked to; in a page without any
// kernel `standAlone` makes native sliders and a model of its own.  Neither asks Python for anything, with one exception:
// decoders that are a network of the coordinates are quicker there, so a kernel is asked if there is one.
//
//   unpack          the numbers that compact.py packed
//   Decoder         networks.py and poses.py again: from a decoder's input and a pose to an image
//   covered         outlines.py again: the share of each pixel that an outline covers
//   SCENES          what each kind of explorer shows at the sliders' values
//   render          tiles, map, words, keys and pointers
//   standAlone      the same with sliders, in a page of its own

// ---------------------------------------------------------------------- numbers

const TYPES = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array, float16: Uint16Array };

export async function unpack(index, bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const arrays = {};
  for (const [name, [type, shape, start]] of Object.entries(index)) {
    const values = new TYPES[type](buffer, start, shape.reduce((a, b) => a * b, 1));
    arrays[name] = type === "float16" ? Float32Array.from(values, fromHalf) : values;
    arrays[name].shape = shape;
  }
  return arrays;
}

function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

// ---------------------------------------------------------------------- decoders

const sigmoid = x => 1 / (1 + Math.exp(-x));
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

// (outputs, inputs), (outputs,) or nothing, (inputs,) → (outputs,), in a new array or in `result`.
function linear(weight, bias, input, result = new Float32Array(weight.shape[0])) {
  const [outputs, inputs] = weight.shape;
  for (let o = 0, at = 0; o < outputs; o++) {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < inputs; i++) sum += weight[at++] * input[i];
    result[o] = sum;
  }
  return result;
}

function silu(values) {
  for (let i = 0; i < values.length; i++) values[i] *= sigmoid(values[i]);
  return values;
}

// Where in the canonical picture a point (x, y) of the image lies, as poses.seen_from: u = a x + b y + e, v = c x + d y + f.
function seenFrom({ angle = 0, shear = 0, scale = 0, right = 0, down = 0 }) {
  const cos = Math.cos(angle), sin = Math.sin(angle), t = Math.tan(clamp(shear, -1.2, 1.2)), smaller = Math.exp(-scale);
  const a = ((1 + t * t) * cos + t * sin) * smaller, b = (-(1 + t * t) * sin + t * cos) * smaller;
  const c = (t * cos + sin) * smaller, d = (-t * sin + cos) * smaller;
  return [a, b, -(a * right + b * down), c, d, -(c * right + d * down)];
}

export class Decoder {
  constructor({ kind, shape, side, reach }, arrays) {
    Object.assign(this, { kind, shape, side, reach, arrays, drawn: new Map() });
  }

  // The image, (h·w,) in [0, 1], of an input [content, given class or numbers, group] and a pose in radians and half widths.
  image(input, pose) {
    const draw = { dense: () => this.canvas(input), warp: () => this.warped(input, pose) }[this.kind];
    return (draw ? draw() : this.asked(input, pose)).map(sigmoid);
  }

  // Logits of the dense network.  Its last layer comes as few columns of int8 and as the amount of each (compact.py).
  canvas(input) {
    const key = input.join();
    if (!this.drawn.has(key)) {
      const { first, firstBias, second, secondBias, amounts, columns, gain } = this.arrays;
      const hidden = silu(linear(second, secondBias, silu(linear(first, firstBias, input))));
      const amount = linear(amounts, null, [...hidden, 1]);
      const [count, pixels] = columns.shape, logits = new Float32Array(pixels);
      for (let k = 0, at = 0; k < count; k++) {
        const much = amount[k];
        for (let p = 0; p < pixels; p++) logits[p] += much * columns[at++];
      }
      for (let p = 0; p < pixels; p++) logits[p] *= gain[p];
      if (this.drawn.size > 300) this.drawn.clear();   // the pose moves what is drawn: it need not be drawn again
      this.drawn.set(key, logits);
    }
    return this.drawn.get(key);
  }

  // The canvas read where the pose says: bilinear, beyond the edge as at the edge, as torch's grid_sample does it.
  warped(input, pose) {
    const canvas = this.canvas(input), { side, reach, shape: [height, width] } = this;
    const [a, b, e, c, d, f] = seenFrom(pose), result = new Float32Array(height * width);
    const half = side / 2, far = side - 1;
    for (let row = 0, at = 0; row < height; row++) {
      const y = (2 * row + 1 - height) / width;
      for (let column = 0; column < width; column++, at++) {
        const x = (2 * column + 1 - width) / width;
        const u = clamp(((a * x + b * y + e) / reach + 1) * half - 0.5, 0, far);
        const v = clamp(((c * x + d * y + f) / reach + 1) * half - 0.5, 0, far);
        const left = Math.floor(u), top = Math.floor(v), right = Math.min(left + 1, far), bottom = Math.min(top + 1, far);
        const along = u - left, downwards = v - top;
        result[at] = (1 - downwards) * ((1 - along) * canvas[top * side + left] + along * canvas[top * side + right])
          + downwards * ((1 - along) * canvas[bottom * side + left] + along * canvas[bottom * side + right]);
      }
    }
    return result;
  }

  // A network of the coordinates, asked at every pixel: networks.SpatialDecoder, with or without skip.
  asked(input, pose) {
    const { waves, last, lastBias } = this.arrays, [height, width] = this.shape, half = waves.shape[1], hidden = 2 * half;
    const [a, b, e, c, d, f] = seenFrom(pose), result = new Float32Array(height * width), wave = new Float32Array(hidden);
    const layers = [0, 1, 2].map(n => ["waves", "content", "contentBias", "hidden", "hiddenBias"].map(name => this.arrays[name + n]));
    const given = layers.map(([, content, bias]) => content && linear(content, bias, input));
    const logit = new Float32Array(1), more = new Float32Array(hidden);
    let signal = new Float32Array(hidden), next = new Float32Array(hidden);
    for (let row = 0, at = 0; row < height; row++) {
      const y = (2 * row + 1 - height) / width;
      for (let column = 0; column < width; column++, at++) {
        const x = (2 * column + 1 - width) / width, u = a * x + b * y + e, v = c * x + d * y + f;
        for (let i = 0; i < half; i++) {
          const phase = u * waves[i] + v * waves[half + i];
          wave[i] = Math.sin(phase);
          wave[half + i] = Math.cos(phase);
        }
        silu(linear(layers[0][0], given[0], wave, signal));
        for (let n = 1; n < 3; n++) {
          linear(layers[n][3], layers[n][4], signal, next);
          if (given[n]) {
            linear(layers[n][0], given[n], wave, more);
            for (let i = 0; i < hidden; i++) next[i] += more[i];
          }
          [signal, next] = [silu(next), signal];
        }
        result[at] = linear(last, lastBias, signal, logit)[0];
      }
    }
    return result;
  }
}

// ---------------------------------------------------------------------- cards

const RADIANS = Math.PI / 180;

// The share of each pixel that closed polygons cover.  Every edge adds, in each row that it crosses, the signed area to its
// right; the sum along a row is the winding number times the covered share (so do it Agg, which draws the Python cards, and
// FreeType).  polygons: lists of [x, y] in pixels.
export function covered(polygons, size) {
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
    const ends = [high, low].map(y => clamp(x0 + (y - y0) * slope, 0, size));
    const left = Math.min(...ends), right = Math.max(...ends), share = sense * (low - high);
    let before = 0;   // of the edge's share, what lies left of the column's right side, integrated over the column
    for (let column = Math.floor(left); ; column++) {
      const until = integral(column + 1 - left, right - left), inColumn = until - integral(column - left, right - left);
      area[row * wide + column] += share * (inColumn - before);
      before = inColumn;
      if (column + 1 >= right) {
        area[row * wide + column + 1] += share * (1 - before);
        break;
      }
    }
  }
}

// ∫ of a ramp that rises from 0 to 1 over `length`, from its foot to x: how much of an edge lies to the left, on average.
const integral = (x, length) => x <= 0 ? 0 : x < length ? x * x / (2 * length) : x - length / 2;

export function card({ size }, arrays, suit, { rotation, shear, right, down }) {
  const cos = Math.cos(rotation * RADIANS), sin = Math.sin(rotation * RADIANS), t = Math.tan(shear * RADIANS), half = size / 2;
  const a = cos - sin * t, b = -cos * t + sin * (1 + t * t), c = -sin - cos * t, d = sin * t + cos * (1 + t * t);
  const polygons = Object.entries(arrays).filter(([name]) => name.startsWith(`${suit}/`)).map(([, points]) => {
    const moved = [];
    for (let i = 0; i < points.length; i += 2) {
      const x = points[i], y = points[i + 1];
      moved.push([(a * x + b * y + right + 1) * half, (c * x + d * y + down + 1) * half]);
    }
    return moved;
  });
  return covered(polygons, size);
}

// ---------------------------------------------------------------------- what each kind of explorer shows

const POSE = { rotation: ["angle", RADIANS], right: ["right", 1], down: ["down", 1], scale: ["scale", 1], shear: ["shear", RADIANS] };

export function poseOf(values) {
  return Object.fromEntries(Object.entries(POSE).map(([name, [part, unit]]) => [part, (values[name] ?? 0) * unit]));
}

// The decoder's input from the sliders' values: inputs lists [name, 0] for a number, [name, k] for one of k classes.
export function inputOf(inputs, values) {
  const input = inputs.flatMap(([name, count]) => count ? Array.from({ length: count }, (_, i) => +(i === values[name]))
                                                        : [values[name]]);
  return input.length ? input : [0];
}

const withoutPose = values => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, POSE[name] ? 0 : value]));
const grey = (bytes, shape, n) => {
  const size = shape[0] * shape[1];
  return Float32Array.from(bytes.subarray(n * size, (n + 1) * size), value => value / 255);
};

// Each scene: (scene, arrays, decode) → a function from the sliders' values (and whether the image was just chosen) to tiles
// [{ title, pixels, shape }] and words; it may ask to move sliders as well.
const SCENES = {
  card: (scene, arrays) => values => {
    const { suit, rotation, shear, right, down } = values, name = scene.names[suit];
    return {
      tiles: [{ title: name, pixels: card(scene, arrays, suit, values), shape: [scene.size, scene.size] }],
      words: `${name}, turned by ${rotation.toFixed(0)}°, sheared by ${shear.toFixed(1)}°, shifted by (${right.toFixed(2)}, ${down.toFixed(2)})`,
    };
  },

  reconstruction: (scene, { images, made, errors }) => ({ width, image }) => {
    const { shape, widths } = scene, count = images.shape[0];
    const original = grey(images, shape, image), copy = grey(made, shape, width * count + image);
    const difference = original.map((value, i) => Math.abs(value - copy[i]));
    return {
      tiles: [[`through ${widths[width]}`, copy], [`image ${image}`, original], ["difference", difference]]
        .map(([title, pixels]) => ({ title, pixels, shape })),
      words: `image ${image}, through a bottleneck of ${widths[width]}: mean squared error ${errors[width * count + image].toFixed(4)}`,
    };
  },

  latent: (scene, arrays, decode) => {
    const { content, images, label } = arrays, { shape } = scene, count = images.shape[0];
    const latents = content.shape[1];
    const apart = (n, values) => {
      let squares = 0;
      for (let i = 0; i < latents; i++) squares += (content[n * latents + i] - values[`z${i + 1}`]) ** 2;
      return Math.sqrt(squares);
    };
    const nearest = values => {
      const fits = n => values.class === undefined || label[n] === values.class;
      let best = values.image, least = latents && fits(best) ? apart(best, values) - 1e-6 : Infinity;   // stay if none is nearer
      for (let n = 0; latents && n < count; n++) {
        if (!fits(n)) continue;
        const distance = apart(n, values);
        if (distance < least) [best, least] = [n, distance];
      }
      return best;
    };
    return async (values, chosen) => {
      const moves = {};
      if (chosen) {   // go where this image was encoded
        for (const slider of scene.sliders) {
          if (arrays[`at/${slider.name}`]) moves[slider.name] = clamp(arrays[`at/${slider.name}`][values.image], slider.min, slider.max);
        }
        values = { ...values, ...moves };
      }
      const near = chosen ? values.image : nearest(values);
      moves.image = near;
      const [decoded, canonical] = await decode(scene.posed ? [values, withoutPose(values)] : [values]);
      const which = `image ${near}${label ? `, a ${scene.names[label[near]]}` : ""}`;
      const tiles = [["decoded", decoded], ["in pose zero", canonical], [which, grey(images, shape, near)]];
      return {
        moves,
        tiles: tiles.filter(([, pixels]) => pixels).map(([title, pixels]) => ({ title, pixels, shape })),
        words: `decoded at ${place(scene, values)}; beside it ${latents ? `the nearest of the data, ${which}, ${apart(near, values).toFixed(2)} away` : which}`,
      };
    };
  },

  // As latent, but the images are pieces of a region of a micrograph, which is shown with the piece's frame in it.
  patch: (scene, arrays, decode) => {
    const { region, corner } = arrays, { shape, across } = scene, count = corner.shape[0], images = new Uint8Array(count * shape[0] * shape[1]);
    for (let n = 0, at = 0; n < count; n++) {
      for (let row = 0; row < shape[0]; row++, at += shape[1]) {
        const start = (corner[2 * n + 1] + row) * across + corner[2 * n];
        images.set(region.subarray(start, start + shape[1]), at);
      }
    }
    images.shape = [count, ...shape];
    const draw = SCENES.latent(scene, { ...arrays, images }, decode), middle = (shape[0] - 1) / 2;
    return async (values, chosen) => {
      const shown = await draw(values, chosen), n = shown.moves.image, pixels = grey(region, [across, across], 0);
      markFrame(pixels, across, corner[2 * n], corner[2 * n + 1], shape[0]);
      const pick = (x, y) => ({ image: nearestOf(corner, x - middle, y - middle) });
      return { ...shown, tiles: [{ title: "where it lies", pixels, shape: [across, across], zoom: 1.5, pick }, ...shown.tiles] };
    };
  },

  // Maxima of an image with a ring each, if they are above the threshold, and the patch about one of them.
  columns: (scene, { region, position, strength, found }) => ({ threshold, size, column }) => {
    const { across, sizes } = scene, pixels = grey(region, [across, across], 0), side = sizes[size];
    const x = position[2 * column], y = position[2 * column + 1];
    const left = clamp(Math.round(x - (side - 1) / 2), 0, across - side), top = clamp(Math.round(y - (side - 1) / 2), 0, across - side);
    const patch = new Float32Array(side * side);
    for (let i = 0; i < patch.length; i++) patch[i] = pixels[(top + Math.floor(i / side)) * across + left + i % side];
    let above = 0;
    for (let n = 0; n < strength.length; n++) {
      if (strength[n] < threshold) continue;
      above++;
      markRing(pixels, across, Math.round(position[2 * n]), Math.round(position[2 * n + 1]));
    }
    markFrame(pixels, across, left, top, side);
    return {
      tiles: [{ title: `${above} maxima above ${threshold.toFixed(2)}`, pixels, shape: [across, across], zoom: 2,
                pick: (u, v) => ({ column: nearestOf(position, u, v) }) },
              { title: `patch of ${side}×${side} pixels`, pixels: patch, shape: [side, side], zoom: 4 }],
      words: `${above} of ${strength.length} maxima are above ${threshold.toFixed(2)}; a patch of ${side} pixels about maximum ${column}`,
    };
  },

  manifold: (scene, _arrays, decode) => async values => ({
    tiles: [{ title: "decoded", pixels: (await decode([values]))[0], shape: scene.shape }],
    words: `decoded at ${place(scene, values)}`,
  }),

  style: (scene, _arrays, decode) => async values => {
    const images = await decode(scene.names.map((_, n) => ({ ...values, class: n })));
    return {
      tiles: images.map((pixels, n) => ({ title: scene.names[n], pixels, shape: scene.shape })),
      words: `every class at ${place(scene, values)}`,
    };
  },
};

// Marks in grey pictures `across` pixels wide: a white frame with a black one inside; a white ring.
const RING = [[-1, -5], [0, -5], [1, -5], [3, -4], [4, -3], [5, -1], [5, 0], [5, 1], [4, 3], [3, 4], [1, 5], [0, 5], [-1, 5], [-3, 4], [-4, 3], [-5, 1], [-5, 0], [-5, -1], [-4, -3], [-3, -4]];

function markFrame(pixels, across, left, top, side) {
  for (let i = 0; i < side; i++) {
    for (const [x, y] of [[i, 0], [i, side - 1], [0, i], [side - 1, i]]) pixels[(top + y) * across + left + x] = 1;
    if (i === 0 || i === side - 1) continue;
    for (const [x, y] of [[i, 1], [i, side - 2], [1, i], [side - 2, i]]) pixels[(top + y) * across + left + x] = 0;
  }
}

function markRing(pixels, across, x, y) {
  for (const [dx, dy] of RING) {
    if (x + dx >= 0 && x + dx < across && y + dy >= 0 && y + dy < across) pixels[(y + dy) * across + x + dx] = 1;
  }
}

function nearestOf(points, x, y) {
  let best = 0, least = Infinity;
  for (let n = 0; n < points.length / 2; n++) {
    const squares = (points[2 * n] - x) ** 2 + (points[2 * n + 1] - y) ** 2;
    if (squares < least) [best, least] = [n, squares];
  }
  return best;
}

const said = (slider, value) => slider.options ? slider.options[value] : value.toFixed(slider.digits);
const place = (scene, values) => scene.sliders.filter(({ name }) => name !== "image")
  .map(slider => `${slider.label.replace(" (°)", "")} ${slider.options ? "" : "= "}${said(slider, values[slider.name])}${slider.label.includes("°") ? "°" : ""}`).join(", ");

// ---------------------------------------------------------------------- the view

const LEAST = 32;        // pixels that a canvas has across: smaller images are enlarged, pixel by pixel
const PATIENCE = 4000;   // milliseconds that a kernel may take before the page decodes itself

// A function from lists of sliders' values to images: computed here, or by the kernel if that is quicker and answers.
function makeDecode(model, scene, arrays, note) {
  const decoder = new Decoder(scene.decoder, arrays);
  const here = rows => rows.map(values => decoder.image(inputOf(scene.inputs, values), poseOf(values)));
  let kernel = Boolean(scene.decoder.kernel && model.send), number = 0;
  const pixels = scene.shape[0] * scene.shape[1];
  const known = new Map();   // what the kernel has decoded last: the canonical picture often stays
  const ask = async rows => {
    const keys = rows.map(values => JSON.stringify([inputOf(scene.inputs, values), poseOf(values)]));
    const unknown = rows.filter((_, n) => !known.has(keys[n])), images = unknown.length ? await request(unknown) : [];
    const made = rows.map((_, n) => known.get(keys[n]) ?? images.shift());
    if (known.size > 20) known.clear();
    made.forEach((image, n) => known.set(keys[n], image));
    return made;
  };
  const request = rows => new Promise((resolve, reject) => {
    const own = ++number;
    const done = (settle, result) => { model.off("msg:custom", hear); clearTimeout(alarm); settle(result); };
    const hear = (message, buffers) => {
      if (message.number !== own) return;
      if (message.problem) return done(reject, new Error(message.problem));
      const view = buffers[0], bytes = new Uint8Array(view.buffer ?? view, view.byteOffset ?? 0, view.byteLength);
      done(resolve, rows.map((_, n) => grey(bytes, scene.shape, n)));
    };
    const alarm = setTimeout(() => {
      kernel = false;
      note("No kernel answers: the page decodes by itself, more slowly.");
      done(resolve, here(rows));
    }, PATIENCE);
    model.on("msg:custom", hear);
    model.send({ number: own, rows });
  });
  if (scene.decoder.kernel) note(kernel ? "This decoder is computed by the kernel." : "This decoder is slow: there is no kernel here to help.");
  return async rows => (kernel ? ask(rows) : here(rows));
}

async function render({ model, el }) {
  const make = (tag, className, parent) => {
    const element = document.createElement(tag);
    element.className = className;
    parent.append(element);
    return element;
  };
  el.classList.add("cards-view");
  const tilesBox = make("div", "cards-tiles", el), mapBox = make("div", "cards-map-box", el);
  const caption = make("div", "cards-caption", el), note = make("div", "cards-note", el), problem = make("div", "cards-problem", el);
  caption.setAttribute("role", "status");
  problem.setAttribute("role", "alert");
  const fail = error => {
    problem.textContent = error.message ?? String(error);
    tilesBox.style.opacity = 0.3;
  };
  let scene, draw, map, names, together, stopped = false;
  try {
    scene = model.get("scene");
    names = scene.sliders.map(slider => slider.name);
    const view = model.get("data"), arrays = await unpack(scene.arrays, view);
    const decode = scene.decoder && makeDecode(model, scene, arrays, words => { note.textContent = words; });
    if (scene.learning) note.textContent += " The model is still learning: this is as far as it had come. Run this cell again when it is done.";
    draw = SCENES[scene.kind](scene, arrays, decode);
    together = moves => {   // several sliders move at once
      held = true;
      for (const [name, value] of Object.entries(moves)) model.set(name, value);
      held = false;
      model.save_changes();
      redraw();
    };
    if (scene.map) map = makeMap(mapBox, together, model, scene, arrays, decode, fail);
  } catch (error) {
    fail(error);
    return undefined;
  }
  const valuesNow = () => Object.fromEntries(names.map(name => [name, model.get(name)]));

  let held = false, busy = false, again = false, painted = "", shown = model.get("image");
  async function paint() {
    const values = valuesNow(), chosen = values.image !== shown;
    if (JSON.stringify(values) === painted) return;
    const { tiles, words, moves = {} } = await draw(values, chosen);
    if (stopped) return;
    shown = moves.image ?? values.image;
    painted = JSON.stringify({ ...values, ...moves });
    for (const [name, value] of Object.entries(moves)) model.set(name, value);
    if (Object.keys(moves).length) model.save_changes();
    tilesBox.classList.toggle("cards-few", tiles.length <= 3);
    tiles.forEach((tile, n) => drawTile(tilesBox.children[n] ?? makeTile(), tile, tile.zoom ?? scene.zoom, n ? tile.title : words, together));
    caption.textContent = words;
    problem.textContent = "";
    tilesBox.style.opacity = 1;
    map?.paint({ ...values, ...moves });
    nameSliders(el, scene, valuesNow());
  }
  function makeTile() {
    const figure = make("figure", "cards-tile", tilesBox);
    make("canvas", "cards-canvas", figure).setAttribute("role", "img");
    make("figcaption", "cards-title", figure);
    return figure;
  }
  // Drawn in the very event of a slider, so that a kernel is asked before it is told of the slider's new value.
  async function redraw() {
    again = busy;
    if (busy || held) return;
    busy = true;
    try {
      do {
        again = false;
        await paint();
      } while (again);
    } catch (error) {
      fail(error);
    }
    busy = false;
  }
  const events = names.map(name => `change:${name}`).join(" ");
  model.on(events, redraw);
  await redraw();
  const naming = setInterval(() => nameSliders(el, scene, valuesNow()) && clearInterval(naming), 200);
  return () => {
    stopped = true;
    clearInterval(naming);
    model.off(events, redraw);
  };
}

// A tile that can be pointed at has a function `pick` from pixels x, y to the sliders that then move.
function drawTile(figure, { title, pixels, shape: [height, width], pick }, zoom, words, together) {
  const canvas = figure.firstChild, times = Math.ceil(LEAST / width), size = { width: width * times, height: height * times };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  canvas.style.width = `${width * zoom}px`;
  const context = canvas.getContext("2d");
  putGrey(context, pixels, width, height);
  if (times > 1) {
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, width, height, 0, 0, size.width, size.height);
  }
  canvas.setAttribute("aria-label", words);
  canvas.style.cursor = pick ? "crosshair" : "";
  canvas.onclick = pick ? ({ offsetX, offsetY }) => together(pick(offsetX / canvas.clientWidth * width, offsetY / canvas.clientHeight * height)) : null;
  figure.lastChild.textContent = title;
}

function putGrey(context, pixels, width, height, x = 0, y = 0) {
  const image = context.createImageData(width, height), data = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) data[i] = 0xff000000 | (Math.round(clamp(pixels[i], 0, 1) * 255) * 0x010101);
  context.putImageData(image, x, y);
}

// In a notebook the sliders are not ours: give their handles the names and values that they lack.  True when all have them.
function nameSliders(el, scene, values) {
  const boxes = el.closest(".cards-explorer")?.querySelectorAll(".widget-slider") ?? [];
  let named = 0;
  boxes.forEach((box, n) => {
    const handle = box.querySelector(".noUi-handle"), slider = scene.sliders[n];
    if (!handle || !slider) return;
    handle.setAttribute("aria-label", slider.label);
    handle.setAttribute("aria-valuetext", said(slider, values[slider.name]));
    handle.dataset.lmSuppressShortcuts = "true";   // arrow keys are the slider's, not the notebook's
    box.querySelector(".widget-readout")?.setAttribute("aria-label", `${slider.label}, value`);
    named++;
  });
  return named === scene.sliders.length;
}

// ---------------------------------------------------------------------- the map of the first two latents

// Points of the data, or the decoded grid, and in it a cursor: click, drag or use the arrow keys to travel.
function makeMap(box, together, model, scene, arrays, decode, fail) {
  const { span, grid } = scene.map, one = !scene.sliders.some(({ name }) => name === "z2");
  const canvas = document.createElement("canvas"), back = document.createElement("canvas"), words = document.createElement("div");
  const size = grid ? 420 : 300, dense = Math.max(1, Math.ceil(window.devicePixelRatio || 1)), wide = size * dense;
  words.className = "cards-title";
  words.textContent = `${one ? "z₁" : "z₁ to the right, z₂ upwards"}: click, drag or arrow keys`;
  canvas.className = "cards-map";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.dataset.lmSuppressShortcuts = "true";
  for (const sheet of [canvas, back]) sheet.width = sheet.height = wide;
  canvas.style.width = `${size}px`;
  const figure = document.createElement("div");
  figure.append(canvas, words);
  box.append(figure);
  if (arrays.label && scene.names && !grid) box.append(makeLegend(scene));
  const reach = span * 1.08, x = z => (z / reach + 1) / 2 * wide, y = z => (1 - z / reach) / 2 * wide;
  const context = canvas.getContext("2d"), behind = back.getContext("2d");
  behind.fillStyle = grid ? "#595959" : "#fff";
  behind.fillRect(0, 0, wide, wide);

  const go = (...to) => together(Object.fromEntries(to.slice(0, one ? 1 : 2).map((z, n) => [`z${n + 1}`, clamp(z, -span, span)])));
  const point = event => {
    const frame = canvas.getBoundingClientRect();
    go(((event.clientX - frame.left) / frame.width * 2 - 1) * reach, (1 - (event.clientY - frame.top) / frame.height * 2) * reach);
  };
  canvas.addEventListener("pointerdown", event => {
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    point(event);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", event => canvas.hasPointerCapture(event.pointerId) && point(event));
  canvas.addEventListener("keydown", event => {
    const step = (event.shiftKey ? 0.5 : 0.1) * Math.max(1, Math.round(span / 2.5)), z1 = model.get("z1"), z2 = one ? 0 : model.get("z2");
    const to = { ArrowLeft: [z1 - step, z2], ArrowRight: [z1 + step, z2], ArrowUp: [z1, z2 + step], ArrowDown: [z1, z2 - step], Home: [0, 0] }[event.key];
    if (!to) return;
    go(...to);
    event.preventDefault();
    event.stopPropagation();
  });

  function drawPoints() {
    const { points, pointLabel } = arrays;
    behind.font = `${9 * dense}px sans-serif`;
    behind.textAlign = "center";
    behind.textBaseline = "middle";
    behind.globalAlpha = 0.7;
    for (let n = 0; n < points.shape[0]; n++) {
      const [colour, marker] = scene.map.styles[pointLabel ? pointLabel[n] : 0];
      behind.fillStyle = colour;
      behind.fillText(marker, x(points[2 * n]), y(points[2 * n + 1]));
    }
  }

  // The grid is decoded a few images at a time, so that no slider has to wait for it; a new one overtakes an old one.
  let asked = "";
  async function drawGrid(values) {
    const others = { ...values, z1: 0, z2: 0 }, key = JSON.stringify(others);
    if (key === asked) return;
    asked = key;
    const tile = wide / grid, [height, width] = scene.shape, small = new OffscreenCanvas(width, height), pen = small.getContext("2d");
    const along = n => (2 * n + 1) / grid - 1, rows = one ? [grid >> 1] : Array.from({ length: grid }, (_, n) => n);
    behind.imageSmoothingEnabled = width > tile;
    for (const row of rows) {
      const line = Array.from({ length: grid }, (_, n) => ({ ...others, z1: along(n) * reach, z2: one ? 0 : -along(row) * reach }));
      const images = await decode(line);
      if (key !== asked) return;
      images.forEach((pixels, n) => {
        putGrey(pen, pixels, width, height);
        behind.drawImage(small, n * tile, row * tile, tile - 1, tile - 1);
      });
      drawCursor();
      await new Promise(next => setTimeout(next));
    }
  }

  let now = {};
  function drawCursor() {
    const at = [x(now.z1), y(one ? 0 : now.z2)];
    context.drawImage(back, 0, 0);
    for (const [colour, thick] of [["#fff", 5], ["#d00000", 2.5]]) {
      context.strokeStyle = colour;
      context.lineWidth = thick * dense;
      context.beginPath();
      context.arc(...at, 7 * dense, 0, 7);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(at[0] + 7 * dense * dx, at[1] + 7 * dense * dy);
        context.lineTo(at[0] + 13 * dense * dx, at[1] + 13 * dense * dy);
      }
      context.stroke();
    }
  }
  if (!grid) drawPoints();
  return {
    paint(values) {
      now = values;
      canvas.setAttribute("aria-label", `map of the latents, cursor at ${place(scene, values)}; arrow keys move it, Home brings it back to the middle`);
      drawCursor();
      if (grid) drawGrid(values).catch(fail);
    },
  };
}

function makeLegend(scene) {
  const list = document.createElement("ul");
  list.className = "cards-legend";
  scene.names.forEach((name, n) => {
    const entry = document.createElement("li"), mark = document.createElement("span"), [colour, marker] = scene.map.styles[n];
    mark.style.color = colour;
    mark.textContent = marker;
    entry.append(mark, ` ${name}`);
    list.append(entry);
  });
  return list;
}

// ---------------------------------------------------------------------- without any kernel

// A model as anywidget has it, but nobody else listens.
class PageModel {
  constructor(values) {
    this.values = values;
    this.hearers = {};
  }
  get(name) { return this.values[name]; }
  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    for (const hearer of [...(this.hearers[`change:${name}`] ?? [])]) hearer();
  }
  on(events, hearer) { for (const event of events.split(" ")) (this.hearers[event] ??= []).push(hearer); }
  off(events, hearer) { for (const event of events.split(" ")) this.hearers[event] = (this.hearers[event] ?? []).filter(h => h !== hearer); }
  save_changes() {}
}

// Make an explorer out of <div class="cards-explorer"> with its state as JSON in a <script> inside.
export async function standAlone(root) {
  const { scene, values, data } = JSON.parse(root.querySelector("script").textContent);
  const model = new PageModel({ scene, data: Uint8Array.from(atob(data), letter => letter.charCodeAt(0)), ...values });
  const sliders = document.createElement("div"), view = document.createElement("div");
  sliders.className = "cards-sliders";
  for (const slider of scene.sliders) sliders.append(makeSlider(model, slider));
  root.querySelectorAll(".cards-still").forEach(still => still.remove());
  root.append(sliders, view);
  await render({ model, el: view });
}

function makeSlider(model, slider) {
  const label = document.createElement("label"), name = document.createElement("span"), value = document.createElement("span");
  const input = document.createElement("input");
  Object.assign(input, { type: "range", min: slider.min, max: slider.max, step: slider.step });
  label.className = "cards-slider";
  value.className = "cards-value";
  for (const words of [name, value]) words.setAttribute("aria-hidden", "true");   // the slider says both itself
  name.textContent = slider.label;
  input.setAttribute("aria-label", slider.label);
  const show = () => {
    input.value = model.get(slider.name);
    value.textContent = said(slider, model.get(slider.name));
    input.setAttribute("aria-valuetext", value.textContent);
  };
  input.addEventListener("input", () => model.set(slider.name, Number(input.value)));
  model.on(`change:${slider.name}`, show);
  show();
  label.append(name, input, value);
  return label;
}

export default { render };
