// A clock that moves, so that a frozen picture is seen; and for how long the screen has waited.
const clock = document.getElementById("clock"), since = document.getElementById("since")
const began = new Date(since.dataset.since), two = number => String(number).padStart(2, "0")
const seconds = document.createElement("span")
const time = moment => [moment.getHours(), moment.getMinutes()].map(two).join(":")
const lasted = minutes => minutes < 120 ? `${minutes}\u00a0min` : minutes < 2880 ? `${Math.floor(minutes / 60)}\u00a0h` : `${Math.floor(minutes / 1440)}\u00a0days`
const tick = () => {
  const now = new Date(), minutes = Math.floor((now - began) / 60000)
  seconds.textContent = `:${two(now.getSeconds())}`
  clock.replaceChildren(time(now), seconds)
  if (began.getTime()) {
    const today = now.toDateString() === began.toDateString(), date = minutes < 8640 ? {weekday: "long"} : {day: "numeric", month: "long"}
    const day = today ? "" : `${began.toLocaleDateString("en-GB", date)} `
    since.textContent = `, since ${day}${time(began)}` + (minutes < 1 ? "" : ` (${lasted(minutes)})`)
  }
  setTimeout(tick, 1000 - now.getMilliseconds())
}
tick()
