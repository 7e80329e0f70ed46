/* Passkeys: the browser asks its person, the server checks. Also: going on with what was typed after a proof. */
(() => {
  "use strict";
  const _ = window.ohmstead?._ ?? ((text) => text);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const token = () => one("meta[name=csrf-token]")?.content ?? "";

  const bytesOf = (text) => {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (char) => char.charCodeAt(0));
  };
  const textOf = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withIds = (list) => (list ?? []).map((item) => ({ ...item, id: bytesOf(item.id) }));

  const call = async (path, body) => {
    let answer;
    try {
      answer = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": token() },
        body: JSON.stringify(body ?? {}),
      });
    } catch { throw new Error(_("The server cannot be reached.")); }
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    const error = new Error(told.detail ?? told.error ?? _("The server answered %(status)s.", { status: answer.status }));
    error.needsProof = String(told.type ?? "").endsWith("/proof-needed");
    throw error;
  };

  const sign = async (optionsPath) => {
    const options = await call(optionsPath);
    const publicKey = { ...options, challenge: bytesOf(options.challenge), allowCredentials: withIds(options.allowCredentials) };
    const made = await navigator.credentials.get({ publicKey });
    return {
      id: made.id, rawId: textOf(made.rawId), type: made.type,
      response: {
        clientDataJSON: textOf(made.response.clientDataJSON),
        authenticatorData: textOf(made.response.authenticatorData),
        signature: textOf(made.response.signature),
        userHandle: made.response.userHandle ? textOf(made.response.userHandle) : null,
      },
    };
  };
  const register = async () => {
    const options = await call("/account/passkeys/options");
    const publicKey = {
      ...options, challenge: bytesOf(options.challenge), user: { ...options.user, id: bytesOf(options.user.id) },
      excludeCredentials: withIds(options.excludeCredentials),
    };
    const made = await navigator.credentials.create({ publicKey });
    return {
      id: made.id, rawId: textOf(made.rawId), type: made.type,
      response: {
        clientDataJSON: textOf(made.response.clientDataJSON),
        attestationObject: textOf(made.response.attestationObject),
        transports: made.response.getTransports?.() ?? [],
      },
    };
  };

  const words = (error) => {
    if (error.name === "NotAllowedError") return _("No passkey was shown, or it took too long. Nothing has changed.");
    if (error.name === "InvalidStateError") return _("This device holds one of your passkeys already.");
    if (error.name === "SecurityError") return _("Passkeys do not work under this address.");
    return error.message;
  };
  const complain = (near, error) => {
    const place = one("[data-passkey-error]", near.closest("[data-proof], [data-passkey-door], form") ?? document);
    if (!place) return;
    place.textContent = words(error);
    place.hidden = false;
  };

  /* What a form was about to send goes on, with the token that counts now. */
  const goOn = (held, csrf) => {
    const { path, fields } = JSON.parse(held);
    const form = document.createElement("form");
    form.method = "post";
    form.action = path;
    for (const [name, value] of [["csrf_token", csrf], ...fields]) {
      const field = document.createElement("textarea");
      field.name = name;
      field.value = value;
      form.append(field);
    }
    form.hidden = true;
    document.body.append(form);
    form.submit();
  };

  /* The dialog of a page that is open: what was pressed is pressed again after the proof. */
  let waiting = null;
  const proved = (near, csrf) => {
    const dialog = near.closest("dialog");
    if (dialog) {
      dialog.close();
      const again = waiting;
      waiting = null;
      again?.();
      return;
    }
    const held = one("[name=held]", near.closest("[data-proof]"))?.value ?? document.querySelector("[data-held]")?.value;
    if (held) goOn(held, csrf); else location.assign("/account");
  };
  const askForProof = (again) => {
    const dialog = one("#proof");
    if (!dialog) { location.reload(); return; }
    waiting = again;
    dialog.showModal();
  };
  document.addEventListener("ohmstead:proof", (event) => {
    const source = event.target;
    askForProof(() => (source.matches("form") ? source.requestSubmit() : source.click()));
  });

  const actions = {
    "sign-in": async (button) => {
      const told = await call("/sign-in/passkey", await sign("/sign-in/passkey/options"));
      const held = one("[data-held]")?.value;
      if (held) goOn(held, told.csrf_token); else location.assign(button.dataset.next || "/");
    },
    prove: async (button) => {
      const told = await call("/prove/passkey", await sign("/prove/passkey/options"));
      proved(button, told.csrf_token);
    },
    add: async (button) => {
      const name = one("[name=passkey_name]", button.form).value;
      await call("/account/passkeys", { name, credential: await register() });
      location.assign("/account");
    },
  };
  const press = async (button) => {
    button.disabled = true;
    all("[data-passkey-error]").forEach((place) => { place.hidden = true; });
    try { await actions[button.dataset.passkey](button); }
    catch (error) {
      if (error.needsProof) askForProof(() => press(button)); else complain(button, error);
    } finally { button.disabled = false; }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-passkey]");
    if (button) press(button);
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches?.("dialog [data-prove-form]")) return;
    event.preventDefault();
    try {
      const answer = await fetch("/prove", {
        method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(new FormData(form)),
      });
      const told = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(told.error ?? told.detail ?? _("The server answered %(status)s.", { status: answer.status }));
      form.reset();
      proved(form, told.csrf_token);
    } catch (error) { complain(form, error); }
  });

  /* Buttons show where they can work. */
  const door = one("[data-passkey-door]");
  const isHere = !door || location.origin === door.dataset.origin;
  if (window.PublicKeyCredential && isHere) all("[data-passkey]").forEach((button) => { button.hidden = false; });
  if (door && !isHere) one("[data-passkey-elsewhere]").hidden = false;
})();
