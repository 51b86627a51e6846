"use strict";
// The page of a surgery: one click adds a part; the volume of a drug follows from dose, weight and concentration while one types.
// The server computes it again when the page is saved (subjects/rules/surgery.py, the same formula).
document.addEventListener("DOMContentLoaded", () => {
  const data = document.getElementById("surgery-data");
  const number = (box) => (box && box.value.trim() !== "" && Number.isFinite(Number(box.value)) ? Number(box.value) : null);
  const box = (row, name) => row.querySelector(`[name$="-${name}"]`);
  const drugRows = () => document.querySelectorAll("#drugs_given-group .inline-related:not(.empty-form)");
  const known = { weight: null, weighed: "" };

  const ask = async (query) => {
    const answer = await fetch(`${data.dataset.doseUrl}?${new URLSearchParams(query)}`, { headers: { Accept: "application/json" } });
    return answer.ok ? answer.json() : {};
  };

  const compute = (row) => {
    const volume = box(row, "volume_ml");
    if (!volume) return;
    const [dose, weight, strength] = ["dose_mg_per_kg", "weight_g", "concentration_mg_per_ml"].map((name) => number(box(row, name)));
    let line = row.querySelector(".explained");
    if (!line) {
      line = document.createElement("p");
      line.className = "explained";
      line.setAttribute("aria-live", "polite");
      row.querySelector("fieldset").append(line);
    }
    line.classList.remove("over");
    if (!(dose > 0 && weight > 0 && strength > 0)) { line.textContent = ""; return; }
    const exact = dose * weight / 1000 / strength;
    const drawn = Math.floor(exact * 100 + 0.5) / 100;
    if (!volume.dataset.typed) volume.value = String(drawn);
    const highest = Number(row.dataset.highest || 0);
    const over = highest > 0 && dose > highest;
    line.classList.toggle("over", over);
    line.textContent = `${dose} mg/kg × ${weight} g / 1000 / ${strength} mg/mL = ${exact.toPrecision(4)} mL, drawn up ${drawn.toFixed(2)} mL`
      + (over ? `; the highest dose is ${highest} mg/kg` : "");
  };

  const fill = (row, name, value) => {
    const target = box(row, name);
    if (target && value !== null && value !== undefined && target.value === "") target.value = value;
  };

  const drugChosen = async (row, drug) => {
    if (!drug) return;
    const said = await ask({ drug });
    for (const name of ["dose_mg_per_kg", "concentration_mg_per_ml", "dose_percent", "volume_ml"]) {
      if (box(row, name)) box(row, name).value = "";
    }
    delete box(row, "volume_ml").dataset.typed;
    row.dataset.highest = said.max_dose_mg_per_kg || "";
    fill(row, "dose_mg_per_kg", said.dose_mg_per_kg);
    fill(row, "dose_percent", said.dose_percent);
    fill(row, "concentration_mg_per_ml", said.concentration_mg_per_ml);
    if (said.route && box(row, "route")) box(row, "route").value = said.route;
    if (said.dose_percent === null) fill(row, "weight_g", number(document.getElementById("id_weight_before_g")) ?? known.weight);
    compute(row);
  };

  const subjectChosen = async (subject) => {
    if (!subject) return;
    const said = await ask({ subject });
    known.weight = said.weight_g ?? null;
    const before = document.getElementById("id_weight_before_g");
    if (before) before.placeholder = known.weight === null ? "" : `last ${known.weight}`;
    for (const row of drugRows()) {
      if (box(row, "drug") && box(row, "drug").value && !box(row, "dose_percent").value) fill(row, "weight_g", known.weight);
      compute(row);
    }
  };

  document.addEventListener("input", (event) => {
    const row = event.target.closest("#drugs_given-group .inline-related");
    if (!row) return;
    if (event.target.name.endsWith("-volume_ml")) event.target.dataset.typed = event.target.value ? "yes" : "";
    compute(row);
  });

  const $ = window.django && window.django.jQuery;
  if ($) {
    // Django's own script sends a "change" to each select when the page is ready: only another choice is one.
    const chosen = new Map([...document.querySelectorAll("select")].map((select) => [select, select.value]));
    $(document).on("change", "select", (event) => {
      if (chosen.get(event.target) === event.target.value) return;
      chosen.set(event.target, event.target.value);
      const row = event.target.closest("#drugs_given-group .inline-related:not(.empty-form)");
      if (row && event.target.name.endsWith("-drug")) drugChosen(row, event.target.value);
      if (event.target.id === "id_subject") subjectChosen(event.target.value);
    });
  }

  for (const button of document.querySelectorAll(".part-bar button")) {
    button.addEventListener("click", () => {
      const group = document.getElementById(`${button.dataset.group}-group`);
      const fold = group.querySelector("details");
      if (fold) fold.open = true;
      group.querySelector(".add-row a").click();
      const rows = group.querySelectorAll(".inline-related:not(.empty-form)");
      const fresh = rows[rows.length - 1];
      const first = fresh && fresh.querySelector("fieldset :is(input:not([type=hidden]), select:not(.select2-hidden-accessible), textarea, .select2-selection)");
      if (first) first.focus();
      if (fresh) fresh.scrollIntoView({ block: "nearest" });
    });
  }

  const template = document.getElementById("from-template");
  if (template) {
    template.addEventListener("submit", () => {
      for (const name of ["subject", "started_wall"]) {
        const typed = document.querySelector(`#surgery_form [name="${name}"]`);
        if (typed && typed.value) { template.elements[name].value = typed.value; template.elements[name].disabled = false; }
      }
    });
  }

  // What is stored or came from a template: a volume that somebody typed stays as it is.
  const begin = async () => {
    const subject = document.getElementById("id_subject");
    const given = subject ? subject.value : "";
    for (const row of drugRows()) {
      const [drug, volume] = [box(row, "drug"), box(row, "volume_ml")];
      if (!drug || !volume) continue;
      if (volume.value !== "") volume.dataset.typed = "yes";
      if (!drug.value) continue;
      const said = await ask({ drug: drug.value });
      row.dataset.highest = said.max_dose_mg_per_kg || "";
      fill(row, "concentration_mg_per_ml", said.concentration_mg_per_ml);
      compute(row);
    }
    await subjectChosen(given);
  };
  if (data) begin();
});
