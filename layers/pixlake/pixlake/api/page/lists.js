async function show_duplicates(state, signal) {
  const experiment = one_experiment(state), threshold = state.threshold ?? NEARLY_SAME;
  if (![...find("threshold").options].some((option) => option.value === threshold)) find("threshold").add(new Option(threshold));
  find("threshold").value = threshold;
  select_experiment(experiment);
  say("Comparing…");
  const { found } = await ask(`duplicates?${new URLSearchParams({ experiment, threshold })}`, { signal });
  find("results").className = "groups";
  find("results").replaceChildren(...found.groups.map((group) => draw_group(group, experiment)));
  if (!found.total) { say(`No two images of ${experiment} are that alike, by ${found.model}.`); return; }
  const some = found.groups.length < found.total ? `; the first ${count(found.groups.length)} are shown` : "";
  say(`${many(found.total, "group")} of images that are nearly the same, by ${found.model}${some}; ${many(found.spare, "image")} beside those to keep`);
}

function draw_group(group, experiment) {
  const section = make("section", "card"), cards = make("div", "hits");
  const more = group.size > group.images.length ? `, the first ${group.images.length} shown` : "";
  cards.append(...group.images.map((image, at) => {
    const pixels = `${image.width} × ${image.height}`;
    const card = draw_card({ ...image, experiment_id: experiment }, at ? image.score.toFixed(3) : "keep", false);
    card.querySelector(".known").append(make("span", "", pixels));
    card.classList.toggle("keep", !at);
    return card;
  }));
  section.append(make("h2", "", `${many(group.size, "image")}${more}`), cards);
  return section;
}

async function show_rejects(state, signal) {
  const n = state.n ?? FEW, asked = new URLSearchParams({ n });
  for (const name of ["experiment", "reason"]) if (state[name]) asked.set(name, state[name]);
  const { found: { reasons, rejects } } = await ask(`rejects?${asked}`, { signal });
  const all = Object.values(reasons).reduce((sum, number) => sum + number, 0), total = state.reason ? reasons[state.reason] ?? 0 : all;
  find("reasons").hidden = !all;
  find("reasons").replaceChildren(reason_button("all", all, undefined), ...Object.entries(reasons).map(([reason, number]) => reason_button(reason, number, reason)));
  const headings = ["Reason", "Left out", "Why", "Step", ...(state.experiment ? [] : ["Experiment"]), "Uploaded, UTC"];
  const rows = rejects.map((each) => [make("code", "", each.reason), each.source, each.detail, each.stage, ...(state.experiment ? [] : [each.experiment_id]), moment(each.uploaded_at)]);
  list(headings, rows);
  find("more").hidden = rejects.length < n || n >= MOST;
  say(total ? `${many(total, "row or image", "rows and images")} left out${rejects.length < total ? `, the newest ${count(rejects.length)} shown` : ""}` : "Nothing was left out.");
}

function reason_button(name, number, reason) {
  const button = make("button", "chip");
  button.type = "button";
  button.append(make("span", "", name), make("small", "", count(number)));
  button.setAttribute("aria-pressed", String(reason === now.reason));
  button.addEventListener("click", () => show({ ...now, reason, n: FEW }, "pushState"));
  return button;
}

async function show_runs(state, signal) {
  const n = state.n ?? FEW, asked = new URLSearchParams({ n, ...(state.experiment && { experiment: state.experiment }) });
  const { found } = await ask(`executions?${asked}`, { signal });
  const headings = ["Started, UTC", "Upload", "Experiment", "Status", "Seconds", "Images", "Records", "Embedded", "Predicted", "Rejected", "Report"];
  list(headings, found.map(draw_run));
  find("more").hidden = found.length < n || n >= MOST;
  say(found.length ? `${many(found.length, "run")}, the newest first` : "Nothing has run yet.");
}

function draw_run(run) {
  const status = make("span", `status ${run.status === "SUCCEEDED" ? "good" : "bad"}`, run.status.toLowerCase());
  const numbers = ["images", "records", "embedded", "predicted"].map((name) => count(run[name]));
  const seconds = (Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000;
  const rejected = run.rejected ? link(count(run.rejected), `./?${new URLSearchParams({ view: "rejects", experiment: run.experiment_id })}`) : "0";
  if (run.rejected) rejected.setAttribute("aria-label", `${count(run.rejected)} rejected of ${run.experiment_id}`);
  const report = run.report ? link("report", `reports/${encodeURIComponent(run.execution_id)}`) : "";
  if (report) report.setAttribute("aria-label", `report of ${run.execution_id}`);
  return [moment(run.started_at), run.upload_uri, run.experiment_id, status, count(seconds), ...numbers, rejected, report];
}

const NUMBERS = ["Seconds", "Images", "Records", "Embedded", "Predicted", "Rejected"], LONG = ["Left out", "Why", "Upload", "Experiment"];

function list(headings, rows) {
  const table = make("table", "list"), head = make("tr");
  for (const heading of headings) {
    const cell = make("th", NUMBERS.includes(heading) ? "number" : "", heading);
    cell.scope = "col";
    head.append(cell);
  }
  table.createTHead().append(head);
  table.append(make("tbody"));
  for (const parts of rows) {
    const row = table.tBodies[0].insertRow();
    parts.forEach((part, at) => {
      const cell = row.insertCell();
      cell.append(part);
      cell.dataset.name = headings[at];
      if (NUMBERS.includes(headings[at])) cell.className = "number";
      if (LONG.includes(headings[at])) cell.className = "wide-text";
    });
  }
  find("results").className = "card";
  find("results").replaceChildren(table);
  find("results").hidden = !rows.length;
}

function link(text, href) {
  const element = make("a", "", text);
  element.href = href;
  return element;
}

function moment(time) { return new Date(time).toISOString().slice(0, 16).replace("T", " "); }
