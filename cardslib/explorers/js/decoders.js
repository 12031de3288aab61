// Decoders: networks.py again, from a decoder's input and a pose to an image.  Whoever has a kernel lets it compute those that
// are a network of the coordinates: Python is quicker there.

const REMEMBERED = 300;   // pictures drawn by a dense network: some megabytes
const KEPT = 20;          // images that the kernel has sent: the canonical one often stays while the pose moves
const PATIENCE = 4000;    // milliseconds that a kernel may take before the page decodes by itself

const DECODERS = { dense: (_about, arrays) => dense(arrays), warp, spatial: pointwise, skip: pointwise };

// A function from an input, [content, conditions or class, group], and a pose in radians and half widths to an image,
// (h·w,) of grey values, black 0 and white 1, a few beyond.  about: what weights.py says of the decoder.
export function makeDecoder(about, arrays) {
  const natural = DECODERS[about.name](about, arrays), grey = LINKS[about.link.name](about.link);
  return (input, pose) => natural(input, pose).map(grey);
}

// From a natural parameter to a grey value, for each likelihood: likelihoods.py again.
export const LINKS = {
  bernoulli: () => sigmoid,
  poisson: ({ logWhite, outshine }) => natural => {   // from there on straight
    const most = logWhite + outshine;
    return Math.exp(Math.min(natural, most) - logWhite) * (1 + Math.max(natural - most, 0));
  },
  gaussian: ({ offset, slope }) => natural => offset + slope * natural,
};

// The arrays of layer 0, 1, … until there is none, as weights.py numbers them: a list of {name: array}.
function layersOf(arrays, ...names) {
  const layer = n => Object.fromEntries(names.filter(name => arrays[name + n]).map(name => [name, arrays[name + n]]));
  const layers = [];
  for (let n = 0; Object.keys(layer(n)).length; n++) layers.push(layer(n));
  return layers;
}

// Linear layers with SiLU between them; the last is a product: gain · Σₖ coefficientₖ basisₖ (weights.py).
function dense(arrays) {
  const { projection, basis, gain } = arrays, layers = layersOf(arrays, "weight", "bias"), [count, pixels] = basis.shape;
  return remembering(input => {
    let signal = input;
    for (const { weight, bias } of layers) signal = silu(linear(weight, bias, signal));
    const coefficients = linear(projection, null, [...signal, 1]), drawn = new Float32Array(pixels);
    for (let k = 0, at = 0; k < count; k++) {
      const coefficient = coefficients[k];
      for (let p = 0; p < pixels; p++) drawn[p] += coefficient * basis[at++];
    }
    for (let p = 0; p < pixels; p++) drawn[p] *= gain[p];
    return drawn;
  });
}

// The same function, which remembers: a pose moves what is drawn, and it need not be drawn again.
function remembering(draw) {
  const drawn = new Map();
  return input => {
    const key = input.join();
    if (!drawn.has(key)) {
      if (drawn.size > REMEMBERED) drawn.clear();
      drawn.set(key, draw(input));
    }
    return drawn.get(key);
  };
}

// A canonical picture, `canvas` rows and columns of pixels, drawn as far as `reach` half widths along x and y, and read where the
// pose says.
function warp({ shape, canvas: [rows, columns], reach: [x, y] }, arrays) {
  const canonical = dense(arrays);
  return (input, pose) => {
    const picture = canonical(input), drawn = new Float32Array(shape[0] * shape[1]);
    eachPixel(shape, pose, (u, v, n) => {
      drawn[n] = bilinear(picture, rows, columns, (u / x + 1) * columns / 2 - 0.5, (v / y + 1) * rows / 2 - 0.5);
    });
    return drawn;
  };
}

// A picture at (x, y) in pixels, beyond the edge as at the edge: as torch's grid_sample with padding_mode="border".
function bilinear(picture, rows, columns, x, y) {
  x = clamp(x, 0, columns - 1);
  y = clamp(y, 0, rows - 1);
  const left = Math.floor(x), top = Math.floor(y), along = x - left, down = y - top;
  const next = Math.min(left + 1, columns - 1), here = top * columns, below = Math.min(top + 1, rows - 1) * columns;
  return (1 - down) * ((1 - along) * picture[here + left] + along * picture[here + next])
    + down * ((1 - along) * picture[below + left] + along * picture[below + next]);
}

// A network of the coordinates, asked at every pixel.  They enter the first layer as waves, with content beside them; every
// later layer too if the decoder has the arrays for it (skip).
function pointwise({ shape }, arrays) {
  const { waves, last, lastBias } = arrays, half = waves.shape[1], hidden = 2 * half;
  const [first, ...later] = layersOf(arrays, "waves", "content", "contentBias", "hidden", "hiddenBias");
  const wave = new Float32Array(hidden), ofWave = new Float32Array(hidden), drawn = new Float32Array(1);
  let signal = new Float32Array(hidden), next = new Float32Array(hidden);

  function drawnAt(u, v, [ofContent, ...ofContents]) {
    for (let i = 0; i < half; i++) {
      const phase = u * waves[i] + v * waves[half + i];
      wave[i] = Math.sin(phase);
      wave[half + i] = Math.cos(phase);
    }
    silu(linear(first.waves, ofContent, wave, signal));
    for (let n = 0; n < later.length; n++) {
      linear(later[n].hidden, later[n].hiddenBias, signal, next);
      if (later[n].waves) add(next, linear(later[n].waves, ofContents[n], wave, ofWave));
      [signal, next] = [silu(next), signal];
    }
    return linear(last, lastBias, signal, drawn)[0];
  }
  return (input, pose) => {
    const ofContents = [first, ...later].map(({ content, contentBias }) => content && linear(content, contentBias, input));
    const picture = new Float32Array(shape[0] * shape[1]);
    eachPixel(shape, pose, (u, v, n) => { picture[n] = drawnAt(u, v, ofContents); });
    return picture;
  };
}

// ---------------------------------------------------------------------- from the sliders' values

// Of each slider of the pose: the part that it moves, and the slider's unit.
const POSE = { rotation: ["angle", RADIANS], right: ["right", 1], down: ["down", 1], scale: ["scale", 1],
               shear: ["shear", RADIANS] };

export function poseOf(values) {
  return Object.fromEntries(Object.entries(POSE).map(([name, [part, unit]]) => [part, (values[name] ?? 0) * unit]));
}

function withoutPose(values) {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, POSE[name] ? 0 : value]));
}

// The decoder's input from the sliders' values: inputs lists [name, 0] for a number, [name, k] for one of k classes.
export function inputOf(inputs, values) {
  const oneHot = (count, chosen) => Array.from({ length: count }, (_, n) => +(n === chosen));
  const input = inputs.flatMap(([name, count]) => count ? oneHot(count, values[name]) : [values[name]]);
  return input.length ? input : [0];
}

// ---------------------------------------------------------------------- here or in the kernel

// A function from lists of sliders' values to images; `note` is told where they are computed if that is of interest.
export function chooseDecoder(model, spec, arrays, note) {
  const decoder = makeDecoder(spec.decoder, arrays);
  const here = rows => rows.map(values => decoder(inputOf(spec.inputs, values), poseOf(values)));
  if (!spec.decoder.pointwise) return async rows => here(rows);
  let ask = model.send && askKernel(model, spec);
  note(ask ? "This decoder is computed by the kernel." : "This decoder is slow: there is no kernel here to help.");
  return async rows => {
    const images = ask && await ask(rows);
    if (ask && !images) {
      ask = null;
      note("No kernel answers: the page decodes by itself, more slowly.");
    }
    return images || here(rows);
  };
}

// A function from such lists to the images that the kernel sends, or null if it does not answer.  What it has sent last is not
// asked again.
function askKernel(model, spec) {
  const sent = new Map(), key = values => JSON.stringify([inputOf(spec.inputs, values), poseOf(values)]);
  let number = 0;
  return async rows => {
    const known = rows.map(values => sent.get(key(values))), unknown = rows.filter((_, n) => !known[n]);
    const answer = unknown.length ? await request(model, spec.shape, ++number, unknown) : [];
    if (!answer) return null;
    const images = known.map(image => image ?? answer.shift());
    if (sent.size > KEPT) sent.clear();
    images.forEach((image, n) => sent.set(key(rows[n]), image));
    return images;
  };
}

// Send the sliders' values to the kernel, as question `number`; the images of its answer, or null if it does not come.
function request(model, shape, number, rows) {
  return new Promise((resolve, reject) => {
    const done = (settle, result) => {
      model.off("msg:custom", hear);
      clearTimeout(alarm);
      settle(result);
    };
    const hear = (message, buffers) => {
      if (message.number !== number) return;
      if (message.problem) return done(reject, new Error(message.problem));
      const view = buffers[0], start = view.byteOffset ?? 0, size = shape[0] * shape[1];
      const values = new Float32Array((view.buffer ?? view).slice(start, start + view.byteLength));
      done(resolve, rows.map((_, n) => values.subarray(n * size, (n + 1) * size)));
    };
    const alarm = setTimeout(() => done(resolve, null), PATIENCE);
    model.on("msg:custom", hear);
    try {
      model.send({ number, rows });
    } catch {   // the notebook knows already that the kernel is gone
      done(resolve, null);
    }
  });
}
