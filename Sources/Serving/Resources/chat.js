// The chat: streaming, stopping, editing and asking again, and for every token its loop.
"use strict";
(() => {
  const {$, h, json, request, toast, stored} = Page;
  let messages = [], stream = null, model = "", modelLoops = 1, following = true;

  // Settings are kept by the browser, without the key.
  const fields = ["system", "temperature", "top-p", "max-tokens", "seed", "loops", "exit-policy", "exit-threshold"];
  const defaults = {temperature: "0.7", "top-p": "0.95", "max-tokens": "512"};
  Page.options($("set-exit-policy"), [["", "the model's"], ["fixed", "every loop"], ["threshold", "by the gate"],
    ["weighted", "mixed by the gate"]], "");
  const settings = () => Object.fromEntries(fields.map(f => [f, $("set-" + f).value]));
  function setSettings(values) { for (const f of fields) if (typeof values[f] === "string") $("set-" + f).value = values[f]; }
  setSettings(defaults);
  try { setSettings(JSON.parse(stored("looped-settings") || "{}")); } catch { /* what the browser kept is not ours */ }
  $("chat-settings").addEventListener("change", () => stored("looped-settings", JSON.stringify(settings())));
  $("chat-settings").addEventListener("submit", event => event.preventDefault());
  $("set-key").addEventListener("change", loadModel);
  $("chat-settings-button").addEventListener("click", () => {
    const isHidden = $("chat-settings").hidden = !$("chat-settings").hidden;
    $("chat-settings-button").setAttribute("aria-expanded", !isHidden);
  });

  async function loadModel() {
    try {
      const {data} = await json("v1/models");
      const entry = data[0] || {};
      model = entry.id || "";
      const facts = entry.looped || {};
      modelLoops = facts.loops || modelLoops;
      $("chat-model").textContent = model;
      $("chat-facts").textContent = [facts.parameters && `${facts.parameters.toLocaleString("en", {notation: "compact", maximumSignificantDigits: 3})} weights`,
        facts.loops && `${facts.loops} loops`].filter(Boolean).join(" · ");
      for (const id of ["set-exit-policy", "set-exit-threshold"]) $(id).closest("label").hidden = facts.exit_gate === false;
      $("set-loops").placeholder = facts.loops ? `all ${facts.loops}` : "all";
    } catch (error) {
      $("chat-model").textContent = "no model";
      $("chat-facts").textContent = error.message;
      // While the model is read.
      if (error.status === 503) setTimeout(loadModel, 1500);
    }
  }
  Page.first("chat", loadModel);

  // MARK: Showing

  function render() {
    $("chat-log").replaceChildren(...messages.map((message, i) => message.element = draw(message, i)));
    legend();
  }

  function draw(message, index) {
    const text = h("div", {class: "text"});
    const under = h("div", {class: "under"});
    const element = h("article", {class: "message " + message.role, "aria-label": message.role === "user" ? "You" : "The model"}, text, under);
    message.text = text;
    message.under = under;
    if (message.role === "assistant") {
      text.tabIndex = 0;
      text.addEventListener("keydown", event => walk(event, message));
      for (const part of message.parts) text.append(span(part, message));
    } else text.textContent = content(message);
    finish(message, index);
    return element;
  }

  const content = message => message.parts.map(p => p.text).join("");

  function span(part, message) {
    if (!part.token) return h("span", {class: "token", text: part.text});
    const loops = message.loops || modelLoops, token = part.token;
    const element = h("span", {class: "token looped", text: part.text,
      onpointerenter: event => { if (event.pointerType !== "touch") Lens.hover(element, token, loops); },
      onpointerleave: event => { if (event.pointerType !== "touch") Lens.leave(); },
      onclick: () => Lens.isPinned && Lens.owner === element ? Lens.hide() : Lens.show(element, token, loops, true)});
    Lens.tint(element, token.exit, loops);
    part.element = element;
    return element;
  }

  // Arrow keys go from token to token; the text stays one text for screen readers.
  function walk(event, message) {
    const tokens = message.parts.filter(p => p.token && p.element);
    const at = tokens.findIndex(p => p.element === Lens.owner);
    const to = {ArrowRight: at + 1, ArrowLeft: at < 0 ? tokens.length - 1 : at - 1, Home: 0, End: tokens.length - 1}[event.key];
    if (to === undefined || !tokens[to]) return;
    event.preventDefault();
    Lens.show(tokens[to].element, tokens[to].token, message.loops || modelLoops, true);
    $("chat-status").textContent = Lens.describe(tokens[to].token, message.loops || modelLoops);
  }

  function finish(message, index) {
    const action = (text, run, label) => h("button", {type: "button", text, "aria-label": label, onclick: run});
    const notes = [];
    if (message.role === "assistant") {
      const t = message.timings;
      if (t) {
        notes.push(`${t.tokens} token${t.tokens === 1 ? "" : "s"}`);
        if (t.perSecond) notes.push(`${t.perSecond.toFixed(1)} per second`);
        if (t.first !== undefined) notes.push(`first after ${(t.first / 1000).toFixed(2)} s`);
      }
      const exits = message.parts.filter(p => p.token).map(p => p.token.exit);
      if (exits.length) notes.push(`${(exits.reduce((a, b) => a + b, 0) / exits.length).toFixed(2)} loops on average`);
      if (message.end && message.end !== "stop") notes.push({length: "cut at the most tokens", stopped: "stopped"}[message.end] || message.end);
    }
    message.under.replaceChildren(...notes.map(text => h("span", {text})));
    if (message.fault) message.under.append(h("span", {class: "fault", role: "alert", text: message.fault}));
    if (stream && index === messages.length - 1) return;
    if (message.role === "user") message.under.append(action("Edit", () => edit(index), "Edit this message and ask again"));
    else message.under.append(...(message.parts.some(p => p.token?.predictions?.length) ? [action("Loops", event => toggle(event, message), "Show what the model would have said after every loop")] : []),
      action("Regenerate", () => again(index), "Ask for another answer"),
      action("Copy", () => navigator.clipboard?.writeText(content(message)).then(() => toast("Copied."), () => toast("The browser does not allow it.")), "Copy the answer"));
  }

  function toggle(event, message) {
    const isShown = event.target.getAttribute("aria-expanded") === "true";
    event.target.setAttribute("aria-expanded", !isShown);
    if (isShown) message.element.querySelector(".lens-grid").remove();
    else message.under.after(Lens.grid(message.parts, message.loops || modelLoops));
  }

  function legend() {
    const counts = new Map();
    let loops = modelLoops;
    for (const message of messages) {
      loops = Math.max(loops, message.loops || 0);
      for (const part of message.parts) if (part.token) counts.set(part.token.exit, (counts.get(part.token.exit) || 0) + 1);
    }
    $("chat-legend").hidden = counts.size === 0;
    if (!counts.size) return;
    $("chat-legend").replaceChildren(h("span", {text: "Left at loop"}), ...Array.from({length: loops}, (_, i) => {
      const swatch = h("span", {class: "swatch", text: `${i + 1}: ${counts.get(i + 1) || 0}`});
      Lens.tint(swatch, i + 1, loops);
      return swatch;
    }));
  }

  // MARK: Asking

  const toNumber = (values, key) => values[key] === "" ? undefined : +values[key];

  function body() {
    const s = settings(), sent = messages.slice(0, -1).map(m => ({role: m.role, content: content(m)}));
    if (s.system.trim()) sent.unshift({role: "system", content: s.system});
    return {
      model: model || undefined, messages: sent, stream: true, stream_options: {include_usage: true},
      temperature: toNumber(s, "temperature"), top_p: toNumber(s, "top-p"), max_tokens: toNumber(s, "max-tokens"), seed: toNumber(s, "seed"),
      looped: {trace: true, top: 3, loops: toNumber(s, "loops"), exit_policy: s["exit-policy"] || undefined,
        exit_threshold: toNumber(s, "exit-threshold")},
    };
  }

  async function ask() {
    if (stream) return;
    const controller = stream = new AbortController();
    const message = {role: "assistant", parts: [], timings: {tokens: 0}, loops: toNumber(settings(), "loops") || modelLoops};
    messages.push(message);
    $("chat-log").append(message.element = draw(message, messages.length - 1));
    const cursor = h("span", {class: "cursor", "aria-hidden": "true"});
    message.text.append(cursor);
    buttons();
    following = true;
    follow();
    const start = performance.now();
    let first = null, waiting = [];
    try {
      const response = await request("v1/chat/completions", body(), controller.signal);
      for await (const event of events(response.body)) {
        if (event.error) throw new Error(event.error.message || "the server ended the answer");
        const choice = event.choices && event.choices[0];
        if (event.looped) {
          if (event.looped.loops) message.loops = event.looped.loops;
          if (event.looped.tokens) waiting.push(...event.looped.tokens);
        }
        const text = choice && choice.delta && choice.delta.content;
        if (text) {
          if (first === null) first = performance.now();
          for (const part of parts(text, waiting)) { message.parts.push(part); cursor.before(span(part, message)); }
          message.timings.tokens += Math.max(1, waiting.length);
          waiting = [];
          follow();
        }
        if (choice && choice.finish_reason) message.end = choice.finish_reason;
        if (event.usage) message.timings.tokens = event.usage.completion_tokens;
        if (event.timings) message.timings.perSecond = event.timings.predicted_per_second;
      }
    } catch (error) {
      if (error.name === "AbortError") message.end = "stopped";
      else message.fault = error.message;
    }
    if (first !== null) message.timings.first = first - start;
    if (!message.timings.perSecond && first !== null && message.timings.tokens > 1)
      message.timings.perSecond = (message.timings.tokens - 1) / Math.max(1e-3, (performance.now() - first) / 1000);
    cursor.remove();
    stream = null;
    finish(message, messages.length - 1);
    legend();
    buttons();
    $("chat-status").textContent = message.fault || content(message);
    follow();
  }

  // A text and the tokens that made it, one part each. Where a character is made of several tokens, or a text was held
  // back, the parts do not add up to the text: then it belongs to the last of them.
  function parts(text, tokens) {
    if (!tokens.length) return [{text}];
    if (tokens.map(t => t.text).join("") === text) return tokens.map(token => ({text: token.text, token}));
    return [...tokens.slice(0, -1).map(token => ({text: "", token})), {text, token: tokens.at(-1)}];
  }

  // Server-sent events, as JSON.
  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
      while (true) {
        const {value, done} = await reader.read();
        if (done) return;
        const lines = (rest + value).split(/\r?\n/);
        rest = lines.pop();
        for (const line of lines) {
          if (!line.startsWith("data:")) continue;
          const data = line.slice(5).trim();
          if (data === "[DONE]") return;
          if (data) yield JSON.parse(data);
        }
      }
    } finally { reader.cancel().catch(() => {}); }
  }

  function follow() { if (following) scrollTo({top: document.documentElement.scrollHeight}); }
  addEventListener("wheel", event => { if (event.deltaY < 0) following = false; }, {passive: true});
  addEventListener("touchmove", () => { following = false; }, {passive: true});

  function buttons() {
    $("chat-send").hidden = !!stream;
    $("chat-stop").hidden = !stream;
    for (const id of ["chat-new", "chat-export", "chat-import"]) $(id).disabled = !!stream;
  }

  function send(event) {
    event?.preventDefault();
    const text = $("chat-text").value.trim();
    if (!text || stream) return;
    $("chat-text").value = "";
    grow();
    messages.push({role: "user", parts: [{text}]});
    $("chat-log").append(messages.at(-1).element = draw(messages.at(-1), messages.length - 1));
    ask();
  }

  // Everything behind the message is asked anew.
  function edit(index) {
    if (stream) return;
    const message = messages[index], box = h("textarea", {rows: 3, "aria-label": "Edit the message"});
    box.value = content(message);
    const done = () => {
      const text = box.value.trim();
      if (!text) return;
      messages.length = index;
      messages.push({role: "user", parts: [{text}]});
      render();
      ask();
    };
    box.addEventListener("keydown", event => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); done(); }
      if (event.key === "Escape") render();
    });
    message.text.replaceChildren(box);
    message.under.replaceChildren(h("button", {type: "button", text: "Ask again", onclick: done}),
      h("button", {type: "button", text: "Cancel", onclick: render}));
    box.focus();
  }

  function again(index) {
    if (stream) return;
    messages.length = index;
    render();
    ask();
  }

  $("chat-form").addEventListener("submit", send);
  $("chat-stop").addEventListener("click", () => stream?.abort());
  $("chat-text").addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  });
  function grow() {
    const box = $("chat-text");
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${Math.min(box.scrollHeight + 2, innerHeight * 0.4)}px`);
  }
  $("chat-text").addEventListener("input", grow);
  $("chat-new").addEventListener("click", () => { messages = []; render(); Lens.hide(); $("chat-text").focus(); });

  // MARK: Files

  $("chat-export").addEventListener("click", () => {
    const out = {format: "looped-chat", version: 1, model, settings: settings(), messages: messages.map(m => ({role: m.role, content: content(m),
      ...(m.role === "assistant" ? {loops: m.loops, finish_reason: m.end, timings: m.timings, parts: m.parts.map(({text, token}) => token ? {text, token} : {text})} : {})}))};
    Page.save("conversation.json", JSON.stringify(out, null, 1));
  });
  $("chat-import").addEventListener("click", () => $("chat-file").click());
  $("chat-file").addEventListener("change", async event => {
    const file = event.target.files[0];
    event.target.value = "";
    if (!file) return;
    try {
      if (file.size > 64 * 2 ** 20) throw new Error("the file has more than 64 MiB");
      messages = read(JSON.parse(await file.text()));
      render();
      toast(`${messages.length} messages.`);
    } catch (error) { toast(`${file.name}: ${error instanceof SyntaxError ? "not JSON" : error.message}`); }
  });

  // A file that we or a person wrote: everything is looked at before anything is shown.
  function read(file) {
    if (!file || file.format !== "looped-chat" || !Array.isArray(file.messages)) throw new Error("not an exported conversation");
    if (file.settings && typeof file.settings === "object") setSettings(file.settings);
    return file.messages.map((m, i) => {
      if (!m || !["user", "assistant"].includes(m.role) || typeof m.content !== "string") throw new Error(`message ${i + 1} has no role or no content`);
      const isWhole = Array.isArray(m.parts) && m.parts.every(p => p && typeof p.text === "string") && m.parts.map(p => p.text).join("") === m.content;
      return {role: m.role, loops: Number.isInteger(m.loops) && m.loops > 0 ? Math.min(m.loops, 64) : undefined,
        end: typeof m.finish_reason === "string" ? m.finish_reason : undefined,
        timings: m.timings && Number.isFinite(m.timings.tokens) ? {tokens: m.timings.tokens, perSecond: +m.timings.perSecond || 0,
          first: Number.isFinite(m.timings.first) ? m.timings.first : undefined} : undefined,
        parts: isWhole ? m.parts.map(p => ({text: p.text, token: isToken(p.token) ? p.token : undefined})) : [{text: m.content}]};
    });
  }
  const isToken = t => t && typeof t.text === "string" && Number.isInteger(t.exit) && t.exit > 0 &&
    (!t.probabilities || Array.isArray(t.probabilities) && t.probabilities.length <= 64 && t.probabilities.every(Number.isFinite)) &&
    (!t.predictions || Array.isArray(t.predictions) && t.predictions.length <= 64 && t.predictions.every(l => Array.isArray(l) &&
      l.every(p => p && typeof p.text === "string" && Number.isFinite(p.probability))));
})();
