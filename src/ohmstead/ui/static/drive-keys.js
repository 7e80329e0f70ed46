/* Passkeys of drivers: the browser asks its person, the server checks. */
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const door = one("[data-keys]");
  if (!door || !window.PublicKeyCredential || location.origin !== door.dataset.keys) return;
  door.hidden = false;

  const bytesOf = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withIds = (list) => (list ?? []).map((item) => ({ ...item, id: bytesOf(item.id) }));
  const call = async (path, body) => {
    let answer;
    try {
      answer = await fetch(path, {
        method: "POST",
        headers: {
          "Content-Type": "application/json", Accept: "application/json",
          "X-CSRF-Token": one("meta[name=csrf-token]")?.content ?? "",
        },
        body: JSON.stringify(body ?? {}),
      });
    } catch { throw new Error(door.dataset.unreachable); }
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.detail ?? told.title ?? door.dataset.unreachable);
    return told;
  };

  /* What a form was about to send goes on, with the token that counts now. */
  const goOn = (held, csrf) => {
    const { path, fields } = JSON.parse(held);
    const form = document.createElement("form");
    form.method = "post";
    form.action = path;
    form.hidden = true;
    for (const [name, value] of [["csrf_token", csrf], ...fields])
      form.append(Object.assign(document.createElement("textarea"), { name, value }));
    document.body.append(form);
    form.submit();
  };

  const actions = {
    "sign-in": async (button) => {
      const options = await call("/drive/sign-in/passkey/options");
      const made = await navigator.credentials.get({ publicKey: {
        ...options, challenge: bytesOf(options.challenge), allowCredentials: withIds(options.allowCredentials),
      } });
      const told = await call("/drive/sign-in/passkey", {
        id: made.id, rawId: textOf(made.rawId), type: made.type,
        response: {
          clientDataJSON: textOf(made.response.clientDataJSON),
          authenticatorData: textOf(made.response.authenticatorData),
          signature: textOf(made.response.signature),
          userHandle: made.response.userHandle ? textOf(made.response.userHandle) : null,
        },
      });
      const held = one("[data-held]")?.value;
      if (held) goOn(held, told.csrf_token); else location.assign(button.dataset.next);
    },
    add: async (button) => {
      const options = await call("/drive/me/passkeys/options");
      const made = await navigator.credentials.create({ publicKey: {
        ...options, challenge: bytesOf(options.challenge), user: { ...options.user, id: bytesOf(options.user.id) },
        excludeCredentials: withIds(options.excludeCredentials),
      } });
      await call("/drive/me/passkeys", {
        name: one("[name=passkey_name]").value,
        credential: {
          id: made.id, rawId: textOf(made.rawId), type: made.type,
          response: {
            clientDataJSON: textOf(made.response.clientDataJSON),
            attestationObject: textOf(made.response.attestationObject),
            transports: made.response.getTransports?.() ?? [],
          },
        },
      });
      location.assign(button.dataset.next);
    },
  };
  door.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-key]");
    if (!button) return;
    const place = one("[data-key-error]", door);
    button.disabled = true;
    place.hidden = true;
    try { await actions[button.dataset.key](button); } catch (error) {
      place.textContent = ["NotAllowedError", "InvalidStateError", "SecurityError"].includes(error.name) ? door.dataset.cancelled : error.message;
      place.hidden = false;
    } finally { button.disabled = false; }
  });
})();
