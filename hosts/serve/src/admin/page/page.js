// The admin page. Everything that it shows becomes text of an element: nothing is parsed as HTML, and nothing of a request becomes an attribute.
"use strict";

const POLL_MS = 2000;
// Rules, bans and scripts change rarely: they are asked for at every fifth poll.
const SLOW_EVERY = 5;
const REQUEST_MS = 15000;
const MAX_ROWS = 200;
const TOKEN_KEY = "secrule-admin-token";
const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

const byId = (id) => document.getElementById(id);

// What the page knows. The token is kept for this tab and this origin, to which its port belongs.
const known = { token: sessionStorage.getItem(TOKEN_KEY), began: 0, last: 0, polls: 0, isPolling: false, isPaused: false, timer: 0, shown: new Map(), rows: [] };

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "class") made.className = value;
    else if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

function row(cells) {
  return element("tr", { role: "row" }, ...cells.map(([label, content, kind]) => element("td", { role: "cell", "data-label": label, class: kind || "" }, content)));
}

function time(millis) {
  const date = new Date(millis);
  const isToday = date.toDateString() === new Date().toDateString();
  return element("time", { datetime: date.toISOString(), title: date.toString() }, isToday ? date.toLocaleTimeString() : date.toLocaleString());
}

function duration(seconds) {
  const parts = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]].map(([unit, size]) => [Math.floor(seconds / size), unit]);
  const counted = parts.map(([count, unit], at) => [at === 0 ? count : count % [0, 24, 60, 60][at], unit]).filter(([count]) => count > 0);
  return counted.slice(0, 2).map(([count, unit]) => count + unit).join(" ") || "0s";
}

function plural(count, one, many) {
  return count === 1 ? `1 ${one}` : `${count} ${many || `${one}s`}`;
}

function micros(microseconds) {
  return microseconds < 1000 ? `${microseconds.toFixed(1)} µs` : `${(microseconds / 1000).toFixed(1)} ms`;
}

// Requests

class Unknown extends Error {}

async function ask(path, body) {
  const headers = { Authorization: `Bearer ${known.token}` };
  if (body) headers["Content-Type"] = "application/json";
  const options = { headers, cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(REQUEST_MS) };
  const answer = await fetch(path, body ? { ...options, method: "POST", body: JSON.stringify(body) } : options);
  if (answer.status === 401) throw new Unknown("the token is not that of this server");
  const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
  const result = isJson ? await answer.json() : { problem: (await answer.text()).trim() };
  if (!answer.ok) throw new Error(result.problem || `status ${answer.status}`);
  return result;
}

// Shows a part again only if it has changed, and leaves the focus on the button that had it.
function update(name, value, show) {
  const text = JSON.stringify(value);
  if (known.shown.get(name) === text) return;
  known.shown.set(name, text);
  const focused = document.activeElement && document.activeElement.dataset.key;
  show(value);
  if (focused) [...document.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focused)?.focus();
}

// Events

function kindOf(outcome) {
  return { stopped: "stopped", passed: "passed" }[outcome] || "doubt";
}

function eventRow(event) {
  const ids = [...new Set(event.matches.map((found) => found.id))];
  const shownIds = ids.slice(0, 6).join(", ") + (ids.length > 6 ? ` and ${ids.length - 6} more` : "");
  const count = event.matches.reduce((sum, found) => sum + found.values.length, 0);
  const button = element("button", { type: "button", "aria-expanded": "false", "aria-label": `Values of event ${event.number}` }, `▸ ${count}`);
  const outcome = event.outcome[0].toUpperCase() + event.outcome.slice(1) + (event.status ? ` (${event.status})` : "");
  const main = row([
    ["Time", time(event.time), "number"],
    ["Outcome", outcome, `outcome ${kindOf(event.outcome)}`],
    ["Client", event.client, "number"],
    ["Request", `${event.method} ${event.host}${event.path}`, "request"],
    ["Rules", shownIds, "ids"],
    ["Score", event.score, "number"],
    ["Values", button],
  ]);
  const detail = element("tr", { role: "row", id: `event-${event.number}`, hidden: "" });
  button.setAttribute("aria-controls", detail.id);
  button.addEventListener("click", () => {
    const isOpen = detail.hidden;
    if (isOpen && !detail.firstChild) detail.append(element("td", { role: "cell", colspan: "7", class: "detail" }, eventDetail(event)));
    detail.hidden = !isOpen;
    main.classList.toggle("open", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    button.textContent = `${isOpen ? "▾" : "▸"} ${count}`;
  });
  const searched = [event.id, event.client, event.host + event.path, ...event.matches.flatMap((found) => [String(found.id), found.message])];
  return { main, detail, isStopped: event.outcome !== "passed", text: searched.join("\n").toLowerCase() };
}

function eventDetail(event) {
  const about = element("p", {}, element("span", { class: "steps" }, `Id ${event.id}. `), event.reason || "");
  const left = event.left_out ? element("p", { class: "steps" }, `${plural(event.left_out, "further match", "further matches")} not kept.`) : null;
  return element("div", {}, about, ...event.matches.map(matchDetail), left);
}

function matchDetail(found) {
  const severity = found.severity === null ? null : SEVERITIES[found.severity] || found.severity;
  const about = [`phase ${found.phase}`, severity && `severity ${severity}`, found.stops && "stopped the request", found.location].filter(Boolean);
  const values = found.values.map((value) => element("li", {},
    element("span", { class: "target" }, value.name),
    value.transformations.length ? element("span", { class: "steps" }, ` after ${value.transformations.join(", ")}`) : null,
    element("span", { class: "value" }, value.value || "(empty)")));
  if (found.left_out) values.push(element("li", { class: "steps" }, `${plural(found.left_out, "further value")} not kept.`));
  return element("div", { class: "match" },
    element("h4", {}, `${found.id}: ${found.message || "(no message)"}`),
    element("p", { class: "about" }, about.join(" · ")),
    values.length ? element("ul", { class: "values" }, ...values) : null,
    found.data ? element("p", { class: "about" }, `Log data: ${found.data}`) : null,
    found.tags.length ? element("p", { class: "about" }, `Tags: ${found.tags.join(", ")}`) : null);
}

function addEvents(events) {
  if (events.length === 0) return;
  const body = byId("events").tBodies[0];
  for (const event of events) {
    known.last = Math.max(known.last, event.number);
    const added = eventRow(event);
    known.rows.unshift(added);
    body.prepend(added.main, added.detail);
  }
  for (const old of known.rows.splice(MAX_ROWS)) {
    old.main.remove();
    old.detail.remove();
  }
  filterEvents();
  if (known.polls > 0) byId("state").textContent = plural(events.length, "new event");
}

function filterEvents() {
  const wanted = byId("filter").value.trim().toLowerCase();
  const onlyStopped = byId("only-stopped").checked;
  let count = 0;
  for (const { main, detail, isStopped, text } of known.rows) {
    const isWanted = text.includes(wanted) && (isStopped || !onlyStopped);
    count += isWanted;
    main.hidden = !isWanted;
    detail.hidden = !isWanted || !main.classList.contains("open");
  }
  const total = known.rows.length;
  byId("events").hidden = total === 0;
  byId("no-events").hidden = total > 0;
  byId("shown").textContent = wanted || onlyStopped ? `${count} of ${plural(total, "event")}` : "";
}

function forgetEvents() {
  known.rows.forEach(({ main, detail }) => [main, detail].forEach((node) => node.remove()));
  Object.assign(known, { rows: [], last: 0 });
  filterEvents();
}

// Counts

function showStatus(status) {
  if (status.began !== known.began) {
    known.began = status.began;
    forgetEvents();
  }
  const modes = { On: "stops requests", DetectionOnly: "detects only", Off: "off" };
  const mode = status.modes.map((name) => modes[name] || name).join(", or ");
  const counts = [["Requests", status.exchanges], ["Stopped", status.stopped], ["Engine", mode], ["Runs for", duration((status.now - status.began) / 1000)]];
  if (status.lost_audit_records > 0) counts.push(["Lost audit records", status.lost_audit_records]);
  byId("counts").replaceChildren(...counts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  byId("version").textContent = status.version;
}

// Rules

function showRules(rules) {
  const top = rules.top.map((rule) => row([["Rule", rule.id, "number"], ["Hits", rule.hits, "number"], ["Message", rule.message]]));
  byId("top").tBodies[0].replaceChildren(...top);
  byId("top").hidden = top.length === 0;
  byId("no-top").hidden = top.length > 0;
  const slowest = rules.slowest.slice(0, 10).map((rule) => row([["Rule", rule.id, "number"], ["Mean", micros(rule.microseconds), "number"], ["Share", `${Math.round(rule.share * 100)} %`, "number"], ["Message", rule.message]]));
  byId("slowest").tBodies[0].replaceChildren(...slowest);
  const phases = rules.phases.map((phase) => row([["Phase", phase.phase], ["Requests", phase.count, "number"], ["Mean", micros(phase.microseconds), "number"]]));
  byId("phases").tBodies[0].replaceChildren(...phases);
  const failure = byId("load-failure");
  failure.hidden = !rules.failure;
  if (rules.failure) failure.replaceChildren(element("p", {}, "The rules did not load at ", time(rules.failure.time), ". The earlier ones stay in force."), element("pre", {}, rules.failure.text));
  byId("loaded").replaceChildren("Loaded at ", time(rules.loaded), rules.loads ? `, after ${plural(rules.loads, "reload")}.` : ".");
  const sets = rules.sets.map((set) => ruleSet(set, rules.sets.length > 1));
  if (rules.more_sets) sets.push(element("p", {}, `And ${rules.more_sets} more rule sets.`));
  byId("sets").replaceChildren(...sets);
}

// Shows what was loaded, with its warnings. Several sets have their names as headings.
function ruleSet(set, isNamed) {
  const files = set.files.map((file) => element("li", {}, element("code", {}, file.name), `, ${plural(file.bytes, "byte")}`));
  const settings = set.settings.flatMap(({ name, value }) => [element("dt", {}, name), element("dd", {}, value)]);
  const warnings = set.warnings.map((text) => element("pre", {}, text.trimEnd()));
  if (set.more_warnings) warnings.push(element("p", {}, `And ${set.more_warnings} more: \`secrule check\` shows all.`));
  return element("div", {},
    isNamed ? element("h4", {}, set.name) : null,
    element("p", {}, `${plural(set.count, "rule")} from ${plural(set.files.length, "text")}, fingerprint ${set.fingerprint}.`),
    element("details", {}, element("summary", {}, "Files"), element("ul", {}, ...files)),
    element("details", isNamed ? {} : { open: "" }, element("summary", {}, "Settings"), element("dl", { class: "pairs" }, ...settings)),
    element("p", {}, warnings.length ? `${plural(set.warnings.length + set.more_warnings, "warning")} of the load:` : "No warnings."),
    ...warnings);
}

// Bans

function showBans({ bans, more }) {
  const rows = bans.map(({ key, path, until }) => {
    const parts = [key.ip !== null && `from ${key.ip}`, key.host !== null && `to ${key.host}`, path !== null && `of ${path}`, key.site !== null && `at site ${key.site}`, key.only_for_scripts && "(for decision scripts)"];
    const name = parts.filter(Boolean).join(" ") || "all";
    const lift = element("button", { type: "button", "data-key": JSON.stringify(key), "aria-label": `End the ban ${name}` }, "End ban");
    lift.addEventListener("click", () => act(lift, "bans-problem", "/api/bans/lift", key));
    return row([["Requests", name], ["Until", time(until), "number"], ["End it", lift]]);
  });
  byId("bans-table").tBodies[0].replaceChildren(...rows);
  byId("bans-table").hidden = rows.length === 0;
  byId("no-bans").hidden = rows.length > 0;
  byId("bans-problem").textContent = more ? `More than ${bans.length} requests are banned: \`secrule ban list\` shows all.` : "";
}

// Scripts

const ABSENT = "This program runs no scripts beside requests: one that is built with the feature `worlds` shows them here.";

function showPlugins(plugins) {
  byId("plugins-problem").textContent = plugins.absent ? ABSENT : plugins.problem || "";
  const state = (script) => (script.dead ? "dead: SIGHUP of the host starts it again" : script.off ? "off after failures" : "runs");
  const rows = (plugins.scripts || []).map((script) => row([
    ["Plugin", script.script], ["State", state(script)], ["Calls", script.calls, "number"], ["Failed", script.failures, "number"],
    ["Waiting", script.pending, "number"], ["Dropped", script.dropped, "number"],
  ]));
  byId("plugins-table").tBodies[0].replaceChildren(...rows);
  byId("plugins-table").hidden = rows.length === 0;
  const log = plugins.log || [];
  byId("plugins-log").textContent = log.join("\n");
  byId("plugins-log-part").hidden = log.length === 0;
}

function showExtensions(extensions) {
  byId("extensions-problem").textContent = extensions.absent ? ABSENT : extensions.problem || "";
  const rows = (extensions.extensions || []).map((extension) => {
    const isRunning = extensions.running === extension.script;
    const run = element("button", { type: "button", "data-key": extension.script, "aria-label": `Run ${extension.script} now` }, isRunning ? "Runs…" : "Run now");
    run.disabled = Boolean(extensions.running);
    run.addEventListener("click", () => act(run, "extensions-problem", "/api/extensions/run", { extension: extension.script }));
    return row([["Script", extension.script], ["Runs", extension.trigger], ["Next", extension.next], ["Now", run]]);
  });
  byId("extensions-table").tBodies[0].replaceChildren(...rows);
  byId("extensions-table").hidden = rows.length === 0;
  const runs = (extensions.runs || []).map((run) => row([
    ["Began", time(run.began), "number"], ["Script", run.extension], ["By", run.trigger],
    ["Result", run.result + (run.reason ? `: ${run.reason}` : "")],
    ["Output", element("div", {}, run.output ? element("pre", {}, run.output) : null, ...run.notes.map((note) => element("p", { class: "steps" }, note)))],
  ]));
  byId("runs").tBodies[0].replaceChildren(...runs);
  byId("runs-part").hidden = runs.length === 0;
}

// Sends a write, and shows its result at once.
async function act(button, problem, path, body) {
  button.disabled = true;
  try {
    await ask(path, body);
    byId(problem).textContent = "";
  } catch (error) {
    if (error instanceof Unknown) return close(error);
    byId(problem).textContent = `It was not done: ${error.message}.`;
  }
  known.shown.delete("bans");
  known.shown.delete("extensions");
  await pollSlow().catch(failed);
}

// Polls

async function pollSlow() {
  const [rules, bans, plugins, extensions] = await Promise.all(["rules", "bans", "plugins", "extensions"].map((name) => ask(`/api/${name}`).catch((error) => {
    if (error instanceof Unknown || name === "rules") throw error;
    return { problem: `This cannot be shown: ${error.message}.` };
  })));
  update("rules", rules, showRules);
  if (bans.problem) byId("bans-problem").textContent = bans.problem;
  else update("bans", bans, showBans);
  update("plugins", plugins, showPlugins);
  update("extensions", extensions, showExtensions);
}

async function poll() {
  clearTimeout(known.timer);
  if (document.hidden || known.isPaused || known.isPolling || !known.token) return;
  known.isPolling = true;
  try {
    update("status", await ask("/api/status"), showStatus);
    open();
    addEvents((await ask(`/api/events?after=${known.last}`)).events);
    if (known.polls % SLOW_EVERY === 0) await pollSlow();
    known.polls += 1;
    byId("problem").hidden = true;
    byId("updated").replaceChildren("Updated at ", time(Date.now()));
  } catch (error) {
    if (error instanceof Unknown) return close(error);
    failed(error);
  } finally {
    known.isPolling = false;
  }
  clearTimeout(known.timer);
  known.timer = setTimeout(poll, POLL_MS);
}

function failed(error) {
  open();
  byId("problem").hidden = false;
  const text = `The last update failed (${error.message}). What is shown may be old. The page tries again every two seconds.`;
  if (byId("problem").textContent !== text) byId("problem").textContent = text;
}

// The token

function open() {
  if (byId("app").hidden) filterEvents();
  byId("login").hidden = true;
  byId("app").hidden = false;
}

function close(error) {
  known.token = null;
  sessionStorage.removeItem(TOKEN_KEY);
  byId("app").hidden = true;
  byId("login").hidden = false;
  byId("login-problem").textContent = error ? `It did not open: ${error.message}. A server that starts again has another one.` : "";
  byId("token").focus();
}

function begin(token) {
  known.token = token;
  known.polls = 0;
  known.shown.clear();
  sessionStorage.setItem(TOKEN_KEY, token);
  poll();
}

// The fragment holds the token of the printed URL. It leaves the address bar and the history at once.
function takeFragment() {
  const found = /^#token=([A-Za-z0-9._~+/=-]+)$/.exec(location.hash);
  if (!found) return false;
  history.replaceState(null, "", location.pathname);
  begin(found[1]);
  return true;
}

byId("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(byId("token").value.trim());
  byId("token").value = "";
});
byId("filter").addEventListener("input", filterEvents);
byId("only-stopped").addEventListener("change", filterEvents);
byId("pause").addEventListener("click", () => {
  known.isPaused = !known.isPaused;
  byId("pause").setAttribute("aria-pressed", String(known.isPaused));
  byId("pause").textContent = known.isPaused ? "Resume updates" : "Pause updates";
  byId("state").textContent = known.isPaused ? "Updates are paused" : "";
  poll();
});
document.addEventListener("visibilitychange", () => poll());
window.addEventListener("hashchange", takeFragment);
if (!takeFragment()) {
  if (known.token) poll();
  else close();
}
