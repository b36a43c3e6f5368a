"use strict";
// Search and filters of the list of files. Without it the page shows everything.
const form = document.querySelector(".filter");
const [search, decision, bucket] = ["search", "decision", "bucket"].map((id) => document.getElementById(id));
const rows = [...document.querySelectorAll(".file")].map((element) => ({
  element,
  name: element.querySelector("h3").textContent,
  rule: element.dataset.rule,
  bucket: element.dataset.bucket || "",
  kept: element.classList.contains("keep"),
  changed: "changed" in element.dataset,
  text: element.querySelector(".what").textContent.toLowerCase(),
  classes: (element.dataset.classes || "").split("\n"),
  tags: (element.querySelector(".caption")?.textContent || "").split(", "),
}));
const known = new Set(rows.flatMap((row) => row.classes).filter(Boolean));

function fits(row, wanted) {
  if (decision.value === "changed" ? !row.changed : decision.value && row.kept !== (decision.value === "keep")) return false;
  if (bucket.value && row.bucket !== bucket.value) return false;
  if (wanted.startsWith("tag:")) return row.tags.includes(wanted.slice(4).trim());
  if (wanted.startsWith("rule:")) return !row.kept && row.rule === wanted.slice(5).trim();
  if (known.has(wanted)) return row.classes.includes(wanted);
  const plain = wanted.toLowerCase();
  return row.text.includes(plain) || row.tags.some((tag) => tag.toLowerCase().includes(plain));
}

function filter() {
  const wanted = search.value.trim();
  // a file's own name, as the buttons give it, means that file alone
  const exact = rows.some((row) => row.name === search.value);
  let shown = 0;
  for (const row of rows) {
    row.element.hidden = !(exact ? row.name === search.value : fits(row, wanted));
    shown += !row.element.hidden;
  }
  document.getElementById("shown").textContent = `${shown} of ${rows.length} files`;
  document.querySelector(".none").hidden = shown > 0;
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-search]");
  if (!button) return;
  form.reset();
  search.value = button.dataset.search;
  filter();
  document.getElementById("files").scrollIntoView();
  // not the search field: that would open a phone's keyboard
  document.getElementById("files-title").focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && event.target === search) {
    search.value = "";
    filter();
  }
});
filter();
