// The program view: assembly in, a run on the network out.
"use strict";
(() => {
  const {$, json, examples, say, options, reveal, saveTrace} = Page;
  let trace = null, name = "program", cells = null, running = null;

  function choose(program) {
    $("program-source").value = program.source;
    $("program-input").value = program.input.replaceAll("\n", "\\n");
    $("program-cells").value = program.cells || "";
    $("program-about").textContent = program.description;
    $("program-error").textContent = "";
    name = program.name;
  }

  Page.first("program", async () => {
    try {
      const {programs, limits} = await examples();
      options($("program-example"), programs.map(p => [p.name, p.name]), "multiply");
      $("program-steps").max = $("program-steps").value = limits.steps;
      $("program-cells").max = limits.cells;
      $("program-example").addEventListener("change", () => {
        choose(programs.find(p => p.name === $("program-example").value));
        run();
      });
      choose(programs.find(p => p.name === "multiply") || programs[0]);
      run();
    } catch (error) { say($("program-error"), error); }
  });

  async function run(event) {
    if (event) event.preventDefault();
    running?.abort();
    const mine = running = new AbortController();
    $("program-error").textContent = "";
    $("program-viewer").classList.add("busy");
    try {
      const number = id => $(id).value === "" ? undefined : Math.round(+$(id).value);
      const answer = await json("looped/programs/run", {
        name, source: $("program-source").value, input: $("program-input").value.replaceAll("\\n", "\n"),
        cells: number("program-cells"), steps: number("program-steps"),
      }, mine.signal);
      trace = {header: answer.header, steps: answer.steps, end: answer.end};
      const viewer = LoopedViewer.mount($("program-viewer"), trace);
      viewer.go(Math.min(1, trace.steps.length));
      $("program-viewer").dataset.ran = answer.instructions;
      $("program-save").disabled = false;
      if (event) reveal($("program-viewer"));
    } catch (error) {
      if (error.name === "AbortError") return;
      say($("program-error"), error);
      if (error.line) select(error.line);
    } finally { if (running === mine) $("program-viewer").classList.remove("busy"); }
  }

  // Puts the cursor on the line that is to blame.
  function select(line) {
    const text = $("program-source"), lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0);
    text.focus();
    text.setSelectionRange(start, start + (lines[line - 1] || "").length);
    text.scrollTop = Math.max(0, (line - 5) * 19);
  }

  $("program-form").addEventListener("submit", run);
  $("program-source").addEventListener("input", () => { name = "program"; });
  $("program-source").addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(event);
  });
  $("program-save").addEventListener("click", () => saveTrace(trace, `${name}.jsonl`));
})();
