/** Logging in again on top of the page: nothing typed is touched. */

import { el } from "./dom";
import type { Journal } from "./journal";

let open: HTMLDialogElement | undefined;

export function offerLogin(journal: Journal): void {
  if (open) return;
  const { otherUser } = journal.status();
  const mine = document.body.dataset.userName ?? "";
  const name = el("input", { id: "login-name", autocomplete: "username", autocapitalize: "none", value: mine, required: true });
  const password = el("input", { id: "login-password", type: "password", autocomplete: "current-password", required: true });
  const said = el("p", { role: "alert", class: "said" });
  const send = el("button", { type: "submit" }, "Log in");
  const later = el("button", { type: "button", class: "second" }, "Later");
  const why = otherUser
    ? `${otherUser} is logged in on this tablet now. What ${mine} typed stays here until ${mine} logs in again.`
    : "Your login has ended. What you typed is safe on this tablet and is sent as soon as you log in.";
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", {}, "Log in again"),
    el("p", {}, why),
    el("label", { for: "login-name" }, "Name"),
    name,
    el("label", { for: "login-password" }, "Password"),
    password,
    said,
    el("div", { class: "buttons" }, later, send),
  );
  const dialog = el("dialog", { class: "bench-login", "aria-label": "Log in again" }, form);
  open = dialog;
  const close = (): void => {
    dialog.close();
    dialog.remove();
    open = undefined;
    stop();
  };
  const stop = journal.onStatus(() => {
    if (!journal.status().needsLogin && journal.status().online) close(); // logged in in another tab
  });
  later.addEventListener("click", close);
  dialog.addEventListener("cancel", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send.disabled = true;
    said.textContent = "";
    journal
      .login(name.value, password.value)
      .then((message) => {
        if (message) said.textContent = message;
        else if (journal.status().otherUser) {
          navigator.serviceWorker?.controller?.postMessage({ forget: true });
          location.reload(); // this is another person's page now
        } else close();
      })
      .catch(() => {
        said.textContent = "There is no connection to the server. Nothing is lost: try again later.";
      })
      .finally(() => {
        send.disabled = false;
      });
  });
  document.body.append(dialog);
  dialog.showModal();
  password.focus();
}
