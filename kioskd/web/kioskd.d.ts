// Types of kioskd.js, the plain script. docs/page-client.md says what each thing is for.

interface KioskdConnection extends EventTarget {
  /** "connecting" until it has been open for the first time; "lost" while it is not, from then on. */
  readonly status: "connecting" | "open" | "lost" | "closed"
  /** Attempts since it was open. */
  readonly attempt: number
  /** Send what a WebSocket sends; false, and nothing sent, while it is not open. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): boolean
  /** Close it for good: nothing is tried any more. */
  close(): void
  addEventListener<K extends keyof KioskdEvents>(type: K, listener: ((event: KioskdEvents[K]) => void) | null, options?: AddEventListenerOptions): void
  removeEventListener<K extends keyof KioskdEvents>(type: K, listener: ((event: KioskdEvents[K]) => void) | null, options?: EventListenerOptions): void
}

interface KioskdEvents {
  status: Event
  message: MessageEvent
  /** About to load the page anew, `detail` says why; preventDefault() puts it off. */
  reload: CustomEvent<string | null>
}

interface KioskdOptions {
  onMessage?: (event: MessageEvent) => void
  onStatus?: (event: Event) => void
  onReload?: (event: CustomEvent<string | null>) => void
  /** Whose /api/deployment_version tells of a new version; null: nobody's. Default: http://127.0.0.1:8137 */
  kioskd?: string | URL | null
  protocols?: string | string[]
  /** Default: console.info */
  log?: (line: string) => void
}

interface Kioskd {
  /** A function is asked for the URL at each attempt: a token may have changed. */
  connect(url: string | URL | (() => string | URL), options?: KioskdOptions): KioskdConnection
  /** Asked by kioskd: false means that the page is stuck. */
  alive?: () => boolean
}

declare var kioskd: Kioskd
