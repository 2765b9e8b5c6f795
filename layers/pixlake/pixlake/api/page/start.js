const VIEWS = {
  "": { title: "Search by image or text", tools: "search", show: show_images },
  duplicates: { title: "Near-duplicates", tools: "compare", show: show_duplicates },
  rejects: { title: "Left out, and why", tools: "reasons", show: show_rejects },
  runs: { title: "Runs and their reports", tools: "", show: show_runs },
};

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = find("text").value.trim();
  show({ ...now, text: text || undefined, like: undefined, image: undefined, n: FEW }, "pushState");
});
find("distinct").addEventListener("change", () => show({ ...now, distinct: find("distinct").checked }, "pushState"));
find("filter").addEventListener("submit", (event) => { event.preventDefault(); add_filter(); });
find("by").addEventListener("change", choose_column);
find("threshold").addEventListener("change", () => show({ ...now, threshold: find("threshold").value }, "pushState"));
find("more").addEventListener("click", () => show({ ...now, n: Math.min(2 * (now.n ?? FEW), MOST) }, "replaceState"));
find("experiment").addEventListener("change", () => {
  show({ ...now, experiment: find("experiment").value, n: FEW, reason: undefined }, "pushState");
  list_filters(now).catch(complain);
});
for (const link of document.querySelectorAll("nav a")) {
  if (link.dataset.view === "map") continue;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    show({ view: link.dataset.view, experiment: now.experiment }, "pushState");
  });
}
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

function complain(error) { say(error.message, true); }

now = history.state ?? from_address();
// the experiments first, for some views show one of them; the filters' kinds, where a filter compares by them
const filters = list_filters(now).catch(complain);
Promise.all([list_experiments(), now.filters?.length && filters]).catch(complain).finally(() => show(now, "replaceState"));
