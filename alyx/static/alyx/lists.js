"use strict";
// On a tablet the filters of a list start folded away; on a desk they stay open.
for (const fold of document.querySelectorAll(".filter-fold")) {
  if (window.matchMedia("(max-width: 1023px)").matches) fold.open = false;
}
