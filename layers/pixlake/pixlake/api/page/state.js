"use strict";
// What is shown is a plain object: `view` ("" for a search), `experiment`, and for a search {text}, {like: {experiment_id,
// image_path}} or {image: number}, `filters`, `distinct` and `n`. It lies in the history, so that back and forward show it
// again, and but for images that were given, which are kept in `images`, in the address, so that it can be shared.
const FEW = 30, MOST = 1000, NEARLY_SAME = "0.97";
const find = (id) => document.getElementById(id);
const images = [];
let now = {}, under_way = null, experiments = [];

// `how` is the history's function that takes it, none where it lies there already.
function show(state, how) {
  if (how) history[how](state, "", address(state));
  under_way?.abort();
  under_way = new AbortController();
  const other = now.view !== state.view;
  now = state;
  const view = VIEWS[state.view] ?? VIEWS[""];
  for (const id of ["search", "compare", "reasons"]) find(id).hidden = id !== view.tools;
  find("notice").hidden = find("more").hidden = true;
  select_experiment(state.experiment);
  lead();
  title(view.title);
  if (other) find("results").replaceChildren();
  find("results").setAttribute("aria-busy", "true");
  view.show(state, under_way.signal).catch((error) => {
    if (error.name === "AbortError") return;
    find("results").replaceChildren();
    say(error.message, true);
  }).finally(() => find("results").removeAttribute("aria-busy"));
}

function go(state) {
  show(state, "pushState");
  scrollTo(0, 0);
  find("heading").focus({ preventScroll: true });
}

function title(text) {
  find("heading").textContent = text;
  document.title = `${text} · Pixlake`;
}

function address(state) {
  const asked = new URLSearchParams();
  for (const name of ["view", "text", "experiment", "reason"]) if (state[name]) asked.set(name, state[name]);
  if (state.like) { asked.set("of", state.like.experiment_id); asked.set("image", state.like.image_path); }
  for (const each of state.filters ?? []) for (const part of ["by", "how", "is"]) asked.append(part, each[part]);
  if (state.distinct) asked.set("distinct", "true");
  if (state.n > FEW) asked.set("n", state.n);
  if (state.threshold && state.threshold !== NEARLY_SAME) asked.set("threshold", state.threshold);
  return `${location.pathname}${asked.size ? "?" : ""}${asked}`;
}

function from_address() {
  const asked = new URLSearchParams(location.search), all = (name) => asked.getAll(name), state = { view: "" };
  for (const name of ["view", "text", "experiment", "reason", "threshold"]) if (asked.has(name)) state[name] = asked.get(name);
  if (!(state.view in VIEWS)) state.view = "";
  if (asked.has("of") && asked.has("image")) state.like = { experiment_id: asked.get("of"), image_path: asked.get("image") };
  state.filters = all("by").map((by, at) => ({ by, how: all("how")[at], is: all("is")[at] ?? "" })).filter((each) => each.how in COMPARISONS);
  if (asked.get("distinct") === "true") state.distinct = true;
  state.n = Math.min(Math.max(Number(asked.get("n")) || FEW, 1), MOST);
  return state;
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

function post(path, body, signal) {
  const type = body instanceof Blob ? "application/octet-stream" : "application/json";
  return ask(path, { method: "POST", body: body instanceof Blob ? body : JSON.stringify(body), headers: { "Content-Type": type }, signal });
}

// The experiment that is chosen, or else the first, for what shows only one.
function one_experiment(state) { return state.experiment || experiments[0]?.experiment_id || ""; }

function select_experiment(name = "") {
  const select = find("experiment");
  if (![...select.options].some((option) => option.value === name)) select.add(new Option(name, name));
  select.value = name;
}

async function list_experiments() {
  experiments = (await ask("experiments")).found;
  for (const each of experiments) {
    const option = [...find("experiment").options].find((known) => known.value === each.experiment_id);
    const text = `${each.experiment_id} (${count(each.vectors)})`;
    if (option) option.textContent = text; else find("experiment").add(new Option(text, each.experiment_id));
  }
  lead();
}

// To the other views, of the same experiment.
function lead() {
  for (const link of document.querySelectorAll("nav a")) {
    const view = link.dataset.view, is_map = view === "map", experiment = is_map ? one_experiment(now) : now.experiment;
    const asked = new URLSearchParams({ ...(view && !is_map && { view }), ...(experiment && { experiment }) });
    link.href = `${is_map ? "map" : "./"}${asked.size ? "?" : ""}${asked}`;
    if (view === (now.view ?? "")) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
}

function say(text, failed = false) {
  find("status").textContent = text;
  find("status").classList.toggle("bad", failed);
  find("status").classList.toggle("quiet", !failed);
}

function count(number) { return number.toLocaleString("en"); }

function many(number, one, more = `${one}s`) { return `${count(number)} ${number === 1 ? one : more}`; }

function make(tag, classes = "", text = "") {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  if (text) element.textContent = text;
  return element;
}
