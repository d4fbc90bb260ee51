import {createContext, useContext, useEffect, useState, type ReactNode} from "react"
import {connect} from "./kioskd.mjs"

interface Live {
  connected: boolean
  message: any // the last one
  send: (data: string) => boolean
}

const Context = createContext<Live>({connected: false, message: null, send: () => false})

export const useLive = () => useContext(Context)

export function LiveProvider({url, children}: {url: string; children: ReactNode}) {
  const [live, setLive] = useState(useLive())

  useEffect(() => {
    const connection = connect(url, {
      onMessage: event => setLive(live => ({...live, message: JSON.parse(event.data)})),
      onStatus: () => setLive(live => ({...live, connected: connection.status === "open"})),
    })
    setLive(live => ({...live, send: data => connection.send(data)}))
    return () => connection.close()
  }, [url])

  return <Context value={live}>{children}</Context>
}
