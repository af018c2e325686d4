"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { slides, columns, pictures } = data;
  const ROWS = 50;
  const GROUPS_MAX = 12;
  const BAR_MAX = 48; // of few values
  const $ = (id) => document.getElementById(id);
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // What can be sorted by, plotted and grouped: a name, and how a slide's value is had.
  const field = (name) => (slide) => slide[name];
  const listed = (place) => (slide) => slide.listed[place];
  const NUMBERS = [
    { key: "mitotic_count", name: "Mitotic count" },
    { key: "mitotic_figures", name: "Figures" },
    { key: "figures_per_mm2", name: "Per mm²" },
    { key: "tissue_mm2", name: "Tissue, mm²" },
    { key: "blur", name: "Blur", limit: data.limits.blurred },
    { key: "pen_mm2", name: "Marker pen, mm²" },
    { key: "gap_mm2", name: "Not read, mm²" },
    { key: "stain_red", name: "Stain, red" },
    { key: "stain_green", name: "Stain, green" },
    { key: "stain_blue", name: "Stain, blue" },
    { key: "mpp", name: "µm/px" },
  ].map((one) => ({ ...one, of: field(one.key), numeric: true }));
  const TEXTS = [
    { key: "name", name: "Slide", of: field("name") },
    { key: "case", name: "Case", of: field("case") },
    { key: "status", name: "Status", of: field("status") },
    { key: "detector", name: "Detector", of: field("detector") },
  ];
  const isNumber = (text) => text !== "" && Number.isFinite(Number(text));
  const LISTED = columns.map((name, place) => {
    const of = listed(place);
    const known = slides.map(of).filter((text) => text !== "");
    const numeric = known.length > 0 && known.every(isNumber);
    return { key: `list:${place}`, name, numeric, of: numeric ? (slide) => (of(slide) === "" ? null : Number(of(slide))) : of };
  });
  const URGENCY = { key: "urgency", name: "Look at first", of: field("urgency"), numeric: true };
  const SORTS = [URGENCY, ...TEXTS, ...NUMBERS, ...LISTED];
  const TABLE = [
    { title: "Pictures" },
    { title: "Slide", sort: "name" },
    { title: "Mitotic count", sort: "mitotic_count", number: true },
    { title: "Figures", sort: "mitotic_figures", number: true },
    { title: "Tissue, mm²", sort: "tissue_mm2", number: true },
    { title: "Per mm²", sort: "figures_per_mm2", number: true },
    { title: "To look at", sort: "urgency" },
  ];

  const texts = slides.map((slide) =>
    [slide.name, slide.case, slide.status, slide.notes, slide.error, ...slide.flags.flat(), ...slide.listed]
      .filter(Boolean).join("\n").toLowerCase());
  const state = { sort: "urgency", down: true, search: "", show: "", group: null, part: 0, found: [] };

  function make(tag, options = {}, ...children) {
    const { text, ...attributes } = options;
    const one = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== false) one.setAttribute(name, value);
    if (text !== undefined) one.textContent = text;
    one.append(...children.filter(Boolean));
    return one;
  }
  function draw(tag, attributes = {}, text) {
    const one = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    if (text !== undefined) one.textContent = text;
    return one;
  }
  const hasNothing = (value) => value === null || value === undefined || value === "";
  const say = (value) => hasNothing(value) ? "–" : typeof value === "number"
    ? value.toLocaleString("en", { maximumSignificantDigits: Number.isInteger(value) ? 15 : 3 }) : value;

  /* The table. */
  function compare(one, down) {
    const sign = down ? -1 : 1;
    return (a, b) => {
      const x = one.of(slides[a]), y = one.of(slides[b]);
      if (hasNothing(x) || hasNothing(y)) return hasNothing(x) - hasNothing(y) || a - b;  // nothing is always last
      return sign * (one.numeric ? x - y : collator.compare(x, y)) || a - b;
    };
  }
  function shows(slide) {
    const [kind, name] = state.show.split(":");
    return !kind || (kind === "status" ? slide.status === name
      : kind === "flagged" ? slide.flags.length > 0
      : kind === "unusual" ? slide.unusual.length > 0
      : slide.flags.some(([flag]) => flag === name));
  }
  function find() {
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    state.found = slides.map((_, place) => place).filter((place) =>
      shows(slides[place]) && (!state.group || state.group.has(place)) && words.every((word) => texts[place].includes(word)));
    state.found.sort(compare(SORTS.find((one) => one.key === state.sort), state.down));
    state.part = 0;
    list();
  }
  function list() {
    const first = state.part * ROWS, rows = state.found.slice(first, first + ROWS);
    $("body").replaceChildren(...rows.map(row));
    const all = state.found.length;
    $("matches").textContent = all === slides.length ? `${say(all)} slides` : `${say(all)} of ${say(slides.length)} slides`;
    $("part").textContent = all ? `${say(first + 1)} to ${say(first + rows.length)} of ${say(all)}` : "No slide matches";
    $("back").disabled = state.part === 0;
    $("next").disabled = first + ROWS >= all;
    $("turn").textContent = state.down ? "↓" : "↑";
    $("sort").value = state.sort;
    $("show").value = state.show;
    document.querySelectorAll("#head th").forEach((one, place) => {
      const here = TABLE[place].sort === state.sort;
      if (here) one.setAttribute("aria-sort", state.down ? "descending" : "ascending"); else one.removeAttribute("aria-sort");
    });
    document.querySelectorAll("#flags button").forEach((one) => one.setAttribute("aria-pressed", one.value === state.show));
  }
  function row(place) {
    const slide = slides[place];
    const more = columns.map((name, at) => slide.listed[at] && `${name}: ${slide.listed[at]}`).filter(Boolean).join(" · ");
    const range = hasNothing(slide.expected_low) ? "" : `expected ${slide.expected_low.toFixed(1)} to ${slide.expected_high.toFixed(1)}`;
    const refused = slide.status === "counted" ? "" : slide.status;
    const count = make("td", { class: "number count", "data-name": "Mitotic count", text: say(slide.mitotic_count) });
    if (range) count.append(make("small", { text: range }));
    const number = (name, value) => make("td", { class: "number", "data-name": name, text: say(value) });
    const said = make("td", { class: "said" },
      refused && make("span", { class: "flag gone", text: refused }),
      ...slide.flags.map(([name, text]) => make("span", { class: "flag", title: text, text: name })),
      slide.error && make("p", { text: slide.error }),
      slide.status === "no count" && slide.notes && make("p", { text: slide.notes }),
      ...slide.flags.map(([, text]) => make("p", { text })),
      ...slide.unusual.map((text) => make("p", { class: "odd", text: `Unusual: ${text}` })));
    return make("tr", {},
      make("td", { class: "pictures" }, picture(place, slide)),
      make("td", { class: "slide" },
        slide.report ? make("a", { href: slide.report, text: slide.name }) : make("b", { text: slide.name }),
        slide.case && make("small", { text: `Case ${slide.case}` }), more && make("small", { text: more })),
      count, number("Figures", slide.mitotic_figures), number("Tissue, mm²", slide.tissue_mm2),
      number("Per mm²", slide.figures_per_mm2), said);
  }
  function picture(place, slide) {
    if (slide.page !== data.page) return make("a", { class: "none", href: `${data.pages[slide.page]}#${place}`, text: `pictures in file ${slide.page + 1}` });
    const bytes = pictures[place];
    if (!bytes) return make("div", { class: "none", text: slide.status === "failed" ? "not searched" : "no preview" });
    const image = make("img", { class: "strip", width: 336, height: 112, alt: `${slide.name}: slide, hot spot and a mitotic figure`, src: `data:image/jpeg;base64,${bytes}` });
    return slide.report ? make("a", { href: slide.report, tabindex: -1 }, image) : image;
  }

  /* Plots. */
  function quantile(sorted, share) {
    const at = (sorted.length - 1) * share, low = Math.floor(at);
    return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (at - low);
  }
  function ticks(low, high, about) {
    const rough = (high - low) / about || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Number(at.toPrecision(12)));
    return found;
  }
  function histogram(one, width, height, few) {
    const values = slides.map(one.of).filter((value) => !hasNothing(value));
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Histogram: ${one.name}` });
    if (!values.length) { svg.append(draw("text", { x: 0, y: 20 }, "no values")); return svg; }
    let low = Math.min(...values), high = Math.max(...values);
    if (one.limit) [low, high] = [Math.min(low, one.limit), Math.max(high, one.limit * 1.05)];
    const whole = values.every(Number.isInteger);
    let bins = Math.min(few, whole ? Math.max(1, high - low + 1) : few), size = (high - low) / bins || 1;
    if (whole) { size = Math.ceil((high - low + 1) / bins); bins = Math.ceil((high - low + 1) / size); }
    const n = new Array(bins).fill(0);
    for (const value of values) n[Math.min(bins - 1, Math.floor((value - low) / size))] += 1;
    const most = Math.max(...n), left = Math.max(34, 10 + 8 * say(most).length), top = 8, bottom = height - 22, room = width - left - 6;
    const x = (value) => left + (value - low) / (bins * size) * room, y = (count) => bottom - count / most * (bottom - top);
    for (const at of ticks(0, most, 3).filter(Number.isInteger)) {
      svg.append(draw("line", { class: "axis", x1: left, x2: width - 6, y1: y(at), y2: y(at) }), draw("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, say(at)));
    }
    n.forEach((count, place) => {
      if (!count) return;
      const thick = Math.min(BAR_MAX, Math.max(1, room / bins - 1)), middle = x(low + (place + .5) * size);
      const bar = draw("rect", { class: "bar", x: middle - thick / 2, width: thick, y: y(count), height: bottom - y(count) });
      const from = low + place * size;
      bar.append(draw("title", {}, `${say(from)}${whole && size === 1 ? "" : ` to ${say(whole ? from + size - 1 : from + size)}`}: ${say(count)} slides`));
      svg.append(bar);
    });
    for (const at of ticks(low, whole ? high : low + bins * size, width / 90)) {
      if (whole && !Number.isInteger(at)) continue;
      const place = x(at) + (whole ? room / bins / size / 2 : 0);
      svg.append(draw("text", { x: place, y: height - 6, "text-anchor": place > width - 20 ? "end" : "middle" }, say(at)));
    }
    if (one.limit) svg.append(draw("line", { class: "limit", x1: x(one.limit), x2: x(one.limit), y1: top, y2: bottom }));
    return svg;
  }
  function groups(one) {
    const by = new Map(), known = slides.map(one.of).filter((value) => !hasNothing(value));
    let name = (value) => String(value);
    const different = new Set(known).size;
    if (one.numeric && different > GROUPS_MAX) {
      const sorted = [...known].sort((a, b) => a - b), cuts = [.25, .5, .75].map((share) => quantile(sorted, share));
      const ends = [sorted[0], ...cuts, sorted.at(-1)];
      name = (value) => { const at = cuts.filter((cut) => value > cut).length; return `${say(ends[at])} to ${say(ends[at + 1])}`; };
    }
    slides.forEach((slide, place) => {
      const value = one.of(slide), key = hasNothing(value) ? "not stated" : name(value);
      if (!by.has(key)) by.set(key, []);
      by.get(key).push(place);
    });
    let found = [...by].sort((a, b) => b[1].length - a[1].length);
    if (found.length > GROUPS_MAX) found = [...found.slice(0, GROUPS_MAX - 1), [`${say(found.length - GROUPS_MAX + 1)} others`, found.slice(GROUPS_MAX - 1).flatMap(([, places]) => places)]];
    const last = (key) => key === "not stated" || / others$/.test(key);
    return found.sort((a, b) => last(a[0]) - last(b[0]) || collator.compare(a[0], b[0]));
  }
  function boxes(one, by) {
    const width = roomy(), line = 34, left = width < 600 ? 150 : 190, found = groups(by), height = found.length * line + 30;
    const values = slides.map(one.of).filter((value) => !hasNothing(value));
    const high = Math.max(...values, 0) || 1, low = Math.min(...values, 0), room = width - left - 20;
    const x = (value) => left + (value - low) / (high - low) * room;
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${one.name} by ${by.name}` });
    for (const at of ticks(low, high, room / 90)) svg.append(draw("line", { class: "axis", x1: x(at), x2: x(at), y1: 0, y2: height - 24 }), draw("text", { x: x(at), y: height - 6, "text-anchor": "middle" }, say(at)));
    found.forEach(([key, places], row) => {
      const own = places.map((place) => one.of(slides[place])).filter((value) => !hasNothing(value)).sort((a, b) => a - b);
      const y = row * line + line / 2, link = draw("a", { tabindex: 0, role: "button", "aria-label": `Show the slides of ${key}` });
      const short = key.length > 20 ? `${key.slice(0, 19)}…` : key;
      link.append(draw("rect", { x: 0, y: y - line / 2, width, height: line, fill: "transparent" }));
      link.append(draw("text", { class: "name", x: left - 50, y: y + 4, "text-anchor": "end" }, short), draw("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, say(places.length)));
      if (own.length) {
        const [q1, q2, q3] = [.25, .5, .75].map((share) => quantile(own, share));
        const whiskers = own.filter((value) => value >= q1 - 1.5 * (q3 - q1) && value <= q3 + 1.5 * (q3 - q1));
        link.append(draw("line", { class: "whisker", x1: x(whiskers[0]), x2: x(whiskers.at(-1)), y1: y, y2: y }));
        if (own.length > 4) link.append(draw("rect", { class: "box", x: x(q1), width: Math.max(1, x(q3) - x(q1)), y: y - 9, height: 18 }));
        link.append(draw("line", { class: "middle", x1: x(q2), x2: x(q2), y1: y - 9, y2: y + 9 }));
        own.filter((value) => own.length <= 4 || value < whiskers[0] || value > whiskers.at(-1)).forEach((value) => link.append(draw("circle", { class: "dot", cx: x(value), cy: y, r: 4 })));
        link.append(draw("title", {}, `${key}: ${say(places.length)} slides, median ${say(q2)}, quartiles ${say(q1)} and ${say(q3)}`));
      }
      const choose = () => { state.group = new Set(places); state.show = ""; $("search").value = state.search = ""; find(); $("slides").scrollIntoView(); offer(`${by.name}: ${key}`); };
      link.addEventListener("click", choose);
      link.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
      svg.append(link);
    });
    return svg;
  }
  function offer(name) {
    const all = make("option", { value: "group", text: name });
    $("show").querySelector("[value=group]")?.remove();
    $("show").append(all);
    $("show").value = "group";
  }
  const roomy = () => Math.max(300, $("plot").clientWidth);
  function plot() {
    const one = NUMBERS.concat(LISTED.filter((own) => own.numeric)).find((own) => own.key === $("measure").value);
    const by = SORTS.find((own) => own.key === $("group").value);
    $("plot").replaceChildren(by ? boxes(one, by) : histogram(one, roomy(), 190, 60));
  }

  /* What stands still. */
  const option = (one) => make("option", { value: one.key, text: one.name });
  $("measure").append(...NUMBERS.concat(LISTED.filter((one) => one.numeric)).map(option));
  $("group").append(make("option", { value: "", text: "nothing" }), ...LISTED.map(option),
    ...TEXTS.slice(1).filter((one) => new Set(slides.map(one.of)).size > 1).map(option));
  $("sort").append(...SORTS.map(option));
  const flagged = slides.filter((slide) => slide.flags.length).length, unusual = slides.filter((slide) => slide.unusual.length).length;
  const kinds = [["", "all slides"], ["flagged", `flagged (${say(flagged)})`], ["unusual", `unusual values (${say(unusual)})`]];
  for (const name of ["failed", "no count", "counted"]) kinds.push([`status:${name}`, `${name} (${say(slides.filter((slide) => slide.status === name).length)})`]);
  for (const name of Object.keys(data.flags)) kinds.push([`flag:${name}`, name]);
  $("show").append(...kinds.map(([value, text]) => make("option", { value, text })));
  $("flags").append(...Object.entries(data.flags).map(([name, meaning]) => {
    const n = slides.filter((slide) => slide.flags.some(([flag]) => flag === name)).length;
    const bar = make("i");
    bar.style.width = `${slides.length ? 100 * n / slides.length : 0}%`;
    const one = make("button", { type: "button", value: `flag:${name}`, "aria-pressed": "false" }, make("span", { text: name }),
      make("span", { class: "share" }, bar), make("span", { class: "n", text: say(n) }), make("small", { text: meaning }));
    one.addEventListener("click", () => { state.show = state.show === one.value ? "" : one.value; state.group = null; find(); $("slides").scrollIntoView(); });
    return one;
  }));
  const shown = ["blur", "stain_green", "tissue_mm2", "pen_mm2"].map((key) => NUMBERS.find((one) => one.key === key));
  $("measures").append(...shown.map((one) => make("div", {}, make("h3", { text: one.name }), histogram(one, 420, 130, 40))));
  $("head").append(...TABLE.map((one) => {
    const th = make("th", { scope: "col", class: one.number ? "number" : null });
    if (!one.sort) { th.textContent = ""; return th; }
    const button = make("button", { type: "button", text: one.title });
    button.addEventListener("click", () => {
      state.down = state.sort === one.sort ? !state.down : one.sort !== "name";
      state.sort = one.sort;
      find();
    });
    th.append(button);
    return th;
  }));
  let waiting = 0;
  $("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => { state.search = $("search").value; find(); }, 120); });
  $("show").addEventListener("change", () => {
    if ($("show").value === "group") return;
    state.show = $("show").value; state.group = null; find();
  });
  $("sort").addEventListener("change", () => { state.sort = $("sort").value; state.down = SORTS.find((one) => one.key === state.sort).numeric; find(); });
  $("turn").addEventListener("click", () => { state.down = !state.down; find(); });
  const turnTo = (part) => { state.part = part; list(); $("slides").scrollIntoView(); };
  $("back").addEventListener("click", () => turnTo(state.part - 1));
  $("next").addEventListener("click", () => turnTo(state.part + 1));
  $("measure").addEventListener("change", plot);
  $("group").addEventListener("change", plot);
  let width = roomy();
  addEventListener("resize", () => { if (roomy() !== width) { width = roomy(); plot(); } });
  plot();
  find();
  const asked = /^#(\d+)$/.exec(location.hash);  // a row of another file's table
  if (asked && slides[asked[1]]) { $("search").value = state.search = slides[asked[1]].name; find(); $("slides").scrollIntoView(); }
})();
