"use strict";
// All HTML comes escaped from the server; this script only fetches it and puts it in its place.

const said = document.getElementById("said");
const log = document.getElementById("requests");

function say(text, bad) {
  said.textContent = text;
  said.classList.toggle("bad", bad);
}

async function fill(name) {
  const response = await fetch(`page/${name}`);
  const text = await response.text();
  const place = document.getElementById(name);
  if (place.dataset.shown !== text) {
    place.dataset.shown = text;
    place.innerHTML = text;
  }
}

async function follow() {
  const newest = log.firstElementChild?.dataset.number ?? 0;
  const text = await (await fetch(`page/requests?after=${newest}`)).text();
  if (text === "") return;
  log.insertAdjacentHTML("afterbegin", text);
  while (log.childElementCount > 200) log.lastElementChild.remove();
}

let refreshing = Promise.resolve();

function refresh() {
  // One at a time: two that overlap would both put the newest requests into the log.
  const next = () => Promise.all([follow(), fill("orders"), fill("faults"), fill("limits")]);
  refreshing = refreshing.then(next, next);
  return refreshing;
}

async function send(method, address, document_) {
  const response = await fetch(address, {
    method,
    headers: { "content-type": "application/json" },
    body: document_ && JSON.stringify(document_),
  });
  const text = await response.text();
  if (response.ok) {
    say(`Done: ${method} ${address}`, false);
    if (address === "reset") log.replaceChildren();
    await refresh();
  } else {
    let reason = text;
    try { reason = JSON.parse(text).error ?? text; } catch { /* no JSON: shown as it is */ }
    say(`Refused: ${reason || response.status}`, true);
  }
}

function valuesOf(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name || field.value === "") continue;
    const number = field.type === "number" || "number" in field.dataset;
    // A dot in a name leads into an object, as in the JSON that the endpoint takes.
    const steps = field.name.split(".");
    const name = steps.pop();
    let place = values;
    for (const step of steps) place = place[step] ??= {};
    place[name] = number ? Number(field.value) : field.value;
  }
  return values;
}

function reported(promise) {
  promise.catch(() => say("The sandbox does not answer.", true));
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  reported(send("POST", event.target.dataset.post, valuesOf(event.target)));
});
document.addEventListener("click", (event) => {
  const address = event.target.dataset?.delete;
  if (address) reported(send("DELETE", address));
});
setInterval(() => { if (!document.hidden) reported(refresh()); }, 1000);
