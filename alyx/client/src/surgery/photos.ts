/** Photos straight from the camera, several at once; they are on this tablet before they are sent. */

import { el } from "../dom";
import type { Desk, Panel } from "./desk";
import { hourOf, keyed, panel } from "./desk";
import { mark } from "../states";

const LARGE_BYTES = 8 * 1024 * 1024;
const LONGEST_SIDE = 3200;

export function photosPanel(desk: Desk): Panel {
  const input = el("input", { type: "file", accept: "image/*", capture: "environment", multiple: true, id: "camera", class: "file" });
  const fault = el("p", { class: "fault", role: "status" });
  const thumbs = el("div", { class: "thumbs" });
  const addresses = new Map<string, string>();
  input.addEventListener("change", () => void take(desk, input, fault));
  const label = el("label", { class: "camera", for: "camera" }, "Take photos");
  const node = panel("photos", "Photos", el("div", { class: "camera-row" }, input, label), fault, thumbs);
  return {
    node,
    show(view) {
      keyed(
        thumbs,
        view.photos,
        (photo) => photo.entry?.key ?? photo.id,
        (photo) => {
          const image = el("img", { alt: photo.text || "photo of this surgery", width: "96", height: "96" });
          return el("figure", { class: "thumb" }, image, el("figcaption", {}));
        },
        (figure, photo) => {
          const image = figure.querySelector("img") as HTMLImageElement;
          const caption = figure.querySelector("figcaption") as HTMLElement;
          if (!caption.dataset.said) {
            caption.dataset.said = "yes";
            caption.append(el("span", {}, hourOf(photo.at, view.zone)));
          }
          if (photo.entry) mark(caption, photo.entry);
          if (image.getAttribute("src")) return;
          if (photo.url && navigator.onLine) image.src = photo.url;
          else if (photo.sha256) void local(desk, photo.sha256, addresses).then((address) => address && !image.getAttribute("src") && (image.src = address));
        },
      );
    },
  };
}

async function local(desk: Desk, sha256: string, addresses: Map<string, string>): Promise<string | undefined> {
  const known = addresses.get(sha256);
  if (known) return known;
  const blob = await desk.journal.picture(sha256);
  if (!blob) return undefined;
  const address = URL.createObjectURL(blob);
  addresses.set(sha256, address);
  return address;
}

async function take(desk: Desk, input: HTMLInputElement, fault: HTMLElement): Promise<void> {
  fault.textContent = "";
  for (const file of [...(input.files ?? [])]) {
    try {
      await desk.journal.addPicture("surgery.photo", desk.id, {}, await fitting(file));
    } catch (error) {
      fault.textContent = `${file.name} was not kept: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  input.value = "";
}

/** Small enough to be taken: a very large one is made smaller here. */
async function fitting(file: File): Promise<Blob> {
  if (file.size <= LARGE_BYTES) return file;
  const image = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.width, image.height));
  const canvas = el("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((made, failed) =>
    canvas.toBlob((blob) => (blob ? made(blob) : failed(new Error("this picture cannot be read"))), "image/jpeg", 0.88),
  );
}
