// Counts instead of a network: interpolated modified Kneser-Ney, as in charlm_utils.ngrams. It answers as a network
// does, with logits and a state, so that everything that reads or writes with a network does so with counts.
//
// An n-gram is a context and the character after it. A context is written from its end: the nearest character first.
// So contexts that end alike stand side by side, and one that is longer by a character comes after the shorter one.
function charlmCounts() {
  "use strict";

  // What is taken off counts of 1, of 2, and of 3 and more (Chen and Goodman 1998); `numbers[i]` counts are i.
  function discounts(numbers) {
    const y = numbers[1] / (numbers[1] + 2 * numbers[2]);
    return [0, 1, 2, 3].map((i) => {
      const found = i - ((i + 1) * y * numbers[i + 1]) / numbers[i];
      return found > 0 && found <= i ? found : i / 2; // also where it is not a number
    });
  }

  // What is known of the contexts of one length, by number: where the characters that followed begin in `next`, their
  // shares, and the weight of the shorter context. `keys` are sorted: number of the shorter context, and a character.
  function smooth({ keys, isReal }, { contexts, next, counts }) {
    const numbers = [0, 0, 0, 0, 0];
    const totals = new Float64Array(keys.length);
    contexts.forEach((context, entry) => {
      totals[context] += counts[entry];
      if (isReal[context] && counts[entry] < numbers.length) {
        numbers[counts[entry]] += 1;
      }
    });
    const taken = discounts(numbers);
    const first = new Int32Array(keys.length + 1);
    const backoff = new Float64Array(keys.length);
    const share = Float64Array.from(contexts, (context, entry) => {
      const discount = taken[Math.min(counts[entry], 3)];
      first[context + 1] += 1;
      backoff[context] += discount / totals[context];
      return (counts[entry] - discount) / totals[context];
    });
    first.forEach((count, context) => {
      first[context] = count + (first[context - 1] ?? 0);
    });
    return { keys: Float64Array.from(keys), first, next: Uint32Array.from(next), share, backoff };
  }

  // Kneser-Ney's counts of the contexts that are shorter by a character: before how many different characters context
  // and next character were seen.
  function shorten({ contexts, next }, keys, base) {
    const shorter = { contexts: [], next: [], counts: [] };
    const tally = new Int32Array(base);
    let parent = 0;
    const flush = () => {
      tally.forEach((count, id) => {
        if (count > 0) {
          shorter.contexts.push(parent);
          shorter.next.push(id);
          shorter.counts.push(count);
        }
      });
      tally.fill(0);
    };
    contexts.forEach((context, entry) => {
      const own = Math.floor(keys[context] / base);
      if (own !== parent) {
        flush();
        parent = own;
      }
      tally[next[entry]] += 1;
    });
    flush();
    return shorter;
  }

  // The place of a key in sorted keys, or -1.
  function find(keys, key) {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle] < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return keys[low] === key ? low : -1;
  }

  class Counts {
    // `exported` is what tools/export_counts.py wrote; its head describes the format.
    constructor(exported) {
      const characters = Array.from(exported.characters);
      this.vocabSize = characters.length;
      this.order = exported.order;
      this.base = characters.length + 1; // the last id is that of the character that stands before the text
      const { lengths, entries } = this.parse(exported, new Map([...characters, "\0"].map((each, id) => [each, id])));
      this.levels = [];
      let counted = entries;
      for (let length = this.order - 1; length >= 0; length--) {
        this.levels.unshift(smooth(lengths[length], counted));
        counted = length > 0 ? shorten(counted, lengths[length].keys, this.base) : null;
      }
    }

    // Number the contexts of every length, and list what followed those of the greatest one.
    parse({ shared, rest, counts }, ids) {
      const lengths = Array.from({ length: this.order }, () => ({ keys: [], isReal: [] }));
      lengths[0] = { keys: [0], isReal: [true] };
      const entries = { contexts: [], next: [], counts };
      const number = new Int32Array(this.order); // of the context of every length
      const unread = rest[Symbol.iterator]();
      for (const digit of shared) {
        for (let length = Number(digit) + 1; length < this.order; length++) {
          const id = ids.get(unread.next().value);
          const shorter = number[length - 1];
          const { keys, isReal } = lengths[length];
          number[length] = keys.length;
          keys.push(shorter * this.base + id);
          isReal.push(lengths[length - 1].isReal[shorter] && id < this.vocabSize);
        }
        entries.contexts.push(number[this.order - 1]);
        entries.next.push(ids.get(unread.next().value));
      }
      return { lengths, entries };
    }

    // The ids of the characters that were read last, the nearest first.
    zeroState() {
      return [];
    }

    // Read one character: return the logarithms of the probabilities of the next one, and the new state.
    step(id, state) {
      const context = [id, ...state].slice(0, this.order - 1);
      const logits = new Float64Array(this.vocabSize).fill(1 / this.vocabSize);
      let number = 0;
      for (let length = 0; length <= context.length; length++) {
        const { keys, first, next, share, backoff } = this.levels[length];
        number = length > 0 ? find(keys, number * this.base + context[length - 1]) : 0;
        if (number < 0) {
          break;
        }
        for (let other = 0; other < this.vocabSize; other++) {
          logits[other] *= backoff[number];
        }
        for (let entry = first[number]; entry < first[number + 1]; entry++) {
          logits[next[entry]] += share[entry];
        }
      }
      return { logits: logits.map(Math.log), state: context };
    }
  }

  return { Counts };
}
