/* Keys, copying, times in the viewer's zone, dialogs, and the map. Nothing here is needed to read a page. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  /* ------------------------------------------------------------------------------------------------------ times */

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  if (document.body.dataset.zone !== zone)
    document.cookie = `ohmstead_zone=${zone}; path=/; max-age=31536000; samesite=lax`;

  const parts = (at) => Object.fromEntries(new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
    second: "2-digit", hourCycle: "h23", timeZoneName: "short",
  }).formatToParts(at).map((part) => [part.type, part.value]));

  const spanText = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    const [m, h, d] = [Math.floor(s / 60) % 60, Math.floor(s / 3600) % 24, Math.floor(s / 86400)];
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${m} min`;
    if (!d) return m ? `${h} h ${m} min` : `${h} h`;
    return d < 7 && h ? `${d} d ${h} h` : `${d} d`;
  };
  const forms = {
    clock: (at) => { const p = parts(at); return `${p.hour}:${p.minute}:${p.second}`; },
    minute: (at) => { const p = parts(at); return `${p.hour}:${p.minute}`; },
    milli: (at) => `${forms.clock(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`,
    day: (at) => { const p = parts(at); return `${p.weekday} ${p.day} ${p.month}`; },
    full: (at) => { const p = parts(at); return `${p.weekday} ${p.day} ${p.month} ${p.year}, ${forms.clock(at)} ${p.timeZoneName}`; },
    short: (at) => {
      const p = parts(at), now = parts(new Date());
      if (p.day === now.day && p.month === now.month && p.year === now.year) return `${p.hour}:${p.minute}`;
      return `${p.day} ${p.month}${p.year === now.year ? "" : ` ${p.year}`} ${p.hour}:${p.minute}`;
    },
    age: (at) => spanText((Date.now() - at) / 1000),
  };
  const showTimes = (root, only) => {
    for (const time of all(only ? `time[data-form="${only}"]` : "time[data-form]", root)) {
      const text = forms[time.dataset.form]?.(new Date(time.dateTime));
      if (text && time.textContent !== text) time.textContent = text;
      if (!time.title) time.title = forms.full(new Date(time.dateTime));
    }
  };
  window.ohmstead = { showTimes };
  if (document.body.dataset.zone !== zone) {
    showTimes(document);
    document.addEventListener("htmx:afterSettle", () => showTimes(document));
  }
  const clock = one("[data-clock]");
  const tick = () => {
    showTimes(document, "age");
    if (clock) { const p = parts(new Date()); clock.textContent = `${p.weekday} ${p.day} ${p.month} ${p.hour}:${p.minute}:${p.second} ${p.timeZoneName}`; }
  };
  setInterval(tick, 1000);
  tick();

  /* ---------------------------------------------------------------------------------- HTMX: the token, and failures */

  const toast = one("[data-toast]");
  let toastTimer = 0;
  const say = (text) => {
    if (!toast) return;
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { toast.hidden = true; }, 6000);
  };
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = one("meta[name=csrf-token]")?.content ?? "";
  });
  document.addEventListener("htmx:sendError", () => say("The server cannot be reached. What you typed is still here."));
  document.addEventListener("htmx:responseError", (event) =>
    say(`The server answered ${event.detail.xhr.status}. What you typed is still here.`));
  document.addEventListener("htmx:xhr:progress", (event) => {
    const place = one("[data-progress]", event.target), { loaded, total } = event.detail;
    if (place && total) place.textContent = loaded < total ? `, ${Math.floor(100 * loaded / total)} %` : ", being checked";
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    one("[data-focus]", event.detail.elt)?.focus({ preventScroll: false });
    if (mapOf(event.detail.elt)) fitMap();
  });

  /* ------------------------------------------------------------------------------------------------------ copying */

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) {
      try { await navigator.clipboard.writeText(button.dataset.copy); say("Copied."); }
      catch {
        const text = button.parentElement.querySelector("[data-copy-text]");
        if (text) getSelection().selectAllChildren(text);
        say(text ? "Selected: copy it with Ctrl-C." : "The browser does not let us copy.");
      }
    }
    if (event.target.closest?.("[data-print]")) print();
    if (event.target.closest?.("[data-keys]")) one("#keys")?.showModal();
    const menu = one("details.menu[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
  });

  one(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  /* --------------------------------------------------------------------------------- forms that send themselves */

  document.addEventListener("change", async (event) => {
    const into = event.target.dataset?.fileInto;
    if (into && event.target.files[0]) document.getElementById(into).value = await event.target.files[0].text();
    if (event.target.matches?.("[data-submit]")) event.target.form.requestSubmit();
  });
  one("form[data-send-now]")?.requestSubmit();
  document.addEventListener("submit", (event) => {
    /* An empty field says nothing: keep it out of the address. */
    if (event.target.matches?.("form[data-tidy]"))
      for (const field of event.target.elements) if (field.name && field.value === "") field.disabled = true;
  });

  /* ------------------------------------------------------------------------------ what cannot be taken back: ask once */

  const ask = one("#ask");
  let asked = null;
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!ask || !button?.dataset.ask || asked === button) { asked = null; return; }
    event.preventDefault();
    event.stopImmediatePropagation();
    const { action } = button.form, words = button.textContent;
    one("#ask-text", ask).textContent = button.dataset.ask;
    one("[value=yes]", ask).textContent = button.textContent.trim();
    ask.returnValue = "no";
    ask.onclose = () => {
      /* The page may have been drawn anew meanwhile. */
      const now = button.isConnected ? button
        : all("[data-ask]").find((other) => other.form?.action === action && other.textContent === words);
      if (ask.returnValue !== "yes" || !now) return;
      asked = now;
      now.form.requestSubmit(now);
    };
    ask.showModal();
  }, true);

  /* --------------------------------------------------------------------------------------------------------- keys */

  const jumps = {
    o: "/", s: "/stations", e: "/sessions", f: "/firmware", t: "/templates", r: "/reservations", c: "/certificates", l: "/locations",
  };
  let isGoing = 0;
  const rows = () => all("[data-row]").filter((row) => row.offsetParent !== null);
  const move = (step) => {
    const list = rows();
    if (!list.length) return;
    const at = list.findIndex((row) => row.contains(document.activeElement));
    const next = list[Math.min(list.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    one("a, summary", next)?.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const actions = {
    "/": () => { const field = one("[data-search]"); field?.focus(); field?.select(); },
    "?": () => one("#keys")?.showModal(),
    j: () => move(1),
    k: () => move(-1),
    "[": () => one("[data-before]")?.click(),
    "]": () => one("[data-after]")?.click(),
    "+": () => zoomMap(1.6), "=": () => zoomMap(1.6), "-": () => zoomMap(1 / 1.6), 0: () => resetMap(),
  };
  document.addEventListener("keydown", (event) => {
    const isField = event.target.matches?.("input, select, textarea, [contenteditable]");
    if (event.key === "Escape") {
      if (isField) event.target.blur();
      const menu = one("details.menu[open]");
      if (menu) { menu.open = false; one("summary", menu).focus(); }
    }
    if (isField || event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (isGoing && Date.now() - isGoing < 1500 && jumps[event.key]) {
      isGoing = 0;
      event.preventDefault();
      location.href = jumps[event.key];
      return;
    }
    isGoing = 0;
    if (event.key === "g") { isGoing = Date.now(); return; }
    const action = actions[event.key];
    if (action && (event.key !== "0" || mapOf(document))) { event.preventDefault(); action(); }
  });

  /* ----------------------------------------------------------------------------------------------------- the map */

  const W = 728;
  const heightOf = (map) => Number(map?.getAttribute("viewBox").split(" ")[3] ?? 0);
  const view = { k: 1, x: 0, y: 0 };
  function mapOf(root) { return root?.querySelector?.("[data-map]") ?? null; }

  function fitMap() {
    const map = mapOf(document);
    if (!map) return;
    one("[data-map-world]", map).setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
    one("[data-map-grid]", map).setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
    for (const site of all("[data-x]", map)) {
      /* Marks and words keep their size: each is scaled back around its own point. */
      const { x, y } = site.dataset;
      site.setAttribute("transform", view.k === 1 ? "" : `translate(${x} ${y}) scale(${1 / view.k}) translate(${-x} ${-y})`);
      const label = one("[data-label]", site);
      if (label && !label.dataset.first) label.dataset.first = label.getAttribute("class");
      if (label) label.setAttribute("class", view.k >= 2.5 ? label.dataset.first.replace("hidden", "") : label.dataset.first);
    }
    one("[data-map-scale]", map).classList.toggle("hidden", view.k !== 1);
  }
  function zoomMap(factor, atX = W / 2, atY = heightOf(mapOf(document)) / 2) {
    const k = Math.min(40, Math.max(1, view.k * factor));
    view.x = atX - (atX - view.x) * (k / view.k);
    view.y = atY - (atY - view.y) * (k / view.k);
    view.k = k;
    if (k === 1) view.x = view.y = 0;
    fitMap();
  }
  function resetMap() { Object.assign(view, { k: 1, x: 0, y: 0 }); fitMap(); }

  const pointIn = (map, event) => {
    const box = map.getBoundingClientRect();
    return [(event.clientX - box.left) * (W / box.width), (event.clientY - box.top) * (heightOf(map) / box.height)];
  };
  document.addEventListener("click", (event) => {
    const zoom = event.target.closest?.("[data-map-zoom]")?.dataset.mapZoom;
    if (zoom === "in") zoomMap(1.6);
    if (zoom === "out") zoomMap(1 / 1.6);
    if (zoom === "all") resetMap();
  });
  document.addEventListener("wheel", (event) => {
    const map = event.target.closest?.("[data-map]");
    if (!map || !(event.ctrlKey || event.metaKey || view.k > 1)) return;
    event.preventDefault();
    zoomMap(event.deltaY < 0 ? 1.25 : 0.8, ...pointIn(map, event));
  }, { passive: false });
  let drag = null;
  document.addEventListener("pointerdown", (event) => {
    const map = event.target.closest?.("[data-map]");
    if (map && view.k > 1) drag = { map, at: pointIn(map, event), x: view.x, y: view.y, moved: false };
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = pointIn(drag.map, event);
    view.x = drag.x + x - drag.at[0];
    view.y = drag.y + y - drag.at[1];
    drag.moved ||= Math.hypot(x - drag.at[0], y - drag.at[1]) > 4;
    fitMap();
  });
  document.addEventListener("pointerup", () => { const last = drag; setTimeout(() => { if (drag === last) drag = null; }); });
  document.addEventListener("click", (event) => {
    if (drag?.moved) { event.preventDefault(); drag = null; }
  }, true);
})();
