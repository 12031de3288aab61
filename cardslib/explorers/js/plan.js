// A canvas on which the reader travels by click, drag or keys, with a cursor.  What it shows and where one gets to on it, those say
// that extend it: goTo(x, y), from shares of its width and height; steps(key, large), what a key moves, or nothing; paint(values).

const CURSOR = { radius: 7, arm: 13 };   // screen pixels

class Plan {
  // width, height: in screen pixels;  travel: moves sliders, {name: value}
  constructor(box, width, height, travel) {
    this.travel = travel;
    this.density = Math.max(1, Math.ceil(window.devicePixelRatio || 1));   // canvas pixels a screen pixel
    const figure = make("div", "", box);
    this.canvas = make("canvas", "cards-map", figure);
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.dataset.lmSuppressShortcuts = "true";   // arrow keys are the map's, not the notebook's
    this.canvas.style.width = `${width}px`;
    this.canvas.width = width * this.density;
    this.canvas.height = height * this.density;
    this.pen = this.canvas.getContext("2d");
    this.title = make("div", "cards-title", figure);
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      canvas.focus({ preventScroll: true });
      this.goToPointer(event);
      event.preventDefault();
    });
    canvas.addEventListener("pointermove", event => canvas.hasPointerCapture(event.pointerId) && this.goToPointer(event));
    canvas.addEventListener("keydown", event => {
      const moves = this.steps(event.key, event.shiftKey);
      if (!moves) return;
      this.travel(moves);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  goToPointer(event) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    this.travel(this.goTo((event.clientX - left) / width, (event.clientY - top) / height));
  }

  // A red circle with four arms, on a white one that makes it visible everywhere; x and y in pixels of the canvas.
  drawCursor(x, y) {
    const { pen, density } = this, radius = CURSOR.radius * density, arm = CURSOR.arm * density;
    for (const [colour, thick] of [["#fff", 5], ["#d00000", 2.5]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick * density;
      pen.beginPath();
      pen.arc(x, y, radius, 0, 7);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + radius * dx, y + radius * dy);
        pen.lineTo(x + arm * dx, y + arm * dy);
      }
      pen.stroke();
    }
  }
}
