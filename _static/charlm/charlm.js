// The networks of the book in its pages: `const model = await charlm.load("shakespeare-gru")`.
//
// A model computes in a worker, so that the page stays quick. A page that was opened from a disk may not load a
// worker from a file, but it may make one from text: that of the functions in the other files here. Where that is
// refused, too, the page's own thread computes, a few milliseconds at a time. Weights come as a script that calls
// `charlm.register`, because a page from a disk may load scripts and nothing else. api.md describes all names.
window.charlm = (() => {
  "use strict";

  const folder = new URL("weights/", document.currentScript.src);
  const SLICE = 10; // milliseconds that the page's thread computes before it lets the page work
  const arrived = new Map(); // what `register` got, by name
  const loading = new Map(); // promises of models, by name

  function register(name, exported) {
    arrived.set(name, exported);
  }

  function load(name) {
    if (!loading.has(name)) {
      const model = read(name).then(async (exported) => new Model(name, exported, await startEngine(exported)));
      model.catch(() => loading.delete(name)); // so that it can be tried again
      loading.set(name, model);
    }
    return loading.get(name);
  }

  // What the book's build wrote for its pages: networks, counts, and what was recorded of them.
  function read(name) {
    return new Promise((resolve, reject) => {
      const refuse = () => reject(new Error(`no network ${JSON.stringify(name)} in ${folder}`));
      if (!/^[\w-]+$/.test(name)) {
        refuse();
        return;
      }
      const script = document.createElement("script");
      script.src = new URL(`${name}.js`, folder);
      script.onerror = refuse;
      script.onload = () => {
        script.remove();
        if (arrived.has(name)) {
          resolve(arrived.get(name));
          arrived.delete(name);
        } else {
          refuse(); // the script is broken
        }
      };
      document.head.append(script);
    });
  }

  // Engines: `engine(task, arguments)` is a promise of the task's value and state.

  async function startEngine(exported) {
    try {
      return await startWorker(exported);
    } catch {
      return startHere(exported);
    }
  }

  function makeTasks(exported) {
    return charlmTasks(makeNetwork(exported), charlmSampling());
  }

  function makeNetwork(exported) {
    if ("order" in exported) {
      const { Counts } = charlmCounts();
      return new Counts(exported);
    }
    const { Network } = charlmNetwork();
    return new Network(exported, charlmKernel().fastProduct);
  }

  // This function is not called here: its text is the worker's program.
  function serve(makeTasks) {
    let tasks = null;
    const answer = ({ task, options }) => {
      if (task === "start") {
        tasks = makeTasks(options);
        return null;
      }
      const running = tasks[task](options);
      let step = running.next();
      while (!step.done) {
        step = running.next();
      }
      return step.value;
    };
    self.onmessage = ({ data }) => {
      try {
        self.postMessage({ number: data.number, result: answer(data) });
      } catch (error) {
        self.postMessage({ number: data.number, message: error.message });
      }
    };
  }

  async function startWorker(exported) {
    const parts = [charlmNetwork, charlmKernel, charlmCounts, charlmSampling, charlmTasks, makeNetwork, makeTasks];
    const program = `${parts.join("\n")}\n(${serve})(makeTasks);`;
    const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    const worker = new Worker(address);
    const waiting = new Map();
    let number = 0;
    const engine = (task, options) =>
      new Promise((resolve, reject) => {
        number += 1;
        waiting.set(number, { resolve, reject });
        worker.postMessage({ number, task, options });
      });
    worker.onmessage = ({ data }) => {
      const { resolve, reject } = waiting.get(data.number);
      waiting.delete(data.number);
      if (data.message === undefined) {
        resolve(data.result);
      } else {
        reject(new Error(data.message));
      }
    };
    worker.onerror = (event) => {
      event.preventDefault();
      waiting.forEach(({ reject }) => reject(new Error(event.message)));
      waiting.clear();
    };
    await engine("start", exported);
    URL.revokeObjectURL(address);
    return engine;
  }

  function startHere(exported) {
    const tasks = makeTasks(exported);
    const breathe = () => new Promise((resolve) => setTimeout(resolve));
    return async (task, options) => {
      const running = tasks[task](options);
      let step = running.next();
      let until = performance.now() + SLICE;
      while (!step.done) {
        if (performance.now() > until) {
          await breathe();
          until = performance.now() + SLICE;
        }
        step = running.next();
      }
      return step.value;
    };
  }

  class Model {
    #engine;
    #ids;

    constructor(name, exported, engine) {
      this.name = name;
      this.characters = Array.from(exported.characters); // by id
      this.state = null; // what the network remembers of what it has read; null: nothing
      this.#engine = engine;
      this.#ids = new Map(this.characters.map((character, id) => [character, id]));
    }

    // One array of logits per character read.
    async logits(text, { state, held } = {}) {
      return this.#ask("logits", { ids: this.#encode("text", text, 1), state, held });
    }

    // -ln p of every character after the first.
    async nats(text, { state, held } = {}) {
      return this.#ask("nats", { ids: this.#encode("text", text, 2), state, held });
    }

    // The prime and `length` characters drawn after it. Without a seed, every call writes another text.
    async write(prime, length, { state, held, ...settings } = {}) {
      const ids = this.#encode("prime", prime, 1);
      if (!Number.isInteger(length) || length < 1) {
        throw new RangeError(`length must be a whole number of at least 1, got ${length}`);
      }
      charlm.sampling.check(settings, this.characters.length);
      settings.seed ??= Math.floor(Math.random() * 2 ** 32);
      const drawn = await this.#ask("write", { ids, length, settings, state, held });
      return prime + drawn.map((id) => this.characters[id]).join("");
    }

    async #ask(task, options) {
      const { value, state } = await this.#engine(task, options);
      this.state = state;
      return value;
    }

    #encode(name, text, least) {
      const characters = Array.from(text);
      if (characters.length < least) {
        const wanted = least === 1 ? "1 character" : `${least} characters`;
        throw new RangeError(`${name} must hold at least ${wanted}, got ${characters.length}`);
      }
      return characters.map((character, position) => {
        const id = this.#ids.get(character);
        if (id === undefined) {
          throw new RangeError(this.#unknown(character, position));
        }
        return id;
      });
    }

    #unknown(character, position) {
      const point = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      const place = `${JSON.stringify(character)} (U+${point}) at position ${position}`;
      return `unknown character ${place}: not one of the ${this.characters.length} that the network knows`;
    }
  }

  return {
    load,
    read,
    register,
    // The scripts may arrive in any order, so the other ones are asked for when they are needed.
    get sampling() {
      return charlmSampling();
    },
  };
})();
