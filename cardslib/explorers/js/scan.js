// The map of a scan, a value at each pixel, and in it a cursor.  Click, drag or use the arrow keys to choose a pixel.

const SCAN = { widest: 280, tallest: 280, thinnest: 24 };   // screen pixels: a line scan is drawn as a band
const LARGE_STEP = 5;                                       // times the usual, of a key with shift

class ScanMap extends Plan {
  constructor(box, { spec, arrays, travel }) {
    const { shape: [rows, columns] } = spec.scan, zoom = Math.min(SCAN.widest / columns, SCAN.tallest / rows);
    const thick = pixels => Math.max(SCAN.thinnest, Math.round(pixels * zoom));
    super(box, thick(columns), thick(rows), travel);
    Object.assign(this, { spec, maps: arrays.maps, values: {} });
    this.canvas.classList.add("cards-canvas");
  }

  // The pixel whose spectrum is known that is nearest to a place in rows and columns.
  movesTo(row, column) {
    const { shape: [rows, columns], every } = this.spec.scan;
    const nearest = (place, count) => clamp(Math.round(place / every), 0, Math.ceil(count / every) - 1) * every;
    const moves = { row: nearest(row, rows), column: nearest(column, columns) };
    return Object.fromEntries(Object.entries(moves).filter(([name]) => name in this.values));   // of one row none is chosen
  }

  goTo(x, y) {
    const { shape: [rows, columns] } = this.spec.scan;
    return this.movesTo(y * rows - 0.5, x * columns - 0.5);
  }

  steps(key, large) {
    const step = this.spec.scan.every * (large ? LARGE_STEP : 1), { row = 0, column = 0 } = this.values;
    const to = { ArrowLeft: [row, column - step], ArrowRight: [row, column + step], ArrowUp: [row - step, column],
                 ArrowDown: [row + step, column], Home: [0, 0] }[key];
    return to && this.movesTo(...to);
  }

  paint(values) {
    const { pen, canvas: { width, height }, spec: { scan } } = this, [rows, columns] = scan.shape;
    const { row = 0, column = 0, map_of: chosen } = this.values = values;
    const [, high, wide] = this.maps.shape, small = new OffscreenCanvas(wide, high), title = scan.titles[chosen];
    putGrey(small.getContext("2d"), greyImage(this.maps, [high, wide], chosen), wide, high);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, width * wide * scan.mapEvery / columns, height * high * scan.mapEvery / rows);
    this.drawCursor((column + 0.5) / columns * width, (row + 0.5) / rows * height);
    this.title.textContent = `${title}: click, drag or arrow keys`;
    this.canvas.setAttribute("aria-label", `map of ${title}, cursor at row ${row}, column ${column}; arrow keys move it, `
      + "Home brings it to the first pixel");
  }
}
