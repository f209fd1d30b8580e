// Tables sort by the heads of their columns. Without this script they are as complete, in the order compared.
"use strict";

const collator = new Intl.Collator("en", { numeric: true });

/** Negative, zero or positive as one cell comes before, with or after the other; those without a value are last. */
function compare(one, other, kind, sign) {
  if (kind !== "number") return sign * collator.compare(one.textContent, other.textContent);
  const missing = (one.dataset.order === "") - (other.dataset.order === "");
  return missing || sign * (Number(one.dataset.order) - Number(other.dataset.order) || 0);
}

function sort(table, column, ascending) {
  const heads = table.tHead.rows[0].cells;
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((one, other) =>
    compare(one.cells[column], other.cells[column], heads[column].dataset.kind, ascending ? 1 : -1));
  body.append(...rows);
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

for (const table of document.querySelectorAll("table.sortable")) {
  if (table.tBodies[0].rows.length < 2) continue;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(head.firstChild);
    button.addEventListener("click", () => sort(table, column, head.getAttribute("aria-sort") !== "ascending"));
    head.prepend(button);
  });
}
