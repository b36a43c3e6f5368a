"use strict";
// Choosing a grid, looking at one cell, comparing two. Without it the page shows every grid, one after the other.
const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const AXES = ["variant", "prompt", "epoch", "weight", "seed"];
const KEYS = { ArrowLeft: ["weight", -1], ArrowRight: ["weight", 1], ArrowUp: ["epoch", -1], ArrowDown: ["epoch", 1],
  s: ["seed", 1], S: ["seed", -1], p: ["prompt", 1], P: ["prompt", -1], v: ["variant", 1], V: ["variant", -1] };
const [viewer, stage, form, zoom] = [$("#viewer"), $(".stage"), $("#grid .filter"), $("#zoom")];
const panels = all(".panel");
const cells = new Map();
const values = {}; // variant → axis → values in order
let marked = null;
let slots = []; // what the viewer shows: one place or two
let active = 0;
let opener = null;

const keyOf = (place) => AXES.map((axis) => place[axis]).join("\n");
const placeOf = (button) => Object.fromEntries(AXES.map((axis) => [axis, button.dataset[axis]]));
const sameLook = (one, other) => $("img", cells.get(keyOf(one))).src === $("img", cells.get(keyOf(other))).src;
const typing = (target) => /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
const narrow = matchMedia("(max-width: 46rem)").matches;

// the base model's pictures in every row, so that each can be compared with them
for (const first of all(".panel .base")) {
  const at = first.cellIndex;
  first.rowSpan = 1;
  for (const row of all("tr", first.closest("tbody"))) {
    const own = row.contains(first) ? first : row.insertBefore(first.cloneNode(true), row.cells[at]);
    for (const cell of all(".cell", own)) cell.dataset.epoch = row.dataset.epoch;
  }
}
for (const button of all(".panel .cell")) {
  const place = placeOf(button);
  cells.set(keyOf(place), button);
  const known = (values[place.variant] ||= Object.fromEntries(AXES.map((axis) => [axis, []])));
  for (const axis of AXES) if (!known[axis].includes(place[axis])) known[axis].push(place[axis]);
}
for (const known of Object.values(values)) {
  known.variant = Object.keys(values);
  for (const axis of ["epoch", "weight"]) known[axis].sort((one, other) => one - other);
}

// the same place where a variant lacks it: the last one that it has
function settle(place) {
  const known = values[place.variant];
  const found = { ...place };
  for (const axis of ["epoch", "weight"])
    if (!known[axis].includes(place[axis])) found[axis] = known[axis].findLast((each) => +each <= +place[axis]) ?? known[axis][0];
  return found;
}

function moved(place, axis, by) {
  const list = values[place.variant][axis];
  const at = Math.min(Math.max(list.indexOf(place[axis]) + by, 0), list.length - 1);
  return settle({ ...place, [axis]: list[at] });
}

// --- the sweeps: pictures of the grids once more, walked as they stand

for (const button of all(".sweep .cell")) {
  const place = settle(placeOf(button));
  Object.assign(button.dataset, place);
  $("img", button).src = $("img", cells.get(keyOf(place))).src;
}
for (const table of all(".sweep")) all(".cell", table).forEach((cell, at) => (cell.tabIndex = at ? -1 : 0));
for (const section of all("#sweeps")) section.hidden = false;

function walkSweep(cell, key) {
  const rows = all("tbody tr", cell.closest("table")).map((row) => all(".cell", row)).filter((row) => row.length);
  let down = rows.findIndex((row) => row.includes(cell));
  let across = rows[down].indexOf(cell);
  if (key === "Home") across = 0;
  else if (key === "End") across = Infinity;
  else if (KEYS[key][0] === "weight") across += KEYS[key][1];
  else down += KEYS[key][1];
  const row = rows[Math.min(Math.max(down, 0), rows.length - 1)];
  const next = row[Math.min(Math.max(across, 0), row.length - 1)];
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// --- the grids

const chosen = (id) => $("#" + id)?.value;
const current = () => panels.find((panel) => !panel.hidden);

function choose() {
  const [variant, prompt, seed] = [chosen("variant") ?? panels[0].dataset.variant, chosen("prompt") ?? "1", chosen("seed")];
  for (const panel of panels) {
    panel.hidden = panel.dataset.variant !== variant || panel.dataset.prompt !== prompt;
    if (!panel.hidden) for (const cell of all(".cell", panel)) cell.hidden = Boolean(seed) && cell.dataset.seed !== seed;
  }
  const reach = all(".cell:not([hidden])", current());
  if (!reach.some((cell) => cell.tabIndex === 0)) ($(".picked .cell:not([hidden])", current()) ?? reach[0]).tabIndex = 0;
}

function focusCell(cell) {
  for (const other of all(".cell[tabindex='0']", current())) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

function walk(cell, key) {
  const place = placeOf(cell);
  const known = values[place.variant];
  const seeds = chosen("seed") ? [chosen("seed")] : known.seed;
  const columns = known.weight.flatMap((weight) => seeds.map((seed) => [weight, seed]));
  let across = columns.findIndex(([weight, seed]) => weight === place.weight && seed === place.seed);
  let down = known.epoch.indexOf(place.epoch);
  if (key === "Home") across = 0;
  else if (key === "End") across = columns.length - 1;
  else if (KEYS[key][0] === "weight") across += KEYS[key][1];
  else down += KEYS[key][1];
  across = Math.min(Math.max(across, 0), columns.length - 1);
  const epoch = known.epoch[Math.min(Math.max(down, 0), known.epoch.length - 1)];
  focusCell(cells.get(keyOf({ ...place, epoch, weight: columns[across][0], seed: columns[across][1] })));
}

function mark(cell) {
  $(".cell.marked")?.classList.remove("marked");
  const place = placeOf(cell);
  if (marked && keyOf(marked) !== keyOf(place)) {
    open([marked, place], cell);
    marked = null;
  } else {
    marked = marked ? null : place;
    cell.classList.toggle("marked", Boolean(marked));
  }
  $("#said").textContent = marked ? `Marked: ${$("img", cell).alt}. Press c on another picture to compare.` : "";
}

// --- one picture large, or two

function open(places, from) {
  [slots, active, opener] = [places.map(settle), places.length - 1, from];
  draw();
  if (!viewer.open) viewer.showModal();
  stage.focus();
}

function draw() {
  const two = slots.length === 2;
  const focus = document.activeElement?.dataset?.focus;
  viewer.classList.toggle("two", two);
  for (const [name, on] of [["compare", two], ["overlay", viewer.classList.contains("overlay")], ["together", viewer.classList.contains("together")]])
    $(`[data-do=${name}]`, viewer).setAttribute("aria-pressed", on);
  for (const name of ["overlay", "together"]) $(`[data-do=${name}]`, viewer).hidden = !two;
  $(".wipe").hidden = !two || !viewer.classList.contains("overlay");
  stage.replaceChildren(...slots.map(drawSlot));
  if (focus) $(`[data-focus="${focus}"]`, stage)?.focus();
}

function drawSlot(place, number) {
  const cell = cells.get(keyOf(place));
  const slot = $("#slot").content.cloneNode(true).firstElementChild;
  slot.classList.toggle("active", slots.length === 2 && number === active);
  slot.addEventListener("pointerdown", () => { active = number; all(".slot").forEach((each, at) => each.classList.toggle("active", slots.length === 2 && at === number)); });
  slot.setAttribute("aria-label", slots.length === 2 ? `picture ${"AB"[number]}` : "picture");
  const image = $("img", slot);
  const source = $("img", cell);
  [image.src, image.alt] = [source.src, source.alt];
  slot.style.setProperty("--aspect", source.getAttribute("width") / source.getAttribute("height"));
  $(".badge", slot).hidden = !cell.closest(".picked");
  for (const axis of AXES) {
    const list = values[place.variant][axis];
    const stepper = $(`[data-axis=${axis}]`, slot);
    if (list.length < 2) { stepper.remove(); continue; }
    const select = $("select", stepper);
    select.replaceChildren(...list.map((value) => new Option(value, value, false, value === place[axis])));
    select.dataset.focus = `${number} ${axis}`;
    select.addEventListener("change", () => go(number, axis, list.indexOf(select.value) - list.indexOf(place[axis])));
    all("button", stepper).forEach((button, at) => {
      button.dataset.focus = `${number} ${axis} ${at}`;
      button.addEventListener("click", () => go(number, axis, at ? 1 : -1));
    });
  }
  const panel = cell.closest(".panel");
  $(".prompt", slot).textContent = panel.dataset.text;
  $("pre", slot).textContent = `${panel.dataset.text}\n${cell.dataset.text}`;
  $(".copy", slot).dataset.copy = $("pre", slot).textContent;
  $("a", slot).href = cell.dataset.file;
  return slot;
}

function go(number, axis, by) {
  active = number;
  const which = viewer.classList.contains("together") && slots.length === 2 ? [0, 1] : [number];
  for (const at of which) slots[at] = moved(slots[at], axis, by);
  draw();
}

// beside what is shown: the pick, or the base model, or the epoch before
function partner(place) {
  const pick = $(`.panel[data-variant="${CSS.escape(place.variant)}"][data-prompt="${place.prompt}"] .picked .cell[data-seed="${place.seed}"]`);
  const others = [pick && placeOf(pick), { ...place, weight: "0" }, moved(place, "epoch", -1), moved(place, "epoch", 1)];
  return others.find((other) => other && cells.has(keyOf(other)) && !sameLook(other, place)) ?? place;
}

const actions = {
  compare() {
    slots = slots.length === 2 ? [slots[active]] : [slots[0], partner(slots[0])];
    active = slots.length - 1;
    draw();
  },
  overlay() { viewer.classList.toggle("overlay"); draw(); },
  together() { viewer.classList.toggle("together"); draw(); },
  close() { viewer.close(); },
};

viewer.addEventListener("close", () => {
  const place = slots[active];
  const from = opener?.closest(".panel") && place && cells.get(keyOf(place));
  if (from && from.closest(".panel") === current() && !from.hidden) focusCell(from);
  else opener?.focus();
});
const wipe = $(".wipe input");
wipe.addEventListener("input", () => stage.style.setProperty("--wipe", wipe.value + "%"));
stage.addEventListener("pointermove", (event) => {
  const image = $(".overlay.two .frame img", document);
  if (!image || !event.target.closest(".frame") || (event.pointerType !== "mouse" && !event.pressure)) return;
  const box = image.getBoundingClientRect();
  wipe.value = (100 * (event.clientX - box.left)) / box.width;
  wipe.dispatchEvent(new Event("input"));
});

// --- what the page listens to

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (event.target === viewer) viewer.close(); // beside the pictures
  else if (button?.classList.contains("cell")) open([placeOf(button)], button);
  else if (button?.dataset.do) actions[button.dataset.do]();
  else if (button?.dataset.copy !== undefined) {
    await navigator.clipboard.writeText(button.dataset.copy).then(() => (button.textContent = "copied"), () => (button.textContent = "not allowed here"));
    setTimeout(() => (button.textContent = "copy"), 1500);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
  const cell = event.target.closest?.(".cells .cell");
  if (viewer.open) {
    const letters = { c: "compare", o: "overlay", m: "together" };
    if (KEYS[event.key]) go(active, ...KEYS[event.key]);
    else if (letters[event.key] && !$(`[data-do=${letters[event.key]}]`).hidden) actions[letters[event.key]]();
    else if (event.key === "x" && slots.length === 2) { active = 1 - active; draw(); }
    else return;
  } else if (cell && (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End")) (cell.closest(".sweep") ? walkSweep : walk)(cell, event.key);
  else if (cell && event.key === "c") mark(cell);
  else return;
  event.preventDefault();
});
form.hidden = false;
form.addEventListener("change", (event) => {
  choose();
  if (event.target.id === "seed") fit();
});
form.addEventListener("submit", (event) => event.preventDefault());
const resize = () => $("#grid").style.setProperty("--cell", zoom.value + "px");
// as large as all columns fit side by side, but not so small that nothing can be told
function fit() {
  const known = values[current().dataset.variant];
  const across = known.weight.length * (chosen("seed") ? 1 : known.seed.length);
  const room = $(".scroll", current()).clientWidth - 44 - known.weight.length * 8 - across * 2;
  zoom.value = Math.max(narrow ? 52 : 64, Math.floor(room / across));
  resize();
}
zoom.addEventListener("input", resize);
for (const button of all(".copy")) button.hidden = false;
if (narrow && $("#seed")) $("#seed").selectedIndex = 1;
choose();
fit();
