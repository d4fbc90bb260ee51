// A WebSocket kept by a worker or a frame for the page: {open}, {send}, {close} come in; "ready", {opened}, {data}, {closed} go out.
"use strict"
const framed = typeof window === "object"
const out = (message) => (framed ? parent.postMessage(message, "*") : postMessage(message))
let socket = null
self.onmessage = ({ data }) => {
  if (data.open) {
    socket = new WebSocket(data.open)
    socket.onopen = () => out({ opened: true })
    socket.onmessage = (event) => out({ data: event.data })
    socket.onclose = () => out({ closed: true })
  } else if (data.send && socket.readyState === WebSocket.OPEN) socket.send(data.send)
  else if (data.close) socket.close()
}
out("ready")
