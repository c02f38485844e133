// How the next character is drawn from logits, in the order and meaning of charlm_utils.sampling.
function charlmSampling() {
  "use strict";

  const COLDEST = 2 ** -126; // below it, a temperature counts as 0, as in the package

  // Numbers between 0 and 1, the same for the same seed everywhere (mulberry32, by Tommy Ettinger; public domain).
  function random(seed) {
    let state = seed | 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  // Filters see logits, the largest first, and set those that go to minus infinity.

  function keepTopK(ordered, k) {
    ordered.fill(-Infinity, k);
  }

  function keepTopP(ordered, p) {
    let likelier = 0;
    softmax(ordered).forEach((probability, rank) => {
      if (likelier >= p) {
        ordered[rank] = -Infinity;
      }
      likelier += probability;
    });
  }

  function keepMinP(ordered, p) {
    const least = ordered[0] + Math.log(p);
    ordered.forEach((logit, rank) => {
      if (logit < least) {
        ordered[rank] = -Infinity;
      }
    });
  }

  function softmax(logits) {
    const largest = Math.max(...logits);
    const shares = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
    const total = shares.reduce((sum, share) => sum + share, 0);
    return shares.map((share) => share / total);
  }

  // What a setting must be: its range in words, and a test.
  const RANGES = {
    temperature: ["at least 0 and finite", (value) => value >= 0 && value < Infinity],
    topK: ["a whole number between 1 and", (value, most) => Number.isInteger(value) && value >= 1 && value <= most],
    topP: ["above 0 and at most 1", (value) => value > 0 && value <= 1],
    minP: ["between 0 and 1", (value) => value >= 0 && value <= 1],
    seed: ["a whole number", (value) => Number.isSafeInteger(value)],
  };

  function check(settings, vocabSize) {
    for (const [name, value] of Object.entries(settings)) {
      const [range, allows] = RANGES[name] ?? [`one of ${Object.keys(RANGES).join(", ")}`, null];
      if (!allows) {
        throw new RangeError(`a setting must be ${range}, got ${name}`);
      }
      const isOff = value === undefined || value === null;
      if (!isOff && !(typeof value === "number" && allows(value, vocabSize))) {
        throw new RangeError(`${name} must be ${range}${name === "topK" ? ` ${vocabSize}` : ""}, got ${value}`);
      }
    }
  }

  // The probabilities that a character is drawn from, by id. Settings that are undefined or null are off.
  function distribution(logits, settings = {}) {
    check(settings, logits.length);
    const temperature = settings.temperature ?? 1;
    const ids = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a]); // the first of equals stays first
    const largest = logits[ids[0]];
    const isGreedy = temperature < COLDEST;
    const ordered = Float64Array.from(ids, (id) => (logits[id] - largest) / (isGreedy ? 1 : temperature));
    keepTopK(ordered, isGreedy ? 1 : (settings.topK ?? logits.length));
    if ((settings.topP ?? 1) < 1) {
      keepTopP(ordered, settings.topP);
    }
    keepMinP(ordered, settings.minP ?? 0);
    const probabilities = new Float64Array(logits.length);
    softmax(ordered).forEach((probability, rank) => {
      probabilities[ids[rank]] = probability;
    });
    return probabilities;
  }

  // Walk through the probabilities until their sum passes a random number between 0 and 1.
  function draw(probabilities, number) {
    let sum = 0;
    let last = 0;
    for (let id = 0; id < probabilities.length; id++) {
      sum += probabilities[id];
      last = probabilities[id] > 0 ? id : last; // rounding may leave the whole sum a hair below the number
      if (number < sum) {
        return id;
      }
    }
    return last;
  }

  return { check, distribution, draw, random, softmax };
}
