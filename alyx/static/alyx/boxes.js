"use strict";
// Boxes that search: keys count in the order they are pressed, however quick the hand (or the barcode reader) and slow the answer.
// Select2 moves the focus a moment after it opens, and letters typed till then are lost; and while an answer is on its way Enter
// takes what the letters before had found: both choose another animal than the one typed.
if (window.django && django.jQuery) {
  const known = new WeakSet();
  django.jQuery(document).on("select2:open", ({ target }) => {
    const box = django.jQuery(target).data("select2");
    const search = (box.dropdown.$search || box.selection.$search)[0];
    search.focus();
    if (known.has(box)) return;
    known.add(box);
    let answered = false, enter = false;
    box.on("query", () => {
      answered = enter = false;
      box.results.getHighlightedResults().removeClass("select2-results__option--highlighted");
    });
    box.on("results:select", () => { enter = !answered && search.value !== ""; });
    box.on("results:all", () => {
      answered = true;
      if (enter) box.trigger("results:select", {});
    });
    box.on("close", () => { enter = false; });
  });
}
