// The product of network.js once more, in WebAssembly: eight weights at a time, and so two to four times as fast.
//
// The program is written out below, instruction by instruction, and assembled when the page needs it: 244 bytes.
// Browsers without such instructions, or pages that may not compile, take the product in plain JavaScript.
function charlmKernel() {
  "use strict";

  // Instructions, as the standard numbers them (https://webassembly.github.io/spec/core/binary/instructions.html).
  const get = (variable) => [0x20, variable];
  const set = (variable) => [0x21, variable];
  const constant = (value) => [0x41, value]; // below 64
  const add = [0x6a];
  const addFloats = [0x92];
  const lessThan = [0x49];
  const LOOP = [0x03, 0x40];
  const REPEAT_IF = [0x0d, 0];
  const END = [0x0b];
  const store = [0x38, 2, 0];
  const zeros = [0xfd, 0x0c, ...new Array(16).fill(0)];
  const loadFour = (offset) => [0xfd, 0x00, 2, offset]; // floats
  const loadEight = [0xfd, 0x01, 0, 0]; // bytes with a sign, as numbers of 16 bits
  const lower = [0xfd, 0xa7, 0x01]; // four of them, as numbers of 32 bits
  const upper = [0xfd, 0xa8, 0x01];
  const toFloats = [0xfd, 0xfa, 0x01];
  const addFours = [0xfd, 0xe4, 0x01];
  const multiplyFours = [0xfd, 0xe6, 0x01];
  const lane = (number) => [0xfd, 0x1f, number];

  const [WEIGHTS, X, OUT, X_END, OUT_END, PLACE, EIGHT, SUM, SECOND] = Array(9).keys();
  const I32 = 0x7f;
  const V128 = 0x7b;
  const PARAMETERS = 5;

  const BODY = [
    LOOP, // over the rows
    [zeros, set(SUM), zeros, set(SECOND), get(X), set(PLACE)],
    LOOP, // over the columns, eight at a time
    [get(WEIGHTS), loadEight, set(EIGHT)],
    [get(EIGHT), lower, toFloats, get(PLACE), loadFour(0), multiplyFours, get(SUM), addFours, set(SUM)],
    [get(EIGHT), upper, toFloats, get(PLACE), loadFour(16), multiplyFours, get(SECOND), addFours, set(SECOND)],
    [get(WEIGHTS), constant(8), add, set(WEIGHTS)],
    [get(PLACE), constant(32), add, set(PLACE)],
    [get(PLACE), get(X_END), lessThan, REPEAT_IF],
    END,
    [get(SUM), get(SECOND), addFours, set(SUM)],
    [get(OUT), get(SUM), lane(0), get(SUM), lane(1), addFloats],
    [get(SUM), lane(2), get(SUM), lane(3), addFloats, addFloats, store],
    [get(OUT), constant(4), add, set(OUT)],
    [get(OUT), get(OUT_END), lessThan, REPEAT_IF],
    END,
    END,
  ].flat(3);

  // The module: an imported memory and one function.
  function assemble() {
    const number = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...number(value >> 7)]);
    const counted = (items) => [...number(items.length), ...items];
    const word = (text) => counted(Array.from(text, (letter) => letter.charCodeAt(0)));
    const section = (id, ...content) => [id, ...counted([1, ...content.flat()])]; // each with one entry
    const locals = [2, 1, I32, 3, V128]; // PLACE; EIGHT, SUM and SECOND
    return new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [0x60, ...counted(new Array(PARAMETERS).fill(I32)), 0]),
      ...section(2, word("page"), word("memory"), [2, 0, 0]),
      ...section(3, [0]),
      ...section(7, word("product"), [0, 0]),
      ...section(10, counted([...locals, ...BODY])),
    ]);
  }

  // Return a memory of at least so many bytes, and the function that multiplies in it; or null.
  function instantiate(size) {
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(size / 65536) });
      const instance = new WebAssembly.Instance(new WebAssembly.Module(assemble()), { page: { memory } });
      return { buffer: memory.buffer, multiply: instance.exports.product };
    } catch {
      return null;
    }
  }

  // Return a product for these matrices, whose weights are bytes and which have equally many columns; or null.
  function fastProduct(matrices) {
    const columns = 8 * Math.ceil(matrices[0].columns / 8); // filled up with zeros
    const most = Math.max(...matrices.map((matrix) => matrix.rows));
    const outAt = 4 * columns;
    const starts = new Map();
    let size = outAt + 4 * most;
    for (const matrix of matrices) {
      starts.set(matrix, size);
      size += matrix.rows * columns;
    }
    const instance = instantiate(size);
    if (instance === null) {
      return null;
    }
    const { buffer, multiply } = instance;
    for (const [matrix, start] of starts) {
      for (let row = 0; row < matrix.rows; row++) {
        const from = row * matrix.columns;
        const weights = matrix.weights.subarray(from, from + matrix.columns);
        new Int8Array(buffer, start + row * columns).set(weights);
      }
    }
    const inputs = new Float32Array(buffer, 0, columns);
    const sums = new Float32Array(buffer, outAt, most);
    return (matrix, x, out) => {
      inputs.set(x);
      multiply(starts.get(matrix), 0, outAt, outAt, outAt + 4 * matrix.rows);
      for (let row = 0; row < matrix.rows; row++) {
        out[row] = matrix.bias[row] + matrix.scale[row] * sums[row];
      }
    };
  }

  return { fastProduct };
}
