const CLASSES = 5, ATTRIBUTES = 3;
let preview = null;

async function show_images(state, signal) {
  const image = images[state.image], n = state.n ?? FEW;
  const searches = Boolean(state.text || state.like || image);
  find("text").value = state.text ?? "";
  find("distinct").checked = Boolean(state.distinct);
  draw_filters(state);
  show_query(state, image, signal);
  if (state.image !== undefined && !image) {
    find("results").replaceChildren();
    say("This image is no longer here: drop it again.");
    return;
  }
  say(searches ? "Searching…" : "");
  const where = condition(state.filters);
  const asked = new URLSearchParams({ n, ...(state.experiment && { experiment: state.experiment }), ...(where && { where }) });
  if (state.distinct && searches) asked.set("distinct", "true");
  const query = image ?? (state.like ? { like: state.like } : { text: state.text });
  const { found, model } = await (searches ? post(`search?${asked}`, query, signal) : ask(`images?${asked}`, { signal }));
  const cards = found.map((each) => draw_card(each, each.score === undefined ? "" : each.score.toFixed(3), !state.experiment && experiments.length > 1));
  find("results").className = "hits";
  find("results").replaceChildren(...cards);
  find("more").hidden = found.length < n || n >= MOST;
  say(tell(state, found.length, searches, model));
  // what is found is of use without what is known of it
  await fill(found, cards, signal).catch(() => {});
}

function tell(state, number, searches, model) {
  const filtered = state.filters?.length;
  if (!number) return filtered ? "Nothing fits these filters." : "Nothing found.";
  if (searches) return `${many(number, "most similar image", "most similar images")} by ${model}, best first`;
  const some = find("more").hidden ? many(number, "image") : `The first ${many(number, "image")}`;
  return `${some}${filtered ? " that fit" : ""}. Choose one to search from it.`;
}

// What the tables say of the images, into their cards.
async function fill(found, cards, signal) {
  if (!found.length) return;
  const asked = found.map(({ experiment_id, image_path, record_id }) => ({ experiment_id, image_path, record_id }));
  const { found: known } = await post("describe", asked, signal);
  known.forEach((each, at) => {
    const lines = predicted(each) ? [make("span", "label", predicted(each))] : [];
    for (const [name, value] of Object.entries(each.attributes).slice(0, ATTRIBUTES)) {
      if (value) lines.push(fact(name, value));
    }
    cards[at].querySelector(".known").replaceChildren(...lines);
  });
}

function predicted({ label, score, value }) {
  if (label === null) return value === null ? "" : String(Number(value.toPrecision(6)));
  return score === null ? label : `${label} ${score.toFixed(2)}`;
}

function fact(name, value) {
  const line = make("span", "fact");
  line.title = `${name}: ${value}`;
  line.append(make("span", "quiet", `${name.replaceAll("_", " ")} `), value);
  return line;
}

function draw_card(image, score, names_experiment) {
  const card = make("button", "hit"), frame = make("span", "frame"), picture = make("img");
  Object.assign(picture, { src: thumbnail(image), alt: "", loading: "lazy", decoding: "async" });
  picture.addEventListener("error", () => frame.replaceChildren(make("span", "quiet", "not shown")));
  frame.append(picture);
  card.type = "button";
  card.title = `Search by ${image.image_path}`;
  card.append(frame);
  if (score) card.append(make("span", "score", score));
  card.append(make("span", "known"), make("span", "path quiet", image.image_path.split("/").at(-1)));
  if (names_experiment) card.append(make("span", "quiet", image.experiment_id));
  const like = { experiment_id: image.experiment_id, image_path: image.image_path };
  card.addEventListener("click", () => go({ ...now, view: "", like, text: undefined, image: undefined, n: FEW }));
  return card;
}

function show_query(state, image, signal) {
  find("query").hidden = !image && !state.like;
  find("classes").hidden = find("unclassified").hidden = find("known").hidden = true;
  const name = state.like?.image_path ?? image?.name ?? "";
  find("name").textContent = name;
  if (name || state.text) document.title = `${name || state.text} · Pixlake`;
  if (preview) URL.revokeObjectURL(preview);
  preview = image ? URL.createObjectURL(image) : null;
  const source = preview ?? (state.like ? thumbnail(state.like) : null);
  if (source) find("asked").src = source; else find("asked").removeAttribute("src");
  if (image) classify(image, signal);
  if (state.like) know(state.like, signal).catch(() => {});
}

async function classify(image, signal) {
  try {
    const { found: answer } = await post(`classify?top=${CLASSES}`, image, signal);
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

// All that is known of an image of the lake.
async function know(like, signal) {
  const { found: [image] } = await ask(`images?${new URLSearchParams({ experiment: like.experiment_id, path: like.image_path })}`, { signal });
  const { found: [known] } = await post("describe", [image], signal);
  const facts = [["predicted", predicted(known)], ["by", known.predicted_by], ["record", image.record_id], ...Object.entries(known.attributes), ["experiment", image.experiment_id]];
  find("facts").replaceChildren(...facts.filter(([, value]) => value).map(([name, value]) => {
    const pair = make("div");
    pair.append(make("dt", "", name.replaceAll("_", " ")), make("dd", "", value));
    return pair;
  }));
  find("known").open = innerWidth > 700;
  find("known").hidden = false;
}

function draw_class(each) {
  const row = make("tr"), bar = make("progress");
  Object.assign(bar, { max: 1, value: each.score });
  bar.setAttribute("aria-hidden", "true");
  for (const part of [each.label, each.score.toFixed(3), bar]) row.insertCell().append(part);
  row.cells[1].className = "number";
  row.cells[2].className = "timeline";
  return row;
}

function thumbnail(image) {
  const path = image.image_path.split("/").map(encodeURIComponent).join("/");
  return `images/${encodeURIComponent(image.experiment_id)}/${path}?size=320`;
}

function give(file) {
  if (file) go({ ...now, view: "", image: images.push(file) - 1, text: undefined, like: undefined, reason: undefined, n: FEW });
}
