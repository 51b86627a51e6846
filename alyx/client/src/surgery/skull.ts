/** The skull from above, bregma at the origin, a line each millimetre: where is planned, where is done. */

import { signed } from "./dose";

export interface Mark {
  id: string;
  number: number;
  ap: number;
  ml: number;
  done: boolean;
  selected: boolean;
  label: string;
}

const NS = "http://www.w3.org/2000/svg";
const LEFT = -6.5;
const TOP = -6.5;
const WIDE = 13;
const HIGH = 15.5;
const LAMBDA_AP = -4.2;
const OUTLINE =
  "M-1.15 -6.6 C-1.3 -5.4 -1.55 -4.4 -1.9 -3.6 C-2.3 -2.75 -3.35 -2.45 -4.1 -1.6 C-4.85 -0.75 -5.0 0.6 -5.15 2.0" +
  " C-5.3 3.7 -5.25 5.0 -4.75 6.1 C-4.1 7.5 -2.5 8.3 0 8.35" +
  " C2.5 8.3 4.1 7.5 4.75 6.1 C5.25 5.0 5.3 3.7 5.15 2.0 C5.0 0.6 4.85 -0.75 4.1 -1.6 C3.35 -2.45 2.3 -2.75 1.9 -3.6 C1.55 -4.4 1.3 -5.4 1.15 -6.6 Z";
const SUTURES = [
  "M0 -6.5 L0 4.2", // frontal and sagittal
  "M-4.75 -0.55 C-3.2 0.2 -1.4 0.05 0 0 C1.4 0.05 3.2 0.2 4.75 -0.55", // coronal
  "M-4.95 5.6 C-3.4 5.1 -1.6 4.35 0 4.2 C1.6 4.35 3.4 5.1 4.95 5.6", // lambdoid
];

function svg(tag: string, attributes: Record<string, string | number>, text?: string): SVGElement {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

export interface Skull {
  node: SVGElement;
  show(marks: Mark[]): void;
}

/** `placed(ap, ml)` is called where somebody taps, to a tenth of a millimetre. */
export function skull(placed: (ap: number, ml: number) => void): Skull {
  const node = svg("svg", { viewBox: `${LEFT} ${TOP} ${WIDE} ${HIGH}`, class: "skull", role: "img" });
  const grid = svg("g", { class: "skull-grid" });
  for (let at = -6; at <= 6; at += 1) grid.append(svg("line", { x1: at, x2: at, y1: TOP, y2: TOP + HIGH, class: at === 0 ? "axis" : "" }));
  for (let at = -6; at <= 8; at += 1) grid.append(svg("line", { x1: LEFT, x2: LEFT + WIDE, y1: at, y2: at, class: at === 0 ? "axis" : "" }));
  const numbers = svg("g", { class: "skull-numbers" });
  for (let at = -4; at <= 8; at += 2) if (at) numbers.append(svg("text", { x: LEFT + 0.15, y: at + 0.18 }, `${at < 0 ? "+" : "−"}${Math.abs(at)}`));
  for (const at of [-4, -2, 2, 4]) numbers.append(svg("text", { x: at, y: TOP + HIGH - 0.15, "text-anchor": "middle" }, `${at > 0 ? "+" : "−"}${Math.abs(at)}`));
  numbers.append(svg("text", { x: LEFT + 0.15, y: TOP + 0.6 }, "AP"), svg("text", { x: LEFT + WIDE - 0.15, y: TOP + HIGH - 0.15, "text-anchor": "end" }, "ML mm"));
  const bone = svg("g", { class: "skull-bone" });
  bone.append(svg("path", { d: OUTLINE, class: "outline" }), ...SUTURES.map((d) => svg("path", { d, class: "suture" })));
  const points = svg("g", { class: "skull-points" });
  points.append(
    svg("circle", { cx: 0, cy: 0, r: 0.16 }),
    svg("text", { x: 0.28, y: -0.22 }, "bregma"),
    svg("circle", { cx: 0, cy: -LAMBDA_AP, r: 0.12 }),
    svg("text", { x: 0.28, y: -LAMBDA_AP + 0.62 }, "lambda"),
  );
  const marks = svg("g", { class: "skull-marks" });
  node.append(bone, grid, numbers, points, marks);
  node.addEventListener("click", (event) => {
    const matrix = (node as SVGSVGElement).getScreenCTM();
    if (!matrix) return;
    const at = new DOMPoint((event as MouseEvent).clientX, (event as MouseEvent).clientY).matrixTransform(matrix.inverse());
    placed(Math.round(-at.y * 10) / 10, Math.round(at.x * 10) / 10);
  });
  return {
    node,
    show(list) {
      const words = list.map((mark) => `${mark.number}: ${mark.label}, AP ${signed(mark.ap)}, ML ${signed(mark.ml)} mm, ${mark.done ? "done" : "planned"}`);
      node.setAttribute("aria-label", `Skull from above, bregma at the origin. ${words.join("; ") || "No sites."}`);
      marks.replaceChildren(
        ...list.map((mark) => {
          const group = svg("g", { class: `mark ${mark.done ? "done" : "planned"}${mark.selected ? " selected" : ""}`, transform: `translate(${mark.ml} ${-mark.ap})` });
          group.append(svg("circle", { r: 0.52 }), svg("text", { "text-anchor": "middle", y: 0.24 }, String(mark.number)));
          return group;
        }),
      );
    },
  };
}
