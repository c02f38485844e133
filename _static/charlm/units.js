// The Units: the state of a network as a grid, a text colored by one unit, and writing while that unit is held at a
// value. In a page it is
//
//     <div class="charlm-units"><pre>A text to begin with.</pre></div>
//
// whose text stands there where no script runs. `data-networks` may name other networks, each with the layer (from 1)
// and the unit that are chosen first: [[network, label, layer, unit], ...]; and `data-length` how many characters a press
// of Write adds, 400 by default.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const { build, buttons, choice, entitle, labeled, make, moved, recordedText, statusLine, visible } = charlmParts();
  const NETWORKS = [
    ["shakespeare-gru", "Shakespeare (2.5 MB)", 1, 453],
    ["shakespeare-best", "Shakespeare, the best network (4.7 MB)", 2, 41],
    ["warpeace-lstm", "War and Peace (3.2 MB)", 2, 0],
    ["anna-lstm", "Anna Karenina (1.8 MB)", 2, 16],
  ];
  const LONGEST = 2000; // characters of a text that is read
  const SHOWN_EVERY = 20; // characters
  const TEMPERATURE = 0.8;
  const CELL = 12; // pixels of a unit in the grid
  const IN_A_ROW = 32; // units
  const BLUE = "86 180 233";
  const ORANGE = "230 159 0";

  class Units {
    constructor(place) {
      this.networks = JSON.parse(place.dataset.networks ?? "null") ?? NETWORKS;
      this.length = Number(place.dataset.length ?? 400);
      this.turn = 0; // grows when something else is to be read
      this.read = []; // what was read: characters, their states, and their places in the page
      this.cursor = 0;
      entitle(place, "Follow one unit through a text");
      this.text = recordedText(place, "The text that was read or written");
      const form = make("div", place, { className: "charlm-settings" });
      this.inputs = {
        network: choice(form, "Network", this.networks),
        layer: labeled(form, "Layer", "input", { type: "number", min: 1, step: 1 }),
        unit: labeled(form, "Unit", "input", { type: "number", min: 0, step: 1 }),
        seed: labeled(form, "Seed", "input", { type: "number", min: 0, step: 1, value: 1 }),
        hold: labeled(form, "Hold the unit", "input", { type: "checkbox" }),
        value: labeled(form, "at the value", "input", { type: "number", min: -1, max: 1, step: 0.1, value: -0.9 }),
        text: labeled(form, "Your text", "textarea", { rows: 4, value: this.text.textContent.trim() }),
      };
      this.inputs.network.onchange = () => this.chooseNetwork();
      this.inputs.layer.oninput = () => this.paint();
      this.inputs.unit.oninput = () => this.paint();
      const button = buttons(place);
      button("Read", () => this.start(false));
      button("Write", () => this.start(true));
      button("Stop", () => this.stop("Stopped."));
      place.append(this.text);
      const legend = "Orange: above 0 after the character. Blue: below. The grid shows all units of the layer.";
      make("p", place, { textContent: legend });
      this.detail = make("p", place);
      this.detail.setAttribute("role", "status");
      this.grid = make("canvas", place, { width: IN_A_ROW * CELL, height: CELL });
      this.grid.setAttribute("role", "img");
      this.status = statusLine(place);
      this.text.onclick = ({ target }) => this.point(this.read.findIndex(({ span }) => span === target));
      this.text.onkeydown = (event) => this.move(event);
      this.grid.onclick = (event) => this.pick(event);
      this.chooseNetwork();
    }

    // What the reader does

    chooseNetwork() {
      const [, , layer, unit] = this.networks[this.inputs.network.selectedIndex];
      this.inputs.layer.value = layer;
      this.inputs.unit.value = unit;
      this.stop("");
      this.read = [];
      this.describe();
    }

    stop(said) {
      this.turn += 1;
      this.status.textContent = said;
    }

    async start(writes) {
      this.turn += 1;
      const { turn } = this;
      this.status.textContent = "Loading...";
      try {
        const model = await charlm.load(this.inputs.network.value);
        if (turn === this.turn) {
          this.status.textContent = writes ? "Writing..." : "Reading...";
          await this.run(model, turn, writes);
        }
      } catch (error) {
        if (turn === this.turn) {
          this.stop(error.message);
        }
      }
    }

    move(event) {
      const place = moved(event, this.cursor, this.read.length - 1);
      if (place !== null) {
        this.point(place);
      }
    }

    pick({ offsetX, offsetY }) {
      const scale = this.grid.width / this.grid.clientWidth / CELL;
      const unit = Math.floor(offsetY * scale) * IN_A_ROW + Math.floor(offsetX * scale);
      if (this.values(this.cursor)?.[unit] !== undefined) {
        this.inputs.unit.value = unit;
        this.paint();
      }
    }

    // What the network does

    get held() {
      const { layer, unit, hold, value } = this.inputs;
      return hold.checked
        ? { layer: Number(layer.value) - 1, unit: Number(unit.value), value: Number(value.value) }
        : undefined;
    }

    async run(model, turn, writes) {
      const known = new Set(model.characters);
      const typed = Array.from(this.inputs.text.value).slice(0, LONGEST);
      const given = typed.filter((character) => known.has(character));
      if (given.length === 0) {
        throw new RangeError("Type at least one character that the network knows.");
      }
      const settings = { temperature: TEMPERATURE, seed: Number(this.inputs.seed.value) };
      charlm.sampling.check(settings, model.characters.length);
      const number = charlm.sampling.random(settings.seed);
      const length = given.length + (writes ? this.length : 0);
      const { held } = this;
      this.text.replaceChildren();
      this.read = [];
      this.cursor = 0;
      let state = null;
      let logits = null;
      for (let place = 0; place < length; place++) {
        const character = given[place] ?? this.draw(model, logits, settings, number);
        [logits] = await model.logits(character, { state, held });
        if (turn !== this.turn) {
          return;
        }
        state = model.state;
        const className = place < given.length ? "" : "charlm-written";
        const span = make("span", this.text, { textContent: character, className });
        this.read.push({ character, span, state });
        if (place % SHOWN_EVERY === 0 || place === length - 1) {
          this.mark(place);
          this.paint(Math.max(0, place - SHOWN_EVERY));
        }
      }
      const left = typed.length - given.length;
      const unknown = left > 0 ? ` ${left} that the network does not know were left out.` : "";
      this.stop(`${given.length} characters read, ${length - given.length} written.${unknown}`);
    }

    draw(model, logits, settings, number) {
      const probabilities = charlm.sampling.distribution(logits, settings);
      return model.characters[charlm.sampling.draw(probabilities, number())];
    }

    // What the reader sees

    // The outputs of the chosen layer after a character, or undefined where there are none.
    values(place) {
      return this.read[place]?.state[Number(this.inputs.layer.value) - 1]?.[0];
    }

    paint(start = 0) {
      const unit = Number(this.inputs.unit.value);
      for (let place = start; place < this.read.length; place++) {
        this.read[place].span.style.background = shade(this.values(place)?.[unit], 0.35);
      }
      this.paintGrid(unit);
      this.describe();
    }

    paintGrid(unit) {
      const values = this.values(this.cursor) ?? [];
      this.grid.height = Math.max(1, Math.ceil(values.length / IN_A_ROW)) * CELL;
      const context = this.grid.getContext("2d");
      values.forEach((value, number) => {
        const left = (number % IN_A_ROW) * CELL;
        const top = Math.floor(number / IN_A_ROW) * CELL;
        context.fillStyle = shade(value, 1);
        context.fillRect(left, top, CELL - 1, CELL - 1);
        if (number === unit) {
          context.strokeStyle = getComputedStyle(this.text).color;
          context.lineWidth = 2;
          context.strokeRect(left + 1, top + 1, CELL - 3, CELL - 3);
        }
      });
    }

    mark(place) {
      this.read[this.cursor].span.classList.remove("charlm-cursor");
      this.cursor = place;
      this.read[place].span.classList.add("charlm-cursor");
    }

    point(place) {
      if (place < 0 || this.read.length === 0) {
        return;
      }
      this.mark(place);
      this.read[place].span.scrollIntoView({ block: "nearest" });
      this.paintGrid(Number(this.inputs.unit.value));
      this.describe();
    }

    describe() {
      const unit = Number(this.inputs.unit.value);
      const value = this.values(this.cursor)?.[unit];
      const character = this.read[this.cursor]?.character;
      if (character === undefined) {
        this.detail.textContent = "Press Read; then choose a character by a click or with the arrow keys.";
      } else if (value === undefined) {
        this.detail.textContent = "The network has no such layer or unit.";
      } else {
        const where = `After character ${this.cursor + 1}, ${visible(character)}`;
        this.detail.textContent = `${where}: unit ${unit} is ${value.toFixed(2)}.`;
      }
      this.grid.setAttribute("aria-label", `The units of the layer. ${this.detail.textContent}`);
    }
  }

  function shade(value, most) {
    const strength = Math.min(1, Math.abs(value ?? 0)) * most;
    return `rgb(${value < 0 ? BLUE : ORANGE} / ${strength.toFixed(2)})`;
  }

  build("charlm-units", Units);
});
