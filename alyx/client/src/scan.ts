/** Codes: from a USB scanner, which types them fast and ends with Enter, or from the camera. */

import { assetUrl } from "./assets";

const FAST_MS = 35; // between two keys; people need 60 and more
const SHORTEST = 4;

type Listener = (code: string) => void;

/** Listens to keys that come faster than anybody types. Returns how to stop. */
export function onScan(listener: Listener): () => void {
  let typed = "";
  let last = 0;
  const key = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const pause = event.timeStamp - last;
    last = event.timeStamp;
    if (event.key === "Enter") {
      if (typed.length >= SHORTEST && pause <= FAST_MS * 3) {
        event.preventDefault();
        event.stopPropagation();
        const box = event.target;
        if (box instanceof HTMLInputElement && box.value.endsWith(typed)) {
          box.value = box.value.slice(0, -typed.length); // the scanner typed into whatever had the focus
          box.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }
        listener(typed);
      }
      typed = "";
    } else if (event.key.length === 1) {
      typed = pause <= FAST_MS ? typed + event.key : event.key;
    }
  };
  addEventListener("keydown", key, true);
  return () => removeEventListener("keydown", key, true);
}

export const canUseCamera = (): boolean => typeof navigator.mediaDevices?.getUserMedia === "function";

/** Show the camera in a dialog until a QR code is read or it is closed. Raises Error with words for a person. */
export async function scanWithCamera(): Promise<string | undefined> {
  if (!canUseCamera()) throw new Error("This page may not use the camera: it needs https and a camera. Type three letters instead.");
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    throw new Error("The camera was not allowed, or another program uses it. Allow it in the browser's settings of this site.");
  }
  const read = ((await import(assetUrl("jsqr.js"))) as typeof import("./jsqr")).read;
  const dialog = document.createElement("dialog");
  dialog.className = "bench-camera";
  const video = document.createElement("video");
  video.playsInline = true;
  video.muted = true;
  video.srcObject = stream;
  const stop = document.createElement("button");
  stop.textContent = "Close the camera";
  dialog.append(video, stop);
  document.body.append(dialog);
  try {
    dialog.showModal();
    await video.play();
    return await new Promise<string | undefined>((found) => {
      stop.addEventListener("click", () => found(undefined));
      dialog.addEventListener("cancel", () => found(undefined));
      const canvas = document.createElement("canvas");
      const look = (): void => {
        if (!dialog.open) return found(undefined);
        const code = read(video, canvas);
        if (code) found(code);
        else setTimeout(look, 120);
      };
      look();
    });
  } finally {
    for (const track of stream.getTracks()) track.stop();
    dialog.remove();
  }
}
