import {StrictMode, useEffect} from "react"
import {createRoot} from "react-dom/client"
import {LiveProvider, useLive} from "./Live"

const build = document.querySelector<HTMLMetaElement>("meta[name=build]")!.content
const documentId = crypto.getRandomValues(new Uint32Array(2)).join("-")

function Figures() {
  const {connected, message, send} = useLive()

  // The oracle's question: is what was sent really painted?
  useEffect(() => {
    if (connected) send(JSON.stringify({document: documentId, build}))
  }, [connected, send])
  useEffect(() => {
    if (message?.type !== "figures") return
    const frame = requestAnimationFrame(() => send(JSON.stringify({echo: message.nonce, document: documentId, build})))
    return () => cancelAnimationFrame(frame)
  }, [message, send])

  if (!message) return <p>Connecting</p>
  return (
    <main>
      <h1>{message.figures?.sales} kr</h1>
      <p>{connected ? "Live" : "No connection to the server"}</p>
    </main>
  )
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <LiveProvider url="/ws">
      <Figures />
    </LiveProvider>
  </StrictMode>,
)
