// What can be asked of a network. A task is a generator that pauses after every character, so that whoever runs it
// can let the page breathe; its value is what was asked for and the state that the network is left in.
function charlmTasks(network, sampling) {
  "use strict";

  function* logits({ ids, state, held }) {
    const value = [];
    for (const id of ids) {
      const read = network.step(id, state ?? network.zeroState(), held);
      state = read.state;
      value.push(read.logits);
      yield;
    }
    return { value, state };
  }

  // -ln p of every character after the first.
  function* nats({ ids, state, held }) {
    const value = new Float32Array(ids.length - 1);
    for (let i = 0; i < value.length; i++) {
      const read = network.step(ids[i], state ?? network.zeroState(), held);
      state = read.state;
      value[i] = -Math.log(sampling.softmax(read.logits)[ids[i + 1]]);
      yield;
    }
    return { value, state };
  }

  // The ids that were drawn. The last one is not read: it is the first character of whatever goes on from here.
  function* write({ ids, length, settings, state, held }) {
    const number = sampling.random(settings.seed);
    const value = [];
    let unread = ids;
    while (value.length < length) {
      const read = yield* logits({ ids: unread, state, held });
      const probabilities = sampling.distribution(read.value.at(-1), settings);
      value.push(sampling.draw(probabilities, number()));
      state = read.state;
      unread = value.slice(-1);
    }
    return { value, state };
  }

  return { logits, nats, write };
}
