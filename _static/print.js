// On paper a page is light, whatever the reader's mode, and solutions are open. Setup stays closed: it is the same in
// every chapter.
(() => {
  "use strict";

  const root = document.documentElement;
  let theme = "";
  let opened = [];

  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    const closed = Array.from(document.querySelectorAll("details:not([open])"));
    opened = closed.filter((details) => !details.querySelector("summary").textContent.includes("Setup"));
    for (const details of opened) {
      details.open = true;
    }
  });

  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    for (const details of opened) {
      details.open = false;
    }
  });
})();
