// A table or an equation that is wider than the page can be scrolled with the keyboard too; others are no tab stop.
(() => {
  "use strict";

  const mark = () => {
    for (const box of document.querySelectorAll(".pst-scrollable-table-container, div.math mjx-container")) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
    }
  };

  addEventListener("load", () => {
    mark();
    window.MathJax?.startup?.promise?.then(mark);
  });
  addEventListener("resize", mark);
})();
