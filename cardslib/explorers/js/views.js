// Views: what an explorer shows at the sliders' values.  Each Python class has its view here and a method `panels` beside it.
//
// A view is made from the spec, the arrays, and a function that decodes lists of sliders' values.  It is a function from the
// sliders' values, and whether an image was just chosen, to { panels, words, moves }: pictures { title, pixels, shape }, a
// caption, and the sliders that then move by themselves.

function cardView(spec, arrays) {
  return values => {
    const { suit, rotation, shear, right, down } = values, title = spec.names[suit];
    return {
      panels: [{ title, pixels: card(spec, arrays, suit, values), shape: [spec.size, spec.size] }],
      words: `${title}, turned by ${rotation.toFixed(0)}°, sheared by ${shear.toFixed(1)}°, `
        + `shifted by (${right.toFixed(2)}, ${down.toFixed(2)})`,
    };
  };
}

function reconstructionView({ shape, widths }, { images, made, errors }) {
  const count = images.shape[0];
  return ({ width, image }) => {
    const original = greyImage(images, shape, image), copy = greyImage(made, shape, width * count + image);
    const difference = original.map((value, i) => Math.abs(value - copy[i]));
    return {
      panels: [[`through ${widths[width]}`, copy], [`image ${image}`, original], ["difference", difference]]
        .map(([title, pixels]) => ({ title, pixels, shape })),
      words: `image ${image}, through a bottleneck of ${widths[width]}: `
        + `mean squared error ${errors[width * count + image].toFixed(4)}`,
    };
  };
}

function pictureView({ shape, titles }, { pictures }) {
  return ({ setting }) => ({
    panels: [{ title: titles[setting], pixels: greyImage(pictures, shape, setting), shape }],
    words: `the picture at ${titles[setting]}`,
  });
}

function latentView(spec, arrays, decode) {
  const { images, label } = arrays, { shape } = spec;
  return async (values, chosen) => {
    const encoded = chosen ? encodedAt(spec, arrays, values.image) : {};
    const at = { ...values, ...encoded }, near = chosen ? values.image : nearestImage(arrays, at);
    const [decoded, canonical] = await decode(spec.posed ? [at, withoutPose(at)] : [at]);
    const which = `image ${near}${label ? `, a ${spec.names[label[near]]}` : ""}`;
    const panels = [["decoded", decoded], ["in pose zero", canonical], [which, greyImage(images, shape, near)]];
    const away = `the nearest of the data, ${which}, ${distance(arrays, near, at).toFixed(2)} away`;
    return {
      moves: { ...encoded, image: near },
      panels: panels.filter(([, pixels]) => pixels).map(([title, pixels]) => ({ title, pixels, shape })),
      words: `decoded at ${placeInWords(spec, at)}; beside it ${arrays.content.shape[1] ? away : which}`,
    };
  };
}

// Where the sliders go for the reconstruction of an image: to what was encoded, as far as they reach.
function encodedAt(spec, arrays, image) {
  const moving = spec.sliders.filter(({ name }) => arrays[`at/${name}`]);
  return Object.fromEntries(moving.map(({ name, min, max }) => [name, clamp(arrays[`at/${name}`][image], min, max)]));
}

// From the content of image n to that of the sliders.
function distance({ content }, n, values) {
  const latents = content.shape[1];
  let squares = 0;
  for (let i = 0; i < latents; i++) squares += (content[n * latents + i] - values[`z${i + 1}`]) ** 2;
  return Math.sqrt(squares);
}

// Of the images, of the sliders' class if there is one, the nearest; the one that stands there now if none is nearer.
function nearestImage(arrays, values) {
  const [count, latents] = arrays.content.shape;
  if (!latents) return values.image;
  const fits = n => values.class === undefined || arrays.label[n] === values.class;
  let best = values.image, least = fits(best) ? distance(arrays, best, values) - 1e-6 : Infinity;
  for (let n = 0; n < count; n++) {
    if (!fits(n)) continue;
    const away = distance(arrays, n, values);
    if (away < least) [best, least] = [n, away];
  }
  return best;
}

function manifoldView(spec, _arrays, decode) {
  return async values => ({
    panels: [{ title: "decoded", pixels: (await decode([values]))[0], shape: spec.shape }],
    words: `decoded at ${placeInWords(spec, values)}`,
  });
}

function styleView(spec, _arrays, decode) {
  return async values => {
    const images = await decode(spec.names.map((_, n) => ({ ...values, class: n })));
    return {
      panels: images.map((pixels, n) => ({ title: spec.names[n], pixels, shape: spec.shape })),
      words: `every class at ${placeInWords(spec, values)}`,
    };
  };
}

// ---------------------------------------------------------------------- words

const valueInWords = (slider, value) => slider.options ? slider.options[value] : value.toFixed(slider.digits);

// Where the sliders stand, but for the one that chooses an image: "z₁ = 0.50, rotation = 30°, class heart".
function placeInWords(spec, values) {
  return spec.sliders.filter(({ name }) => name !== "image").map(slider => {
    const [, name, unit = ""] = /^(.*?)(?: \((.*)\))?$/.exec(slider.label), space = unit && unit !== "°" ? " " : "";
    return `${name} ${slider.options ? "" : "= "}${valueInWords(slider, values[slider.name])}${space}${unit}`;
  }).join(", ");
}
