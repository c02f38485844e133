// The Names: ten new names at a press, each marked new, near or copied from the list that the network has learned. In a
// page it is
//
//     <div class="charlm-names"><pre>Names that were written before, one per line.</pre></div>
//
// whose names stand there where no script runs. `data-network` may name another network; NETWORK-list is its list.
function charlmNames() {
  "use strict";

  // Whether one letter that is put in, taken out or changed turns one name into the other.
  function isOneEdit(name, other) {
    const [shorter, longer] = [Array.from(name), Array.from(other)].sort((a, b) => a.length - b.length);
    const first = longer.findIndex((letter, place) => letter !== shorter[place]);
    if (first < 0 || longer.length > shorter.length + 1) {
      return false;
    }
    const rest = shorter.slice(longer.length > shorter.length ? first : first + 1);
    return rest.join("") === longer.slice(first + 1).join("");
  }

  // What a name is, and which name of the list says so.
  function judge(name, { learned, heldOut }) {
    if (name === "") {
      return { mark: "empty", listed: "" };
    }
    if (learned.includes(name)) {
      return { mark: "copied", listed: name };
    }
    const neighbor = learned.find((other) => isOneEdit(name, other));
    if (neighbor !== undefined) {
      return { mark: "near", listed: neighbor };
    }
    return { mark: "new", listed: heldOut.includes(name) ? "held out" : "" };
  }

  return { isOneEdit, judge };
}

document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const { build, buttons, entitle, labeled, make, statusLine, table } = charlmParts();
  const { judge } = charlmNames();
  const AT_ONCE = 10;
  const LONGEST = 40; // letters after which a name is cut off, as in charlm_utils.names
  const MARKS = ["new", "near", "copied"];
  const LEGEND =
    "Copied: the network has learned this very name. Near: one letter put in, taken out or changed makes it a name " +
    "that it has learned. New: neither; some of these are real all the same, and were held out.";

  class Names {
    constructor(place) {
      this.network = place.dataset.network ?? "genera-gru";
      this.turn = 0; // grows when the settings change: what still waits for the older ones is then dropped
      this.number = null; // the random numbers
      this.isWriting = false;
      const recorded = place.querySelector("pre");
      entitle(place, "Let a network invent names");
      const form = make("div", place, { className: "charlm-settings" });
      this.inputs = {
        letters: labeled(form, "First letters", "input", { type: "text", maxLength: 20 }),
        temperature: labeled(form, "Temperature", "input", { type: "number", min: 0, step: 0.1, value: 0.8 }),
        seed: labeled(form, "Seed", "input", { type: "number", step: 1, value: 1 }),
      };
      for (const input of Object.values(this.inputs)) {
        input.oninput = () => this.forget();
      }
      buttons(place)("Write ten names", () => this.press());
      this.count = make("p", place, { textContent: "Press the button: these ten were written before." });
      const body = table(place, "The names that were written", ["name", "is", "on the list"]);
      this.rows = Array.from({ length: AT_ONCE }, (_, number) => {
        const row = make("tr", body);
        const textContent = recorded.textContent.trim().split("\n")[number] ?? "\u2013";
        const name = make("th", row, { scope: "row", textContent });
        return { name, mark: make("td", row, { textContent: "\u2013" }), listed: make("td", row) };
      });
      make("p", place, { textContent: LEGEND });
      this.status = statusLine(place);
      recorded.remove(); // its names stand in the table
    }

    forget() {
      this.turn += 1;
      this.number = null;
      this.isWriting = false;
    }

    async press() {
      if (this.isWriting) {
        return;
      }
      const { turn } = this;
      this.isWriting = true;
      try {
        this.status.textContent = this.number === null ? "Loading the network..." : "";
        const model = await charlm.load(this.network);
        this.list ??= await charlm.read(`${this.network}-list`);
        const names = await this.write(model);
        if (turn === this.turn) {
          this.show(names);
        }
      } catch (error) {
        if (turn === this.turn) {
          this.status.textContent = error.message;
        }
      }
      if (turn === this.turn) {
        this.isWriting = false;
      }
    }

    async write(model) {
      if (this.number === null) {
        charlm.sampling.check({ seed: Number(this.inputs.seed.value) }, model.characters.length);
        this.number = charlm.sampling.random(Number(this.inputs.seed.value));
        this.counted = { new: 0, near: 0, copied: 0 };
      }
      const temperature = Number(this.inputs.temperature.value);
      const names = [];
      while (names.length < AT_ONCE) {
        const seed = Math.floor(this.number() * 2 ** 32);
        const text = await model.write(`\n${this.inputs.letters.value}`, LONGEST, { temperature, seed });
        names.push(text.split("\n")[1]);
      }
      return names;
    }

    show(names) {
      names.forEach((name, place) => {
        const { mark, listed } = judge(name, this.list);
        const row = this.rows[place];
        row.name.textContent = name || "\u2013";
        row.mark.textContent = mark;
        row.mark.className = `charlm-${mark}`;
        row.listed.textContent = listed;
        if (mark in this.counted) {
          this.counted[mark] += 1;
        }
      });
      const counts = MARKS.map((mark) => `${mark[0].toUpperCase()}${mark.slice(1)}: ${this.counted[mark]}.`);
      this.count.textContent = counts.join(" ");
      this.status.textContent = "Ten names written.";
    }
  }

  build("charlm-names", Names);
});
