// A WebSocket that comes back. docs/page-client.md
(() => {
  "use strict"

  const RETRY_MS = 5000 // between two attempts: constant, for ever
  const SOON_MS = 1000 // where something says that now is better
  const RELOAD_MS = 60000 // without a connection
  const POLL_MS = 30000 // between two questions for the version
  const PATIENCE_MS = 10000 // with an attempt, and with an answer
  const ASLEEP_MS = 3000 // a timer later than this slept

  // --- decided here, purely: facts in, actions out; `now` is a clock that never jumps

  const begin = now => ({
    status: "connecting", // then "open" or "lost", at last "closed"
    attempt: 0, // since it was open
    lostAt: now, // none has lasted since
    dialing: false,
    dialAt: now, // when to begin an attempt, or to end it
    version: null, // that the page was loaded with
    stale: false, // there is another by now
    pollAt: now,
    checkAt: now, // whether the document can be had
    wakeAt: now,
  })

  const decide = (before, fact, now, decides) => {
    const state = {...before}, actions = [], act = (type, text) => actions.push({type, text})
    const lost = () => state.status !== "open"
    const wanted = () => decides && (state.stale || (lost() && now - state.lostAt >= RELOAD_MS))
    const ended = () => {
      if (!lost() && now - state.openAt >= SOON_MS) state.lostAt = now // shorter, it was none
      state.endedAt = now
      if (state.status === "open") state.status = "lost"
      state.dialing = false
      state.dialAt = now + RETRY_MS
      act("log", `attempt ${state.attempt + 1} in ${RETRY_MS}ms`)
    }
    const late = now - state.wakeAt
    if (late > ASLEEP_MS && lost()) state.lostAt += late // time slept does not count

    switch (fact.type) {
      case "opened":
        if (state.status === "lost") state.pollAt = now // deploys restart servers
        Object.assign(state, {status: "open", attempt: 0, openAt: now, dialing: false})
        break
      case "ended":
        ended()
        break
      case "left": // for another page; it may come back as it is
        act("hangUp")
        ended()
        break
      case "awake": // seen, online
        if (!state.dialing) state.dialAt = Math.max(now, state.endedAt + SOON_MS)
        break
      case "told":
        if (decides) act("reload", fact.text)
        Object.assign(state, {stale: true, checkAt: now + RELOAD_MS}) // if put off
        break
      case "version":
        state.version ??= fact.text
        state.stale ||= fact.text !== state.version
        break
      case "checked":
        state.checkAt = now + (fact.good ? RELOAD_MS : RETRY_MS)
        if (fact.good && wanted()) act("reload", state.stale ? "a new version" : "no connection")
        break
      case "closed":
        act("hangUp")
        return {state: {...state, status: "closed", wakeAt: Infinity}, actions}
    }

    if (lost() && now >= state.dialAt) {
      if (state.dialing) {
        act("hangUp")
        ended()
      } else {
        Object.assign(state, {dialing: true, dialAt: now + PATIENCE_MS, attempt: state.attempt + 1})
        act("dial")
      }
    }
    if (decides && now >= state.pollAt) {
      state.pollAt = now + POLL_MS
      act("askVersion")
    }
    if (wanted() && now >= state.checkAt) {
      state.checkAt = Infinity // until it is known
      act("checkDocument")
    }
    const times = []
    if (lost()) times.push(state.dialAt)
    if (decides && lost()) times.push(state.pollAt, Math.max(state.lostAt + RELOAD_MS, state.checkAt))
    if (decides && state.stale) times.push(state.checkAt)
    state.wakeAt = Math.min(...times)
    return {state, actions}
  }

  // --- done here: one socket, one timer, two questions

  const get = url => fetch(url, {cache: "no-store", signal: AbortSignal.timeout?.(PATIENCE_MS)})

  // Chromium asks its user before a page from elsewhere may ask this machine.
  const mayAsk = async url => {
    const here = /^(localhost|127\.|\[::1])/
    if (!here.test(url.hostname) || here.test(location.hostname)) return true
    for (const name of ["loopback-network", "local-network-access"]) {
      const permission = await navigator.permissions?.query({name}).catch(() => null)
      if (permission) return permission.state === "granted"
    }
    return true
  }

  let reloading // one is enough

  const connect = (url, {kioskd = "http://127.0.0.1:8137", protocols = [], log = console.info, ...on} = {}) => {
    let state = begin(performance.now()), socket, timer
    const page = globalThis.document, ended = new AbortController()
    const connection = new (class extends EventTarget {
      get status() { return state.status }
      get attempt() { return state.attempt }
      send(data) { return socket?.readyState === 1 && (socket.send(data), true) }
      close() {
        take("closed")
        ended.abort()
      }
    })()

    const take = (type, more) => {
      const before = state.status
      if (before === "closed") return
      // Where kioskd's observer is in the page kioskd decides when to load: one deploy, one load.
      const result = decide(state, {type, ...more}, performance.now(), !!page && !(Symbol.for("kioskd") in globalThis))
      state = result.state
      for (const action of result.actions) edges[action.type](action.text)
      clearTimeout(timer)
      if (state.wakeAt < Infinity) timer = setTimeout(take, state.wakeAt - performance.now(), "woke")
      if (state.status !== before) connection.dispatchEvent(new Event("status"))
    }

    const hear = ({data, origin}) => {
      connection.dispatchEvent(new MessageEvent("message", {data, origin}))
      try {
        const {type, payload} = data.includes('"reload"') && JSON.parse(data)
        if (type === "reload") take("told", {text: payload?.message})
      } catch {
        // no message of ours
      }
    }

    const edges = {
      log: text => setTimeout(log, 0, `kioskd.js: ${text}`), // it may throw
      dial() {
        try {
          const mine = (socket = new WebSocket(typeof url === "function" ? url() : url, protocols))
          mine.onopen = () => mine === socket && take("opened")
          mine.onclose = () => mine === socket && take("ended")
          mine.onmessage = event => mine === socket && hear(event)
        } catch (error) {
          if (state.attempt === 1 && state.status === "connecting") throw error // the caller's mistake
          edges.log(error.message)
          setTimeout(take, 0, "ended")
        }
      },
      hangUp() {
        socket?.close()
        socket = null
      },
      async askVersion() {
        try {
          const from = new URL("/api/deployment_version", kioskd)
          if (!(await mayAsk(from))) return
          const answer = await get(from)
          const {version, digest, also, complete} = answer.ok && (await answer.json())
          if (version && complete !== false) take("version", {text: `${version} ${digest} ${also}`})
        } catch {
          // most machines have no kioskd
        }
      },
      async checkDocument() {
        let good = false
        try {
          const answer = await get(location.href)
          good = answer.ok && !answer.redirected && /html/.test(answer.headers.get("Content-Type")) && (await answer.text())
        } catch {
          // it would be an error page
        }
        take("checked", {good})
      },
      reload(why) {
        if (reloading || !connection.dispatchEvent(new CustomEvent("reload", {cancelable: true, detail: why}))) return
        reloading = setTimeout(() => (reloading = 0), PATIENCE_MS)
        setTimeout(() => location.reload(), RETRY_MS - performance.now()) // no storm
      },
    }

    take("begun")
    for (const name of ["Message", "Status", "Reload"]) connection.addEventListener(name.toLowerCase(), on[`on${name}`])
    const listen = (on, name, then) => on?.addEventListener?.(name, then, ended)
    listen(globalThis, "online", () => take("awake"))
    listen(globalThis, "pagehide", () => take("left"))
    listen(page, "visibilitychange", () => page.hidden || take("awake"))
    return connection
  }

  Object.assign((globalThis.kioskd ??= {}), {connect: Object.assign(connect, {begin, decide})})
})()
