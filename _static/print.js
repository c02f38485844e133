// On paper a page is light, whatever the reader's mode, and solutions are open and called by their name ("Solution"), since
// nothing can be hidden there. Setup stays closed: it is the same in every chapter.
(() => {
  "use strict";

  const root = document.documentElement;
  let theme = "";
  let opened = [];

  const nameFor = (label) => {
    const name = label.replace("Hide ", "");
    return name[0].toUpperCase() + name.slice(1);
  };

  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    const closed = Array.from(document.querySelectorAll("details:not([open])"));
    opened = closed.filter((details) => !details.querySelector("summary").textContent.includes("Setup"));
    for (const details of opened) {
      details.open = true;
      const label = details.querySelector("summary .expanded");
      label.dataset.onScreen = label.textContent;
      label.textContent = nameFor(label.textContent);
    }
  });

  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    for (const details of opened) {
      details.open = false;
      const label = details.querySelector("summary .expanded");
      label.textContent = label.dataset.onScreen;
    }
  });
})();
