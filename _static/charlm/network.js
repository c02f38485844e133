// A trained character-level network in plain JavaScript: from the id of a character to the logits of the next one.
//
// Everything stands inside of one function, because its text is also what a worker is made of (see charlm.js).
// A matrix has one row per output: `weights` are the rows one after the other, either bytes or floats, and an output is
// bias + scale * (row . x). One byte per weight is a quarter of the memory, and reading memory is what takes the time.
function charlmNetwork() {
  "use strict";

  // matrix times x, into out. Four rows at a time: their sums do not wait for each other, which is twice as fast.
  function product({ rows, columns, weights, scale, bias }, x, out) {
    let row = 0;
    for (; row + 4 <= rows; row += 4) {
      const first = row * columns;
      const second = first + columns;
      const third = second + columns;
      const fourth = third + columns;
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let i = 0; i < columns; i++) {
        const value = x[i];
        a += weights[first + i] * value;
        b += weights[second + i] * value;
        c += weights[third + i] * value;
        d += weights[fourth + i] * value;
      }
      out[row] = bias[row] + scale[row] * a;
      out[row + 1] = bias[row + 1] + scale[row + 1] * b;
      out[row + 2] = bias[row + 2] + scale[row + 2] * c;
      out[row + 3] = bias[row + 3] + scale[row + 3] * d;
    }
    for (; row < rows; row++) {
      let sum = 0;
      for (let i = 0; i < columns; i++) {
        sum += weights[row * columns + i] * x[i];
      }
      out[row] = bias[row] + scale[row] * sum;
    }
  }

  function sigmoid(x) {
    return 1 / (1 + Math.exp(-x));
  }

  // One step of a gated recurrent unit. The gates stand one after the other: update, reset, candidate. The reset gate
  // multiplies the product with the state, as in Keras. A new state is a new array: states may be kept.
  function gruStep(units, fromInput, fromState, [h]) {
    const next = new Float32Array(units);
    for (let i = 0; i < units; i++) {
      const update = sigmoid(fromInput[i] + fromState[i]);
      const reset = sigmoid(fromInput[units + i] + fromState[units + i]);
      const candidate = Math.tanh(fromInput[2 * units + i] + reset * fromState[2 * units + i]);
      next[i] = update * h[i] + (1 - update) * candidate;
    }
    return [next];
  }

  // One step of a long short-term memory: input gate, forget gate, candidate, output gate.
  function lstmStep(units, fromInput, fromState, [, c]) {
    const output = new Float32Array(units);
    const memory = new Float32Array(units);
    for (let i = 0; i < units; i++) {
      const enter = sigmoid(fromInput[i] + fromState[i]);
      const keep = sigmoid(fromInput[units + i] + fromState[units + i]);
      const candidate = Math.tanh(fromInput[2 * units + i] + fromState[2 * units + i]);
      const show = sigmoid(fromInput[3 * units + i] + fromState[3 * units + i]);
      memory[i] = keep * c[i] + enter * candidate;
      output[i] = show * Math.tanh(memory[i]);
    }
    return [output, memory];
  }

  const CELLS = {
    gru: { gates: 3, parts: 1, step: gruStep },
    lstm: { gates: 4, parts: 2, step: lstmStep },
  };

  class Network {
    // `exported` is what tools/export_weights.py wrote; its head describes the format. `fastProduct` is that of
    // kernel.js, or undefined.
    constructor(exported, fastProduct) {
      this.cell = CELLS[exported.cell];
      this.units = exported.units;
      this.vocabSize = Array.from(exported.characters).length;
      const take = matrixReader(exported);
      const width = this.cell.gates * this.units;
      this.layers = [];
      for (let number = 0; number < exported.layers; number++) {
        const kernel = take(width, number === 0 ? this.vocabSize : this.units);
        const recurrent = take(width, this.units);
        this.layers.push({ kernel, recurrent, fromInput: new Float32Array(width), fromState: new Float32Array(width) });
      }
      this.dense = take(this.vocabSize, this.units);
      this.table = columnsOf(this.layers[0].kernel);
      this.product = this.chooseProduct(exported.precision, fastProduct);
    }

    chooseProduct(precision, fastProduct) {
      const matrices = [this.dense, ...this.layers.flatMap(({ kernel, recurrent }) => [kernel, recurrent])];
      const used = matrices.filter((matrix) => matrix !== this.layers[0].kernel); // of which there is a table
      const isFast = precision === "int8" && fastProduct;
      return (isFast && fastProduct(used)) || product;
    }

    // The state before the first character: per layer a list of arrays, [h] or [h, c].
    zeroState() {
      const zeros = () => new Float32Array(this.units);
      return this.layers.map(() => Array.from({ length: this.cell.parts }, zeros));
    }

    checkHeld({ layer, unit, value }) {
      const places = { layer: [layer, this.layers.length], unit: [unit, this.units] };
      for (const [name, [number, count]] of Object.entries(places)) {
        if (!Number.isInteger(number) || number < 0 || number >= count) {
          throw new RangeError(`${name} must be a whole number from 0 to ${count - 1}, got ${number}`);
        }
      }
      if (!Number.isFinite(value)) {
        throw new RangeError(`value must be a finite number, got ${value}`);
      }
    }

    // Read one character: return the logits of the next one, and the new state. `held`, {layer, unit, value}, if there
    // is one, gives one unit of h the same value at every step, the first one included.
    step(id, state, held) {
      const newState = [];
      if (held) {
        this.checkHeld(held);
        state = state.map((parts, number) => (number === held.layer ? holdUnit(parts, held) : parts));
      }
      let fromInput = this.table[id];
      this.layers.forEach((layer, number) => {
        if (number > 0) {
          this.product(layer.kernel, newState[number - 1][0], layer.fromInput);
          fromInput = layer.fromInput;
        }
        this.product(layer.recurrent, state[number][0], layer.fromState);
        const parts = this.cell.step(this.units, fromInput, layer.fromState, state[number]);
        newState.push(held?.layer === number ? holdUnit(parts, held) : parts);
      });
      const logits = new Float32Array(this.vocabSize);
      this.product(this.dense, newState.at(-1)[0], logits);
      return { logits, state: newState };
    }
  }

  // The same state with one number of h replaced.
  function holdUnit([h, ...others], { unit, value }) {
    const output = h.slice();
    output[unit] = value;
    return [output, ...others];
  }

  // A one-hot row times the first kernel is a column of it, so no product is needed there.
  function columnsOf(matrix) {
    const columns = [];
    for (let column = 0; column < matrix.columns; column++) {
      const oneHot = new Float32Array(matrix.columns);
      oneHot[column] = 1;
      columns.push(new Float32Array(matrix.rows));
      product(matrix, oneHot, columns[column]);
    }
    return columns;
  }

  // Return a function that takes the next matrix out of the exported bytes.
  function matrixReader({ precision, weights }) {
    const buffer = bytesOf(weights).buffer;
    const Weights = { int8: Int8Array, float32: Float32Array }[precision];
    let place = 0;
    const take = (Type, length) => {
      const start = place;
      place += length * Type.BYTES_PER_ELEMENT;
      return new Type(buffer.slice(start, place));
    };
    return (rows, columns) => {
      const bias = take(Float32Array, rows);
      const scale = take(Float32Array, rows);
      return { rows, columns, bias, scale, weights: take(Weights, rows * columns) };
    };
  }

  function bytesOf(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) {
      bytes[i] = text.charCodeAt(i);
    }
    return bytes;
  }

  return { Network };
}
