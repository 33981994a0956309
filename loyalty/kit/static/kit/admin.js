// A panel that is wider or higher than its room can be scrolled with the keyboard too.
"use strict";
(() => {
  const fit = (entries) => {
    for (const { target } of entries) {
      const wide = target.scrollWidth > target.clientWidth + 1;
      if (wide) target.setAttribute("tabindex", "0");
      else target.removeAttribute("tabindex");
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    const watcher = new ResizeObserver(fit);
    for (const panel of document.querySelectorAll(".panels section.panel")) watcher.observe(panel);
  });
})();
