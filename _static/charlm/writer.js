// The Writer: a network of the book writes in the page, and shows what it had to choose from. In a page it is
//
//     <div class="charlm-writer"><pre>A text that was written before.</pre></div>
//
// whose text stands there where no script runs. `data-networks` may name other networks: [[name, label, prime], ...].
// `data-settings="folded"` hides temperature, filters and seed until they are asked for. `data-surprises` gives each
// character of the recorded text a digit, 9 for the most surprising ones; `data-choices` says what could come after that
// text: [[character, share by the network, share after the settings], ...].
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const { build, buttons, choice, color, entitle, labeled, make, recordedText, statusLine, table, visible } =
    charlmParts();
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
      entitle(place, "Let a network write");
      this.text = recordedText(place, "Written text");
      this.colorRecorded();
      this.buildButtons();
      this.buildChoices();
      this.buildSettings();
    }

    buildSettings() {
      const form = make("div", this.place, { className: "charlm-settings" });
      this.network = choice(form, "Network", this.networks);
      this.prime = labeled(form, "Begin with", "textarea", { rows: 2, value: this.networks[0][2] });
      const isFolded = this.place.dataset.settings === "folded";
      const details = make("details", this.place, { open: !isFolded });
      make("summary", details, { textContent: "Temperature, filters and seed" });
      const more = make("div", details, { className: "charlm-settings" });
      const number = (label, properties) => labeled(more, label, "input", { type: "number", ...properties });
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
      this.count = make("p", this.place, { textContent: "Press Write, or Step for a single character." });
      this.status = statusLine(this.place);
    }

    buildChoices() {
      const caption = "The likeliest next characters";
      const body = table(this.place, caption, ["character", "network says", "drawn from"]);
      body.parentNode.className = "charlm-distribution";
      this.rows = Array.from({ length: SHOWN }, () => {
        const row = make("tr", body);
        const character = make("th", row, { scope: "row", textContent: "\u2013" });
        const shares = ["before", "after"].map((className) => {
          const cell = make("td", row, { className });
          return { number: make("span", cell), bar: make("span", cell, { className: "bar", hidden: true }) };
        });
        return { character, shares };
      });
      if (this.place.dataset.choices !== undefined) {
        this.showChoices(JSON.parse(this.place.dataset.choices));
      }
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

    colorRecorded() {
      const digits = this.place.dataset.surprises?.replace(/\s/g, "");
      if (digits !== undefined) {
        const characters = Array.from(this.text.textContent);
        this.text.replaceChildren();
        characters.forEach((character, place) => this.append(character, Number(digits[place] ?? 0), "", 9));
      }
    }

    append(character, surprise, className, most) {
      const span = make("span", this.text, { textContent: character, className });
      color(span, surprise, most);
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
      this.showChoices(likeliest.map((id) => [this.model.characters[id], before[id], after[id]]));
    }

    showChoices(choices) {
      this.rows.forEach(({ character, shares }, place) => {
        const [name, ...both] = choices[place] ?? ["\u2013", 0, 0];
        character.textContent = visible(name);
        shares.forEach(({ bar, number }, side) => {
          bar.hidden = both[side] === 0;
          bar.style.width = `${50 * both[side]}%`;
          number.textContent = both[side].toFixed(2);
        });
      });
    }
  }

  build("charlm-writer", Writer);
});
