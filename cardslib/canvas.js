// A grey picture on a canvas: bytes come from the kernel, or from whoever else sets the model's traits.
function render({ model, el }) {
  const canvas = document.createElement("canvas");
  const caption = document.createElement("div");
  const problem = document.createElement("div");
  canvas.setAttribute("role", "img");
  canvas.className = "cards-canvas";
  caption.className = "cards-caption";
  problem.className = "cards-problem";
  problem.setAttribute("role", "alert");
  el.classList.add("cards-view");
  el.append(canvas, caption, problem);

  function drawPicture() {
    const width = model.get("columns"), height = model.get("rows"), view = model.get("pixels");
    const grey = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (grey.length !== width * height) return;
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = `${width * model.get("zoom")}px`;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    for (let i = 0; i < grey.length; i++) {
      image.data[4 * i] = image.data[4 * i + 1] = image.data[4 * i + 2] = grey[i];
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  function drawWords() {
    canvas.setAttribute("aria-label", model.get("caption"));
    caption.textContent = model.get("caption");
    problem.textContent = model.get("problem");
    canvas.style.opacity = model.get("problem") ? 0.3 : 1;
  }

  model.on("change:pixels", drawPicture);
  model.on("change:caption change:problem", drawWords);
  drawPicture();
  drawWords();
  return () => {
    model.off("change:pixels", drawPicture);
    model.off("change:caption change:problem", drawWords);
  };
}

export default { render };
