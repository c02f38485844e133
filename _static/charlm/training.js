// Through training: a slider over the losses of a recorded run's epochs and the text that it wrote after each. In a page
// it is
//
//     <div class="charlm-training" data-runs='[["anna-lstm", "Anna Karenina"]]'><pre>The last text.</pre></div>
//
// whose text stands there where no script runs. `data-runs` lists recorded runs with what they are called.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";

  const { build, choice, entitle, labeled, make, recordedText, statusLine } = charlmParts();
  const WIDTH = 400;
  const HEIGHT = 165;
  const MARGIN = { left: 35, right: 75, top: 25, bottom: 25 };
  const LINE = 13; // height of a label
  const LABELS = { train: "learned", validation: "held out" };

  function draw(tag, parent, attributes, textContent = "") {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) {
      element.setAttribute(name, value);
    }
    element.textContent = textContent;
    return parent.appendChild(element);
  }

  class Training {
    constructor(place) {
      this.turn = 0;
      this.runs = JSON.parse(place.dataset.runs);
      entitle(place, "See what a network wrote after each epoch of its training");
      this.text = recordedText(place, "The text after this epoch");
      const form = make("div", place, { className: "charlm-settings" });
      if (this.runs.length > 1) {
        this.run = choice(form, "Network", this.runs);
        this.run.onchange = () => this.choose();
      }
      this.slider = labeled(form, "Epoch", "input", { type: "range", min: 1, max: 1, value: 1 });
      this.slider.oninput = () => this.show();
      this.losses = make("p", place);
      place.append(this.text);
      this.chart = draw("svg", place, { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
      this.status = statusLine(place);
      this.choose();
    }

    async choose() {
      this.turn += 1;
      const { turn } = this;
      try {
        const record = await charlm.read(`${this.run?.value ?? this.runs[0][0]}-training`);
        if (turn === this.turn) {
          this.record = record;
          this.slider.max = record.train.length;
          this.slider.value = record.train.length;
          this.drawChart();
          this.show();
        }
      } catch (error) {
        this.status.textContent = error.message;
      }
    }

    show() {
      const { train, validation, samples } = this.record;
      const epoch = Number(this.slider.value);
      const parts = [`Epoch ${epoch} of ${train.length}: ${train[epoch - 1].toFixed(3)} nats per character learned`];
      if (validation.length > 0) {
        parts.push(`${validation[epoch - 1].toFixed(3)} held out`);
      }
      this.losses.textContent = `${parts.join(", ")}.`;
      this.slider.setAttribute("aria-valuetext", this.losses.textContent);
      this.text.textContent = samples[epoch - 1];
      this.text.scrollTop = 0;
      this.marker.setAttribute("x1", this.across(epoch));
      this.marker.setAttribute("x2", this.across(epoch));
    }

    across(epoch) {
      const share = (epoch - 1) / Math.max(1, this.record.train.length - 1);
      return MARGIN.left + share * (WIDTH - MARGIN.left - MARGIN.right);
    }

    // Draw the losses over the epochs.
    drawChart() {
      const { train, validation } = this.record;
      const losses = { train, validation };
      const all = [...train, ...validation];
      const [least, most] = [Math.min(...all), Math.max(...all)];
      const bottom = HEIGHT - MARGIN.bottom;
      const down = (loss) => bottom - ((loss - least) / (most - least)) * (bottom - MARGIN.top);
      this.chart.replaceChildren();
      this.chart.setAttribute("aria-label", `Losses of ${train.length} epochs, from ${most.toFixed(2)} to ${least.toFixed(2)} nats.`);
      draw("text", this.chart, { x: 0, y: LINE }, "loss, nats per character");
      const middle = (this.across(1) + this.across(train.length)) / 2;
      draw("text", this.chart, { x: middle, y: HEIGHT - 5, "text-anchor": "middle" }, "epoch");
      for (const loss of [least, most]) {
        draw("text", this.chart, { x: MARGIN.left - 5, y: down(loss) + 4, "text-anchor": "end" }, loss.toFixed(2));
      }
      for (const epoch of [1, train.length]) {
        draw("text", this.chart, { x: this.across(epoch), y: HEIGHT - 5, "text-anchor": "middle" }, `${epoch}`);
      }
      this.marker = draw("line", this.chart, { class: "marker", y1: MARGIN.top, y2: bottom });
      const ends = {};
      for (const [kind, values] of Object.entries(losses)) {
        if (values.length > 0) {
          const points = values.map((loss, place) => `${this.across(place + 1)},${down(loss)}`).join(" ");
          draw("polyline", this.chart, { points, class: kind });
          ends[kind] = down(values.at(-1)) + 4;
        }
      }
      // Labels stand where the lines end, and the upper one so far up that it does not cover the lower one.
      const [lower, upper] = Object.entries(ends).sort((a, b) => b[1] - a[1]);
      const x = WIDTH - MARGIN.right + 5;
      draw("text", this.chart, { x, y: lower[1], class: lower[0] }, LABELS[lower[0]]);
      if (upper !== undefined) {
        draw("text", this.chart, { x, y: Math.min(upper[1], lower[1] - LINE), class: upper[0] }, LABELS[upper[0]]);
      }
    }
  }

  build("charlm-training", Training);
});
