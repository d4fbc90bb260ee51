// What kioskd.js decides, under a clock of our own: node's test runner, no page, no socket, no waiting.
import assert from "node:assert/strict"
import {test} from "node:test"
import {connect} from "../../kioskd/web/kioskd.mjs"

const SECOND = 1000, MINUTE = 60 * SECOND

class Page {
  /** A page that has just loaded. `decides`: no kioskd sees to it. `answers`: what the server says to each attempt. */
  constructor({decides = true, answers = () => "ended", document = () => false, version = () => null} = {}) {
    Object.assign(this, {decides, answers, document, version, now: 0, done: [], state: connect.begin(0)})
    this.take({type: "begun"})
  }

  take(fact) {
    const {state, actions} = connect.decide(this.state, fact, this.now, this.decides)
    assert.ok(state.wakeAt > this.now, `to be woken at ${state.wakeAt}, which is not after ${this.now}`)
    this.state = state
    for (const {type, text} of actions) this.do(type, text)
  }

  do(type, text) {
    this.done.push([this.now, type, text])
    if (type === "dial") this.answer = this.answers(this)
    if (type === "checkDocument") this.take({type: "checked", good: this.document(this)})
    if (type === "askVersion" && this.version(this) !== null) this.take({type: "version", text: this.version(this)})
  }

  /** Let time pass; the timer goes off `late` after it should. */
  pass(ms, late = 0) {
    const end = this.now + ms
    for (;;) {
      const {answer} = this
      delete this.answer
      if (answer) {
        this.take({type: answer})
        continue
      }
      if (this.state.wakeAt > end) break
      this.now = Math.max(this.now, this.state.wakeAt + late)
      this.take({type: "woke"})
    }
    this.now = Math.max(this.now, end)
    return this
  }

  /** When an action was taken. */
  times(kind) {
    return this.done.filter(([, type]) => type === kind).map(([at]) => at)
  }
}

const opens = () => "opened"

test("it connects at once, and says so", () => {
  const page = new Page({answers: opens})
  assert.equal(page.state.status, "connecting")
  page.pass(MINUTE)
  assert.equal(page.state.status, "open")
  assert.deepEqual(page.times("dial"), [0])
  assert.equal(page.state.wakeAt, Infinity, "an open connection needs no timer")
})

test("attempts come every five seconds, constant, for ever, each with its line", () => {
  const page = new Page({decides: false}).pass(24 * 60 * MINUTE)
  const dials = page.times("dial")
  assert.equal(dials.length, (24 * 60 * 60) / 5 + 1)
  for (let each = 1; each < dials.length; each++) assert.equal(dials[each] - dials[each - 1], 5 * SECOND)
  const lines = page.done.filter(([, type]) => type === "log").map(([, , text]) => text)
  assert.deepEqual(lines.slice(0, 3), ["attempt 2 in 5000ms", "attempt 3 in 5000ms", "attempt 4 in 5000ms"])
})

test("a connection that was open is tried again after five seconds, and counts from one", () => {
  const page = new Page({answers: opens}).pass(MINUTE)
  page.take({type: "ended"})
  assert.equal(page.state.status, "lost")
  assert.deepEqual(page.done.find(([, type]) => type === "log"), [MINUTE, "log", "attempt 1 in 5000ms"])
  page.pass(6 * SECOND)
  assert.equal(page.state.status, "open")
  assert.deepEqual(page.times("dial"), [0, 65 * SECOND])
})

test("an attempt that nobody answers ends after ten seconds", () => {
  const page = new Page({answers: () => null, decides: false}).pass(40 * SECOND)
  assert.deepEqual(page.times("dial"), [0, 15 * SECOND, 30 * SECOND])
  assert.deepEqual(page.times("hangUp"), [10 * SECOND, 25 * SECOND, 40 * SECOND])
})

test("after a minute without a connection the page is reloaded, if its document can be had", () => {
  const page = new Page({answers: opens, document: () => true}).pass(MINUTE)
  page.answers = () => "ended"
  page.take({type: "ended"})
  page.pass(59 * SECOND)
  assert.deepEqual(page.times("checkDocument"), [])
  page.pass(2 * SECOND)
  assert.deepEqual(page.done.filter(([, type]) => type === "reload"), [[2 * MINUTE, "reload", "no connection"]])
})

test("a connection that ends at once is none; a server that restarts again and again is another matter", () => {
  for (const [lasts, reloads] of [[0, 1], [2 * SECOND, 0]]) {
    const page = new Page({answers: opens, document: () => true}).pass(MINUTE)
    for (let each = 0; each < 14; each++) {
      page.take({type: "ended"})
      page.pass(5 * SECOND + lasts)
      assert.equal(page.state.status, "open")
    }
    assert.equal(page.times("reload").length, reloads)
  }
})

test("a document that cannot be had keeps the page as it is, and is looked for every five seconds, for ever", () => {
  const page = new Page({}).pass(MINUTE)
  page.pass(10 * MINUTE)
  assert.equal(page.times("reload").length, 0)
  assert.equal(page.times("checkDocument").length, (10 * 60) / 5 + 1)
  page.document = () => true
  page.pass(5 * SECOND)
  assert.equal(page.times("reload").length, 1)
})

test("a reload that leads nowhere is tried again after a minute", () => {
  const page = new Page({document: () => true}).pass(3 * MINUTE + SECOND)
  assert.deepEqual(page.times("reload"), [MINUTE, 2 * MINUTE, 3 * MINUTE])
})

test("the version is asked for at the start and, without a connection, every thirty seconds", () => {
  const page = new Page({answers: opens}).pass(10 * MINUTE)
  assert.deepEqual(page.times("askVersion"), [0])
  page.answers = () => "ended"
  page.take({type: "ended"})
  page.pass(MINUTE + SECOND)
  assert.deepEqual(page.times("askVersion").slice(1).map(at => at - 10 * MINUTE), [0, 30 * SECOND, 60 * SECOND])
})

test("another version reloads the page, once its document can be had", () => {
  const page = new Page({version: () => "1"}).pass(SECOND)
  page.version = () => "2"
  page.pass(30 * SECOND)
  assert.equal(page.times("checkDocument")[0], 30 * SECOND)
  page.document = () => true
  page.pass(6 * SECOND)
  assert.deepEqual(page.done.filter(([, type]) => type === "reload")[0], [35 * SECOND, "reload", "a new version"])
})

test("a deploy that restarted its server is seen with the first connection after it", () => {
  const page = new Page({answers: opens, version: () => "1", document: () => true}).pass(MINUTE)
  page.take({type: "ended"})
  page.version = () => "2"
  page.pass(6 * SECOND)
  assert.deepEqual(page.done.filter(([, type]) => type === "reload"), [[65 * SECOND, "reload", "a new version"]])
})

test("a version that is not known, or the same, changes nothing", () => {
  const page = new Page({}).pass(50 * SECOND)
  page.version = () => "1"
  page.pass(9 * SECOND)
  assert.equal(page.state.stale, false)
})

test("a message that says so reloads at once", () => {
  const page = new Page({answers: opens}).pass(SECOND)
  page.take({type: "told", text: "the menu"})
  assert.deepEqual(page.done.at(-1), [SECOND, "reload", "the menu"])
})

test("a message that the page puts off comes again after a minute", () => {
  const page = new Page({answers: opens, document: () => true}).pass(SECOND)
  page.take({type: "told"})
  page.pass(2 * MINUTE - SECOND)
  assert.deepEqual(page.times("reload"), [SECOND, MINUTE + SECOND])
})

test("where kioskd sees to the page, it only reconnects", () => {
  const page = new Page({decides: false, version: () => `${page?.now}`, document: () => true}).pass(10 * MINUTE)
  page.take({type: "told"})
  page.take({type: "version", text: "another"})
  assert.deepEqual([...new Set(page.done.map(([, type]) => type))].sort(), ["dial", "log"])
})

test("time that was slept through is no time without a connection", () => {
  const page = new Page({answers: () => "ended", document: () => true}).pass(20 * SECOND)
  page.pass(5 * SECOND, 8 * 60 * MINUTE) // the tab slept for the night
  assert.equal(page.times("reload").length, 0)
  page.pass(30 * SECOND)
  assert.equal(page.times("reload").length, 0)
  page.pass(10 * SECOND)
  assert.equal(page.times("reload").length, 1)
})

test("what wakes the page is an attempt at once, but no storm of them", () => {
  const page = new Page({decides: false}).pass(3 * SECOND)
  page.answers = () => null
  page.take({type: "awake"})
  assert.deepEqual(page.times("dial"), [0, 3 * SECOND])
  page.take({type: "ended"})
  for (let each = 0; each < 100; each++) page.take({type: "awake"})
  assert.deepEqual(page.times("dial"), [0, 3 * SECOND])
  page.pass(SECOND)
  assert.deepEqual(page.times("dial"), [0, 3 * SECOND, 4 * SECOND])
})

test("a page that is left lets go, and comes back with an attempt", () => {
  const page = new Page({answers: opens}).pass(MINUTE)
  page.take({type: "left"})
  assert.equal(page.done.some(([, type]) => type === "hangUp"), true)
  page.now += 60 * MINUTE // in the back/forward cache no timer goes off
  page.take({type: "awake"})
  page.pass(0)
  assert.equal(page.state.status, "open")
  assert.equal(page.times("reload").length, 0)
})

test("closed is closed", () => {
  const page = new Page({answers: opens}).pass(SECOND)
  page.take({type: "closed"})
  assert.deepEqual([page.state.status, page.state.wakeAt], ["closed", Infinity])
})

test("no wall clock is asked", () => {
  const {now} = Date
  Date.now = () => assert.fail("it was asked")
  try {
    new Page({document: () => true, version: () => "1"}).pass(10 * MINUTE)
  } finally {
    Date.now = now
  }
})

test("the same facts at the same times are the same decisions", () => {
  const told = () => new Page({document: ({now}) => now % 2 === 0, version: ({now}) => `${now > 5 * MINUTE}`}).pass(20 * MINUTE).done
  assert.deepEqual(told(), told())
})
