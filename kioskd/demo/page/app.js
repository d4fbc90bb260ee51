// The dashboard. It draws what comes over its live connection, and sends each nonce back from inside an animation frame.
"use strict"

const BUILD = "@BUILD@"
const ofIndex = document.querySelector('meta[name="build"]').content
const build = ofIndex === BUILD ? BUILD : `${ofIndex}+${BUILD}`
const documentId = crypto.getRandomValues(new Uint32Array(2)).join("-")
const SENTENCE = { en: "No connection to the server", sv: "Ingen anslutning till servern" }
const POINTS = 90

const app = document.getElementById("app")
const dashboard = { settings: {}, link: null, failures: 0, gaveUp: false, reloads: null, series: {} }

function tile(kind, hue, title, inside) {
  return `<section class="tile ${kind}" style="--hue: ${hue}"><h2>${title}</h2>${inside}</section>`
}

function buildPage() {
  app.innerHTML = `
  <header>
    <div class="name">
      <svg viewBox="0 0 48 48"><rect width="48" height="48" rx="13" fill="#17324a"/><path d="M10 31V22l8-7 8 7v9m0-12 5-4 7 6v10" fill="none" stroke="#5eead4" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/><path d="M9 37q4-3 7.500 0t7.500 0 7.500 0 7.500 0" fill="none" stroke="#60a5fa" stroke-width="3" stroke-linecap="round"/></svg>
      <div>Harbour Street 12<small>Sales, energy and office, right now</small></div>
    </div>
    <div class="clock"><span id="time"></span><small id="date"></small></div>
  </header>
  <main>
    ${tile("sales", "#2dd4bf", "Sales, last 24 hours", `
      <div class="big"><span id="sales">–</span><i>kr</i></div>
      <span class="delta" id="sales_change"></span><span>against last week</span><canvas id="sales_line"></canvas>`)}
    ${tile("energy", "#fbbf24", "Energy", `
      <div class="pair">
        <div><div class="label">In use</div><div class="big"><span id="power">–</span><i>kW</i></div></div>
        <div><div class="label">From the roof</div><div class="big"><span id="solar">–</span><i>kW</i></div></div>
      </div>
      <div class="share"><b id="share"></b></div><p id="share_text"></p><canvas id="power_line"></canvas>`)}
  </main>
  <div class="row">
    ${tile("", "#a78bfa", "Orders a minute", `<div class="big" id="orders">–</div><canvas id="orders_line"></canvas>`)}
    ${tile("", "#4ade9a", "Delivered on time", `<div class="big"><span id="delivered">–</span><i>%</i></div><div class="bar"><b id="delivered_bar"></b></div>`)}
    ${tile("", "#fb923c", "Open tickets", `<div class="big" id="tickets">–</div><div class="bar"><b id="tickets_bar"></b></div>`)}
    ${tile("", "#60a5fa", "In the office", `<div class="big"><span id="people">–</span><i>people</i></div><div class="note" id="air"></div><div class="bar"><b id="people_bar"></b></div>`)}
    ${tile("rooms", "#f472b6", "Meeting rooms", `<ul id="rooms"></ul>`)}
  </div>
  <footer><span class="lamp"></span><span id="connection">Connecting</span><span class="build">Build ${build}</span><canvas id="strip" width="64" height="8"></canvas></footer>
  <div class="gone" id="gone"></div>`
}

function text(id, value) {
  document.getElementById(id).textContent = value
}

function grouped(number) {
  return number.toLocaleString("en").replaceAll(",", "\u202f")
}

// One line for each [name, colour], all on one scale, the first on top.
function draw(id, ...lines) {
  const canvas = document.getElementById(id)
  const [width, height] = [canvas.width = canvas.clientWidth * devicePixelRatio, canvas.height = canvas.clientHeight * devicePixelRatio]
  const pen = canvas.getContext("2d")
  const all = lines.flatMap(([name]) => dashboard.series[name] || [])
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const y = (value) => height * (0.94 - 0.84 * ((value - low) / (high - low || 1)))
  for (const [name, colour] of lines.reverse()) drawLine(pen, (dashboard.series[name] || []).map(y), colour, width, height)
}

function drawLine(pen, heights, colour, width, height) {
  const x = (index) => (index / (heights.length - 1)) * width
  pen.beginPath()
  pen.moveTo(0, heights[0])
  for (let index = 1; index < heights.length - 1; index++) {
    pen.quadraticCurveTo(x(index), heights[index], (x(index) + x(index + 1)) / 2, (heights[index] + heights[index + 1]) / 2)
  }
  pen.lineTo(width, heights.at(-1))
  pen.lineJoin = "round"
  pen.lineWidth = 2 + width / 500
  pen.strokeStyle = colour
  pen.stroke()
  pen.lineTo(width, height)
  pen.lineTo(0, height)
  const shade = pen.createLinearGradient(0, 0, 0, height)
  shade.addColorStop(0, colour + "4d")
  shade.addColorStop(1, colour + "05")
  pen.fillStyle = shade
  pen.fill()
}

// Twenty-four bits in eight cells of one bright or dull red, green and blue each: a screenshot tells which nonce it shows.
function drawStrip(nonce) {
  const pen = document.getElementById("strip").getContext("2d")
  for (let cell = 0; cell < 8; cell++) {
    const bits = (nonce >> (3 * (7 - cell))) & 7
    const level = (bit) => (bits & bit ? 200 : 40)
    pen.fillStyle = `rgb(${level(4)} ${level(2)} ${level(1)})`
    pen.fillRect(cell * 8, 0, 8, 8)
  }
}

function show(message) {
  const now = new Date(message.time * 1000)
  const figures = message.figures
  if (message.history) dashboard.series = message.history
  for (const [name, values] of Object.entries(dashboard.series)) {
    if (!message.history) values.push(figures[name])
    values.splice(0, values.length - POINTS)
  }
  text("time", now.toLocaleTimeString("sv"))
  text("date", now.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" }))
  text("sales", grouped(figures.sales))
  text("sales_change", `+${figures.sales_change.toFixed(1)} %`)
  for (const name of ["power", "solar", "orders", "delivered"]) text(name, figures[name].toFixed(1))
  for (const name of ["tickets", "people"]) text(name, figures[name])
  const share = Math.round((100 * figures.solar) / figures.power)
  document.getElementById("share").style.width = `${share}%`
  text("share_text", `${share} % from the sun`)
  document.getElementById("delivered_bar").style.width = `${figures.delivered}%`
  document.getElementById("tickets_bar").style.width = `${figures.tickets * 5}%`
  document.getElementById("people_bar").style.width = `${figures.people * 1.6}%`
  text("air", `${figures.temperature.toFixed(1)} °C,  CO₂ ${figures.co2} ppm`)
  document.getElementById("rooms").replaceChildren(...figures.rooms.map((room) => {
    const line = document.createElement("li")
    line.className = room.taken ? "taken" : ""
    line.textContent = room.name
    line.appendChild(document.createElement("span")).textContent = room.taken ? `free in ${room.minutes} min` : `free for ${room.minutes} min`
    return line
  }))
  draw("sales_line", ["sales", "#2dd4bf"])
  draw("power_line", ["solar", "#fbbf24"], ["power", "#60a5fa"])
  draw("orders_line", ["orders", "#a78bfa"])
  drawStrip(message.nonce)
}

function heard(data) {
  const message = JSON.parse(data)
  if (message.type === "do") return misbehave(message)
  if (message.type !== "figures") return
  dashboard.failures = 0
  app.className = "live"
  text("connection", "Live")
  requestAnimationFrame(() => {
    if (document.getElementById("time")) show(message) // a page that blanked itself has nothing to show it in
    dashboard.link.send(JSON.stringify({ echo: message.nonce, document: documentId, build }))
  })
}

// A careful page reloads itself when it has been without a connection for long.
function unconnected() {
  const { reload_after_s } = dashboard.settings
  if (reload_after_s) dashboard.reloads ??= setTimeout(() => location.reload(), reload_after_s * 1000)
}

function connected() {
  clearTimeout(dashboard.reloads)
  dashboard.reloads = null
}

function lost() {
  if (dashboard.gaveUp === "on purpose") return
  unconnected()
  const { settings } = dashboard
  if (settings.complains) console.error("Connection lost")
  if (settings.on_close === "reload") return location.reload()
  dashboard.failures += 1
  app.className = ""
  text("connection", "Connecting")
  if (dashboard.gaveUp || (settings.retry === "weak" && dashboard.failures > settings.tries)) {
    app.className = "dead"
    text("connection", SENTENCE[settings.language])
    text("gone", SENTENCE[settings.language])
    return
  }
  setTimeout(connect, settings.retry_s * 1000)
}

function connect() {
  const hello = () => {
    connected()
    dashboard.link.send(JSON.stringify({ document: documentId, build }))
  }
  dashboard.link = openLink(dashboard.settings, { opened: hello, heard, lost })
}

async function start() {
  buildPage()
  const defaults = { transport: "websocket", retry: "forever", retry_s: 2, tries: 10, language: "en", at_load: [] }
  // no settings: a dashboard that cannot ask goes by its defaults
  dashboard.settings = await fetch("/settings").then((answer) => answer.json()).catch(() => defaults)
  if (dashboard.settings.service_worker) navigator.serviceWorker.register("/sw.js")
  if (dashboard.settings.precache) navigator.serviceWorker.register("/sw.js?precache")
  if (dashboard.settings.dev_socket) window.devSocket = new WebSocket(`ws://${location.host}/dev`)
  if (dashboard.settings.analytics) window.analytics = new WebSocket(dashboard.settings.other.replace("http", "ws") + "analytics")
  unconnected()
  if (dashboard.settings.transport !== "none") connect()
  dashboard.settings.at_load.forEach(misbehave)
}

start()
