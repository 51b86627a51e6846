"use strict";
// Enter goes to the next box, from the last one to the button. Without this file Enter saves what stands there.
{
  const form = document.getElementById("round");
  const boxes = form ? [...form.querySelectorAll(".round-box")] : [];
  const save = form && form.querySelector("button[type=submit]");
  form && form.addEventListener("keydown", event => {
    const here = boxes.indexOf(event.target);
    if (event.key !== "Enter" || here < 0) return;
    event.preventDefault();
    const kind = event.target.dataset.kind;
    const next = boxes.slice(here + 1).find(box => box.dataset.kind === kind) || save;
    next.focus();
    if (next.select) next.select();
    next.scrollIntoView({ block: "nearest" });
  });
  const first = boxes.find(box => box.closest(".not-saved")) || boxes[0];
  if (first) first.focus({ preventScroll: true });
}
