"use strict";
// The pages work without this script. It updates an open page, and submits forms and opens rows
// without reloading it. The server has escaped all HTML.

const INTERVAL = 2000;
const main = document.getElementById("main");

async function load(address, options) {
  const response = await fetch(address, options);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!page.getElementById("main")) throw new Error("no page of the console");
  return { page, address: response.url };
}

function isBusy(region) {
  const active = document.activeElement;
  const selection = document.getSelection();
  return (region.contains(active) && active.matches("input, select, textarea"))
    || region.querySelector("details[open] form") !== null
    || (!selection.isCollapsed && region.contains(selection.anchorNode));
}

function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  for (const details of old.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
  }
  const scrolled = [...old.querySelectorAll("pre")].map((each) => each.scrollTop);
  old.replaceChildren(...fresh.childNodes);
  old.querySelectorAll("pre").forEach((each, index) => { each.scrollTop = scrolled[index] ?? 0; });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  showCopyButtons(old);
}

let version = 0;
let isPressed = false; // replacing a region during a click would lose the click
for (const [name, value] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) {
  document.addEventListener(name, () => { isPressed = value; });
}

async function update() {
  const started = version;
  const { page } = await load(location.href.split("#")[0]);
  if (started !== version || isPressed) return; // a newer page is shown
  for (const region of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(region.id);
    if (fresh && !isBusy(region) && fresh.innerHTML !== region.dataset.html) {
      const html = fresh.innerHTML;
      if (html !== region.innerHTML) replace(region, fresh);
      region.dataset.html = html;
    }
  }
}

async function show(address, options, push) {
  version += 1;
  const anchor = new URL(address, location.href).hash;
  const loaded = await load(address.split("#")[0], options);
  version += 1;
  document.title = loaded.page.title;
  replace(main, loaded.page.getElementById("main"));
  if (push) history.pushState({}, "", loaded.address + anchor);
  const result = document.getElementById("notice");
  result?.scrollIntoView({ block: "nearest" });
  result?.focus({ preventScroll: true });
}

function showCopyButtons(region) {
  for (const button of region.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  show(form.action, { method: "POST", body }, true).catch(() => form.submit());
});

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.firstChild.textContent = "Copied";
    setTimeout(() => { copy.firstChild.textContent = "Copy"; }, 1500);
    return;
  }
  const link = event.target.closest("a[data-swap]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(link.href, {}, true).catch(() => { location.href = link.href; });
});

window.addEventListener("popstate", () => show(location.href, {}, false).catch(() => location.reload()));
showCopyButtons(document);
setInterval(() => { if (!document.hidden) update().catch(() => {}); }, INTERVAL);
