"use strict";
// A search is a plain object: {text}, {like: {experiment_id, image_path}} or {image: number}, each with `experiment`.
// It lies in the history, so that back and forward search again; the images that were given are kept in `images`.
const RESULTS = 30, CLASSES = 5;
const find = (id) => document.getElementById(id);
const images = [];
let under_way = null, preview = null;

function show(search, how) {
  if (how) history[how](search, "", address(search));
  under_way?.abort();
  under_way = new AbortController();
  find("text").value = search.text ?? "";
  select_experiment(search.experiment);
  describe(search);
  document.title = `${name_of(search) || "Search"} · Pixlake`;
  find("results").replaceChildren();
  if (!search.text && !search.like && !(search.image in images)) {
    say(search.image === undefined ? "" : "This image is no longer here: drop it again.");
    return;
  }
  say("Searching…");
  run(search, under_way.signal).catch((error) => {
    if (error.name !== "AbortError") say(error.message, true);
  });
}

async function run(search, signal) {
  const asked = new URLSearchParams({ n: RESULTS });
  if (search.experiment) asked.set("experiment", search.experiment);
  const image = images[search.image];
  if (image) classify(image, signal);
  const body = image ?? JSON.stringify(search.like ? { like: search.like } : { text: search.text });
  const headers = { "Content-Type": image ? "application/octet-stream" : "application/json" };
  const { found: hits, model } = await ask(`search?${asked}`, { method: "POST", body, headers, signal });
  find("results").replaceChildren(...hits.map((hit) => draw(hit, search)));
  say(hits.length ? `${hits.length} most similar images by ${model}, best first` : "Nothing found.");
}

async function classify(image, signal) {
  try {
    const headers = { "Content-Type": "application/octet-stream" };
    const { found: answer } = await ask(`classify?top=${CLASSES}`, { method: "POST", body: image, headers, signal });
    const classes = answer.classes ?? (answer.label === null ? [] : [answer]);
    find("classes").tBodies[0].replaceChildren(...classes.map(draw_class));
    find("classes").caption.textContent = `by ${answer.model}${"value" in answer ? `: ${answer.value}` : ""}`;
    find("classes").hidden = false;
  } catch (error) {
    // where there is no classifier, and where the search says the same
    if (error.name === "AbortError" || [400, 404, 413].includes(error.status)) return;
    find("unclassified").textContent = `Not classified: ${error.message}`;
    find("unclassified").hidden = false;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error("The server does not answer. Is `pixlake serve` running?");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(found.detail || `The server answered ${answer.status}.`), { status: answer.status });
  if (answer.headers.has("Pixlake-Notice")) {
    find("notice").textContent = answer.headers.get("Pixlake-Notice").replaceAll("`", "");
    find("notice").hidden = false;
  }
  return { found, model: answer.headers.get("Pixlake-Model") };
}

function draw(hit, search) {
  const button = make("button", "hit");
  const frame = make("span", "frame");
  const image = make("img");
  Object.assign(image, { src: thumbnail(hit), alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => frame.replaceChildren(make("span", "quiet", "not shown")));
  frame.append(image);
  button.type = "button";
  button.title = `Search by ${hit.image_path}`;
  button.append(frame, make("span", "score", hit.score.toFixed(3)), make("span", "path", hit.image_path));
  if (hit.record_id !== null) button.append(make("span", "quiet", `record ${hit.record_id}`));
  button.append(make("span", "quiet", hit.experiment_id));
  const like = { experiment_id: hit.experiment_id, image_path: hit.image_path };
  button.addEventListener("click", () => { show({ like, experiment: search.experiment }, "pushState"); scrollTo(0, 0); });
  return button;
}

function draw_class(each) {
  const row = make("tr");
  const bar = make("progress");
  Object.assign(bar, { max: 1, value: each.score });
  bar.setAttribute("aria-hidden", "true");
  for (const part of [each.label, each.score.toFixed(3), bar]) row.insertCell().append(part);
  row.cells[1].className = "number";
  row.cells[2].className = "timeline";
  return row;
}

function describe(search) {
  const image = images[search.image];
  find("query").hidden = !image && !search.like;
  find("classes").hidden = find("unclassified").hidden = find("notice").hidden = true;
  find("name").textContent = name_of(search);
  if (preview) URL.revokeObjectURL(preview);
  preview = image ? URL.createObjectURL(image) : null;
  const source = preview ?? (search.like ? thumbnail(search.like) : null);
  if (source) find("asked").src = source; else find("asked").removeAttribute("src");
}

function name_of(search) {
  if (search.like) return search.like.image_path;
  return search.text ?? images[search.image]?.name ?? "";
}

function thumbnail(hit) {
  const path = hit.image_path.split("/").map(encodeURIComponent).join("/");
  return `images/${encodeURIComponent(hit.experiment_id)}/${path}?size=320`;
}

function address(search) {
  const asked = new URLSearchParams();
  if (search.text) asked.set("text", search.text);
  if (search.like) { asked.set("of", search.like.experiment_id); asked.set("image", search.like.image_path); }
  if (search.experiment) asked.set("experiment", search.experiment);
  return `${location.pathname}${asked.size ? "?" : ""}${asked}`;
}

function from_address() {
  const asked = new URLSearchParams(location.search);
  const experiment = asked.get("experiment") ?? "";
  if (asked.has("text")) return { text: asked.get("text"), experiment };
  if (asked.has("of") && asked.has("image")) return { like: { experiment_id: asked.get("of"), image_path: asked.get("image") }, experiment };
  return { experiment };
}

function give(file) {
  if (!file) return;
  show({ image: images.push(file) - 1, experiment: find("experiment").value }, "pushState");
}

function select_experiment(name = "") {
  const select = find("experiment");
  if (![...select.options].some((option) => option.value === name)) select.add(new Option(name, name));
  select.value = name;
}

async function list_experiments() {
  for (const each of (await ask("experiments")).found) {
    const option = [...find("experiment").options].find((known) => known.value === each.experiment_id);
    const text = `${each.experiment_id} (${each.vectors.toLocaleString("en")})`;
    if (option) option.textContent = text; else find("experiment").add(new Option(text, each.experiment_id));
  }
}

function say(text, failed = false) {
  find("status").textContent = text;
  find("status").classList.toggle("bad", failed);
  find("status").classList.toggle("quiet", !failed);
}

function make(tag, classes = "", text = "") {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  if (text) element.textContent = text;
  return element;
}

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  if (text) show({ text, experiment: find("experiment").value }, "pushState");
});
find("experiment").addEventListener("change", () => {
  show({ ...(history.state ?? {}), experiment: find("experiment").value }, "pushState");
});
find("file").addEventListener("change", () => { give(find("file").files[0]); find("file").value = ""; });
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (file) { event.preventDefault(); give(file); }
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); find("drop").hidden = false; });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) find("drop").hidden = true; });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").hidden = true;
  give(event.dataTransfer.files[0]);
});
addEventListener("popstate", (event) => show(event.state ?? from_address()));
find("asked").addEventListener("error", () => find("asked").removeAttribute("src"));
list_experiments().catch((error) => say(error.message, true));
show(history.state ?? from_address(), "replaceState");
