// The console: shows what kioskd knows, and asks it for a few things. State comes over /api/events, and is drawn anew each time it comes.
"use strict"

import {ago, clock, day, end, language, lasted, remedyOf, rungOf, t, verdictOf} from "/words.js"
import {DAYS, drawPlots, make, noteMemory} from "/plots.js"

const $ = id => document.getElementById(id)
const LOOKS = {HEALTHY: "good", LOADING: "wait", PAUSED: "wait", SERVER_DOWN: "wait", STALE: "wait"}
const RUNGS = ["CALM", "SUSPECT", "RELOADED", "RESTARTED", "REBOOTED"]
const RETRY_MS = 3000, PICTURE_MS = 10000, ALIVE_MS = 5000, READ_MS = 15000, ORDER_MS = 60000

const lookOf = verdict => LOOKS[verdict] ?? "bad"

// --- drawing

const say = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text }

function drawStatus(known) {
  document.body.dataset.look = known.needs_person ? "bad" : lookOf(known.verdict)
  say("verdict", verdictOf(known.verdict))
  say("why", known.needs_person ? t("person") : known.paused_until ? t("paused", clock(known.paused_until)) : known.why)
  document.title = `${verdictOf(known.verdict)} · kioskd`
  const rows = [signal("page", ...connection(known.page.connection)), signal("server", ...server(known.server)),
    signal("version", ...version(known.versions)), signal("browser", ...browser(known.browser))]
  $("signals").replaceChildren(...rows)
  $("ladder").replaceChildren(...RUNGS.map(rung => make("li", {"aria-current": rung === known.rung ? "step" : null}, rungOf(rung))))
  const next = known.next
  say("next", !next ? t("nothing") : t("next", remedyOf(next.action), when(next.at)) + (next.asks_server_first ? `, ${t("asks")}` : ""))
  say("lacks", [...Object.entries(known.problems).map(([name, text]) => `${name}: ${text}`), ...known.configuration.mistakes].join("\n"))
  say("about", known.page.url)
  $("pause").textContent = t(known.paused_until ? "resume" : "pause")
  $("pause").dataset.paused = known.paused_until ? "yes" : ""
}

const signal = (name, look, text) =>
  make("div", {"data-look": look}, make("dt", {}, t(name)), make("dd", {}, make("span", {class: "dot", "aria-hidden": "true"}), text))

function connection(it) {
  if (it.dead_since) return ["bad", t("dead", ago(it.dead_since))]
  if (it.closed_by_page) return ["good", t("asleep")]
  if (it.silent) return ["bad", t("silent")]
  return it.open_since ? ["good", t("open", ago(it.open_since))] : ["", t("none")]
}

function server(it) {
  const heard = it.home ?? it.socket
  if (!heard) return ["", t("undoubted")]
  const said = heard.status ? t("answered", heard.status, ago(heard.at)) : heard.error || t("noAnswer")
  return it.up === null ? ["", said] : [it.up ? "good" : "bad", `${t(it.up ? "up" : "down")}: ${said}`]
}

function version(it) {
  if (!it.disk) return ["", t("noDeploy")]
  const name = each => each ? `${day(each.version * 1000)} ${clock(each.version * 1000)}` : t("unknown")
  if (it.missing.length) return ["wait", t("half", name(it.disk), it.missing[0])]
  const same = it.screen && it.screen.version === it.disk.version && it.screen.digest === it.disk.digest
  return same ? ["good", t("same", name(it.disk))] : ["wait", t("other", name(it.disk), name(it.screen))]
}

function browser(it) {
  if (it.state !== "up") return ["bad", it.reason || it.state]
  const memory = it.memory ? `, ${t("memory", Math.round(it.memory / 1e6))}` : ""
  return ["good", t("running", it.product, ago(it.since)) + memory]
}

const when = moment => {
  const left = (new Date(moment) - Date.now()) / 1000
  return left < 1 ? t("now") : t("in", lasted(left))
}

function drawIncidents(incidents) {
  const first = Date.now() - DAYS * 86400e3, late = incidents.filter(each => new Date(each.began) > first)
  const svg = make("svg", {viewBox: "0 0 700 36", preserveAspectRatio: "none", role: "img", "aria-label": t("timeline", late.length)})
  for (let number = 0; number <= DAYS; number++) {
    svg.append(make("line", {x1: number * 100, x2: number * 100, y1: 0, y2: 36}))
  }
  for (const each of late) {
    const from = (new Date(each.began) - first) / (DAYS * 86400e3) * 700
    const to = ((each.ended ? new Date(each.ended) : Date.now()) - first) / (DAYS * 86400e3) * 700
    const width = Math.max(2, to - from), x = Math.min(from, 700 - width) // the newest, too, is seen
    svg.append(make("rect", {x: x.toFixed(1), width: width.toFixed(1), y: 6, height: 28, rx: 1, "data-look": end(each)[0]}))
  }
  const days = [...Array(DAYS).keys()].map(number => make("span", {}, day(first + (number + 1) * 86400e3)))
  $("timeline").replaceChildren(svg, make("p", {"aria-hidden": "true"}, ...days))
  drawPlots(incidents)
  const focused = document.activeElement.closest("#incidents details")?.dataset.id
  const open = new Set([...document.querySelectorAll("#incidents details[open]")].map(each => each.dataset.id))
  const lines = incidents.slice(0, 50).map(each => incident(each, open.has(String(each.id))))
  $("incidents").replaceChildren(...(lines.length ? lines : [make("p", {}, t("noIncident"))]))
  if (focused) document.querySelector(`#incidents [data-id="${focused}"] summary`)?.focus() // nobody loses their place to a redraw
}

function incident(each, open) {
  const [look, text] = end(each)
  const summary = make("summary", {}, make("time", {datetime: each.began}, `${day(each.began)} ${clock(each.began)}`),
    make("strong", {}, verdictOf(each.verdict)), make("span", {class: "end", "data-look": look}, text))
  const told = [{at: each.began, text: each.why}, ...each.seen.map(it => ({at: it.at, text: `${verdictOf(it.verdict)}: ${it.why}`})),
    ...each.actions.map(it => ({at: it.at, text: `→ ${remedyOf(it.what)}` + (outcome(it.outcome) && ` (${outcome(it.outcome)})`)}))]
  told.sort((a, b) => a.at < b.at ? -1 : 1)
  const list = make("ul", {}, ...told.map(it => make("li", {}, make("time", {datetime: it.at}, clock(it.at)), " ", it.text)))
  if (each.left_out) list.append(make("li", {}, t("moreLeft", each.left_out)))
  for (const it of each.evidence) for (const text of [...it.errors, ...it.requests, ...it.journal]) list.append(make("li", {}, text))
  const details = make("details", {"data-id": each.id, open: open ? "" : null}, summary, list)
  const pictures = each.evidence.filter(it => it.picture)
  const show = () => { // only for who looks
    if (details.open && !details.querySelector("img"))
      details.append(...pictures.map(it => make("img", {src: `/api/incidents/${it.picture}`, alt: t("pictureOf", clock(it.at)), loading: "lazy"})))
  }
  details.addEventListener("toggle", show)
  show()
  return details
}

const outcome = text => ({helped: t("helped"), "did not help": t("inVain")})[text] ?? text

// --- asking

async function ask(path, {body, within = body ? ORDER_MS : READ_MS, accept = "application/json"} = {}) {
  const how = body === undefined ? {headers: {Accept: accept}} : {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)}
  const answer = await fetch(path, {...how, cache: "no-store", signal: AbortSignal.timeout(within)})
  if (answer.ok) return answer
  if (answer.status === 401) setPaired(false)
  const why = await answer.json().then(said => said.error, () => answer.statusText)
  throw Object.assign(new Error(why), {status: answer.status})
}

let paired = true
function setPaired(now) {
  if (paired === now) return
  paired = now
  for (const id of ["reload", "restart", "pause"]) $(id).disabled = !paired
  $("history").hidden = !paired
  say("said", paired ? "" : t("pair"))
  $("picture").hidden = true
  say("no-picture", t("noPicture"))
}

let incidents = []
async function incidentsAnew() {
  try {
    incidents = (await (await ask("/api/incidents")).json()).incidents
    setPaired(true)
    drawIncidents(incidents)
  } catch (error) {
    if (error.status) $("incidents").replaceChildren(make("p", {}, error.message))
  }
}

async function pictureAnew() {
  if (!paired || document.hidden) return
  try {
    const picture = URL.createObjectURL(await (await ask("/api/screenshot", {accept: "image/jpeg"})).blob())
    URL.revokeObjectURL($("picture").src)
    Object.assign($("picture"), {src: picture, alt: t("pictureOf", clock(Date.now())), hidden: false})
    say("no-picture", "")
  } catch (error) {
    if (!paired || !error.status) return
    $("picture").hidden = true
    say("no-picture", error.message)
  }
}

async function sure(text) {
  say("sure-text", text)
  $("sure").returnValue = "no"
  $("sure").showModal()
  await new Promise(resolve => { $("sure").onclose = () => $("sure").open || resolve() }) // the end of the question before may come late
  return $("sure").returnValue === "yes"
}

async function order(question, path, body) {
  if (question && !await sure(question)) return
  try {
    const said = await (await ask(path, {body})).json()
    say("said", said.screen)
    setTimeout(pictureAnew, 1500)
  } catch (error) {
    if (paired) say("said", t("failed", error.message))
  }
}

// --- the connection: tried again at a constant pace, for ever; while it is gone that is said

let socket = null, lostSince = null, known = null
async function connect() {
  await incidentsAnew() // tells whether this browser is paired
  if (paired) return listen()
  try { // everybody may know how it is, but is not told of each change
    heard(await (await ask("/api/status")).json())
  } catch {
    lost()
  }
  setTimeout(connect, RETRY_MS)
}

function listen() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/events`)
  socket.onmessage = event => {
    const before = known
    heard(JSON.parse(event.data))
    if (noteMemory(known.browser)) drawPlots(incidents)
    if (before && (before.verdict !== known.verdict || before.rung !== known.rung || before.last_action !== known.last_action)) incidentsAnew()
  }
  socket.onclose = () => {
    lost()
    setTimeout(connect, RETRY_MS)
  }
}

function heard(status) {
  known = status
  lostSince = null
  $("lost").hidden = true
  drawStatus(known)
}

function lost() {
  lostSince ??= Date.now()
  $("lost").hidden = false
  say("lost", t("lost", clock(lostSince)))
}

// A network that has gone closes no socket: what is small is asked for in time.
async function alive() {
  try {
    await ask("/healthz", {within: ALIVE_MS})
  } catch (error) {
    if (error.status) return
    lost()
    socket?.close()
  }
}

document.documentElement.lang = language
for (const each of document.querySelectorAll("[data-text]")) each.textContent = t(each.dataset.text)
say("yes", t("yes"))
say("no", t("no"))
$("reload").onclick = () => order(t("sureReload"), "/api/reload", {})
$("restart").onclick = () => order(t("sureRestart"), "/api/restart", {why: "asked for in the console"})
$("pause").onclick = () => $("pause").dataset.paused ? order("", "/api/resume", {}) : order("", "/api/pause", {for: "10m"})
connect()
pictureAnew()
setInterval(pictureAnew, PICTURE_MS)
setInterval(alive, ALIVE_MS)
setInterval(() => known && !lostSince && drawStatus(known), 1000) // ages and what is due
