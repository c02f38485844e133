// Plays a text that a model wrote: each character with the choices the model had. Without this script the
// page shows the text as it is. The data is in the element itself; nothing is loaded. Nothing jumps: what is still to be
// written has its place already. And nothing is said aloud while it plays.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".charlm-player").forEach((player) => {
    const steps = JSON.parse(player.dataset.steps);
    const pre = player.querySelector("pre");
    const prime = Array.from(pre.textContent).slice(0, Number(player.dataset.prime)).join("");
    const written = Array.from(pre.textContent).slice(Number(player.dataset.prime));
    let position = written.length;
    let timer = null;

    const make = (tag, parent, properties) => parent.appendChild(Object.assign(document.createElement(tag), properties));
    const controls = make("div", player, { className: "charlm-controls" });
    const button = (label, title, action) =>
      make("button", controls, { type: "button", textContent: label, title, onclick: action });
    const choices = make("div", player, { className: "charlm-choices" });
    choices.setAttribute("role", "status");

    const show = () => {
      pre.textContent = prime + written.slice(0, position).join("");
      make("mark", pre, { textContent: written[position] ?? "" });
      make("span", pre, { className: "charlm-rest", textContent: written.slice(position + 1).join("") });
      slider.value = position;
      choices.replaceChildren();
      const [drawn, likeliest] = steps[Math.min(position, steps.length - 1)];
      for (const [character, probability] of likeliest) {
        const row = make("div", choices, { className: character === drawn ? "drawn" : "" });
        make("code", row, { textContent: character });
        make("span", row, { className: "bar" }).style.width = `${probability * 60}%`;
        make("span", row, { textContent: probability.toFixed(2) });
      }
      make("div", choices, { textContent: `drawn: ${drawn}` });
    };
    const stop = () => {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
      choices.ariaLive = "polite";
    };
    const move = (by) => {
      position = Math.max(0, Math.min(steps.length - 1, position + by));
      show();
    };
    const play = button("Play", "Write the text again, character by character", () => {
      if (timer) {
        stop();
        return;
      }
      if (position >= steps.length - 1) { position = 0; }
      play.textContent = "Pause";
      choices.ariaLive = "off";
      timer = setInterval(() => (position < steps.length - 1 ? move(1) : stop()), 150);
    });
    button("Back", "One character back", () => { stop(); move(-1); });
    button("Next", "One character on", () => { stop(); move(1); });
    const slider = make("input", controls, { type: "range", min: 0, max: steps.length - 1, step: 1 });
    slider.setAttribute("aria-label", "Characters written");
    slider.oninput = () => {
      stop();
      move(Number(slider.value) - position);
    };
    position = steps.length - 1;
    show();
  });
});
