"use strict";
// Places lie between 0 and 65,535. A view is the place in the middle of the canvas and how many pixels a place's unit has.
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const canvas = find("map"), pen = canvas.getContext("2d");
const count = data.paths.length, xs = new Float32Array(count), ys = new Float32Array(count);
// Okabe and Ito's colors, which differ whatever a person's color vision, yellow darker
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a79a00"];
const SCALE = [[72, 56, 143], [49, 104, 142], [33, 145, 140], [53, 183, 121], [144, 215, 67]];
const OTHER = COLORS.length, UNKNOWN = OTHER + 1, STEPS = 32, REACH = 14, PICTURE = 44;
const many = count > 20000, served = data.pictures === null, LOADING = 6, KEPT = 1000;
// by row; of a served page those that have been asked for
const pictures = new Map();
let groups = new Uint8Array(count), order = new Uint32Array(0), colors = [], hidden = new Set(), chosen = -1, view = null, moved_view = false, drawing = 0, loading = 0, shown_first = [];
let dark = matchMedia("(prefers-color-scheme: dark)");

function unpack() {
  const bytes = Uint8Array.from(atob(data.places), (char) => char.charCodeAt(0));
  const steps = new DataView(bytes.buffer);
  for (let row = 0; row < count; row++) {
    xs[row] = steps.getUint16(4 * row, true);
    ys[row] = steps.getUint16(4 * row + 2, true);
  }
}

function quiet_color() { return dark.matches ? "#7d8a96" : "#8a95a0"; }
function faint_color() { return dark.matches ? "#46515b" : "#ccd3d9"; }

function color_by(name) {
  const column = data.columns.find((each) => each.name === name);
  hidden = new Set();
  groups.fill(0);
  colors = [COLORS[0]];
  const entries = column === undefined ? [] : column.numbers ? by_number(column.numbers) : by_text(column);
  find("legend").replaceChildren(...entries);
  // those with a color last, so that they lie above those without
  order = Uint32Array.from(groups.keys()).sort((a, b) => groups[b] - groups[a] || a - b);
  paint();
}

function by_text(column) {
  const counts = new Array(column.texts.length).fill(0);
  for (const at of column.which) if (at >= 0) counts[at]++;
  const order = counts.map((_, at) => at).sort((a, b) => counts[b] - counts[a] || (column.texts[a] < column.texts[b] ? -1 : 1));
  const fits = order.length <= COLORS.length ? COLORS.length : COLORS.length - 1;
  const group = new Uint8Array(order.length).fill(OTHER);
  order.slice(0, fits).forEach((at, place) => { group[at] = place; });
  column.which.forEach((at, row) => { groups[row] = at < 0 ? UNKNOWN : group[at]; });
  colors = [...COLORS, quiet_color(), faint_color()];
  const entries = order.slice(0, fits).map((at, place) => entry(place, column.texts[at] || "(empty)", counts[at]));
  const rest = order.slice(fits);
  if (rest.length) entries.push(entry(OTHER, `${rest.length} others`, rest.reduce((sum, at) => sum + counts[at], 0)));
  const unknown = column.which.filter((at) => at < 0).length;
  if (unknown) entries.push(entry(UNKNOWN, "not known", unknown));
  return entries;
}

function by_number(numbers) {
  const known = numbers.filter((number) => number !== null);
  const least = known.reduce((a, b) => Math.min(a, b), Infinity), most = known.reduce((a, b) => Math.max(a, b), -Infinity);
  colors = Array.from({ length: STEPS }, (_, step) => shade(step / (STEPS - 1)));
  colors.push(faint_color());
  numbers.forEach((number, row) => {
    groups[row] = number === null ? STEPS : Math.round((STEPS - 1) * (most > least ? (number - least) / (most - least) : 0));
  });
  const item = make("li"), bar = make("canvas"), ends = make("div", "ends");
  Object.assign(bar, { width: 160, height: 10 });
  const brush = bar.getContext("2d");
  for (let at = 0; at < 160; at++) { brush.fillStyle = shade(at / 159); brush.fillRect(at, 0, 1, 10); }
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", `from ${shown(least)} to ${shown(most)}`);
  ends.append(make("span", "", shown(least)), make("span", "", shown(most)));
  item.append(bar, ends);
  const unknown = numbers.length - known.length;
  return unknown ? [item, entry(STEPS, "not known", unknown)] : [item];
}

function shade(share) {
  const at = share * (SCALE.length - 1), low = Math.min(Math.floor(at), SCALE.length - 2), part = at - low;
  return `rgb(${SCALE[low].map((value, channel) => Math.round(value + part * (SCALE[low + 1][channel] - value))).join(",")})`;
}

function entry(group, name, number) {
  const item = make("li"), button = make("button"), mark = make("canvas");
  Object.assign(mark, { width: 12, height: 12 });
  const brush = mark.getContext("2d");
  brush.fillStyle = colors[group];
  brush.arc(6, 6, 5, 0, 7);
  brush.fill();
  mark.setAttribute("aria-hidden", "true");
  button.type = "button";
  button.title = name;
  button.setAttribute("aria-pressed", "true");
  button.append(mark, make("span", "", name), make("small", "", number.toLocaleString("en")));
  button.addEventListener("click", () => {
    if (!hidden.delete(group)) hidden.add(group);
    button.setAttribute("aria-pressed", String(!hidden.has(group)));
    paint();
  });
  item.append(button);
  return item;
}

function shown(number) { return Number.isInteger(number) ? number.toLocaleString("en") : number.toPrecision(4); }

function fit() {
  const wide = canvas.clientWidth, high = canvas.clientHeight, edge = 34;
  moved_view = false;
  let right = 0, top = 0;
  for (let row = 0; row < count; row++) { right = Math.max(right, xs[row]); top = Math.max(top, ys[row]); }
  view = { x: right / 2, y: top / 2, scale: Math.min((wide - 2 * edge) / (right || 1), (high - 2 * edge) / (top || 1)) };
}

function across(row) { return (xs[row] - view.x) * view.scale + canvas.clientWidth / 2; }
function down(row) { return (view.y - ys[row]) * view.scale + canvas.clientHeight / 2; }

function paint() { drawing ||= requestAnimationFrame(draw); }

function draw() {
  drawing = 0;
  const ratio = devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
    if (!moved_view) view = null;
  }
  if (!view) fit();
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, wide, high);
  const radius = many ? 1.5 : count > 2000 ? 2.5 : 4;
  draw_points(radius, ratio);
  if (find("shown").checked) draw_pictures(wide, high);
  if (chosen >= 0) {
    pen.strokeStyle = dark.matches ? "#fff" : "#000";
    pen.lineWidth = 2;
    pen.beginPath();
    if (pictures.has(chosen) && find("shown").checked) pen.rect(across(chosen) - PICTURE / 2 - 4, down(chosen) - PICTURE / 2 - 4, PICTURE + 8, PICTURE + 8);
    else pen.arc(across(chosen), down(chosen), radius + 6, 0, 2 * Math.PI);
    pen.stroke();
  }
}

// Pixel by pixel: a canvas without a GPU takes a hundred times as long for each point.
function draw_points(radius, ratio) {
  const wide = canvas.width, high = canvas.height, image = pen.createImageData(wide, high);
  const pixels = new Uint32Array(image.data.buffer), dot = shape(radius * ratio), edge = Math.ceil(radius * ratio) + 1;
  const inks = colors.map(ink);
  for (const row of order) {
    if (hidden.has(groups[row])) continue;
    const x = Math.round(across(row) * ratio), y = Math.round(down(row) * ratio);
    if (x < edge || y < edge || x >= wide - edge || y >= high - edge) continue;
    const color = inks[groups[row]];
    for (let at = 0; at < dot.length; at += 3) {
      const place = (y + dot[at + 1]) * wide + x + dot[at];
      if (pixels[place] >>> 24 <= dot[at + 2]) pixels[place] = color | dot[at + 2] << 24;
    }
  }
  pen.putImageData(image, 0, 0);
}

// A disc: of each of its pixels the place, and how much of it is covered, up to 255.
function shape(radius) {
  const found = [], edge = Math.ceil(radius);
  for (let y = -edge; y <= edge; y++) for (let x = -edge; x <= edge; x++) {
    const covered = Math.round(255 * Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y))));
    if (covered) found.push(x, y, covered);
  }
  return found;
}

function ink(color) {
  pen.fillStyle = color;
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(pen.fillStyle.slice(at, at + 2), 16));
  return red | green << 8 | blue << 16;
}

// Where pictures would lie over each other, the chosen one or else the first of `shown_first` is drawn.
function draw_pictures(wide, high) {
  const taken = new Set(), rows = pictures.has(chosen) ? [chosen, ...shown_first] : shown_first;
  for (const row of rows) {
    const x = across(row), y = down(row);
    if (x < -PICTURE || y < -PICTURE || x > wide + PICTURE || y > high + PICTURE || hidden.has(groups[row])) continue;
    // the cell is of the map, not of the canvas, so that pictures stay while it moves
    const cell = PICTURE / view.scale, column = Math.floor(xs[row] / cell), line = Math.floor(ys[row] / cell);
    let free = true;
    for (let a = -1; a <= 1 && free; a++) for (let b = -1; b <= 1; b++) if (taken.has((column + a) * 1e6 + line + b)) free = false;
    const image = free ? picture_of(row) : null;
    if (!free || (image?.complete && !image.naturalWidth)) continue;
    taken.add(column * 1e6 + line);
    if (!image?.complete) continue;
    const shrink = PICTURE / Math.max(image.naturalWidth, image.naturalHeight);
    const w = image.naturalWidth * shrink, h = image.naturalHeight * shrink;
    pen.fillStyle = colors[groups[row]];
    pen.fillRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
    pen.drawImage(image, x - w / 2, y - h / 2, w, h);
  }
}

// Of a served page asked for when there is a place for it, few at a time; the oldest are let go.
function picture_of(row) {
  if (served && !pictures.has(row) && loading < LOADING) {
    if (pictures.size >= KEPT) pictures.delete(pictures.keys().next().value);
    load(row, address_of(row));
  }
  return pictures.get(row);
}

// The rows in an order that has nothing to do with their places, but is always the same.
function hashed() {
  const hashes = data.paths.map((path) => [...path].reduce((hash, char) => Math.imul(hash ^ char.codePointAt(0), 16777619), 2166136261));
  return [...hashes.keys()].sort((a, b) => hashes[a] - hashes[b] || a - b);
}

function load(row, source) {
  const image = new Image(), done = () => { loading--; paint(); };
  loading++;
  pictures.set(row, image);
  image.addEventListener("load", done);
  image.addEventListener("error", done);
  image.src = source;
}

function address_of(row, side = 96) {
  return `images/${encodeURIComponent(data.experiment)}/${data.paths[row].split("/").map(encodeURIComponent).join("/")}?size=${side}`;
}

function choose(row) {
  if (row < 0) return;
  chosen = row;
  history.replaceState(null, "", `#${encodeURIComponent(data.paths[row])}`);
  find("none").hidden = true;
  find("chosen").hidden = false;
  const source = served ? address_of(row, 384) : pictures.get(row)?.src;
  find("picture").hidden = !source;
  find("unseen").hidden = Boolean(source);
  if (source) find("picture").src = source; else find("picture").removeAttribute("src");
  find("picture").alt = data.paths[row];
  find("path").textContent = data.paths[row];
  const facts = [["record", data.records[row]], ...data.columns.map((column) => [column.name, value_of(column, row)])];
  find("facts").replaceChildren(...facts.filter(([, value]) => value !== null).flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]));
  if (served) find("like").href = `./?${new URLSearchParams({ of: data.experiment, image: data.paths[row], experiment: data.experiment })}`;
  else {
    find("command").textContent = `pixlake search ${quote(data.paths[row])} ${data.search}`;
    find("copied").textContent = "";
  }
  find("status").textContent = `${data.paths[row]}, ${facts.filter(([, value]) => value !== null).slice(0, 4).map((fact) => fact.join(" ")).join(", ")}`;
  paint();
}

function value_of(column, row) {
  if (column.numbers) return column.numbers[row] === null ? null : shown(column.numbers[row]);
  return column.which[row] < 0 ? null : column.texts[column.which[row]];
}

function quote(text) { return /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith("-") ? text : `'${text.replaceAll("'", `'"'"'`)}'`; }

// The nearest within `reach` pixels of a place on the canvas, of those that `fits` lets through.
function nearest(x, y, reach, fits = () => true) {
  let best = -1, least = reach * reach;
  for (let row = 0; row < count; row++) {
    if (hidden.has(groups[row])) continue;
    const right = across(row) - x, below = down(row) - y, distance = right * right + below * below;
    if (distance <= least && fits(row, right, below)) { least = distance; best = row; }
  }
  return best;
}

function at_picture(x, y) {
  if (!find("shown").checked) return -1;
  let best = -1, least = PICTURE / 2;
  for (const [row, image] of pictures) {
    if (!image.naturalWidth) continue;
    const apart = Math.max(Math.abs(across(row) - x), Math.abs(down(row) - y));
    if (apart < least && !hidden.has(groups[row])) { least = apart; best = row; }
  }
  return best;
}

function zoom(by, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const right = (x - canvas.clientWidth / 2) / view.scale, up = (canvas.clientHeight / 2 - y) / view.scale;
  const scale = Math.min(Math.max(view.scale * by, 0.001), 20);
  view = { x: view.x + right - right * view.scale / scale, y: view.y + up - up * view.scale / scale, scale };
  moved_view = true;
  paint();
}

function move(x, y) { view.x -= x / view.scale; view.y += y / view.scale; moved_view = true; paint(); }

function make(tag, classes = "", text = "") {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  if (text) element.textContent = text;
  return element;
}

const pointers = new Map();
let moved = 0;
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
  moved = pointers.size > 1 ? Infinity : 0;
  canvas.classList.add("moving");
});
canvas.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const x = event.clientX - before.clientX, y = event.clientY - before.clientY;
  moved += Math.abs(x) + Math.abs(y);
  if (pointers.size === 2) {
    const other = [...pointers.values()].find((each) => each.pointerId !== event.pointerId), box = canvas.getBoundingClientRect();
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    zoom(apart(event) / apart(before), (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
    move(x / 2, y / 2);
  } else if (moved > 4) move(x, y);
  pointers.set(event.pointerId, event);
});
for (const kind of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(kind, (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) canvas.classList.remove("moving");
    if (kind === "pointercancel" || moved > 4) return;
    const point = nearest(event.offsetX, event.offsetY, 5), picture = at_picture(event.offsetX, event.offsetY);
    choose(point >= 0 ? point : picture >= 0 ? picture : nearest(event.offsetX, event.offsetY, REACH));
  });
}
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }, arrow = arrows[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (arrow && event.shiftKey && chosen >= 0) step(arrow);
  else if (arrow) move(-60 * arrow[0], -60 * arrow[1]);
  else if (event.key === "+" || event.key === "=") zoom(1.3);
  else if (event.key === "-") zoom(1 / 1.3);
  else if (event.key === "0") { fit(); paint(); }
  else if (event.key === "Enter") choose(nearest(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity));
  else return;
  event.preventDefault();
});

// To the nearest in a direction, which comes into the middle where it lies outside.
function step([right, below]) {
  const next = nearest(across(chosen), down(chosen), Infinity, (row, x, y) => {
    const ahead = x * right + y * below, aside = Math.abs(x * below) + Math.abs(y * right);
    return row !== chosen && ahead > 0 && aside <= ahead;
  });
  choose(next);
  if (next < 0) return;
  const x = across(next), y = down(next);
  if (x < 0 || y < 0 || x > canvas.clientWidth || y > canvas.clientHeight) move(canvas.clientWidth / 2 - x, canvas.clientHeight / 2 - y);
}

find("in").addEventListener("click", () => zoom(1.5));
find("out").addEventListener("click", () => zoom(1 / 1.5));
find("all").addEventListener("click", () => { fit(); paint(); });
find("shown").addEventListener("change", paint);
find("color").addEventListener("change", () => color_by(find("color").value));
if (!served) find("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(find("command").textContent);
    find("copied").textContent = "copied";
  } catch {
    getSelection().selectAllChildren(find("command"));
    find("copied").textContent = "selected: copy it by the keyboard";
  }
});
dark.addEventListener("change", () => color_by(find("color").value));
new ResizeObserver(paint).observe(canvas);

unpack();
for (const column of data.columns) find("color").add(new Option(column.name, column.name));
find("color").value = data.color ?? "";
for (const [row, source] of Object.entries(data.pictures ?? {})) load(Number(row), source);
shown_first = served ? hashed() : [...pictures.keys()];
find("shown").parentElement.hidden = !shown_first.length;
const some = data.total > count ? `, ${count.toLocaleString("en")} of ${data.total.toLocaleString("en")}` : "";
const drawn = served || pictures.size === count ? "" : `, ${pictures.size.toLocaleString("en")} of them with pictures`;
find("summary").textContent = `${count.toLocaleString("en")} images${some}${drawn}; places by ${data.method === "umap" ? "UMAP" : "PCA"} of the vectors of ${data.model}`;
color_by(find("color").value);
choose(data.paths.indexOf(decodeURIComponent(location.hash.slice(1))));
