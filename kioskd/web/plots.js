// Two small plots, of how long the incidents lasted and of Chromium's memory. Positions are shares of the drawing, whatever its width; texts and
// dots keep their size.
"use strict"

import {clock, end, lasted, t} from "/words.js"

export const DAYS = 7
const LEFT = .13, RIGHT = .98, TOP = .09, BOTTOM = .8 // of the drawing: within are the figures
const MIDDLE = .6, GAP = .06 // the incidents' memory to the left, this page's to the right
const LONGEST = 86400 // seconds, the top of the axis of lengths
const LINE_MS = 180000, WIDTH_MS = 600000 // figures further apart are not joined; at least so much is shown of now
const MOST = 3000 // figures, two days of them

// Text is always text, never markup.
export const make = (name, attributes = {}, ...inside) => {
  const svg = ["svg", "rect", "line", "circle", "text"].includes(name)
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value)
  element.append(...inside)
  return element
}

const percent = share => `${(100 * Math.min(1, Math.max(0, share))).toFixed(2)}%`
const high = share => percent(BOTTOM + (TOP - BOTTOM) * Math.min(1, share))
const wide = (share, from = LEFT, to = RIGHT) => percent(from + (to - from) * share)

const axis = ticks => ticks.flatMap(([share, name]) => [
  make("line", {x1: percent(LEFT), x2: percent(RIGHT), y1: high(share), y2: high(share)}),
  make("text", {x: 0, y: high(share), "dominant-baseline": "middle"}, name)])
const ends = (from, to, first, last) => [
  make("text", {x: percent(from), y: "98%"}, first), make("text", {x: percent(to), y: "98%", "text-anchor": "end"}, last)]
const dot = (x, y, look, over = true) => over ? make("circle", {cx: x, cy: y, r: 4.5, "data-look": look})
  : make("rect", {x, y, width: 9, height: 9, transform: "translate(-4.5 -4.5)", "data-look": look})
const figure = (title, caption, inside) => make("figure", {}, make("h3", {}, title),
  ...(inside ? [make("svg", {role: "img", "aria-label": `${title}. ${caption}`}, ...inside)] : []), make("figcaption", {}, caption))

const sinceDays = moment => 1 + (new Date(moment) - Date.now()) / (DAYS * 86400e3)

function lengths(incidents) {
  const logarithm = seconds => Math.log(Math.max(1, seconds)) / Math.log(LONGEST)
  const took = each => each.seconds ?? (new Date(each.ended ?? Date.now()) - new Date(each.began)) / 1000
  const late = incidents.filter(each => sinceDays(each.began) > 0)
  if (!late.length) return figure(t("lengths"), t("noLengths"))
  const dots = late.map(each => dot(wide(sinceDays(each.began)), high(logarithm(took(each))), end(each)[0], each.seconds !== null))
  const over = late.map(each => each.seconds).filter(each => each !== null).sort((a, b) => a - b)
  const caption = over.length ? t("lengthsAre", late.length, lasted(over[over.length >> 1]), lasted(over.at(-1))) : t("nothingOver", late.length)
  const ticks = [[1, "1 s"], [60, "1 min"], [3600, "1 h"], [86400, "1 d"]].map(([seconds, name]) => [logarithm(seconds), name])
  return figure(t("lengths"), caption, [...axis(ticks), ...ends(LEFT, RIGHT, t("daysAgo", DAYS), t("now")), ...dots])
}

// What came while this page is open: {at, bytes, generation}.
const opened = Date.now(), came = []

// Note the memory of a status; tell whether it is a new figure.
export function noteMemory({memory, generation}) {
  if (!memory || came.at(-1)?.bytes === memory) return false
  came.push({at: Date.now(), bytes: memory, generation})
  came.splice(0, came.length - MOST)
  return true
}

function memories(incidents) {
  const taken = incidents.flatMap(each => each.evidence).filter(each => each.memory && sinceDays(each.at) > 0)
  const all = [...taken.map(each => each.memory), ...came.map(each => each.bytes)].map(each => Math.round(each / 1e6))
  if (!all.length) return figure(t("memories"), t("noMemories"))
  const step = Math.max(...all) < 1000 ? 100 : 1000, top = Math.ceil(Math.max(...all) / step) * step
  const from = Math.min(opened, Date.now() - WIDTH_MS), right = MIDDLE + GAP
  const x = each => wide((each.at - from) / (Date.now() - from), right, RIGHT), y = bytes => high(bytes / 1e6 / top)
  const line = came.slice(1).map((each, number) => [came[number], each])
    .filter(([a, b]) => a.generation === b.generation && b.at - a.at < LINE_MS)
    .map(([a, b]) => make("line", {class: "data", x1: x(a), x2: x(b), y1: y(a.bytes), y2: y(b.bytes)}))
  const dots = taken.map(each => dot(wide(sinceDays(each.at), LEFT, MIDDLE), y(each.memory), "good"))
  const last = came.length ? [dot(x(came.at(-1)), y(came.at(-1).bytes), "good")] : []
  const caption = t("memoriesAre", clock(opened), Math.min(...all), Math.max(...all)) + (came.length ? ` ${t("lastMemory", all.at(-1))}` : "")
  return figure(t("memories"), caption, [...axis([[0, "0"], [.5, top / 2], [1, top]]),
    ...ends(LEFT, MIDDLE, t("daysAgo", DAYS), t("now")), ...ends(right, RIGHT, clock(from).slice(0, 5), t("now")), ...dots, ...line, ...last])
}

// Draw both anew.
export const drawPlots = incidents => document.getElementById("plots").replaceChildren(lengths(incidents), memories(incidents))
