// A filter is {by, how, is}: a column, or `attributes.` and an attribute's name; how it is compared; with what.
const COMPARISONS = { is: "is", not: "is not", has: "contains", least: "≥", most: "≤" };
const FOR_TEXTS = ["is", "not", "has"], FOR_NUMBERS = ["least", "most", "is"];
const COLUMNS = ["label", "predicted_by", "score", "value", "width", "height"];
let columns = new Map();

async function list_filters(state) {
  const asked = new URLSearchParams(state.experiment && { experiment: state.experiment });
  const { found } = await ask(`filters?${asked}`);
  columns = new Map(found.map((each) => [each.is_attribute ? `attributes.${each.name}` : each.name, each]));
  const options = [...columns].map(([key, each]) => new Option(each.name.replaceAll("_", " "), key));
  const chosen = find("by").value;
  find("by").replaceChildren(find("by").options[0], ...options);
  find("by").value = columns.has(chosen) ? chosen : "";
  choose_column();
}

function choose_column() {
  const column = columns.get(find("by").value), whole = Boolean(column?.is_whole && column.values.length);
  for (const id of ["how", "add"]) find(id).hidden = !column;
  find("one").hidden = !whole;
  find("is").hidden = !column || whole;
  if (!column) return;
  const fits = column.is_number ? FOR_NUMBERS : whole ? FOR_TEXTS.slice(0, 2) : FOR_TEXTS;
  find("how").replaceChildren(...fits.map((each) => new Option(COMPARISONS[each], each)));
  const options = column.values.map((each) => new Option(`${each.value} (${count(each.count)})`, each.value));
  find(whole ? "one" : "values").replaceChildren(...options);
  if (!whole && !options.length) find("values").replaceChildren();
  find("is").value = "";
  find("is").inputMode = column.is_number ? "decimal" : "text";
}

function add_filter() {
  const by = find("by").value, how = find("how").value, column = columns.get(by);
  const is = find("one").hidden ? find("is").value.trim() : find("one").value;
  if (!column || !is) return;
  if (column.is_number && !Number.isFinite(Number(is))) { say(`${column.name} is a number; ${is} is none.`, true); return; }
  find("by").value = "";
  choose_column();
  find("by").focus();
  show({ ...now, filters: [...(now.filters ?? []), { by, how, is }], n: FEW }, "pushState");
}

function draw_filters(state) {
  find("chips").replaceChildren(...(state.filters ?? []).map((each, at) => {
    const name = each.by.replace(/^attributes\./, "").replaceAll("_", " "), chip = make("button", "chip");
    chip.type = "button";
    chip.append(make("span", "", `${name} ${COMPARISONS[each.how]} ${each.is}`), make("span", "unseen", ": take away"), cross());
    chip.addEventListener("click", () => {
      show({ ...now, filters: now.filters.filter((_, other) => other !== at), n: FEW }, "pushState");
      find("by").focus();
    });
    return chip;
  }));
}

function cross() {
  const mark = make("span", "cross", "×");
  mark.setAttribute("aria-hidden", "true");
  return mark;
}

// As a condition in SQL; none where there is no filter.
function condition(filters) { return (filters ?? []).map(compare).filter(Boolean).join(" AND "); }

function compare({ by, how, is }) {
  const text = `'${is.replaceAll("'", "''")}'`, name = by.replace(/^attributes\./, "").replaceAll("'", "''");
  if (by === name && !COLUMNS.includes(by)) return "";
  const value = by.startsWith("attributes.") ? `element_at(attributes, '${name}')` : by;
  const is_number = columns.get(by)?.is_number ?? ["score", "value", "width", "height"].includes(by);
  const number = by === value ? by : `TRY_CAST(${value} AS double)`;
  if (how === "least" || how === "most" || (is_number && how === "is")) {
    return Number.isFinite(Number(is)) ? `${number} ${{ least: ">=", most: "<=", is: "=" }[how]} ${Number(is)}` : "";
  }
  if (how === "has") return `strpos(lower(${value}), lower(${text})) > 0`;
  return how === "not" ? `${value} IS DISTINCT FROM ${text}` : `${value} = ${text}`;
}
