"use strict";
// What is told beside the pointer.
const Tip = (() => {
  const MARKS_MOST = 6; // marks told at once
  const ASIDE = 16; // CSS pixels between the pointer and the tip

  const line = (text, name) => {
    const p = document.createElement("p");
    p.textContent = text;
    if (name) p.className = name;
    return p;
  };

  const glyph = (kind) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "g");
    svg.appendChild(document.createElementNS(svg.namespaceURI, "use")).setAttribute("href", `#g-${kind}`);
    return svg;
  };

  /** Make a tip inside `root`; `name` names a mark and `moment` writes a time. */
  const on = (root, name, moment) => {
    const node = document.createElement("div");
    node.className = "tip";
    node.hidden = true;
    node.setAttribute("aria-hidden", "true");

    const mark = (told) => {
      const p = line("", "mark-line");
      const bold = document.createElement("b");
      bold.textContent = name(told);
      const text = document.createElement("span");
      text.append(bold, ` ${moment(told.at)} `, document.createElement("br"), told.text);
      p.append(glyph(told.kind), text);
      return p;
    };

    const marks = (told) => {
      const lines = told.slice(0, MARKS_MOST).map(mark);
      if (told.length > MARKS_MOST) lines.push(line(`and ${told.length - MARKS_MOST} more`, "time"));
      return lines;
    };

    const hide = () => {
      node.hidden = true;
    };

    /** Show lines beside a point of `root`, on the side with more room. */
    const show = (nodes, x, y) => {
      node.hidden = nodes.length === 0;
      if (node.hidden) return;
      node.replaceChildren(...nodes);
      const width = node.offsetWidth;
      const most = Math.max(0, root.clientWidth - width);
      const wanted = x < root.clientWidth / 2 ? x + ASIDE : x - ASIDE - width;
      node.style.left = `${Math.max(0, Math.min(wanted, most))}px`;
      node.style.top = `${Math.max(0, y)}px`;
    };

    return { hide, marks, node, show };
  };

  return { line, on };
})();
