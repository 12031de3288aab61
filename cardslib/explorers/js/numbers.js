// Numbers: unpacked as packing.py packed them, and the arithmetic that every later file uses.

const TYPES = { float32: Float32Array, int8: Int8Array, int16: Int16Array, uint8: Uint8Array, float16: Uint16Array };

// {name: typed array with a shape} of an index {name: [type, shape, first byte]} and one deflated block of bytes.
export async function unpack(index, bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const arrays = {};
  for (const [name, [type, shape, start]] of Object.entries(index)) {
    const values = new TYPES[type](buffer, start, shape.reduce((a, b) => a * b, 1));
    arrays[name] = type === "float16" ? Float32Array.from(values, fromHalf) : values;
    arrays[name].shape = shape;
  }
  return arrays;
}

// A number in half precision (IEEE 754: 1 bit of sign, 5 of exponent, 10 of fraction).
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

// Image n of images (n, h, w) in bytes, as grey values in [0, 1].
function greyImage(bytes, [height, width], n = 0) {
  const size = height * width;
  return Float32Array.from(bytes.subarray(n * size, (n + 1) * size), value => value / 255);
}

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const sigmoid = x => 1 / (1 + Math.exp(-x));

function silu(values) {
  for (let i = 0; i < values.length; i++) values[i] *= sigmoid(values[i]);
  return values;
}

function add(values, others) {
  for (let i = 0; i < values.length; i++) values[i] += others[i];
  return values;
}

// weight (outputs, inputs), bias (outputs,) or null, input (inputs,) → (outputs,), in a new array or in `result`.
function linear(weight, bias, input, result = new Float32Array(weight.shape[0])) {
  const [outputs, inputs] = weight.shape;
  for (let o = 0, at = 0; o < outputs; o++) {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < inputs; i++) sum += weight[at++] * input[i];
    result[o] = sum;
  }
  return result;
}
