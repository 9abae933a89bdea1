// The console's own script: dialogs with their commands, keys, and notices. No inline handlers, no other host.
"use strict";

const dialog = () => document.getElementById("dialog");

function notice(text) {
  const line = document.createElement("p");
  line.textContent = text;
  document.getElementById("notice").replaceChildren(line);
}

const AWAY = "the console does not answer; if it got a command, the log has it";

async function send(method, path, body) {
  const answer = await fetch(path, {
    signal: AbortSignal.timeout(20000),  // longer than the console waits for a scorer
    method,
    headers: { "content-type": "application/json", "x-glidepath-console": "1" },
    body: JSON.stringify(body),
    credentials: "same-origin",
  }).catch(() => { throw new Error(AWAY); });
  let found = {};
  try { found = await answer.json(); } catch { found = {}; }
  if (!answer.ok) throw new Error(found.error || `the console answered ${answer.status}`);
  return found;
}

// Numbers and boxes of a form as JSON: an empty field is left out.
function fieldsOf(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") { if (field.checked) body[field.name] = true; }
    else if (field.value !== "") body[field.name] = field.type === "number" || "number" in field.dataset ? Number(field.value) : field.value;
  }
  return body;
}

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target === dialog() && !dialog().open) dialog().showModal();
});
document.addEventListener("htmx:responseError", (event) => {
  const { responseText, status } = event.detail.xhr;
  try { notice(JSON.parse(responseText).error); } catch { notice(`the console answered ${status}`); }
});
for (const lost of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(lost, () => notice(AWAY));

// A page that gets no more events shows an old state, so it must say so: the console is away, or the login has ended.
// A connection can also be silent without an error, so a page that has heard nothing for three pings says so, too.
const SILENT_MS = 15000;
let heard = 0;
function notLive(text) {
  const line = document.getElementById("not-live");
  line.textContent = text;
  line.hidden = !text;
}
document.addEventListener("htmx:sseError", () => notLive("Not live: the console does not answer, or your login has ended. Reload the page."));
document.addEventListener("htmx:sseOpen", (event) => {
  const hear = (text) => { heard = Date.now(); notLive(text); };
  for (const kind of ["message", "alive"]) event.detail.source.addEventListener(kind, () => hear(""));
  event.detail.source.addEventListener("trouble", (one) => hear(`Not live: ${one.data}`));
  hear("");
});
setInterval(() => {
  if (heard && Date.now() - heard > SILENT_MS) notLive("Not live: nothing has come from the console for some time. Reload the page.");
}, 1000);

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) dialog().close();
  const copied = event.target.closest("[data-copy]");
  if (copied) {
    const text = document.getElementById(copied.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(() => notice("copied"), () => notice("the browser does not allow copying"));
  }
  const judged = event.target.closest("[data-judge]");
  if (judged) judge(judged.dataset.judge);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.api) return;
  event.preventDefault();
  const button = form.querySelector("button.primary, button.danger");
  if (button) button.disabled = true;
  try {
    const found = await send(form.dataset.method || "POST", form.dataset.api, fieldsOf(form));
    if (dialog().open) dialog().close();
    notice(found.sentence || "done");
    if (form.dataset.reload) location.reload();
  } catch (error) {
    const problem = form.querySelector("[role=alert]");
    if (problem) problem.textContent = error.message; else notice(error.message);
  } finally {
    if (button) button.disabled = false;
  }
});

async function judge(label) {
  const bar = document.querySelector("[data-pair]");
  if (!bar || bar.hasAttribute("data-read-only")) return;
  const note = document.getElementById("note");
  try {
    const found = await send("PUT", bar.dataset.api, { id: bar.dataset.pair, label, note: note ? note.value : "" });
    for (const button of bar.querySelectorAll("[data-judge]")) {
      button.setAttribute("aria-pressed", String(button.dataset.judge === label));
    }
    const shown = document.getElementById("labelled");
    if (shown) shown.textContent = found.sentence;
    notice(found.sentence);
  } catch (error) {
    notice(error.message);
  }
}

// j and k go to the next and the previous pair; a, n and u judge it. In the list, Enter opens the chosen pair.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  const key = event.key;
  const labels = { a: "acceptable", n: "not", u: "unsure" };
  if (document.querySelector("[data-pair]")) {
    if (labels[key]) { event.preventDefault(); judge(labels[key]); }
    const link = document.querySelector(key === "j" ? "a[rel=next]" : key === "k" ? "a[rel=prev]" : "a.none");
    if (link) link.click();
    return;
  }
  const rows = [...document.querySelectorAll("table.pairs tbody tr")];
  if (!rows.length || !["j", "k"].includes(key)) return;
  const now = rows.findIndex((row) => row.classList.contains("at"));
  const next = Math.min(Math.max(now + (key === "j" ? 1 : -1), 0), rows.length - 1);
  rows.forEach((row, index) => row.classList.toggle("at", index === next));
  rows[next].querySelector("a").focus();
});

// `glidepath up` prints an address with the token behind #, which no server and no log sees.
function takeToken() {
  const field = document.getElementById("token");
  if (!field || location.hash.length < 2) return;
  field.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("name").focus();
}
window.addEventListener("hashchange", takeToken);
takeToken();
