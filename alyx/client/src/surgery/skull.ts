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
  "M0 -6.1 C0.9 -6.1 1.4 -5.7 1.55 -5 C1.75 -4.1 1.75 -3.4 2.15 -2.8 C2.7 -2.1 3.8 -1.9 4.35 -0.9 C4.85 0 5.05 1 5.15 2.2" +
  " C5.3 3.8 5.2 5.2 4.6 6.4 C3.9 7.7 2.3 8.5 0 8.6" +
  " C-2.3 8.5 -3.9 7.7 -4.6 6.4 C-5.2 5.2 -5.3 3.8 -5.15 2.2 C-5.05 1 -4.85 0 -4.35 -0.9 C-3.8 -1.9 -2.7 -2.1 -2.15 -2.8 C-1.75 -3.4 -1.75 -4.1 -1.55 -5 C-1.4 -5.7 -0.9 -6.1 0 -6.1 Z";
const SUTURES = [
  "M0 -5.9 L0 4.2", // frontal and sagittal
  "M-4.45 -0.75 C-3 0.15 -1.4 0.05 0 0 C1.4 0.05 3 0.15 4.45 -0.75", // coronal
  "M-4.75 5.5 C-3.2 5 -1.6 4.3 0 4.2 C1.6 4.3 3.2 5 4.75 5.5", // lambdoid
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
