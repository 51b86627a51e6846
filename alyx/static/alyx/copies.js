"use strict";
// How far "Verify now" is: the cells of the table, asked for every two seconds while something is being read. `why` is text,
// the others are small pieces of markup that the server made.
{
  const panel = document.getElementById("copies");
  const say = document.getElementById("copies-say");
  let failures = 0;
  const ask = async () => {
    try {
      const answer = await fetch(panel.dataset.progress, { credentials: "same-origin" });
      if (!answer.ok) return;
      const now = await answer.json();
      failures = 0;
      if (say.textContent !== now.says) say.textContent = now.says;
      document.getElementById("copies-standing").innerHTML = now.standing;
      for (const row of panel.querySelectorAll("[data-copy]")) {
        for (const [part, value] of Object.entries(now.rows[row.dataset.copy] || {})) {
          const cell = row.querySelector(`[data-part=${part}]`);
          if (part === "why") cell.textContent = value;
          else cell.innerHTML = value;
        }
      }
      if (now.again) setTimeout(ask, 2000);
    } catch {
      failures += 1;
      if (failures < 30) setTimeout(ask, 4000);
    }
  };
  if (panel) ask();
}
