"use strict";
// The timeline: the metric with its band, other courses beside it, and the lanes below.
const Timeline = (() => {
  const DASHES = [[6, 4], [2, 3], [9, 3, 2, 3], [12, 5], [4, 2], [1, 5]];
  const NARROW = 640; // CSS pixels; below this the lanes have no names
  const NEAR = 9; // CSS pixels around the pointer in which marks are told
  const FAINTEST = 0.1; // lines fainter than this are not drawn
  const BAND = 3; // the first series after the band's low and high and the metric
  const DAY = 86400;

  const root = document.getElementById("chart");
  const said = document.getElementById("chart-said");
  const data = JSON.parse(document.getElementById("data").textContent);
  const happened = data.marks.at.map((at, i) =>
    Object.fromEntries(Object.keys(data.marks).map((name) => [name, data.marks[name][i]])),
  );
  const kinds = data.kinds;
  const kindOf = Object.fromEntries(kinds.map((kind) => [kind.id, kind]));
  const m = data.measurements;
  const hidden = new Set(); // kinds that are switched off
  const marksOf = Object.fromEntries(kinds.map((k) => [k.id, happened.filter((x) => x.kind === k.id)]));
  let chart = null;
  let places = []; // where marks are drawn
  let look = {};
  let chosen = { window: -1, mark: -1 };

  // Words

  const number = (value) => {
    if (value === null || value === undefined) return "undefined";
    const text = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(4));
    return text.replace("-", "−");
  };
  const unit = data.unit ? ` ${data.unit}` : "";
  const moment = (s) => new Date(s * 1000).toISOString().slice(0, 16).replace("T", " ");
  const band = (i) => (m.stderr[i] === null || m.value[i] === null ? null : data.z * m.stderr[i]);
  const valued = (i) => `${number(m.value[i])}${band(i) === null ? "" : ` ± ${number(+band(i).toPrecision(2))}`}${unit}`;
  const named = data.metric.replaceAll("_", " ");
  const tip = Tip.on(root, (mark) => kindOf[mark.kind].label, moment);
  const told = (mark) => `${kindOf[mark.kind].label}, ${moment(mark.at)}: ${mark.text}`;

  // The data as uPlot wants it: one column of times, one column a series

  /** Times as they are, but each later than the one before: two windows may end together. */
  const rising = (times) => {
    let before = -Infinity;
    return times.map((t) => (before = t > before ? t : before + 0.001));
  };
  const ends = rising(m.end);

  const span = () => {
    const all = [...ends, ...data.marks.at, ...data.lines.flatMap((line) => line.time)];
    const low = all.reduce((a, b) => Math.min(a, b));
    const high = all.reduce((a, b) => Math.max(a, b));
    const margin = Math.max((high - low) * 0.015, 60);
    return [low - margin, high + margin];
  };

  const columns = () => {
    const offset = (sign) => m.value.map((v, i) => (v === null || band(i) === null ? null : v + sign * band(i)));
    const own = [ends, offset(-1), offset(1), m.value];
    const lines = data.lines.map((line) => [rising(line.time), line.value]);
    const edges = span();
    return uPlot.join([own, ...lines, [edges, [undefined, undefined]]]).slice(0, 4 + lines.length);
  };

  // Drawing

  const shown = () => kinds.filter((kind) => !hidden.has(kind.id));
  const narrow = () => root.clientWidth < NARROW;

  const dress = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    look = { font: `12px ${of("sans")}` };
    for (const name of ["ink", "soft", "rule", "line", "band", "other"]) look[name] = of(name);
  };

  /** Draw in CSS pixels, whatever the screen's density. */
  const inPixels = (u, action) => {
    const ratio = u.ctx.canvas.width / u.width;
    const { left, top, width, height } = u.bbox;
    const box = { left: left / ratio, top: top / ratio, right: (left + width) / ratio, bottom: (top + height) / ratio };
    u.ctx.save();
    u.ctx.scale(ratio, ratio);
    action(u.ctx, box, (t) => box.left + u.valToPos(t, "x"));
    u.ctx.restore();
  };

  /** Lines across the plot: firm where the champion changed, faint for causes, none in a crowd. */
  const hairlines = (u) => inPixels(u, (context, box, toX) => {
    const { min, max } = u.scales.x;
    const visible = (kind) => marksOf[kind.id].filter((mark) => mark.at >= min && mark.at <= max);
    const all = shown().map((kind) => ({ kind, marks: visible(kind) }));
    const crowd = all.reduce((n, { marks }) => n + marks.length, 0);
    for (const { kind, marks } of all) {
      const firm = kind.id === "promotion" || kind.id === "rollback";
      const alpha = Math.min(0.5, (firm ? 12 : 20) / (firm ? marks.length : crowd));
      if (alpha < FAINTEST) continue;
      context.globalAlpha = alpha;
      context.strokeStyle = firm ? look.soft : kind.color;
      context.setLineDash(kind.id === "rollback" ? [5, 3] : firm ? [] : [1.5, 3]);
      context.lineWidth = firm ? 1 : 1.25;
      context.beginPath();
      for (const mark of marks) {
        const x = Math.round(toX(mark.at)) + 0.5;
        context.moveTo(x, box.top);
        context.lineTo(x, box.bottom);
      }
      context.stroke();
    }
  });

  const lanes = (u) => inPixels(u, (context, box, toX) => {
    places = Lanes.draw(context, data.reigns, shown(), (kind) => marksOf[kind.id], box, toX, look);
    area.style.left = `${box.left - 26}px`;
    area.style.top = `${box.bottom}px`;
    area.style.width = `${box.right - box.left + 36}px`;
    area.style.height = `${Lanes.height(data.reigns, shown())}px`;
  });

  const TIMES = [
    [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
    [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [0.001, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  ];

  const axes = () => [
    {
      values: TIMES,
      font: look.font,
      stroke: () => look.soft,
      grid: { show: false },
      ticks: { show: false },
      gap: Lanes.height(data.reigns, shown()),
      size: () => Lanes.height(data.reigns, shown()) + 40,
      space: 72,
    },
    {
      font: look.font,
      stroke: () => look.soft,
      grid: { stroke: () => look.rule, width: 1 },
      ticks: { show: false },
      gap: 10,
      size: () => (narrow() ? 48 : 178),
      space: 40,
      values: (_, splits) => splits.map((v) => number(+v.toFixed(10))),
    },
  ];

  const series = () => [
    {},
    { stroke: null, points: { show: false } },
    { stroke: null, points: { show: false } },
    { stroke: () => look.line, width: 2, points: { size: 5, fill: () => look.line } },
    ...data.lines.map((_, k) => ({ stroke: () => look.other, width: 1.5, dash: DASHES[k], points: { show: false } })),
  ];

  const size = () => ({ width: root.clientWidth, height: (narrow() ? 210 : 310) + Lanes.height(data.reigns, shown()) + 52 });

  const options = () => ({
    ...size(),
    tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
    ms: 0.001,
    padding: [12, narrow() ? 12 : 28, 0, 0],
    legend: { show: false },
    scales: { x: { range: (_, low, high) => (low === null ? span() : [low, high]) }, y: { range: across } },
    series: series(),
    bands: [{ series: [2, 1], fill: () => look.band }],
    axes: axes(),
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, dist: 6 },
    },
    hooks: {
      drawAxes: [hairlines],
      draw: [lanes],
      setCursor: [(u) => pointed(u)],
      setScale: [(u, key) => key === "x" && zoomed(u)],
      ready: [(u) => u.over.setAttribute("aria-hidden", "true")],
    },
  });

  const across = (_, low, high) => {
    if (low === null || high === null) return [0, 1];
    return low === high ? [low - 1, high + 1] : uPlot.rangeNum(low, high, 0.08, false);
  };

  // Telling

  const nearest = (times, t) => {
    let low = 0;
    let high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < t) low = middle + 1;
      else high = middle;
    }
    return low > 0 && Math.abs(times[low - 1] - t) <= Math.abs(times[low] - t) ? low - 1 : low;
  };

  const live = (t) => data.reigns.find((r) => r.start <= t && (r.stop === null || t < r.stop));

  const windowLines = (i) => {
    const lines = [Tip.line(`${moment(m.start[i])} to ${moment(m.end[i])}`, "time")];
    lines.push(Tip.line(`${named} ${valued(i)}`, "now"));
    const reign = live(m.end[i]);
    lines.push(Tip.line(`${m.n[i].toLocaleString("en")} rows${reign ? `; version ${reign.version} was live` : ""}`));
    for (const other of data.lines) {
      if (!other.time.length) continue;
      const value = other.value[nearest(other.time, m.end[i])];
      lines.push(Tip.line(`${other.name}: ${number(value)}${unit}`, "time"));
    }
    return lines;
  };

  const around = (x) => places.filter((p) => Math.abs(p.x - x) <= NEAR).flatMap((p) => p.marks);

  const pointed = (u) => {
    const { left, top } = u.cursor;
    if (left === null || left < 0) {
      tip.hide();
      return;
    }
    const x = left + u.over.offsetLeft;
    const i = nearest(ends, u.posToVal(left, "x"));
    const nodes = ends.length ? windowLines(i) : [];
    tip.show([...nodes, ...tip.marks(around(x))], x, u.over.offsetTop + Math.min(top ?? 0, 120));
  };

  // Acting

  const open = (mark) => mark.link && Page.visit(mark.link);

  const reset = document.createElement("button");
  reset.type = "button";
  reset.className = "all";
  reset.textContent = "Show all";
  reset.hidden = true;

  const zoomed = (u) => {
    const [low, high] = span();
    const { min, max } = u.scales.x;
    reset.hidden = min <= low + 1 && max >= high - 1;
  };

  const zoom = (factor) => {
    const [low, high] = span();
    const { min, max } = chart.scales.x;
    const at = chart.cursor.left >= 0 ? chart.posToVal(chart.cursor.left, "x") : (min + max) / 2;
    const from = Math.max(low, at - (at - min) * factor);
    const to = Math.min(high, at + (max - at) * factor);
    if (to - from > 1) chart.setScale("x", { min: from, max: to });
  };

  const all = () => {
    const [min, max] = span();
    chart.setScale("x", { min, max });
  };

  const moveTo = (t) => {
    const { min, max } = chart.scales.x;
    if (t < min || t > max) chart.setScale("x", { min: t - (max - min) / 2, max: t + (max - min) / 2 });
    chart.setCursor({ left: chart.valToPos(t, "x"), top: 12 });
  };

  const stepWindow = (by) => {
    if (!ends.length) return;
    const from = chosen.window < 0 ? (by > 0 ? -1 : ends.length) : chosen.window;
    chosen = { window: Math.max(0, Math.min(ends.length - 1, from + by)), mark: -1 };
    moveTo(ends[chosen.window]);
    said.textContent = `${moment(m.end[chosen.window])}: ${named} ${valued(chosen.window)}, ${m.n[chosen.window]} rows`;
  };

  const stepMark = (by) => {
    const marks = happened.filter((mark) => !hidden.has(mark.kind));
    if (!marks.length) return;
    const from = chosen.mark < 0 ? (by > 0 ? -1 : marks.length) : chosen.mark;
    chosen = { window: -1, mark: Math.max(0, Math.min(marks.length - 1, from + by)) };
    const mark = marks[chosen.mark];
    moveTo(mark.at);
    tip.show(tip.marks([mark]), chart.valToPos(mark.at, "x") + chart.over.offsetLeft, chart.over.offsetTop);
    said.textContent = told(mark);
  };

  const enter = () => {
    const marks = happened.filter((mark) => !hidden.has(mark.kind));
    if (chosen.mark >= 0) open(marks[chosen.mark]);
    else if (chosen.window >= 0) around(chart.valToPos(ends[chosen.window], "x") + chart.over.offsetLeft).slice(0, 1).forEach(open);
  };

  const KEYS = {
    ArrowLeft: (event) => (event.shiftKey ? stepMark(-1) : stepWindow(-1)),
    ArrowRight: (event) => (event.shiftKey ? stepMark(1) : stepWindow(1)),
    Home: () => ((chosen = { window: -1, mark: -1 }), stepWindow(1)),
    End: () => ((chosen = { window: -1, mark: -1 }), stepWindow(-1)),
    Enter: () => enter(),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => all(),
    Escape: () => ((tip.hide()), all()),
  };

  /** The pointer over the lanes: tell of the mark there, and open it with a click. */
  const overLanes = () => {
    const area = document.createElement("div");
    area.className = "lanes";
    const at = (event) => {
      const box = root.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const distance = (p) => Math.hypot(p.x - x, (p.y - y) * 0.8);
      const near = places.filter((p) => distance(p) < 14).sort((a, b) => distance(a) - distance(b));
      return { x, y, place: near[0] };
    };
    area.addEventListener("pointermove", (event) => {
      const { x, y, place } = at(event);
      area.style.cursor = place ? "pointer" : "default";
      tip.show(place ? tip.marks(place.marks) : [], x, y + 14);
    });
    area.addEventListener("pointerleave", () => (tip.hide()));
    area.addEventListener("click", (event) => {
      const { place } = at(event);
      if (place) open(place.marks[place.marks.length - 1]);
    });
    return area;
  };
  const area = overLanes();

  const laid = () => {
    chart.axes[0].gap = Lanes.height(data.reigns, shown());
    chart.setSize(size());
  };

  /** Switch a kind of mark, or a series, on or off. */
  const toggle = (name, what, on) => {
    if (name === "kind") {
      if (on) hidden.delete(what);
      else hidden.add(what);
      chosen.mark = -1;
      laid();
    } else if (what === "band") {
      chart.setSeries(1, { show: on });
      chart.setSeries(2, { show: on });
    } else chart.setSeries(what === "metric" ? BAND : BAND + 1 + Number(what), { show: on });
  };

  const redress = () => {
    dress();
    chart.redraw(false, false);
  };

  const start = () => {
    dress();
    chart = new uPlot(options(), columns(), root);
    root.append(area, tip.node, reset);
    reset.addEventListener("click", all);
    root.addEventListener("keydown", (event) => {
      if (event.target !== root || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      event.preventDefault();
      KEYS[event.key](event);
    });
    root.addEventListener("blur", () => (tip.hide()));
    laid();
    let width = root.clientWidth;
    new ResizeObserver(() => {
      if (root.clientWidth === width) return;
      width = root.clientWidth;
      laid();
    }).observe(root);
    root.dataset.points = String(m.end.length);
    root.dataset.marks = String(happened.length);
  };

  return { data, laid, moment, number, redress, start, toggle };
})();
