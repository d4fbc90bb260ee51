import {StrictMode, useEffect} from "react"
import {createRoot} from "react-dom/client"
import {connect} from "./kioskd.mjs"
import {LiveProvider, useLive} from "./Live"

const build = document.querySelector<HTMLMetaElement>("meta[name=build]")!.content
const documentId = crypto.getRandomValues(new Uint32Array(2)).join("-")

// With ?kioskd=PORT it hears the broadcasts of that kioskd too, and asks it for the version.
const beside = new URLSearchParams(location.search).get("kioskd")
if (beside) connect(`ws://127.0.0.1:${beside}/ws`, {kioskd: `http://127.0.0.1:${beside}`})

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
