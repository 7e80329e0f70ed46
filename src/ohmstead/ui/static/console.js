/* Keys, copying, times in the viewer's zone, dialogs, and the map. Nothing here is needed to read a page. */
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  /* ------------------------------------------------------------------------------------------------------ times */

  const words = JSON.parse(one("#words")?.textContent ?? "{}");
  /* A text in the page's language; %(name)s in it is replaced by a value. */
  const _ = (text, values) => (words[text] ?? text).replace(/%\((\w+)\)s/g, (whole, name) => values?.[name] ?? whole);
  const language = document.documentElement.lang || "en";

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  if (document.body.dataset.zone !== zone)
    document.cookie = `ohmstead_zone=${zone}; path=/; max-age=31536000; samesite=lax`;

  const parts = (at) => Object.fromEntries(new Intl.DateTimeFormat(language === "en" ? "en-US" : language, {
    weekday: "short", day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
    second: "2-digit", hourCycle: "h23", timeZoneName: "short",
  }).formatToParts(at).map((part) => [part.type, part.value.replace(/\.$/, "")]));

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
    day: (at) => _("%(weekday)s %(day)s %(month)s", parts(at)),
    full: (at) => {
      const p = parts(at);
      return _("%(weekday)s %(day)s %(month)s %(year)s, %(time)s %(zone)s", { ...p, time: forms.clock(at), zone: p.timeZoneName });
    },
    short: (at) => {
      const p = parts(at), now = parts(new Date());
      if (p.day === now.day && p.month === now.month && p.year === now.year) return `${p.hour}:${p.minute}`;
      return `${p.year === now.year ? _("%(day)s %(month)s", p) : _("%(day)s %(month)s %(year)s", p)} ${p.hour}:${p.minute}`;
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
  window.ohmstead = { showTimes, _ };
  if (document.body.dataset.zone !== zone) {
    showTimes(document);
    document.addEventListener("htmx:afterSettle", () => showTimes(document));
  }
  const clock = one("[data-clock]");
  const tick = () => {
    showTimes(document, "age");
    if (clock) { const now = new Date(); clock.textContent = `${forms.day(now)} ${forms.clock(now)} ${parts(now).timeZoneName}`; }
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
  document.addEventListener("htmx:sendError", () => say(_("The server cannot be reached. What you typed is still here.")));
  document.addEventListener("htmx:responseError", (event) =>
    say(_("The server answered %(status)s. What you typed is still here.", { status: event.detail.xhr.status })));
  document.addEventListener("htmx:xhr:progress", (event) => {
    const place = one("[data-progress]", event.target), { loaded, total } = event.detail;
    if (place && total) place.textContent = loaded < total ? `, ${Math.floor(100 * loaded / total)} %` : _(", being checked");
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    one("[data-focus]", event.detail.elt)?.focus({ preventScroll: false });
    if (mapOf(event.detail.elt)) fitMap();
  });

  /* ------------------------------------------------------------------------------------------------------ copying */

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) {
      try { await navigator.clipboard.writeText(button.dataset.copy); say(_("Copied.")); }
      catch {
        const text = button.parentElement.querySelector("[data-copy-text]");
        if (text) getSelection().selectAllChildren(text);
        say(text ? _("Selected: copy it with Ctrl-C.") : _("The browser does not let us copy."));
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

  const grouped = (n) => n.toLocaleString(language === "en" ? "en-GB" : language);
  const chosen = (form) => {
    const all_ = one("[data-many-all]", form);
    return all_?.checked ? Number(one("[data-many-count]", form).dataset.all) : all("[data-pick]:checked", form).length;
  };
  const countChosen = (form) => {
    const n = chosen(form), picks = all("[data-pick]", form);
    one("[data-many-count]", form).textContent = n ? _("%(n)s chosen", { n: grouped(n) }) : "";
    const whole = one("[data-many-page]", form), some = picks.filter((pick) => pick.checked).length;
    whole.checked = some > 0 && some === picks.length;
    whole.indeterminate = some > 0 && some < picks.length;
  };
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-many]");
    if (!form) return;
    if (event.target.matches("[data-many-page]"))
      for (const pick of all("[data-pick]", form)) pick.checked = event.target.checked;
    countChosen(form);
  });
  document.addEventListener("submit", (event) => {
    const { form, submitter } = { form: event.target, submitter: event.submitter };
    if (!form.matches?.("form[data-many]") || !submitter?.dataset.manyAsk) return;
    const n = chosen(form);
    if (!n) {
      event.preventDefault();
      event.stopImmediatePropagation();
      say(_("Choose rows first: x, or the box at the start of a row."));
      return;
    }
    const { manyOne, manyMore } = form.dataset;
    const said = n === 1 ? manyOne ?? _("1 token") : manyMore?.replace("%n", grouped(n)) ?? _("%(n)s tokens", { n: grouped(n) });
    submitter.dataset.ask = submitter.dataset.manyAsk.replace("%n", said);
  }, true);
  document.addEventListener("keydown", (event) => {
    /* Enter in a field of a menu presses that menu's button, not the form's first one. */
    const sheet = event.key === "Enter" && event.target.matches?.("form[data-many] input") && event.target.closest(".sheet-in");
    if (!sheet) return;
    event.preventDefault();
    one("button", sheet).click();
  });

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

  /* A second press while the first is on its way does nothing. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.matches("[hx-post]")) return;
    if (Date.now() - Number(form.dataset.sentAt ?? 0) < 10_000) event.preventDefault();
    form.dataset.sentAt = Date.now();
  });
  addEventListener("pageshow", () => all("form[data-sent-at]").forEach((form) => delete form.dataset.sentAt));

  /* --------------------------------------------------------------------------------------------------------- keys */

  const jumps = {
    o: "/", s: "/stations", e: "/sessions", f: "/firmware", t: "/templates", r: "/reservations", c: "/certificates", l: "/locations",
    d: "/drivers", k: "/tokens", i: "/tariffs", b: "/money", p: "/reports", m: "/safe-limits", u: "/security", n: "/settings",
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
    x: () => {
      const pick = rows().find((row) => row.contains(document.activeElement));
      one("[data-pick]", pick ?? document.createElement("i"))?.click();
    },
    a: () => one("[data-activity] > summary")?.click(),
    "[": () => one("[data-before]")?.click(),
    "]": () => one("[data-after]")?.click(),
    "+": () => zoomMap(1.6), "=": () => zoomMap(1.6), "-": () => zoomMap(1 / 1.6), 0: () => resetMap(),
  };
  document.addEventListener("keydown", (event) => {
    const isField = event.target.matches?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]");
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

  /* -------------------------------------------------------------------------------------------- columns of a list */

  const columnsOf = (name) => one(`table[data-columns="${name}"]`);
  /* What is kept is a column's name in English, so that it is the same column in every language. */
  const heads = (table) => all("thead th", table).map((th) => (th.classList.contains("pick") ? "" : th.dataset.column ?? th.textContent.trim()));
  const wordsOf = (table, at) => all("thead th", table)[at].textContent.trim();
  const hideColumns = (menu) => {
    const table = columnsOf(menu.dataset.columnsOf);
    if (!table) return;
    const hidden = menu.dataset.hidden.split("|").filter(Boolean), names = heads(table);
    for (const row of all("tr", table))
      if (row.cells.length === names.length)
        names.forEach((name, at) => { if (name) row.cells[at].hidden = hidden.includes(name); });
  };
  const drawColumns = (menu) => {
    const table = columnsOf(menu.dataset.columnsOf), list = one("[data-columns-list]", menu);
    if (!table || list.childElementCount) return;
    const hidden = menu.dataset.hidden.split("|");
    heads(table).forEach((name, at) => {
      if (!name || at === heads(table).findIndex(Boolean)) return;
      const label = document.createElement("label"), box = document.createElement("input");
      label.className = "check";
      box.type = "checkbox";
      box.checked = !hidden.includes(name);
      box.value = name;
      label.append(box, ` ${wordsOf(table, at)}`);
      list.append(label);
    });
  };
  const keepColumns = async (menu) => {
    const hidden = all("input", menu).filter((box) => !box.checked).map((box) => box.value);
    menu.dataset.hidden = hidden.join("|");
    hideColumns(menu);
    const body = new URLSearchParams(hidden.map((name) => ["hidden", name]));
    try {
      const answer = await fetch(`/lists/${menu.dataset.columnsOf}/columns`, {
        method: "POST", body, headers: { "X-CSRF-Token": one("meta[name=csrf-token]").content, "HX-Request": "true" },
      });
      if (!answer.ok) say(_("Your choice of columns could not be kept."));
    } catch { say(_("The server cannot be reached. Your choice of columns was not kept.")); }
  };
  const allColumns = () => all("[data-columns-of]").forEach(hideColumns);
  document.addEventListener("htmx:afterSettle", allColumns);
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (menu.matches?.("[data-columns-of]") && menu.open) drawColumns(menu);
    if (menu.matches?.("[data-activity]")) {
      /* Closed, it holds nothing that would ask for news. */
      const drawer = one("[data-drawer]", menu);
      if (menu.open) window.htmx.ajax("GET", "/activity", { target: drawer, swap: "innerHTML" });
      else drawer.replaceChildren();
    }
    if (menu.matches?.(".menu") && menu.open) one("a, button, input:not([type=hidden])", one(".sheet-in", menu) ?? menu.lastElementChild)?.focus();
  }, true);
  document.addEventListener("change", (event) => {
    const menu = event.target.closest?.("[data-columns-of]");
    if (menu) keepColumns(menu);
  });
  allColumns();
  document.addEventListener("click", (event) => { if (event.target.closest?.("[data-print]")) print(); });

  /* ------------------------------------------------------------------------------------- hits while somebody types */

  const field = one("[data-search]"), hits = one("#hits");
  const showHits = (isShown) => {
    if (!hits) return;
    hits.hidden = !isShown || !hits.childElementCount;
  };
  field?.addEventListener("input", () => { if (!field.value.trim()) { hits.replaceChildren(); showHits(false); } });
  field?.addEventListener("focus", () => showHits(true));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === hits) showHits(document.activeElement === field);
  });
  document.addEventListener("click", (event) => { if (hits && !event.target.closest?.(".search")) showHits(false); });
  document.addEventListener("keydown", (event) => {
    const form = event.target.closest?.(".search");
    if (!form || !hits || hits.hidden) return;
    const list = all("[data-hit]", hits), at = list.indexOf(document.activeElement);
    if (event.key === "ArrowDown") { event.preventDefault(); list[Math.min(list.length - 1, at + 1)]?.focus(); }
    else if (event.key === "ArrowUp") { event.preventDefault(); (at > 0 ? list[at - 1] : field).focus(); }
    else if (event.key === "Escape") { field.focus(); showHits(false); }
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
