// The view of a spectrum image: the spectrum of one pixel, what is decoded at the sliders' values, and what is left in units of the
// noise.

const HEIGHTS = { spectrum: 260, residual: 130 };   // of the charts, in screen pixels
const LEFT_OVER = 5;                                // times the noise: as far as the residual is drawn
const LEAST_VARIANCE = 1e-6;                        // as in spectrum.py

export function spectrumView(spec, arrays, decode) {
  const { grey, scan, axes, halfWidth } = spec, noise = NOISES[spec.decoder.link.name](spec);
  return async (values, chosen) => {
    const n = pixelOf(scan, values), encoded = chosen ? encodedAt(spec, arrays, n) : {}, at = { ...values, ...encoded };
    const [drawn] = await decode([at.shift === undefined ? at : { ...at, right: at.shift / halfWidth }]);
    const spectrum = storedSpectrum(spec.stored, arrays, n), decoded = drawn.map(value => grey.black + value * grey.unit);
    const residual = decoded.map((mean, channel) => (spectrum[channel] - mean) / noise(mean));
    const rms = Math.sqrt(residual.reduce((sum, value) => sum + value * value, 0) / residual.length);
    return {
      moves: encoded,
      panels: [
        { title: `spectrum of row ${at.row ?? 0}, column ${at.column ?? 0}, and decoded`, height: HEIGHTS.spectrum, ...axes,
          curves: [{ name: "spectrum", values: spectrum, dots: true }, { name: "decoded", values: decoded, colour: "#d55e00" }] },
        { title: "residual, in units of the noise", height: HEIGHTS.residual, x: axes.x,
          y: { label: "residual", low: -LEFT_OVER, high: LEFT_OVER },
          curves: [{ name: "residual", values: residual, colour: "#0072b2" }] }],
      words: `decoded at ${placeInWords(spec, at)}; the residual is ${rms.toFixed(2)} times the noise`,
    };
  };
}

// From a mean to the standard deviation of the noise about it, for each likelihood.
const NOISES = {
  bernoulli: () => mean => Math.sqrt(Math.max(mean * (1 - mean), LEAST_VARIANCE)),
  poisson: () => mean => Math.sqrt(Math.max(mean, LEAST_VARIANCE)),
  gaussian: ({ noise }) => () => noise,
};

// Which of the stored spectra is that of a pixel; where there is but one row, no slider chooses it.
const pixelOf = ({ shape, every }, { row = 0, column = 0 }) => row / every * Math.ceil(shape[1] / every) + column / every;

// Spectrum n as spectrum.py stored it: whole numbers of steps from the mean spectrum, of square roots if it counts electrons.
function storedSpectrum({ step, roots }, { spectra, mean }, n) {
  const count = mean.length;
  return mean.map((value, channel) => {
    const stored = value + step * spectra[n * count + channel];
    return roots ? Math.max(stored, 0) ** 2 : stored;
  });
}
