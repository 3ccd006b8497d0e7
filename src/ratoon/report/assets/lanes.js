"use strict";
// Below the plot: which version was live, and a lane for each kind of mark that is switched on.
const Lanes = (() => {
  const RIBBON = 20;
  const LANE = 23;
  const GLYPH = 16;
  const GAP = 10;
  const BETWEEN = 8; // causes above, what followed below
  const SIDES = 16; // the square on which shapes are given

  /** How much room the ribbon and the lanes of `kinds` take, in CSS pixels. */
  const height = (reigns, kinds) => top(reigns) + (kinds.length ? offset(kinds, kinds.length) + GAP : 0);

  const top = (reigns) => GAP + (reigns.length ? RIBBON : 0);

  /** How far below the first lane the lane of the k-th kind begins. */
  const offset = (kinds, k) => {
    const first = kinds.findIndex((kind) => kind.group !== kinds[0].group);
    return k * LANE + (first > 0 && k >= first ? BETWEEN : 0);
  };

  /** Put marks that would hide one another into one place: [{x, marks}]. */
  const clustered = (marks, toX, low, high) => {
    const found = [];
    for (const mark of marks) {
      const x = toX(mark.at);
      if (x < low || x > high) continue;
      const last = found[found.length - 1];
      if (last && x - last.from < GLYPH - 1) {
        last.marks.push(mark);
        last.x = (last.from + x) / 2;
      } else found.push({ x, from: x, marks: [mark] });
    }
    return found;
  };

  const fit = (context, text, width) => {
    if (context.measureText(text).width <= width) return text;
    let n = text.length - 1;
    while (n > 1 && context.measureText(text.slice(0, n) + "…").width > width) n -= 1;
    return n > 1 ? text.slice(0, n) + "…" : "";
  };

  const glyph = (context, kind, x, y, letter) => {
    const path = new Path2D(kind.shape);
    context.save();
    context.translate(x - GLYPH / 2, y - GLYPH / 2);
    context.scale(GLYPH / SIDES, GLYPH / SIDES);
    context.fillStyle = kind.color;
    context.fill(path);
    context.lineWidth = 0.8;
    context.strokeStyle = "rgb(0 0 0 / 55%)";
    context.stroke(path);
    context.fillStyle = kind.ink;
    const size = letter.length > 2 ? 6.5 : letter.length > 1 ? 8 : 9.5;
    context.font = `700 ${size}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    const nudge = kind.id === "promotion" ? -1.5 : kind.id === "rollback" ? 1 : 0;
    context.fillText(letter, SIDES / 2 + nudge, 8 + size * 0.36 + kind.sink);
    context.restore();
  };

  const ribbon = (context, reigns, box, toX, look) => {
    const { left, right, top } = box;
    context.textBaseline = "middle";
    context.font = look.font;
    reigns.forEach((reign, k) => {
      const from = Math.max(left, toX(reign.start));
      const to = Math.min(right, reign.stop === null ? right : toX(reign.stop));
      if (to <= left || from >= right || to - from < 0.5) return;
      context.globalAlpha = k % 2 ? 0.17 : 0.08;
      context.fillStyle = look.ink;
      context.fillRect(from, top, to - from - 1, RIBBON - 4);
      context.globalAlpha = 1;
      const wide = `version ${reign.version}`;
      const room = to - from - 8;
      const text = context.measureText(wide).width <= room ? wide : String(reign.version);
      if (context.measureText(text).width > room) return;
      context.fillStyle = look.soft;
      context.textAlign = "left";
      context.fillText(text, from + 5, top + (RIBBON - 4) / 2 + 0.5);
    });
  };

  const bars = (context, marks, y, box, toX, kind) => {
    context.fillStyle = kind.color;
    context.globalAlpha = 0.55;
    for (const mark of marks) {
      if (mark.until === null) continue;
      const from = Math.max(box.left, toX(mark.at));
      const to = Math.min(box.right, toX(mark.until));
      if (to > from) context.fillRect(from, y - 4, to - from, 8);
    }
    context.globalAlpha = 1;
  };

  const label = (context, kind, y, box, look) => {
    const named = box.left > 90;
    glyph(context, kind, box.left - (named ? 16 : 32), y, kind.letter);
    if (!named) return;
    context.font = look.font;
    context.fillStyle = look.soft;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(fit(context, kind.label, box.left - 34), box.left - 30, y + 0.5);
  };

  /** Draw all below the plot; return where the marks are: [{x, y, kind, marks}]. */
  const draw = (context, reigns, kinds, marksOf, box, toX, look) => {
    const places = [];
    context.setLineDash([]);
    ribbon(context, reigns, { ...box, top: box.bottom + GAP }, toX, look);
    kinds.forEach((kind, k) => {
      const y = box.bottom + top(reigns) + offset(kinds, k) + LANE / 2;
      const marks = marksOf(kind);
      context.strokeStyle = look.rule;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(box.left, Math.round(y) + 0.5);
      context.lineTo(box.right, Math.round(y) + 0.5);
      context.stroke();
      label(context, kind, y, box, look);
      bars(context, marks, y, box, toX, kind);
      const found = clustered(marks, toX, box.left - 1, box.right + 1);
      found.forEach((place, i) => {
        const last = place.marks[place.marks.length - 1];
        const letter = last.version !== null && kind.id === "promotion" ? String(last.version) : kind.letter;
        glyph(context, kind, place.x, y, letter);
        const next = found[i + 1];
        if (place.marks.length > 1 && (!next || next.x - place.x > 36)) {
          context.font = look.font;
          context.fillStyle = look.soft;
          context.textAlign = "left";
          context.textBaseline = "middle";
          context.fillText(`×${place.marks.length}`, place.x + GLYPH / 2 + 3, y + 0.5);
        }
        places.push({ x: place.x, y, kind, marks: place.marks });
      });
    });
    return places;
  };

  return { draw, height };
})();
