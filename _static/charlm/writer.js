// The Writer: a network of the book writes in the page, and shows what it had to choose from. In a page it is
//
//     <div class="charlm-writer"><pre>A text that was written before.</pre></div>
//
// whose text stands there where no script runs. `data-networks` may name other networks: [[name, label, prime], ...].
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const { build, buttons, choice, color, labeled, make, recordedText, statusLine, table, visible } = charlmParts();
  const NETWORKS = [
    ["shakespeare-gru", "Shakespeare (1.3 MB)", "ROMEO:\n"],
    ["shakespeare-best", "Shakespeare, the best network (3.4 MB)", "ROMEO:\n"],
    ["shakespeare-counts", "Shakespeare, counts (1.3 MB)", "ROMEO:\n"],
    ["anna-lstm", "Anna Karenina (0.4 MB)", "Levin "],
    ["warpeace-lstm", "War and Peace (1.2 MB)", "The prince "],
    ["genera-gru", "Names of dinosaurs (0.4 MB)", "\n"],
  ];
  const SHOWN = 8; // of the characters to choose from
  const AT_ONCE = 500; // characters that one press of Write writes
  const PAUSE = 30; // milliseconds between two characters

  function wait(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  class Writer {
    constructor(place) {
      this.place = place;
      this.networks = JSON.parse(place.dataset.networks ?? "null") ?? NETWORKS;
      this.isPlaying = false;
      this.waiting = Promise.resolve(); // for what was pressed last: presses are answered one after the other
      this.turn = 0; // grows when network, prime or seed change: what still waits for the older ones is then dropped
      this.model = null;
      this.text = recordedText(place, "Written text");
      this.buildSettings();
      this.buildButtons();
      this.buildChoices();
    }

    buildSettings() {
      const form = make("div", this.place, { className: "charlm-settings" });
      this.network = choice(form, "Network", this.networks);
      this.prime = labeled(form, "Begin with", "textarea", { rows: 2, value: this.networks[0][2] });
      const number = (label, properties) => labeled(form, label, "input", { type: "number", ...properties });
      this.inputs = {
        temperature: number("Temperature", { min: 0, step: 0.1, value: 0.8 }),
        topK: number("Top-k", { min: 1, step: 1, placeholder: "all" }),
        topP: number("Top-p", { min: 0.05, max: 1, step: 0.05, placeholder: "1" }),
        minP: number("Min-p", { min: 0, max: 1, step: 0.05, placeholder: "0" }),
        seed: number("Seed", { step: 1, value: 1 }),
      };
      this.network.onchange = () => {
        this.prime.value = this.networks[this.network.selectedIndex][2];
        this.forget();
      };
      this.prime.oninput = () => this.forget();
      for (const input of Object.values(this.inputs)) {
        input.oninput = () => this.showAgain();
      }
      this.inputs.seed.oninput = () => this.forget();
    }

    buildButtons() {
      const button = buttons(this.place);
      this.writeButton = button("Write", () => this.press());
      button("Step", () => this.answer(() => this.stepOnce()));
      button("Restart", () => this.answer(() => this.restart()));
      button("Copy", () => this.copy());
      const legend = "The stronger the color of a character, the more it surprised the network.";
      make("p", this.place, { textContent: legend });
      this.count = make("p", this.place);
      this.status = statusLine(this.place);
    }

    buildChoices() {
      const caption = "The next character: what the network says, and what is drawn from";
      const body = table(this.place, caption, ["character", "network", "after the settings"]);
      body.parentNode.className = "charlm-distribution";
      this.rows = Array.from({ length: SHOWN }, () => {
        const row = make("tr", body);
        const character = make("th", row, { scope: "row", textContent: "\u2013" });
        const shares = ["before", "after"].map((className) => {
          const cell = make("td", row, { className });
          return { number: make("span", cell), bar: make("span", cell, { className: "bar" }) };
        });
        return { character, shares };
      });
    }

    // What the reader does

    press() {
      if (this.isPlaying) {
        this.pause();
      } else {
        this.answer(() => this.play());
      }
    }

    pause() {
      this.isPlaying = false;
      this.writeButton.textContent = "Write";
    }

    // Do what was pressed, after what was pressed before it, and say what is wrong with what was typed.
    answer(action) {
      this.pause();
      this.waiting = this.waiting.then(action).catch((error) => {
        this.pause();
        this.status.textContent = error.message;
      });
    }

    async play() {
      this.isPlaying = true;
      this.writeButton.textContent = "Pause";
      await this.begin();
      const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
      for (let i = 0; i < AT_ONCE && this.isPlaying; i++) {
        await this.step();
        if (!isStill) {
          this.show();
          await wait(PAUSE);
        }
      }
      if (this.model !== null) {
        this.pause();
        this.show();
        this.status.textContent = `${this.written.length} characters written.`;
      }
    }

    async stepOnce() {
      await this.begin();
      await this.step();
      this.show();
    }

    async restart() {
      this.forget();
      await this.begin();
    }

    // The settings have changed: show what they leave to draw from.
    showAgain() {
      if (!this.isPlaying) {
        this.answer(() => {
          this.show();
          this.status.textContent = "";
        });
      }
    }

    async copy() {
      try {
        await navigator.clipboard.writeText(this.text.textContent);
        this.status.textContent = "Copied.";
      } catch {
        getSelection().selectAllChildren(this.text);
        this.status.textContent = "The text is selected: copy it with the keyboard.";
      }
    }

    // What the network does

    // Drop what was read: network, prime or seed have changed.
    forget() {
      this.pause();
      this.turn += 1;
      this.model = null;
    }

    // Read the prime, unless that was done.
    async begin() {
      if (this.model !== null) {
        return;
      }
      const turn = this.turn;
      const { seed } = this.settings();
      const prime = this.prime.value;
      this.status.textContent = "Loading the network...";
      const model = await charlm.load(this.network.value);
      const logits = await model.logits(prime);
      this.status.textContent = "";
      if (turn !== this.turn) {
        return;
      }
      this.state = model.state;
      this.number = charlm.sampling.random(seed ?? Math.floor(Math.random() * 2 ** 32));
      this.written = [];
      this.nats = 0;
      this.text.replaceChildren();
      Array.from(prime).forEach((character, place) => {
        const nats = place > 0 ? this.surprise(model, logits[place - 1], character) : 0;
        this.append(character, nats, "charlm-prime");
      });
      this.logits = logits.at(-1);
      this.model = model;
      this.show();
    }

    // Draw a character and read it.
    async step() {
      const { turn, model } = this;
      if (model === null) {
        return;
      }
      const probabilities = charlm.sampling.distribution(this.logits, this.settings());
      const character = model.characters[charlm.sampling.draw(probabilities, this.number())];
      const nats = this.surprise(model, this.logits, character);
      const [logits] = await model.logits(character, { state: this.state });
      if (turn !== this.turn) {
        return;
      }
      this.state = model.state;
      this.logits = logits;
      this.written.push(character);
      this.nats += nats;
      this.append(character, nats, "");
    }

    settings() {
      const filled = Object.entries(this.inputs).filter(([, input]) => input.value !== "");
      return Object.fromEntries(filled.map(([name, input]) => [name, Number(input.value)]));
    }

    surprise(model, logits, character) {
      return -Math.log(charlm.sampling.softmax(logits)[model.characters.indexOf(character)]);
    }

    // What the reader sees

    append(character, nats, className) {
      const span = make("span", this.text, { textContent: character, className });
      color(span, nats);
    }

    show() {
      if (this.model === null) {
        return;
      }
      this.text.scrollTop = this.text.scrollHeight;
      const count = this.written.length;
      const mean = count > 0 ? `, ${(this.nats / count).toFixed(2)} nats per character` : "";
      this.count.textContent = `${count} characters${mean}`;
      const before = charlm.sampling.softmax(this.logits);
      const after = charlm.sampling.distribution(this.logits, this.settings());
      const likeliest = Array.from(before.keys()).sort((a, b) => before[b] - before[a]);
      this.rows.forEach(({ character, shares }, place) => {
        const id = likeliest[place];
        const name = this.model.characters[id] ?? "\u2013";
        character.textContent = visible(name);
        shares.forEach(({ bar, number }, side) => {
          const share = [before, after][side][id] ?? 0;
          bar.style.width = `${50 * share}%`;
          number.textContent = share.toFixed(2);
        });
      });
    }
  }

  build("charlm-writer", Writer);
});
