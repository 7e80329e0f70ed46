/* Finding an order, giving up waiting, and looking closer at a station's day. Nothing here is needed to read a page. */
(() => {
  "use strict";
  const _ = window.ohmstead?._ ?? ((text) => text);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  /* ------------------------------------------------------------------------------------- the list of orders */

  document.addEventListener("input", (event) => {
    const place = event.target.dataset?.filter;
    const list = place && document.getElementById(place);
    if (!list) return;
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const group of all("details", list)) {
      let shown = 0;
      for (const item of all("li", group)) {
        item.hidden = !words.every((word) => item.dataset.words.includes(word));
        if (!item.hidden) shown += 1;
      }
      group.hidden = shown === 0;
      group.open = words.length > 0 || all("details", list).length === 1;
      n += shown;
    }
    const none = one("[data-filter-none]", event.target.parentElement);
    if (none) none.hidden = n > 0;
  });
  const offers = (list) => all("a.offer", list).filter((offer) => offer.offsetParent !== null);
  document.addEventListener("keydown", (event) => {
    const place = event.target.dataset?.filter;
    if (place) {
      const found = offers(document.getElementById(place));
      if (event.key === "Enter") {
        event.preventDefault();
        const phrase = event.target.value.trim().toLowerCase();
        (found.find((offer) => offer.parentElement.dataset.words.includes(phrase)) ?? found[0])?.click();
      }
      if (event.key === "ArrowDown") { event.preventDefault(); found[0]?.focus(); }
      return;
    }
    const list = event.target.closest?.(".offers");
    if (!list || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    const found = offers(list), at = found.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    if (at < 0) one(`[data-filter="${list.id}"]`)?.focus();
    else found[at]?.focus();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-stop-waiting]")) window.htmx.trigger(event.target.closest("form"), "htmx:abort");
  });

  /* ---------------------------------------------------------------------------------------------- a day */

  const zooms = { "+": "in", "=": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", 0: "whole" };
  document.addEventListener("keydown", (event) => {
    const link = one("[data-day]") && zooms[event.key] && one(`[data-zoom="${zooms[event.key]}"]`);
    if (!link || event.target.matches?.("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (one("dialog[open]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    link.click();
  }, true);

  const follow = (day) => {
    if (!day || day.dataset.followed) return;
    day.dataset.followed = "yes";
    const [left, right] = [Number(day.dataset.left), Number(day.dataset.right)];
    const [from, to] = [Date.parse(day.dataset.from), Date.parse(day.dataset.to)];
    const cursor = one("[data-day-cursor]", day);
    const said = one("[data-day-said]");
    const hint = said.textContent;
    const placeOf = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(day.getScreenCTM().inverse());
      return Math.min(right, Math.max(left, point.x));
    };
    const timeAt = (x) => new Date(from + (x - left) / (right - left) * (to - from));
    const height = day.viewBox.baseVal.height;
    const words = (x) => {
      const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
      const found = [];
      for (const shape of all("rect, a", day)) {
        const box = shape.getBBox(), title = [...shape.children].find((child) => child.tagName === "title");
        if (title && box.x <= x && x <= box.x + Math.max(box.width, 2)) found.push(title.textContent);
      }
      const nothing = _("nothing");
      return _("%(time)s on your clock: %(what)s", { time: time.format(timeAt(x)), what: found.join("; ") || nothing });
    };
    let begun = null;
    day.addEventListener("dragstart", (event) => event.preventDefault());
    day.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType === "mouse") begun = placeOf(event);
    });
    day.addEventListener("pointermove", (event) => {
      const x = placeOf(event);
      const isSpan = begun !== null && Math.abs(x - begun) > 4;
      cursor.classList.toggle("is-span", isSpan);
      cursor.setAttribute("d", isSpan ? `M${begun} 16H${x}V${height - 22}H${begun}z` : `M${x} 16V${height - 22}`);
      said.textContent = words(x);
    });
    day.addEventListener("pointerleave", () => { cursor.setAttribute("d", "M0 0"); said.textContent = hint; begun = null; });
    const look = (path, a, b) => {
      const query = new URLSearchParams({ from: a.toISOString(), to: b.toISOString() });
      location.href = `${day.dataset.path}/${path}?${query}`;
    };
    let wasDragged = false;
    day.addEventListener("pointerup", (event) => {
      if (begun === null) return;
      const [a, b] = [begun, placeOf(event)].sort((m, n) => m - n);
      begun = null;
      wasDragged = b - a > 4;
      if (wasDragged && timeAt(b) - timeAt(a) >= 120000) look("day", timeAt(a), timeAt(b));
    });
    day.addEventListener("click", (event) => {
      if (wasDragged) { event.preventDefault(); wasDragged = false; return; }
      if (event.target.closest("a") || !day.dataset.messages) return;
      const at = timeAt(placeOf(event)).getTime(), half = Math.max((to - from) / 200, 30000);
      look("log", new Date(at - half), new Date(at + half));
    });
  };
  follow(one("[data-day]"));
  /* The day is drawn anew while it goes on. */
  document.addEventListener("htmx:afterSettle", () => follow(one("[data-day]")));
})();
