// Without any kernel: an explorer in a page of its own has sliders of the browser, and a model to which nobody else listens.

// Make an explorer out of <div class="cards-explorer"> with its state as JSON in a <script> inside.
export async function standAlone(root) {
  const { spec, values, data } = JSON.parse(root.querySelector("script").textContent);
  const model = new PageModel({ spec, data: Uint8Array.from(atob(data), letter => letter.charCodeAt(0)), ...values });
  root.querySelectorAll(".cards-still").forEach(still => still.remove());
  const sliders = make("div", "cards-sliders", root), el = make("div", "", root);
  for (const slider of spec.sliders) makeSlider(sliders, model, slider);
  await render({ model, el });
}

// A model as anywidget has it.
class PageModel {
  constructor(values) {
    this.values = values;
    this.listeners = {};
  }
  get(name) { return this.values[name]; }
  set(name, value) {
    if (this.values[name] === value) return;
    this.values[name] = value;
    for (const listener of [...this.listenersOf(`change:${name}`)]) listener();
  }
  on(events, listener) {
    for (const event of events.split(" ")) this.listenersOf(event).add(listener);
  }
  off(events, listener) {
    for (const event of events.split(" ")) this.listenersOf(event).delete(listener);
  }
  listenersOf(event) { return this.listeners[event] ??= new Set(); }
  save_changes() {}
}

function makeSlider(box, model, slider) {
  const row = make("label", "cards-slider", box);
  const name = make("span", "", row), input = make("input", "", row), value = make("span", "cards-value", row);
  Object.assign(input, { type: "range", min: slider.min, max: slider.max, step: slider.step });
  for (const words of [name, value]) words.setAttribute("aria-hidden", "true");   // the slider says both itself
  name.textContent = slider.label;
  input.setAttribute("aria-label", slider.label);
  const show = () => {
    input.value = model.get(slider.name);
    value.textContent = valueInWords(slider, model.get(slider.name));
    input.setAttribute("aria-valuetext", value.textContent);
  };
  input.addEventListener("input", () => model.set(slider.name, Number(input.value)));
  model.on(`change:${slider.name}`, show);
  show();
}

export default { render };
