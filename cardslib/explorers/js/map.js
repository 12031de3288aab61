// The map of the first two content latents: points of the data, or the decoded grid, and in it a cursor.  Click, drag or use
// the arrow keys to travel.

const MARGIN = 1.08;                           // the map reaches so much further than the sliders: no cursor is cut off
const WIDTH = { points: 300, grid: 420 };      // of a map, in screen pixels
const STEP = { usual: 0.1, withShift: 0.5 };   // of a key, where the sliders reach ±2.5

class LatentMap extends Plan {
  // travel: moves sliders, {name: value};  fail: says what went wrong
  constructor(box, { model, spec, arrays, decode, travel, fail }) {
    const { span, grid } = spec.map, width = grid ? WIDTH.grid : WIDTH.points;
    super(box, width, width, travel);
    Object.assign(this, { model, spec, arrays, decode, fail, now: {}, asked: "", wide: this.canvas.width, reach: span * MARGIN });
    this.single = !spec.sliders.some(({ name }) => name === "z2");   // one latent: the map is a line
    this.title.textContent = `${this.single ? "z₁" : "z₁ to the right, z₂ upwards"}: click, drag or arrow keys`;
    if (arrays.label && spec.names && !grid) makeLegend(box, spec);
    this.makeBack();
    if (!grid) this.drawPoints();
  }

  // A sheet behind the one that is seen, which keeps what the cursor moves over.
  makeBack() {
    const back = document.createElement("canvas");
    back.width = back.height = this.wide;
    this.backPen = back.getContext("2d");
    this.backPen.fillStyle = this.spec.map.grid ? "#595959" : "#fff";
    this.backPen.fillRect(0, 0, this.wide, this.wide);
  }

  // Latents → pixels of the canvas.
  x(z1) { return (z1 / this.reach + 1) / 2 * this.wide; }
  y(z2) { return (1 - z2 / this.reach) / 2 * this.wide; }

  movesTo(...latents) {
    const { span } = this.spec.map, moved = latents.slice(0, this.single ? 1 : 2);
    return Object.fromEntries(moved.map((z, n) => [`z${n + 1}`, clamp(z, -span, span)]));
  }

  goTo(x, y) { return this.movesTo((2 * x - 1) * this.reach, (1 - 2 * y) * this.reach); }

  steps(key, large) {
    const step = (large ? STEP.withShift : STEP.usual) * Math.max(1, Math.round(this.spec.map.span / 2.5));
    const z1 = this.model.get("z1"), z2 = this.single ? 0 : this.model.get("z2");
    const to = { ArrowLeft: [z1 - step, z2], ArrowRight: [z1 + step, z2], ArrowUp: [z1, z2 + step], ArrowDown: [z1, z2 - step],
                 Home: [0, 0] }[key];
    return to && this.movesTo(...to);
  }

  paint(values) {
    this.now = values;
    const keys = "arrow keys move it, Home brings it back to the middle";
    this.canvas.setAttribute("aria-label", `map of the latents, cursor at ${placeInWords(this.spec, values)}; ${keys}`);
    this.drawCursor();
    if (this.spec.map.grid) this.drawGrid(values).catch(this.fail);
  }

  drawPoints() {
    const { points, pointLabel } = this.arrays, pen = this.backPen;
    const font = `${9 * this.density}px sans-serif`;
    Object.assign(pen, { font, textAlign: "center", textBaseline: "middle", globalAlpha: 0.7 });
    for (let n = 0; n < points.shape[0]; n++) {
      const [colour, marker] = this.spec.map.styles[pointLabel ? pointLabel[n] : 0];
      pen.fillStyle = colour;
      pen.fillText(marker, this.x(points[2 * n]), this.y(points[2 * n + 1]));
    }
  }

  // The grid is decoded a row at a time, so that no slider has to wait for it; a new one overtakes an old one.
  async drawGrid(values) {
    const others = { ...values, z1: 0, z2: 0 }, key = JSON.stringify(others);
    if (key === this.asked) return;
    this.asked = key;
    const { grid } = this.spec.map, middle = n => ((2 * n + 1) / grid - 1) * this.reach;   // of cell n along an edge
    for (const row of this.single ? [grid >> 1] : Array(grid).keys()) {
      const z2 = this.single ? 0 : -middle(row);
      const images = await this.decode(Array.from({ length: grid }, (_, n) => ({ ...others, z1: middle(n), z2 })));
      if (key !== this.asked) return;
      this.drawRow(row, images);
      this.drawCursor();
      await new Promise(next => setTimeout(next));
    }
  }

  drawRow(row, images) {
    const [height, width] = this.spec.shape, cell = this.wide / this.spec.map.grid;
    const small = new OffscreenCanvas(width, height), smallPen = small.getContext("2d");
    this.backPen.imageSmoothingEnabled = width > cell;
    images.forEach((pixels, n) => {
      putGrey(smallPen, pixels, width, height);
      this.backPen.drawImage(small, n * cell, row * cell, cell - 1, cell - 1);
    });
  }

  drawCursor() {
    this.pen.drawImage(this.backPen.canvas, 0, 0);
    super.drawCursor(this.x(this.now.z1), this.y(this.single ? 0 : this.now.z2));
  }
}

function makeLegend(box, spec) {
  const list = make("ul", "cards-legend", box);
  spec.names.forEach((name, n) => {
    const entry = make("li", "", list), mark = make("span", "", entry), [colour, marker] = spec.map.styles[n];
    mark.style.color = colour;
    mark.textContent = marker;
    entry.append(` ${name}`);
  });
}
