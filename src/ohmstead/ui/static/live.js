/* The live stream: one EventSource per page. Sets texts in place, fetches fragments anew, and says when it is stale.
   The server sends, per event: set (place → text), width (place → percent), touch (what changed), line (for the feed). */
(() => {
  "use strict";
  const STALE_AFTER_MS = 12000;
  const mark = document.querySelector("[data-live-mark]");
  if (!mark || !window.EventSource) return;

  const _ = window.ohmstead?._ ?? ((text) => text);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const station = document.querySelector("[data-live-station]")?.dataset.liveStation;
  let source = null;
  let heardAt = Date.now();
  let wasLost = false;
  let isWhole = true;

  /* -------------------------------------------------------------------------------------- texts in place */

  const place = (attribute, name) => all(`[${attribute}="${CSS.escape(name)}"]`);

  const setTexts = (texts) => {
    for (const [name, text] of Object.entries(texts ?? {}))
      for (const element of place("data-live", name))
        if (element.textContent !== text) {
          element.textContent = text;
          element.classList.remove("changed");
          requestAnimationFrame(() => element.classList.add("changed"));
        }
  };
  const setWidths = (widths) => {
    for (const [name, width] of Object.entries(widths ?? {}))
      for (const element of place("data-live-width", name)) element.setAttribute("width", width);
  };

  /* -------------------------------------------------------------------------- fragments, no more often than they say */

  const fetchedAt = new Map();
  const waiting = new Set();

  const isBusy = (element) => {
    const active = document.activeElement;
    const isTyping = active && element.contains(active) && active.matches("input:not([type=button]), select, textarea");
    return document.hidden || isTyping || element.querySelector("dialog[open], .htmx-request, details[data-list-menu][open]") !== null;
  };

  const refresh = (id) => {
    const element = document.getElementById(id);
    if (!element) return void waiting.delete(id);
    if (isBusy(element)) return void setTimeout(() => refresh(id), 1000);
    waiting.delete(id);
    fetchedAt.set(id, Date.now());
    if (element.dataset.messages !== undefined) (element.dataset.paused === "true" ? countMessages : newMessages)(element);
    else window.htmx.trigger(element, "refresh");
  };

  const wantRefresh = (element) => {
    if (!element.id || waiting.has(element.id)) return;
    waiting.add(element.id);
    const every = Number(element.dataset.every ?? 2000);
    const since = Date.now() - (fetchedAt.get(element.id) ?? 0);
    setTimeout(() => refresh(element.id), Math.max(250, every - since));
  };

  const touch = (names) => {
    const touched = new Set(names);
    for (const element of all("[data-refresh]"))
      if (element.dataset.refresh.split(" ").some((name) => touched.has(name))) wantRefresh(element);
  };
  const touchAll = () => all("[data-refresh]").forEach(wantRefresh);

  /* Rows of the message log that came after the newest one shown; while it is paused, only how many. */
  const newerThan = (list) => {
    const newest = list.querySelector("[data-received]")?.dataset.received ?? "";
    const joint = list.dataset.messages.includes("?") ? "&" : "?";
    return `${list.dataset.messages}${joint}after=${encodeURIComponent(newest)}`;
  };
  const countMessages = async (list) => {
    const button = document.querySelector(`[data-log-pause="${CSS.escape(list.id)}"]`);
    const answer = await fetch(`${newerThan(list)}&count=1`).catch(() => null);
    const n = answer?.ok && !answer.redirected ? Number(await answer.text()) : 0;
    if (button && n && list.dataset.paused === "true") button.textContent = _("Go on, %(n)s new", { n });
  };
  const newMessages = (list) => {
    window.htmx.ajax("GET", newerThan(list), { target: list, swap: "afterbegin" }).then(() => {
      all("[data-received]", list).slice(200).forEach((row) => row.remove());
      if (list.querySelector("[data-received]")) all(".calm", list).forEach((note) => note.remove());
    });
  };

  /* What was open stays open when a fragment is replaced. */
  const openDetails = new Map();
  const detailsKey = (details, index) => details.id || `${index}`;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    if (!target?.id) return;
    const open = all("details", target).map((d, i) => (d.open ? detailsKey(d, i) : null)).filter((k) => k !== null);
    if (open.length) openDetails.set(target.id, new Set(open));
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const target = document.getElementById(event.detail.target?.id ?? event.target.id);
    const open = target && openDetails.get(target.id);
    if (!open) return;
    openDetails.delete(target.id);
    all("details", target).forEach((d, i) => { if (open.has(detailsKey(d, i))) d.open = true; });
  });

  /* -------------------------------------------------------------------------------------------------- the feed */

  const feed = document.querySelector("[data-feed]");
  const pause = document.querySelector("[data-feed-pause]");
  const MOST_LINES = 10;
  let lineAt = null;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const symbol = (name) => {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg");
    const use = document.createElementNS(ns, "use");
    const known = document.querySelector("use[href*='icons.svg']")?.getAttribute("href").split("#")[0];
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `${known}#i-${name}`);
    svg.append(use);
    return svg;
  };
  const localPath = (path) => (/^\/[^/\\]/.test(path) ? path : "/");

  const addLine = (line) => {
    if (!feed || !line) return;
    lineAt = Date.now();
    if (pause?.getAttribute("aria-pressed") === "true") return;
    const item = element("li", `${line.tone} new`);
    const time = element("time");
    time.dateTime = line.at;
    time.dataset.form = "clock";
    const words = element("span");
    const name = element("a", "id", line.station);
    name.href = `/stations/${encodeURIComponent(line.station)}`;
    const what = element("a", "what", line.text);
    what.href = localPath(line.path);
    words.append(name, " ", what);
    item.append(time, symbol(line.icon), words, element("span", "num", line.note));
    window.ohmstead?.showTimes(item);
    feed.querySelector(".none")?.remove();
    feed.prepend(item);
    all("li", feed).slice(MOST_LINES).forEach((old) => old.remove());
    setTimeout(() => item.classList.remove("new"), 4000);
  };
  pause?.addEventListener("click", () => {
    const isPaused = pause.getAttribute("aria-pressed") === "true";
    pause.setAttribute("aria-pressed", String(!isPaused));
    pause.textContent = isPaused ? _("Pause") : _("Go on");
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-log-pause]");
    if (!button) return;
    const list = document.getElementById(button.dataset.logPause);
    const isPaused = list.dataset.paused === "true";
    list.dataset.paused = String(!isPaused);
    button.setAttribute("aria-pressed", String(!isPaused));
    button.textContent = isPaused ? _("Pause") : _("Go on");
    if (isPaused) wantRefresh(list);
  });

  /* ----------------------------------------------------------------------------------------- fresh or stale */

  const showAge = () => {
    const silent = Date.now() - heardAt;
    const isStale = silent > STALE_AFTER_MS || !isWhole;
    if (isStale !== mark.classList.contains("stale")) {
      mark.classList.toggle("stale", isStale);
      document.body.classList.toggle("is-stale", isStale);
      mark.textContent = isStale ? _("Stale") : _("Live");
      all(".live:not([data-live-mark])").forEach((other) => other.classList.toggle("stale", isStale));
    }
    mark.title = isStale
      ? _("Nothing heard for %(seconds)s s: what you see may be old", { seconds: Math.round(silent / 1000) })
      : _("Values change by themselves");
    if (isStale) mark.textContent = isWhole ? _("Stale for %(seconds)s s", { seconds: Math.round(silent / 1000) }) : _("Stale");
    for (const age of all("[data-feed-age]"))
      age.textContent = lineAt ? _("last %(seconds)s s ago", { seconds: Math.round((Date.now() - lineAt) / 1000) }) : _("listening");
  };
  setInterval(showAge, 1000);
  showAge();

  /* What happened since the page was read comes first: it listens a moment later than that. */
  const wanted = [["station", station], ["since", mark.dataset.liveSince]].filter(([, value]) => value);
  const asked = `${new URLSearchParams(wanted)}`;

  const open = () => {
    source = new EventSource(asked ? `/live?${asked}` : "/live");
    source.addEventListener("open", () => {
      heardAt = Date.now();
      if (wasLost) touchAll();
      wasLost = false;
    });
    source.addEventListener("beat", (event) => {
      heardAt = Date.now();
      try {
        const beat = JSON.parse(event.data);
        if (beat.is_whole && !isWhole) touchAll();
        isWhole = beat.is_whole !== false;
      } catch { /* the first beat is a bare time */ }
    });
    source.addEventListener("news", (event) => {
      heardAt = Date.now();
      const news = JSON.parse(event.data);
      if (news.resync) return touchAll();
      setTexts(news.set);
      setWidths(news.width);
      addLine(news.line);
      if (news.only) for (const time of all("[data-seen] time")) time.dateTime = news.at;
      touch(news.touch ?? []);
    });
    source.addEventListener("error", () => {
      wasLost = true;
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
    });
  };
  open();
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { open(); touchAll(); } });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) showAge(); });
})();
