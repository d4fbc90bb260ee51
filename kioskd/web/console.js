// The console: shows what kioskd knows, and asks it for a few things. State comes over /api/events, and is drawn anew each time it comes.
"use strict"

const $ = id => document.getElementById(id)
const swedish = navigator.languages.find(each => /^(sv|en)\b/i.test(each))?.toLowerCase().startsWith("sv") ?? false

const TEXTS = {
  en: {
    screen: "On the screen now", signals: "The two signals", ladder: "The ladder", history: "The last days",
    reload: "Reload the page", restart: "Restart the browser", pause: "Leave alone for 10 min", resume: "Look after it again",
    yes: "Yes", no: "No", sureReload: "Load the page anew, here and on the other screens that listen?",
    sureRestart: "End the browser and start it again? The screen is dark for a moment.",
    lost: "The connection to kioskd is gone since {0}. What stands here is from then. It is tried again by itself.",
    pair: "To see more and to do something, open the link that “kioskctl pair” prints on the screen’s machine.",
    page: "The page’s own connection", server: "The server", version: "The front end", browser: "Chromium",
    open: "open for {0}", dead: "dead for {0}", silent: "silent", asleep: "closed by the page itself", none: "none expected so far",
    well: "not asked: all is well", up: "up", down: "down", answered: "answered {0}, {1} ago", noAnswer: "no answer",
    same: "{0} is on the screen and on disk", other: "{0} is on disk, {1} on the screen", unknown: "one that is not known", half: "{0} on disk is not complete: {1}",
    noDeploy: "none is watched", running: "{0}, up for {1}", memory: "{0} MB",
    next: "Next: {0} {1}", now: "now", in: "in {0}", nothing: "Nothing to do.", asks: "if the server answers",
    person: "A person is needed: all that kioskd has was done three times, in vain.",
    noPicture: "no picture", pictureOf: "The screen at {0}", noIncident: "Nothing has ever been wrong.", timeline: "Incidents of the last seven days: {0}",
    over: "over after {0}", open_: "not over", interrupted: "kioskd ended in the middle", itself: "by itself", helped: "helped", inVain: "did not help",
    evidence: "Before and after", moreLeft: "{0} more of the same were not kept", today: "today", paused: "left alone until {0}", failed: "It was refused: {0}",
  },
  sv: {
    screen: "På skärmen nu", signals: "De två signalerna", ladder: "Stegen", history: "De senaste dagarna",
    reload: "Ladda om sidan", restart: "Starta om webbläsaren", pause: "Lämna i fred i 10 min", resume: "Ta hand om den igen",
    yes: "Ja", no: "Nej", sureReload: "Ladda om sidan, här och på de andra skärmar som lyssnar?",
    sureRestart: "Avsluta webbläsaren och starta den igen? Skärmen blir mörk en stund.",
    lost: "Anslutningen till kioskd är borta sedan {0}. Det som står här är från dess. Nya försök görs av sig själva.",
    pair: "För att se mer och göra något: öppna länken som ”kioskctl pair” skriver ut på skärmens dator.",
    page: "Sidans egen anslutning", server: "Servern", version: "Bygget", browser: "Chromium",
    open: "öppen sedan {0}", dead: "bruten sedan {0}", silent: "tyst", asleep: "stängd av sidan själv", none: "ingen väntas ännu",
    well: "tillfrågas inte: allt är väl", up: "uppe", down: "nere", answered: "svarade {0} för {1} sedan", noAnswer: "inget svar",
    same: "{0} är på skärmen och på disken", other: "{0} är på disken, {1} på skärmen", unknown: "ett okänt", half: "{0} på disken är inte helt: {1}",
    noDeploy: "inget bevakas", running: "{0}, uppe i {1}", memory: "{0} MB",
    next: "Härnäst: {0} {1}", now: "nu", in: "om {0}", nothing: "Inget att göra.", asks: "om servern svarar",
    person: "En människa behövs: allt kioskd kan har gjorts tre gånger, förgäves.",
    noPicture: "ingen bild", pictureOf: "Skärmen klockan {0}", noIncident: "Inget har någonsin varit fel.", timeline: "Händelser de senaste sju dagarna: {0}",
    over: "över efter {0}", open_: "inte över", interrupted: "kioskd avslutades mitt i", itself: "av sig självt", helped: "hjälpte", inVain: "hjälpte inte",
    evidence: "Före och efter", moreLeft: "{0} likadana sparades inte", today: "i dag", paused: "lämnas i fred till {0}", failed: "Det nekades: {0}",
  },
}
const VERDICTS = {
  en: {
    HEALTHY: "All is well", LOADING: "The page is loading", PAUSED: "Left alone", SERVER_DOWN: "Waiting for the server", STALE: "A new build is coming",
    STUCK: "The page is stuck", BLANK: "The page is blank", UNREADABLE: "The page cannot be read", AWAY: "The page went elsewhere", HUNG: "The page hangs",
    CRASHED: "The page has crashed", FROZEN: "The browser is frozen", TOO_BIG: "The browser is too big", NO_BROWSER: "There is no browser",
  },
  sv: {
    HEALTHY: "Allt är väl", LOADING: "Sidan laddas", PAUSED: "Lämnas i fred", SERVER_DOWN: "Väntar på servern", STALE: "Ett nytt bygge är på väg",
    STUCK: "Sidan har fastnat", BLANK: "Sidan är tom", UNREADABLE: "Sidan går inte att läsa", AWAY: "Sidan är någon annanstans", HUNG: "Sidan har hängt sig",
    CRASHED: "Sidan har kraschat", FROZEN: "Webbläsaren har frusit", TOO_BIG: "Webbläsaren är för stor", NO_BROWSER: "Det finns ingen webbläsare",
  },
}
const LOOKS = {HEALTHY: "good", LOADING: "wait", PAUSED: "wait", SERVER_DOWN: "wait", STALE: "wait"}
const RUNGS = ["CALM", "SUSPECT", "RELOADED", "RESTARTED", "REBOOTED"]
const RETRY_MS = 3000, PICTURE_MS = 10000, DAYS = 7

const language = swedish ? "sv" : "en"
const t = (key, ...words) => TEXTS[language][key].replace(/\{(\d)\}/g, (_, number) => words[number])
const verdictOf = verdict => VERDICTS[language][verdict] ?? verdict
const lookOf = verdict => LOOKS[verdict] ?? "bad"

// --- moments

const clock = moment => new Date(moment).toLocaleTimeString(language, {hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false})
const day = moment => new Date(moment).toLocaleDateString(language, {weekday: "short", day: "numeric", month: "short"})
const lasted = seconds => {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  for (const [size, unit, less, name] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (seconds < size) continue
    const whole = Math.floor(seconds / size), rest = Math.floor(seconds % size / less)
    return `${whole} ${unit}` + (rest && whole < 10 ? ` ${rest} ${name}` : "")
  }
  return `${Math.round(seconds)} s`
}
const ago = moment => lasted(Math.max(0, (Date.now() - new Date(moment)) / 1000))

// --- drawing: text is always text, never markup

const make = (name, attributes = {}, ...inside) => {
  const svg = ["svg", "rect", "line"].includes(name)
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value)
  element.append(...inside)
  return element
}
const say = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text }

function drawStatus(known) {
  document.body.dataset.look = known.needs_person ? "bad" : lookOf(known.verdict)
  say("verdict", verdictOf(known.verdict))
  say("why", known.needs_person ? t("person") : known.paused_until ? t("paused", clock(known.paused_until)) : known.why)
  document.title = `${verdictOf(known.verdict)} · kioskd`
  const rows = [signal("page", ...connection(known.page.connection)), signal("server", ...server(known.server)),
    signal("version", ...version(known.versions)), signal("browser", ...browser(known.browser))]
  $("signals").replaceChildren(...rows)
  $("ladder").replaceChildren(...RUNGS.map(rung => make("li", {"aria-current": rung === known.rung ? "step" : null}, rung.toLowerCase())))
  const next = known.next
  say("next", !next ? t("nothing") : t("next", next.action, when(next.at)) + (next.asks_server_first ? `, ${t("asks")}` : ""))
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
  if (!heard) return ["good", t("well")]
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
    svg.append(make("rect", {x: from.toFixed(1), width: Math.max(2, to - from).toFixed(1), y: 6, height: 28, rx: 1, "data-look": end(each)[0]}))
  }
  const days = [...Array(DAYS).keys()].map(number => make("span", {}, day(first + (number + 1) * 86400e3)))
  $("timeline").replaceChildren(svg, make("p", {"aria-hidden": "true"}, ...days))
  const open = new Set([...document.querySelectorAll("#incidents details[open]")].map(each => each.dataset.id))
  const lines = incidents.slice(0, 50).map(each => incident(each, open.has(String(each.id))))
  $("incidents").replaceChildren(...(lines.length ? lines : [make("p", {}, t("noIncident"))]))
}

const end = each => {
  if (each.interrupted) return ["wait", t("interrupted")]
  if (each.seconds === null) return ["bad", t("open_")]
  return ["good", t("over", lasted(each.seconds))]
}

function incident(each, open) {
  const [look, text] = end(each)
  const summary = make("summary", {}, make("time", {datetime: each.began}, `${day(each.began)} ${clock(each.began)}`),
    make("strong", {}, verdictOf(each.verdict)), make("span", {class: "end", "data-look": look}, text))
  const told = [{at: each.began, text: each.why}, ...each.seen.map(it => ({at: it.at, text: `${verdictOf(it.verdict)}: ${it.why}`})),
    ...each.actions.map(it => ({at: it.at, text: `→ ${it.what}` + (outcome(it.outcome) && ` (${outcome(it.outcome)})`)}))]
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

async function ask(path, body) {
  const how = body === undefined ? {} : {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)}
  const answer = await fetch(path, {...how, cache: "no-store"})
  if (answer.ok) return answer
  const why = await answer.json().then(said => said.error, () => answer.statusText)
  throw Object.assign(new Error(why), {status: answer.status})
}

let paired = true
async function incidentsAnew() {
  try {
    drawIncidents((await (await ask("/api/incidents")).json()).incidents)
  } catch (error) {
    if (error.status === 401) unpaired()
  }
}

function unpaired() {
  paired = false
  for (const id of ["reload", "restart", "pause"]) $(id).disabled = true
  say("said", t("pair"))
  say("no-picture", t("noPicture"))
}

async function pictureAnew() {
  if (!paired || document.hidden) return
  try {
    const picture = URL.createObjectURL(await (await ask("/api/screenshot")).blob())
    URL.revokeObjectURL($("picture").src)
    Object.assign($("picture"), {src: picture, alt: t("pictureOf", clock(Date.now())), hidden: false})
    say("no-picture", "")
  } catch (error) {
    if (error.status === 401) return unpaired()
    $("picture").hidden = true
    say("no-picture", error.message)
  }
}

async function sure(text) {
  say("sure-text", text)
  $("sure").returnValue = "no"
  $("sure").showModal()
  await new Promise(resolve => $("sure").addEventListener("close", resolve, {once: true}))
  return $("sure").returnValue === "yes"
}

async function order(question, path, body) {
  if (question && !await sure(question)) return
  try {
    const said = await (await ask(path, body)).json()
    say("said", said.screen)
    setTimeout(pictureAnew, 1500)
  } catch (error) {
    say("said", t("failed", error.message))
  }
}

// --- the connection: tried again at a constant pace, for ever; while it is gone that is said

let lostSince = null, known = null
function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/events`)
  socket.onmessage = event => {
    const before = known
    known = JSON.parse(event.data)
    lostSince = null
    $("lost").hidden = true
    drawStatus(known)
    if (!before || before.verdict !== known.verdict || before.rung !== known.rung || before.last_action !== known.last_action) incidentsAnew()
  }
  socket.onclose = () => {
    lostSince ??= Date.now()
    $("lost").hidden = false
    say("lost", t("lost", clock(lostSince)))
    setTimeout(connect, RETRY_MS)
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
setInterval(() => known && drawStatus(known), 1000) // ages and what is due
