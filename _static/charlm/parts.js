// What the Writer, the Reader, the Names, the Training and the Units have in common. Texts get into the page as text
// only, never as markup.
function charlmParts() {
  "use strict";

  const MOST_SURPRISING = 6;

  function make(tag, parent, properties = {}) {
    return parent.appendChild(Object.assign(document.createElement(tag), properties));
  }

  // What a widget is for, above everything else in it.
  function entitle(place, textContent) {
    place.prepend(make("div", place, { className: "charlm-what", textContent }));
  }

  function labeled(parent, label, tag, properties) {
    const row = make("label", parent);
    make("span", row, { textContent: label });
    return make(tag, row, properties);
  }

  // A list to choose from: `options` are pairs of a value and what is shown for it.
  function choice(parent, label, options) {
    const select = labeled(parent, label, "select");
    for (const [value, textContent] of options) {
      make("option", select, { value, textContent });
    }
    return select;
  }

  // The recorded text, which stands there before anything happens. It scrolls, so the keyboard must reach it.
  function recordedText(place, name) {
    const text = place.querySelector("pre");
    text.tabIndex = 0;
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", name);
    return text;
  }

  function buttons(place) {
    const row = make("div", place, { className: "charlm-controls" });
    return (textContent, onclick) => make("button", row, { type: "button", textContent, onclick });
  }

  // A line that screen readers read out when it changes.
  function statusLine(place) {
    const line = make("p", place, { className: "charlm-status" });
    line.setAttribute("role", "status");
    return line;
  }

  // A table with a caption and names of columns; returns its body.
  function table(place, caption, columns) {
    const whole = make("table", place);
    make("caption", whole, { textContent: caption });
    const head = make("tr", make("thead", whole));
    for (const textContent of columns) {
      make("th", head, { textContent, scope: "col" });
    }
    return make("tbody", whole);
  }

  // Color a character by its surprise; `most` nats get the full color.
  function color(span, nats, most = MOST_SURPRISING) {
    span.style.setProperty("--surprise", Math.min(1, nats / most).toFixed(2));
  }

  function visible(character) {
    return { "\n": "\u21b5", " ": "\u2423" }[character] ?? character;
  }

  // Where a key leads from a character of a text, or null. Left and right: a character; up and down: twenty; Home, End.
  function moved(event, place, last) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -20, ArrowDown: 20, Home: -last, End: last };
    if (last < 0 || !(event.key in steps)) {
      return null;
    }
    event.preventDefault();
    return Math.max(0, Math.min(last, place + steps[event.key]));
  }

  // Make a widget of every place with this class.
  function build(className, Widget) {
    document.querySelectorAll(`.${className}`).forEach((place) => new Widget(place));
  }

  return { build, buttons, choice, color, entitle, labeled, make, moved, recordedText, statusLine, table, visible };
}
