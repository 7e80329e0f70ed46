/* The driver's app without a connection: style, script, and the last state of a charge that this device opened itself by
   its pass. Pages of an account are never kept: another person may hold the phone tomorrow. */
const SHELL = "drive-shell-1";
const CHARGES = "drive-charges-1";
const FILES = [/* SHELL */];

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(SHELL);
    await cache.addAll([...FILES, "/drive/offline"]);
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    const keep = new Set([...FILES, "/drive/offline"]);
    const cache = await caches.open(SHELL);
    for (const request of await cache.keys()) {
      const url = new URL(request.url);
      if (!keep.has(url.pathname + url.search)) await cache.delete(request);
    }
    await self.clients.claim();
  })());
});

const isCharge = (url) => /^\/drive\/s\/[A-Za-z0-9_-]+$/.test(url.pathname);

const fromNetwork = async (request, url) => {
  const answer = await fetch(request);
  if (isCharge(url) && answer.ok && !answer.redirected) {
    const cache = await caches.open(CHARGES);
    for (const known of await cache.keys()) {
      if (new URL(known.url).pathname !== url.pathname) await cache.delete(known);
    }
    await cache.put(url.pathname, answer.clone());
  }
  return answer;
};

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (FILES.includes(url.pathname + url.search)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
    return;
  }
  if (request.mode !== "navigate" || !url.pathname.startsWith("/drive")) return;
  event.respondWith(fromNetwork(request, url).catch(async () => {
    const kept = isCharge(url) ? await caches.match(url.pathname) : undefined;
    return kept ?? await caches.match("/drive/offline") ?? Response.error();
  }));
});

self.addEventListener("message", (event) => {
  /* Signed out here: nothing of a charge stays, and no message comes to whoever has the device next. */
  if (event.data === "forget") {
    event.waitUntil(Promise.all([
      caches.delete(CHARGES),
      self.registration.pushManager?.getSubscription().then((known) => known?.unsubscribe()),
    ]));
  }
});

self.addEventListener("push", (event) => {
  let told = {};
  try { told = event.data?.json() ?? {}; } catch { return; }
  const path = typeof told.url === "string" ? told.url : "/drive/home";
  event.waitUntil(self.registration.showNotification(String(told.title ?? ""), {
    body: String(told.body ?? ""), tag: told.tag ? String(told.tag) : undefined, data: { path },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const target = new URL(event.notification.data?.path ?? "/drive/home", self.location.origin);
  if (target.origin !== self.location.origin) return;
  event.waitUntil((async () => {
    const windows = await self.clients.matchAll({ type: "window" });
    const open = windows.find((one) => new URL(one.url).pathname === target.pathname);
    if (open) return open.focus();
    return self.clients.openWindow(target.href);
  })());
});
