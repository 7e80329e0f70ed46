/* The driver's pages: everything works without this; with it, a charge is live, places are near, forms are sent once.
   What it says stands in the pages, so that these carry no other words. */
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  /* ------------------------------------------------------------------------------------- forms, pressed once */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "dialog" || form.hasAttribute("data-auto")) return;
    form.dataset.sent = "1";
    const button = event.submitter ?? one("[data-once]", form);
    if (button?.dataset.once) {
      button.dataset.was = button.innerHTML;
      button.textContent = button.dataset.once;
    }
  });
  window.addEventListener("pageshow", () => {
    all("form[data-sent]").forEach((form) => delete form.dataset.sent);
    all("[data-was]").forEach((button) => { button.innerHTML = button.dataset.was; delete button.dataset.was; });
  });
  one("form[data-send-now]")?.requestSubmit();
  all("form[data-auto]").forEach((form) => {
    form.addEventListener("change", (event) => { if (event.target.type !== "search") form.requestSubmit(); });
  });
  /* Among ways of paying, the button says what the chosen one does. */
  document.addEventListener("change", (event) => {
    const way = event.target.closest?.("[data-button]");
    const button = way && one("[data-ways-button]");
    if (button) button.textContent = way.dataset.button;
    const promise = way && one("[data-ways-promise]");
    if (promise) promise.textContent = way.dataset.promise;
    const email = way && one("[data-guest-only]");
    if (email) email.hidden = way.dataset.kind !== "guest";
  });
  one("[data-reload]")?.addEventListener("click", (event) => { event.preventDefault(); location.reload(); });

  /* ------------------------------------------------------------------------------------- dialogs */
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open]");
    const dialog = opener && document.getElementById(opener.dataset.open);
    if (dialog?.showModal) { event.preventDefault(); dialog.showModal(); }
  });

  /* ------------------------------------------------------------------------------------- where am I? */
  const locate = one("[data-locate]");
  if (locate && navigator.geolocation && window.isSecureContext) {
    locate.hidden = false;
    locate.addEventListener("click", () => {
      locate.disabled = true;
      navigator.geolocation.getCurrentPosition((found) => {
        const form = locate.form;
        const field = one("[name=near]", form) ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "near" }));
        field.value = `${found.coords.latitude.toFixed(4)},${found.coords.longitude.toFixed(4)}`;
        form.requestSubmit();
      }, () => {
        locate.disabled = false;
        one("[data-locate-error]").hidden = false;
      }, { timeout: 10000, maximumAge: 60000 });
    });
  }

  /* Apple's devices know no geo: addresses, but their own. */
  if (/iPhone|iPad|Macintosh/.test(navigator.userAgent)) {
    all("[data-way]").forEach((link) => { link.href = `maps:?daddr=${link.dataset.way}`; });
  }

  /* ------------------------------------------------------------------------------------- a charge that goes on */
  const now = one("[data-now]");
  const span = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    const minutes = Math.floor(whole / 60) % 60;
    if (whole < 3600) return `${minutes} min`;
    return minutes ? `${Math.floor(whole / 3600)} h ${minutes} min` : `${Math.floor(whole / 3600)} h`;
  };
  if (now && !now.hasAttribute("data-over")) {
    const mark = one("[data-mark]");
    let phase = now.dataset.phase;
    let heardAt = Date.now();
    let source = null;
    let polling = 0;
    const heard = () => { heardAt = Date.now(); tick(); };
    const take = (told) => {
      heard();
      now.innerHTML = told.html;
      document.title = `${told.title} · Ohmstead`;
      if (told.phase !== phase || told.over) {
        /* The buttons around it change too: the page is loaded once more, in its new shape. */
        one("[data-said]").textContent = told.title;
        phase = told.phase;
        setTimeout(() => location.replace(location.pathname), 300);
      }
    };
    const poll = async () => {
      try {
        const answer = await fetch(`${now.dataset.now}/now`, { headers: { Accept: "application/json" } });
        if (answer.ok) take(await answer.json());
      } catch { /* the mark says it */ }
    };
    const listen = () => {
      source?.close();
      source = new EventSource(`${now.dataset.now}/live`);
      source.addEventListener("now", (event) => take(JSON.parse(event.data)));
      source.addEventListener("beat", heard);
    };
    const tick = () => {
      all("[data-since]", now).forEach((place) => { place.textContent = span((Date.now() - Date.parse(place.dataset.since)) / 1000); });
      if (!mark) return;
      const silent = (Date.now() - heardAt) / 1000;
      const stale = silent > 15 || !navigator.onLine;
      mark.classList.toggle("stale", stale);
      now.classList.toggle("is-stale", stale);
      mark.textContent = !navigator.onLine ? mark.dataset.offline
        : stale ? mark.dataset.stale.replace("{span}", span(silent)) : mark.dataset.live;
      /* A stream that a proxy holds back looks like silence: then the page asks by itself. */
      if (silent > 20 && Date.now() - polling > 8000) { polling = Date.now(); poll(); }
    };
    if (window.EventSource) listen(); else setInterval(poll, 5000);
    tick(); /* a page that was kept does not say that it is live */
    setInterval(tick, 1000);
    window.addEventListener("online", () => { if (window.EventSource) listen(); poll(); });
    window.addEventListener("offline", tick);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && Date.now() - heardAt > 10000) { if (window.EventSource) listen(); poll(); }
    });
  }

  /* ------------------------------------------------------------------------------------- the app */
  if ("serviceWorker" in navigator && window.isSecureContext) {
    window.addEventListener("load", () => { navigator.serviceWorker.register("/drive/sw.js", { scope: "/drive" }).catch(() => {}); });
  }
  all("form[data-sign-out]").forEach((form) => form.addEventListener("submit", () => {
    navigator.serviceWorker?.controller?.postMessage("forget");
  }));
})();
