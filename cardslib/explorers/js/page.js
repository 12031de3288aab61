// The page: panels, map and words, drawn anew whenever a slider moves.  A model is what anywidget calls so: it holds the
// sliders' values, and tells of their changes.

const SMALLEST = 32;   // pixels that a canvas has across, as in figures/style.py: smaller images are enlarged, pixel by pixel

const VIEWS = { card: cardView, reconstruction: reconstructionView, latent: latentView, manifold: manifoldView,
                style: styleView, patch: patchView, columns: columnsView, spectrum: spectrumView,
                picture: pictureView };
const CHOOSERS = ["image", "row", "column"];   // sliders that choose one of the data: all others go where it was encoded
const STILL_LEARNING = "The model is still learning: this is as far as it had come. Run this cell again when it is done.";

// Called by anywidget in a notebook, and by standAlone in a page of its own.
async function render({ model, el }) {
  const page = new Page(model, el);
  try {
    await page.prepare();
  } catch (error) {
    page.fail(error);
    return undefined;
  }
  return page.start();
}

class Page {
  constructor(model, el) {
    el.classList.add("cards-view");
    Object.assign(this, { model, el, busy: false, again: false, held: false, stopped: false, painted: "" });
    this.panels = make("div", "cards-panels", el);
    this.mapBox = make("div", "cards-map-box", el);
    this.caption = make("div", "cards-caption", el);
    this.note = make("div", "cards-note", el);
    this.problem = make("div", "cards-problem", el);
    this.caption.setAttribute("role", "status");
    this.problem.setAttribute("role", "alert");
    this.fail = this.fail.bind(this);
    this.redraw = this.redraw.bind(this);
    this.travel = this.travel.bind(this);
  }

  async prepare() {
    const { model } = this, spec = this.spec = model.get("spec"), arrays = await unpack(spec.arrays, model.get("data"));
    const decode = spec.decoder && chooseDecoder(model, spec, arrays, words => { this.note.textContent = words; });
    if (spec.learning) this.note.textContent += ` ${STILL_LEARNING}`;
    this.show = VIEWS[spec.view](spec, arrays, decode);
    const { travel, fail } = this;
    if (spec.map) this.map = new LatentMap(this.mapBox, { model, spec, arrays, decode, travel, fail });
    if (spec.scan) this.map = new ScanMap(this.mapBox, { spec, arrays, travel });
    this.shown = this.values;
  }

  // Draw, and go on drawing; returns what anywidget calls in the end.
  async start() {
    const events = this.spec.sliders.map(({ name }) => `change:${name}`).join(" ");
    this.model.on(events, this.redraw);
    await this.redraw();
    const unwatch = this.spec.axes && this.watchSurroundings();
    const naming = setInterval(() => this.nameSliders() && clearInterval(naming), 200);   // they may come later
    return () => {
      this.stopped = true;
      clearInterval(naming);
      this.model.off(events, this.redraw);
      unwatch?.();
    };
  }

  // Charts have the colours and the width of the page around them: draw them anew when these change.
  watchSurroundings() {
    let width = this.el.clientWidth;
    const again = () => {
      this.painted = "";
      this.redraw();
    };
    const scheme = matchMedia("(prefers-color-scheme: dark)"), theme = new MutationObserver(again);
    const size = new ResizeObserver(() => {
      if (width === this.el.clientWidth) return;
      width = this.el.clientWidth;
      again();
    });
    scheme.addEventListener("change", again);
    theme.observe(document.body, { attributeFilter: ["data-jp-theme-name"] });
    size.observe(this.el);
    return () => {
      scheme.removeEventListener("change", again);
      theme.disconnect();
      size.disconnect();
    };
  }

  get values() { return Object.fromEntries(this.spec.sliders.map(({ name }) => [name, this.model.get(name)])); }

  set(moves) {
    for (const [name, value] of Object.entries(moves)) this.model.set(name, value);
    if (Object.keys(moves).length) this.model.save_changes();
  }

  // Move several sliders at once.
  travel(moves) {
    this.held = true;
    this.set(moves);
    this.held = false;
    this.redraw();
  }

  // Drawn in the very event of a slider, so that a kernel is asked before it is told of the slider's new value.
  async redraw() {
    this.again = this.busy;
    if (this.busy || this.held) return;
    this.busy = true;
    try {
      do {
        this.again = false;
        await this.paint();
      } while (this.again);
    } catch (error) {
      this.fail(error);
    }
    this.busy = false;
  }

  async paint() {
    const { values } = this;
    if (JSON.stringify(values) === this.painted) return;
    const chosen = CHOOSERS.some(name => values[name] !== this.shown[name]);   // by the reader
    const { panels, words, moves = {} } = await this.show(values, chosen);
    if (this.stopped) return;
    const shown = { ...values, ...moves };
    this.shown = shown;
    this.painted = JSON.stringify(shown);
    this.set(moves);
    this.drawPanels(panels, words);
    this.caption.textContent = words;
    this.problem.textContent = "";
    this.panels.style.opacity = 1;
    this.map?.paint(shown);
    this.nameSliders();
  }

  fail(error) {
    this.problem.textContent = error.message ?? String(error);
    this.panels.style.opacity = 0.3;
  }

  drawPanels(panels, words) {
    this.panels.classList.toggle("cards-few", panels.length <= 3 && !this.spec.axes);
    panels.forEach((panel, n) => {
      const figure = this.panels.children[n] ?? makePanel(this.panels), said = n ? panel.title : words;
      if (panel.curves) drawCurves(figure, panel, said);
      else drawPanel(figure, panel, panel.zoom ?? this.spec.zoom, said, this.travel);
    });
  }

  // In a notebook the sliders are not ours: give their handles the names and values that they lack.  True when all have them.
  nameSliders() {
    const { sliders } = this.spec, { values } = this;
    const boxes = [...this.el.closest(".cards-explorer")?.querySelectorAll(".widget-slider") ?? []];
    return boxes.filter((box, n) => sliders[n] && nameSlider(box, sliders[n], values)).length === sliders.length;
  }
}

function nameSlider(box, slider, values) {
  const handle = box.querySelector(".noUi-handle");
  if (!handle) return false;
  handle.setAttribute("aria-label", slider.label);
  handle.setAttribute("aria-valuetext", valueInWords(slider, values[slider.name]));
  handle.dataset.lmSuppressShortcuts = "true";   // arrow keys are the slider's, not the notebook's
  box.querySelector(".widget-readout")?.setAttribute("aria-label", `${slider.label}, value`);
  return true;
}

function make(tag, className, parent) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  parent.append(element);
  return element;
}

function makePanel(box) {
  const figure = make("figure", "cards-panel", box);
  make("canvas", "cards-canvas", figure).setAttribute("role", "img");
  make("figcaption", "cards-title", figure);
  return figure;
}

function drawPanel(figure, { title, pixels, shape: [height, width], pick }, zoom, words, travel) {
  const canvas = figure.firstChild, times = Math.ceil(SMALLEST / width);
  const size = { width: width * times, height: height * times };
  if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
  canvas.style.width = `${width * zoom}px`;
  const pen = canvas.getContext("2d");
  putGrey(pen, pixels, width, height);
  if (times > 1) {
    pen.imageSmoothingEnabled = false;
    pen.drawImage(canvas, 0, 0, width, height, 0, 0, size.width, size.height);
  }
  canvas.setAttribute("aria-label", words);
  canvas.style.cursor = pick ? "crosshair" : "";
  canvas.onclick = pick && (({ offsetX, offsetY }) => {
    travel(pick(offsetX / canvas.clientWidth * width, offsetY / canvas.clientHeight * height));
  });
  figure.lastChild.textContent = title;
}

function putGrey(pen, pixels, width, height) {
  const image = pen.createImageData(width, height), data = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) data[i] = 0xff000000 | (Math.round(clamp(pixels[i], 0, 1) * 255) * 0x010101);
  pen.putImageData(image, 0, 0);
}
