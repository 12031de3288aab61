// Charts of curves, with axes, on a canvas, in the colours of the page around them.

const CHART = { widest: 640, narrowest: 240, left: 56, right: 12, top: 10, bottom: 38 };   // screen pixels, and its margins
const TICK_ROOM = { x: 70, y: 32 };    // screen pixels from one tick to the next, at least
const TICK = 5, DOT = 1.2, FONT = 12;  // screen pixels: the length of a tick, the radius of a dot, the height of letters

// Draw a panel { title, height, x, y, curves }: axes { label, low, high }, and curves { name, values, colour, dots } whose values
// are evenly spaced from x.first to x.last.
function drawCurves(figure, panel, words) {
  const canvas = figure.firstChild, density = Math.max(1, window.devicePixelRatio || 1), { height } = panel;
  const width = clamp(figure.parentNode.clientWidth, CHART.narrowest, CHART.widest);
  figure.classList.add("cards-chart");
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  Object.assign(canvas, { width: Math.round(width * density), height: Math.round(height * density) });   // which clears it
  canvas.setAttribute("aria-label", words);
  figure.lastChild.textContent = panel.title;
  const pen = canvas.getContext("2d"), ink = getComputedStyle(canvas).color, scales = chartScales(panel, width);
  pen.scale(density, density);
  pen.font = `${FONT}px system-ui, sans-serif`;
  drawAxes(pen, ink, panel, scales, width);
  pen.save();
  pen.beginPath();
  pen.rect(CHART.left, CHART.top, width - CHART.left - CHART.right, height - CHART.top - CHART.bottom);
  pen.clip();
  for (const curve of panel.curves) drawCurve(pen, ink, curve, panel.x, scales);
  pen.restore();
  if (panel.curves.length > 1) drawLegend(pen, ink, panel.curves, width);
}

// Functions from the values of each axis to screen pixels.
export function chartScales({ x, y, height }, width) {
  const across = width - CHART.left - CHART.right, up = height - CHART.top - CHART.bottom;
  return { x: value => CHART.left + (value - x.low) / (x.high - x.low) * across,
           y: value => height - CHART.bottom - (value - y.low) / (y.high - y.low) * up };
}

// Round values from low to high, at most `count` of them and a few: steps of 1, 2 or 5 times a power of ten.
export function roundTicks(low, high, count) {
  const coarse = (high - low) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(coarse));
  const step = power * [1, 2, 5, 10].find(times => times * power >= coarse * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, n) => Number(((first + n) * step).toPrecision(12)));
}

function drawAxes(pen, ink, { x, y, height }, scales, width) {
  const right = width - CHART.right, bottom = height - CHART.bottom;
  Object.assign(pen, { strokeStyle: ink, fillStyle: ink, lineWidth: 1, textAlign: "center", textBaseline: "top" });
  pen.strokeRect(CHART.left, CHART.top, right - CHART.left, bottom - CHART.top);
  pen.beginPath();
  for (const value of roundTicks(x.low, x.high, (right - CHART.left) / TICK_ROOM.x)) {
    pen.moveTo(scales.x(value), bottom);
    pen.lineTo(scales.x(value), bottom + TICK);
    pen.fillText(value, scales.x(value), bottom + TICK + 2);
  }
  pen.fillText(x.label, (CHART.left + right) / 2, height - FONT - 2);
  Object.assign(pen, { textAlign: "right", textBaseline: "middle" });
  for (const value of roundTicks(y.low, y.high, (bottom - CHART.top) / TICK_ROOM.y)) {
    pen.moveTo(CHART.left, scales.y(value));
    pen.lineTo(CHART.left - TICK, scales.y(value));
    pen.fillText(value, CHART.left - TICK - 2, scales.y(value));
  }
  pen.stroke();
  drawUpwards(pen, y.label, FONT / 2 + 2, (CHART.top + bottom) / 2);
}

function drawUpwards(pen, words, x, y) {
  pen.save();
  pen.translate(x, y);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText(words, 0, 0);
  pen.restore();
}

function drawCurve(pen, ink, { values, colour = ink, dots }, { first, last }, scales) {
  const at = n => [scales.x(first + n * (last - first) / Math.max(1, values.length - 1)), scales.y(values[n])];
  Object.assign(pen, { strokeStyle: colour, fillStyle: colour, lineWidth: 1.5, lineJoin: "round" });
  pen.beginPath();
  for (let n = 0; n < values.length; n++) {
    const [x, y] = at(n);
    if (dots) pen.rect(x - DOT, y - DOT, 2 * DOT, 2 * DOT);
    else pen.lineTo(x, y);
  }
  dots ? pen.fill() : pen.stroke();
}

// The names of the curves, in their colours, in the upper right corner.
function drawLegend(pen, ink, curves, width) {
  Object.assign(pen, { textAlign: "right", textBaseline: "top" });
  curves.forEach(({ name, colour = ink, dots }, n) => {
    pen.fillStyle = colour;
    pen.fillText(`${dots ? "·" : "—"} ${name}`, width - CHART.right - 8, CHART.top + 6 + n * (FONT + 4));
  });
}
