"use strict";
// What the page does beside the timeline: switches, filters, the table, print, light and dark.
const Page = (() => {
  const page = document.documentElement;
  const each = (selector, action) => document.querySelectorAll(selector).forEach(action);

  /** Go to a place on the page, and open what it is folded in. */
  const visit = (id) => {
    const place = document.getElementById(id);
    if (!place) return;
    for (let at = place; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    const inside = place.querySelector(":scope > details");
    if (inside && place.tagName === "ARTICLE") inside.open = true;
    if (getComputedStyle(place).display === "none") list("all");
    if (location.hash !== `#${id}`) location.hash = id;
    place.scrollIntoView({ block: "start" });
    if (place.tabIndex < 0) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  };

  const list = (which) => {
    each("[data-list]", (button) => button.setAttribute("aria-pressed", String(button.dataset.list === which)));
    const log = document.getElementById("log");
    log.classList.toggle("list-done", which === "done");
    log.classList.toggle("list-quiet", which === "quiet");
  };

  const row = (cells, name) => {
    const tr = document.createElement("tr");
    for (const text of cells) tr.appendChild(document.createElement(name)).textContent = text;
    return tr;
  };

  /** Fill the table of windows when it is opened for the first time. */
  const table = (details) => {
    const { data, moment, number } = Timeline;
    const m = data.measurements;
    const box = document.createElement("div");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "The windows as a table");
    const made = box.appendChild(document.createElement("table"));
    made.createTHead().append(row(["from", "to", data.metric.replaceAll("_", " "), "standard error", "rows"], "th"));
    made.createTBody().append(
      ...m.end.map((end, i) =>
        row([moment(m.start[i]), moment(end), number(m.value[i]), number(m.stderr[i]), m.n[i].toLocaleString("en")], "td"),
      ),
    );
    details.append(box);
  };

  const print = (on) => {
    page.classList.toggle("print", on);
    Timeline.laid();
    Timeline.redress();
  };

  const start = () => {
    each("[data-list]", (button) => button.addEventListener("click", () => list(button.dataset.list)));
    addEventListener("hashchange", () => visit(location.hash.slice(1)));
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.('a[href^="#"]');
      if (link) visit(link.hash.slice(1));
    });
    if (location.hash) visit(location.hash.slice(1));
    if (!document.getElementById("chart")) {
      page.dataset.drawn = "nothing";
      return;
    }
    Timeline.start();
    each(".legend button", (button) =>
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        const name = button.dataset.kind === undefined ? "series" : "kind";
        Timeline.toggle(name, button.dataset[name], on);
      }),
    );
    const details = document.getElementById("as-table");
    details?.addEventListener("toggle", () => table(details), { once: true });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => Timeline.redress());
    addEventListener("beforeprint", () => print(true));
    addEventListener("afterprint", () => print(false));
    page.dataset.drawn = "timeline";
  };

  return { start, visit };
})();
Page.start();
