/* Messages to this device, where browser and installation can. */
(() => {
  "use strict";
  const place = document.querySelector("[data-push]");
  const button = place?.querySelector("[data-push-button]");
  if (!button || !("serviceWorker" in navigator) || !("PushManager" in window) || !window.isSecureContext) return;
  const said = place.querySelector("[data-push-said]");
  const token = document.querySelector("meta[name=csrf-token]")?.content ?? "";
  const send = (path, body) => fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json", "X-CSRF-Token": token }, body: JSON.stringify(body),
  }).then((answer) => { if (!answer.ok) throw new Error(String(answer.status)); });
  const key = Uint8Array.from(atob(place.dataset.push.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  const show = (subscription) => {
    place.hidden = false;
    button.querySelector("span").textContent = subscription ? button.dataset.wordsOff : button.dataset.wordsOn;
    said.textContent = subscription ? place.dataset.on : "";
  };
  navigator.serviceWorker.ready.then(async (worker) => {
    const before = await worker.pushManager.getSubscription();
    /* Whoever signed in anew goes on to be told here, until they are signed out of this browser. */
    if (before) await send("/drive/me/push", before.toJSON()).catch(() => {});
    show(before);
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const known = await worker.pushManager.getSubscription();
        if (known) {
          await send("/drive/me/push/end", { endpoint: known.endpoint });
          await known.unsubscribe();
          show(null);
        } else {
          const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
          await send("/drive/me/push", made.toJSON());
          show(made);
        }
      } catch { said.textContent = place.dataset.denied; } finally { button.disabled = false; }
    });
  });
})();
