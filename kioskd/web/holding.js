// A clock that moves, so that a frozen picture is seen; and for how long the screen has waited.
const clock = document.getElementById("clock"), since = document.getElementById("since")
const began = new Date(since.dataset.since), two = number => String(number).padStart(2, "0")
const tick = () => {
  const now = new Date(), minutes = Math.floor((now - began) / 60000)
  clock.textContent = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(":")
  if (began.getTime()) {
    const text = [began.getHours(), began.getMinutes()].map(two).join(":")
    since.textContent = `, since ${text}` + (minutes < 1 ? "" : minutes < 120 ? ` (${minutes} min)` : ` (${Math.floor(minutes / 60)} h)`)
  }
  setTimeout(tick, 1000 - now.getMilliseconds())
}
tick()
