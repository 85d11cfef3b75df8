// What the views share: tabs with hashes, the switch between dark and light, requests, files.
"use strict";
window.Page = (() => {
  const {h} = LoopedViewer, $ = id => document.getElementById(id);
  const views = ["chat", "program", "graph", "learner", "trace"], shown = new Set(), onFirst = {};

  // Runs once, when its view is first shown: nothing is loaded for tabs nobody opens.
  const first = (view, run) => { onFirst[view] = run; };

  function show(view, focus) {
    if (!views.includes(view)) view = "chat";
    for (const name of views) {
      const tab = $("tab-" + name), isShown = name === view;
      tab.setAttribute("aria-selected", isShown);
      tab.tabIndex = isShown ? 0 : -1;
      $(name).hidden = !isShown;
      if (isShown) {
        if (focus) tab.focus();
        tab.scrollIntoView({block: "nearest", inline: "center"});
      }
    }
    document.title = $("tab-" + view).textContent + " – looped transformers";
    if (!shown.has(view)) { shown.add(view); onFirst[view] && onFirst[view](); }
  }

  document.querySelector(".tabs").addEventListener("click", event => {
    const view = event.target.dataset.view;
    if (view) location.hash = view;
  });
  document.querySelector(".tabs").addEventListener("keydown", event => {
    const at = views.indexOf(event.target.dataset.view);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: views.length - 1}[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const view = views[(to + views.length) % views.length];
    history.replaceState(null, "", "#" + view);
    show(view, true);
  });
  window.addEventListener("hashchange", () => { if (location.hash !== "#main") show(location.hash.slice(1)); });

  // The system's choice, until the switch says otherwise; a browser without storage forgets.
  const stored = (key, value) => {
    try { if (value === undefined) return localStorage.getItem(key); localStorage.setItem(key, value); } catch { return null; }
  };
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (systemIsDark.matches ? "dark" : "light")) === "dark";
  function showTheme() {
    $("theme").textContent = isDark() ? "☀" : "☾";
    $("theme").setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
    $("theme").title = $("theme").getAttribute("aria-label");
  }
  if (["dark", "light"].includes(stored("looped-theme"))) document.documentElement.dataset.theme = stored("looped-theme");
  $("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    stored("looped-theme", document.documentElement.dataset.theme);
    showTheme();
  });
  systemIsDark.addEventListener("change", showTheme);
  showTheme();

  let timer = null;
  function toast(text) {
    $("toast").textContent = text;
    $("toast").hidden = false;
    clearTimeout(timer);
    timer = setTimeout(() => { $("toast").hidden = true; }, 6000);
  }

  function headers() {
    const key = $("set-key").value.trim();
    return key ? {"Authorization": "Bearer " + key} : {};
  }

  // A failure as people read it, with the place if there is one.
  class RequestError extends Error {
    constructor(status, body) {
      const error = body && body.error || {};
      super(error.message || (status === 401 ? "the server wants an API key: see Settings in Chat" : `the server answered ${status}`));
      Object.assign(this, {status, hint: error.hint, line: error.line, column: error.column, param: error.param});
    }
  }

  async function request(path, body, signal) {
    let response;
    try {
      response = await fetch(path, body === undefined ? {headers: headers(), signal}
        : {method: "POST", headers: {...headers(), "Content-Type": "application/json"}, body: JSON.stringify(body), signal});
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("the server cannot be reached");
    }
    if (!response.ok) throw new RequestError(response.status, await response.json().catch(() => null));
    return response;
  }
  const json = async (path, body, signal) => (await request(path, body, signal)).json();

  let examplesRequest = null;
  const examples = () => examplesRequest ??= json("looped/examples").catch(error => { examplesRequest = null; throw error; });

  function save(name, text, type = "application/json") {
    const url = URL.createObjectURL(new Blob([text], {type}));
    const link = h("a", {href: url, download: name});
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
  const saveTrace = (trace, name) => save(name, LoopedViewer.serialize(trace), "application/jsonl");

  function say(element, error) {
    const place = error.line ? `line ${error.line}${error.column ? `, column ${error.column}` : ""}: ` : "";
    element.textContent = place + error.message + (error.hint ? `\n${error.hint}` : "");
  }

  // Brings what a button has made into view, if it is not there already.
  function reveal(element) {
    const {top, height} = element.getBoundingClientRect();
    if (top > 70 && top + Math.min(height, innerHeight * 0.7) < innerHeight) return;
    element.scrollIntoView({block: "start", behavior: LoopedViewer.stillness.matches ? "instant" : "smooth"});
  }

  function options(select, items, chosen) {
    select.replaceChildren(...items.map(([value, text]) => h("option", {value, text: text ?? value, selected: value === chosen})));
  }

  // Traces from files.
  async function openTrace(file) {
    location.hash = "trace";
    $("trace-error").textContent = "";
    $("trace-name").textContent = file.name;
    try {
      if (file.size > 256 * 2 ** 20) throw new Error("the file has more than 256 MiB");
      const trace = LoopedViewer.parse(await file.text());
      if (trace.steps.length > 20000) { trace.steps.length = 20000; toast("The first 20,000 loops are shown."); }
      LoopedViewer.mount($("trace-viewer"), trace).go(Math.min(1, trace.steps.length));
    } catch (error) {
      $("trace-viewer").replaceChildren();
      $("trace-error").textContent = `${file.name}: ${error.message}`;
    }
  }
  $("trace-open").addEventListener("click", () => $("trace-file").click());
  $("trace-file").addEventListener("change", event => { if (event.target.files[0]) openTrace(event.target.files[0]); event.target.value = ""; });
  const hasFile = event => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", event => { if (hasFile(event)) { event.preventDefault(); document.body.classList.add("dropping"); } });
  addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  addEventListener("drop", event => {
    if (!hasFile(event)) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer.files[0]) openTrace(event.dataTransfer.files[0]);
  });

  addEventListener("DOMContentLoaded", () => show(location.hash.slice(1)));
  return {$, h, first, toast, request, json, examples, save, saveTrace, say, options, reveal, stored};
})();
