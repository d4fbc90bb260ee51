// Ways to open the live connection, and ways to misbehave: what a real dashboard would not have.
"use strict"

// Each returns {send, close}; `on` has opened(), heard(text) and lost().
function openLink(settings, on) {
  const url = location.origin.replace("http", "ws") + "/ws"
  switch (settings.transport) {
    case "event_source": return openStream(on)
    case "worker": return relayed(on, url, (inbox) => {
      const worker = new Worker("/relay.js")
      worker.onmessage = (event) => inbox(event.data)
      return { post: (message) => worker.postMessage(message), end: () => worker.terminate() }
    })
    case "iframe_same": return relayed(on, url, (inbox) => openFrame(inbox, { src: "/relay.html" }))
    case "iframe_srcdoc": return relayed(on, url, (inbox) => openFrame(inbox, { srcdoc: '<script src="/relay.js"></script>' }))
    case "iframe_other": return relayed(on, url, (inbox) => openFrame(inbox, { src: settings.other + "relay.html" }))
    default: return openSocket(url, on)
  }
}

function openSocket(url, on) {
  const socket = new WebSocket(url)
  socket.onopen = on.opened
  socket.onmessage = (event) => on.heard(event.data)
  socket.onclose = on.lost
  return { send: (text) => socket.readyState === WebSocket.OPEN && socket.send(text), close: () => socket.close() }
}

function openStream(on) {
  const stream = new EventSource(`/events?document=${documentId}&build=${encodeURIComponent(build)}`)
  stream.onmessage = (event) => on.heard(event.data)
  stream.onopen = connected
  stream.onerror = () => {
    unconnected()
    // The browser tries again by itself unless it was refused, or the page is out of patience.
    const enough = dashboard.gaveUp || (dashboard.settings.retry === "weak" && dashboard.failures >= dashboard.settings.tries)
    if (stream.readyState !== EventSource.CLOSED && !enough && dashboard.settings.on_close === "retry") return void (dashboard.failures += 1)
    stream.close()
    on.lost()
  }
  return { send: (text) => fetch("/echo", { method: "POST", body: text }).catch(() => {}), close: () => stream.close() }
}

// A socket that lives in a worker or a frame: see relay.js.
function relayed(on, url, open) {
  const relay = open((message) => {
    if (message === "ready") relay.post({ open: url })
    else if (message.opened) on.opened()
    else if ("data" in message) on.heard(message.data)
    else if (message.closed) { relay.end(); on.lost() }
  })
  return { send: (text) => relay.post({ send: text }), close: () => relay.post({ close: true }) }
}

function openFrame(inbox, attributes) {
  const frame = Object.assign(document.createElement("iframe"), attributes)
  const listen = (event) => event.source === frame.contentWindow && inbox(event.data)
  frame.style.display = "none"
  addEventListener("message", listen)
  document.body.append(frame)
  const end = () => { removeEventListener("message", listen); frame.remove() }
  return { post: (message) => frame.contentWindow?.postMessage(message, "*"), end }
}

const hog = []

const FAULTS = {
  give_up() { dashboard.gaveUp = !dashboard.settings.reload_after_s }, // the server closes the connection next; a careful page goes on
  close_on_purpose() { dashboard.gaveUp = "on purpose"; dashboard.link.close() },
  busy({ seconds = 8 }) { const end = performance.now() + seconds * 1000; while (performance.now() < end); },
  endless_loop({ seconds = 0 }) { // from so many seconds on
    if (seconds) setTimeout(FAULTS.endless_loop, seconds * 1000, {})
    else for (;;);
  },
  navigate_away({ url = dashboard.settings.other + "login.html" }) { location.href = url },
  error_page({ url = "http://127.0.0.1:2/" }) { location.href = url },
  window_close() { open("", "_self"); close() },
  alert({ text = "The figures are late" }) { alert(text) },
  confirm({ text = "Stay signed in?" }) { confirm(text) },
  prompt({ text = "Your name?" }) { prompt(text) },
  // Chromium asks only where somebody has touched the page before
  beforeunload() { addEventListener("beforeunload", (event) => event.preventDefault()); location.reload() },
  print() { print() },
  popup() { open("/popup.html", "popup", "width=600,height=400") },
  download() { location.href = "/download" },
  console_flood({ lines = 100 }) { setInterval(() => { for (let line = 0; line < lines; line++) console.error("Something is not right", line) }, 10) },
  thousand_sockets({ count = 1000 }) { for (let n = 0; n < count; n++) hog.push(new WebSocket(`ws://${location.host}/dev?${n}`)) },
  memory_hog({ megabytes = 512 }) { for (let n = 0; n < megabytes; n++) hog.push(new Uint8Array(1 << 20).fill(n + 1)) },
  blank() { document.body.replaceChildren() },
  stuck_text({ text = "" }) {
    const curtain = Object.assign(document.createElement("div"), { className: "curtain" })
    curtain.textContent = text || SENTENCE[dashboard.settings.language]
    document.body.append(curtain)
  },
  reload_self({ seconds = 0 }) { setTimeout(() => location.reload(), seconds * 1000) },
  geolocation() { navigator.geolocation.getCurrentPosition(() => {}, () => {}) },
  notifications() { Notification.requestPermission() },
  alive({ value = false }) { window.kioskd = Object.assign(window.kioskd || {}, { alive: () => value }) },
}

function misbehave(message) {
  FAULTS[message.verb](message)
}
