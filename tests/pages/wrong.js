// What a person would find wrong with the page that is shown: sentences, none where all is well.
scrolls => {
  const found = [], root = document.documentElement
  const name = it => `<${it.localName}${it.id && ` id=${it.id}`}> “${(it.textContent ?? "").trim().slice(0, 50)}”`
  const shown = it => it.checkVisibility() && it.getClientRects().length > 0
  if (root.scrollWidth > innerWidth) found.push(`it scrolls sideways: ${root.scrollWidth} of ${innerWidth} px`)
  if (!scrolls && root.scrollHeight > innerHeight) found.push(`it is too long: ${root.scrollHeight} of ${innerHeight} px`)
  for (const it of document.body.querySelectorAll("*")) {
    if (!shown(it)) continue
    const box = it.getBoundingClientRect()
    if (box.left < -0.5 || box.right > innerWidth + 0.5) found.push(`${name(it)} is beyond the edge: ${box.left} to ${box.right}`)
    if (!scrolls && (box.top < -0.5 || box.bottom > innerHeight + 0.5)) found.push(`${name(it)} is beyond the edge: ${box.top} to ${box.bottom}`)
    if (!(it instanceof HTMLElement) || getComputedStyle(it).overflow === "visible") continue
    if (it.scrollWidth > it.clientWidth + 1 || it.scrollHeight > it.clientHeight + 1) found.push(`${name(it)} is cut off`)
  }

  // Text by text: large enough to be read, inside its drawing, and on top of no other.
  const texts = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement
    if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE"].includes(parent.tagName) || !shown(parent)) continue
    const size = parseFloat(getComputedStyle(parent).fontSize)
    if (size < 11) found.push(`${name(parent)} is too small: ${size.toFixed(1)} px`)
    const range = document.createRange()
    range.selectNodeContents(walker.currentNode)
    for (const box of range.getClientRects()) texts.push({parent, box})
    const drawing = parent.closest("svg")?.getBoundingClientRect(), box = range.getBoundingClientRect()
    if (drawing && (box.left < drawing.left - 1 || box.right > drawing.right + 1 || box.top < drawing.top - 2 || box.bottom > drawing.bottom + 2))
      found.push(`${name(parent)} is outside of its drawing`)
  }
  const common = (from, to, a, b) => Math.min(a[to], b[to]) - Math.max(a[from], b[from])
  texts.forEach((a, number) => {
    for (const b of texts.slice(number + 1))
      if (a.parent !== b.parent && common("left", "right", a.box, b.box) > 2 && common("top", "bottom", a.box, b.box) > 4)
        found.push(`${name(a.parent)} is on top of ${name(b.parent)}`)
  })
  return found
}
