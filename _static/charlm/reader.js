// The Reader: any text, and how much each of its characters surprises a network, and counts of the same book. In a page
// it is
//
//     <div class="charlm-reader"><pre>A text to begin with.</pre></div>
//
// whose text stands there where no script runs. `data-networks` may name other networks, each with the counts that
// stand beside it: [[network, label, counts], ...].
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const { build, buttons, choice, color, entitle, labeled, make, moved, recordedText, statusLine, table, visible } =
    charlmParts();
  const NETWORKS = [
    ["shakespeare-gru", "Shakespeare (2.5 MB)", "shakespeare-counts"],
    ["shakespeare-best", "Shakespeare, the best network (4.7 MB)", "shakespeare-counts"],
    ["anna-lstm", "Anna Karenina (1.8 MB)", "anna-counts"],
    ["warpeace-lstm", "War and Peace (3.2 MB)", "warpeace-counts"],
  ];
  const LONGEST = 5000; // characters that are read
  const AT_ONCE = 200; // characters that are read before the page shows them
  const NAMED = 5; // unknown characters
  const CLEAREST = 3; // nats between network and counts that get the full color
  const COLORS = [
    ["network", "the network's surprise"],
    ["counts", "the counts' surprise"],
    ["difference", "who is surprised more"],
  ];
  const LEGENDS = {
    network: "The stronger the color of a character, the more it surprised the network.",
    counts: "The stronger the color of a character, the more it surprised the counts.",
    difference: "Orange: a surprise for the network more than for the counts. Blue: the other way round.",
  };

  class Reader {
    constructor(place) {
      this.networks = JSON.parse(place.dataset.networks ?? "null") ?? NETWORKS;
      this.turn = 0; // grows when something else is to be read
      this.read = []; // what was read: characters with their nats, and their places in the page
      this.cursor = 0;
      this.states = new Map(); // by the name of what reads
      entitle(place, "Let a network read your text");
      this.text = recordedText(place, "The text that was read");
      const form = make("div", place, { className: "charlm-settings" });
      this.network = choice(form, "Network", this.networks);
      this.coloring = choice(form, "Color by", COLORS);
      this.coloring.onchange = () => this.paint();
      this.input = labeled(form, "Your text", "textarea", { rows: 4, value: this.text.textContent.trim() });
      this.button = buttons(place)("Read", () => this.press());
      place.append(this.text);
      this.legend = make("p", place, { textContent: LEGENDS.network });
      const hint = "Press Read; then choose a character by a click or with the arrow keys.";
      this.detail = make("p", place, { textContent: hint });
      this.detail.setAttribute("role", "status");
      const body = table(place, "Surprise per character", ["guessed by", "nats", "bits", "perplexity"]);
      body.parentNode.className = "charlm-scores";
      this.rows = Object.fromEntries(["network", "counts", "nothing"].map((name) => [name, this.buildRow(body)]));
      this.rows.network.name.textContent = "the network";
      this.rows.counts.name.textContent = "counts";
      this.rows.nothing.name.textContent = "knowing nothing";
      this.status = statusLine(place);
      this.text.onclick = ({ target }) => this.point(this.read.findIndex(({ span }) => span === target));
      this.text.onkeydown = (event) => this.move(event);
    }

    buildRow(body) {
      const row = make("tr", body);
      const name = make("th", row, { scope: "row" });
      return { name, cells: Array.from({ length: 3 }, () => make("td", row, { textContent: "\u2013" })) };
    }

    // What the reader does

    press() {
      if (this.button.textContent === "Stop") {
        this.stop();
        this.status.textContent = `Stopped after ${this.read.length} characters.`;
      } else {
        this.start();
      }
    }

    stop() {
      this.turn += 1;
      this.button.textContent = "Read";
    }

    async start() {
      this.button.textContent = "Stop";
      this.turn += 1;
      const { turn } = this;
      try {
        const [name, , countsName] = this.networks[this.network.selectedIndex];
        this.status.textContent = "Loading...";
        const models = await Promise.all([charlm.load(name), charlm.load(countsName)]);
        if (turn === this.turn) {
          this.status.textContent = "Reading...";
          await this.readWith(models, turn);
        }
      } catch (error) {
        if (turn === this.turn) {
          this.stop();
          this.status.textContent = error.message;
        }
      }
    }

    move(event) {
      const place = moved(event, this.cursor, this.read.length - 1);
      if (place !== null) {
        this.point(place);
      }
    }

    // What the models do

    async readWith([network, counts], turn) {
      const typed = Array.from(this.input.value);
      const known = new Set(network.characters);
      this.text.replaceChildren();
      const shown = typed.slice(0, LONGEST).map((character) => {
        const isKnown = known.has(character);
        const className = isKnown ? "" : "charlm-unknown";
        return { character, isKnown, span: make("span", this.text, { textContent: character, className }) };
      });
      this.read = shown.filter(({ isKnown }) => isKnown);
      this.cursor = 0;
      this.showScores(network, 0);
      const text = this.read.map(({ character }) => character);
      for (let start = 0; start + 1 < text.length; start += AT_ONCE) {
        const part = text.slice(start, start + AT_ONCE + 1).join(""); // the last one is read with the next part
        const both = await Promise.all([this.nats(network, part, start), this.nats(counts, part, start)]);
        if (turn !== this.turn) {
          return;
        }
        both[0].forEach((nats, place) => {
          Object.assign(this.read[start + 1 + place], { network: nats, counts: both[1][place] });
        });
        this.paint(start);
        this.showScores(network, start + both[0].length);
      }
      this.stop();
      this.status.textContent = this.report(typed, known);
    }

    // Read a part from the state that the part before it has left.
    async nats(model, part, start) {
      const values = await model.nats(part, { state: start > 0 ? this.states.get(model.name) : null });
      this.states.set(model.name, model.state);
      return values;
    }

    // What the reader sees

    report(typed, known) {
      const said = [`${this.read.length} characters read.`];
      if (this.read.length < 2) {
        said.push("A surprise needs a character before it: type at least 2 that the network knows.");
      }
      if (typed.length > LONGEST) {
        said.push(`Only the first ${LONGEST} are read.`);
      }
      const unknown = new Map();
      for (const character of typed.slice(0, LONGEST)) {
        if (!known.has(character)) {
          unknown.set(character, (unknown.get(character) ?? 0) + 1);
        }
      }
      if (unknown.size > 0) {
        const named = Array.from(unknown, ([character, count]) => {
          const point = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
          return `${JSON.stringify(character)} (U+${point})${count > 1 ? ` ${count} times` : ""}`;
        });
        const others = named.length - NAMED;
        const more = others > 0 ? `, and ${others} ${others > 1 ? "others" : "other"}` : "";
        said.push(`Unknown to the network, and left out: ${named.slice(0, NAMED).join(", ")}${more}.`);
      }
      return said.join(" ");
    }

    paint(start = 0) {
      const by = this.coloring.value;
      this.legend.textContent = LEGENDS[by];
      for (const { span, network, counts } of this.read.slice(start)) {
        if (network !== undefined) {
          const difference = network - counts;
          span.classList.toggle("charlm-better", by === "difference" && difference < 0);
          if (by === "difference") {
            color(span, Math.abs(difference), CLEAREST);
          } else {
            color(span, by === "network" ? network : counts);
          }
        }
      }
    }

    point(place) {
      if (place < 0 || this.read.length === 0) {
        return;
      }
      this.read[this.cursor].span.classList.remove("charlm-cursor");
      this.cursor = place;
      const { character, network, counts, span } = this.read[place];
      span.classList.add("charlm-cursor");
      span.scrollIntoView({ block: "nearest" });
      const name = `Character ${place + 1}, ${visible(character)}: `;
      this.detail.textContent =
        network === undefined
          ? `${name}nothing to guess it from`
          : `${name}${network.toFixed(2)} nats for the network, ${counts.toFixed(2)} for the counts`;
    }

    showScores(network, count) {
      const mean = (name) => this.read.slice(1, count + 1).reduce((sum, each) => sum + each[name], 0) / count;
      const means = {
        network: mean("network"),
        counts: mean("counts"),
        nothing: Math.log(network.characters.length),
      };
      for (const [name, { cells }] of Object.entries(this.rows)) {
        const values = [means[name], means[name] / Math.LN2, Math.exp(means[name])];
        cells.forEach((cell, column) => {
          cell.textContent = count > 0 ? values[column].toFixed(column === 2 ? 1 : 3) : "\u2013";
        });
      }
    }
  }

  build("charlm-reader", Reader);
});
