// Lets a page follow what happens: on word from the server it asks for itself again, and takes the new parts over.
(() => {
  "use strict";
  const source = document.body.dataset.live;
  const mark = document.getElementById("live");
  if (!source || !window.EventSource || !window.fetch) return;

  let busy = false;
  let again = false;
  let print = null;

  const say = (state, text) => {
    mark.dataset.state = state;
    if (text) mark.textContent = text;
  };

  // What the reader opened stays open, and the focus stays where it was.
  const take = (part, fresh) => {
    if (part.innerHTML === fresh.innerHTML) return;
    const open = new Set([...part.querySelectorAll("details[open][id]")].map((it) => it.id));
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    const href = active && active.getAttribute("href");
    part.replaceChildren(...fresh.childNodes);
    for (const it of part.querySelectorAll("details[id]")) if (open.has(it.id)) it.open = true;
    if (href) {
      const same = [...part.querySelectorAll("a[href]")].find((it) => it.getAttribute("href") === href);
      if (same) same.focus({ preventScroll: true });
    }
  };

  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { redirect: "error", cache: "no-store" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-part]")) {
          const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
          if (fresh) take(part, fresh);
        }
        const made = page.getElementById("live");
        say("on", made && made.textContent);
      }
    } catch {
      say("off");
    }
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  };

  const stream = new EventSource(source);
  stream.addEventListener("now", (word) => {
    // After a pause in the line, what it missed is asked for.
    if (print !== null && print !== word.data) refresh();
    print = word.data;
    say("on");
  });
  stream.addEventListener("changed", (word) => {
    print = word.data;
    refresh();
  });
  stream.onerror = () => say("off");
  // Ages grow while nothing else happens.
  setInterval(() => document.hidden || refresh(), 15000);
})();
