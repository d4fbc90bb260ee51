// What the console says, in English and Swedish: sentences, moments and durations.
"use strict"

const swedish = navigator.languages.find(each => /^(sv|en)\b/i.test(each))?.toLowerCase().startsWith("sv") ?? false

const TEXTS = {
  en: {
    screen: "On the screen now", signals: "The two signals", ladder: "The ladder", history: "The last days",
    reload: "Reload the page", restart: "Restart the browser", pause: "Leave alone for 10 min", resume: "Look after it again",
    yes: "Yes", no: "No", sureReload: "Load the page anew, here and on the other screens that listen?",
    sureRestart: "End the browser and start it again? The screen is dark for a moment.",
    lost: "The connection to kioskd is gone since {0}. What stands here is from then. It is tried again by itself.",
    pair: "To see more and to do something, open the link that “kioskctl pair” prints on the screen’s machine.",
    page: "The page’s own connection", server: "The server", version: "The front end", browser: "Chromium",
    open: "open for {0}", dead: "dead for {0}", silent: "silent", asleep: "closed by the page itself", none: "none expected so far",
    undoubted: "not asked: nothing is in doubt", up: "up", down: "down", answered: "answered {0}, {1} ago", noAnswer: "no answer",
    same: "{0} is on the screen and on disk", other: "{0} is on disk, {1} on the screen", unknown: "one that is not known", half: "{0} on disk is not complete: {1}",
    noDeploy: "none is watched", running: "{0}, up for {1}", memory: "{0} MB",
    next: "Next: {0} {1}", now: "now", in: "in {0}", nothing: "Nothing to do.", asks: "if the server answers",
    person: "A person is needed: all that kioskd has was done three times, in vain.",
    noPicture: "no picture", pictureOf: "The screen at {0}", noIncident: "Nothing has ever been wrong.", timeline: "Incidents of the last seven days: {0}",
    over: "over after {0}", open_: "not over", interrupted: "kioskd ended in the middle", helped: "helped", inVain: "did not help",
    moreLeft: "{0} more of the same were not kept", paused: "left alone until {0}", failed: "It was refused: {0}",
    lengths: "Seconds off the screen", daysAgo: "{0} days ago", noLengths: "No incident in the last seven days.",
    lengthsAre: "From the first sign to the first of health. {0} in seven days;"
      + " of those that are over the median is {1}, the longest {2}. Squares: not over, or kioskd ended.",
    nothingOver: "From the first sign to now. {0} in seven days, none is over. Squares: not over, or kioskd ended.",
    memories: "Memory of Chromium, MB", noMemories: "Not measured yet: the first figure comes a minute after the browser’s start.",
    memoriesAre: "Dots: taken in incidents. Line: as it came since this page was opened at {0},"
      + " about once a minute; nothing else is kept. Lowest {1}, highest {2}. "
      + "All of Chromium’s processes; where kioskd is a service, the whole service.", lastMemory: "Last: {0}.",
  },
  sv: {
    screen: "På skärmen nu", signals: "De två signalerna", ladder: "Stegen", history: "De senaste dagarna",
    reload: "Ladda om sidan", restart: "Starta om webbläsaren", pause: "Lämna i fred i 10 min", resume: "Ta hand om den igen",
    yes: "Ja", no: "Nej", sureReload: "Ladda om sidan, här och på de andra skärmar som lyssnar?",
    sureRestart: "Avsluta webbläsaren och starta den igen? Skärmen blir mörk en stund.",
    lost: "Anslutningen till kioskd är borta sedan {0}. Det som står här är från dess. Nya försök görs av sig själva.",
    pair: "För att se mer och göra något: öppna länken som ”kioskctl pair” skriver ut på skärmens dator.",
    page: "Sidans egen anslutning", server: "Servern", version: "Bygget", browser: "Chromium",
    open: "öppen sedan {0}", dead: "bruten sedan {0}", silent: "tyst", asleep: "stängd av sidan själv", none: "ingen väntas ännu",
    undoubted: "inte tillfrågad: inget är i tvivel", up: "uppe", down: "nere", answered: "svarade {0} för {1} sedan", noAnswer: "inget svar",
    same: "{0} är på skärmen och på disken", other: "{0} är på disken, {1} på skärmen", unknown: "ett okänt", half: "{0} på disken är inte helt: {1}",
    noDeploy: "inget bevakas", running: "{0}, uppe i {1}", memory: "{0} MB",
    next: "Härnäst: {0} {1}", now: "nu", in: "om {0}", nothing: "Inget att göra.", asks: "om servern svarar",
    person: "En människa behövs: allt kioskd kan har gjorts tre gånger, förgäves.",
    noPicture: "ingen bild", pictureOf: "Skärmen klockan {0}", noIncident: "Inget har någonsin varit fel.", timeline: "Händelser de senaste sju dagarna: {0}",
    over: "över efter {0}", open_: "inte över", interrupted: "kioskd avslutades mitt i", helped: "hjälpte", inVain: "hjälpte inte",
    moreLeft: "{0} likadana sparades inte", paused: "lämnas i fred till {0}", failed: "Det nekades: {0}",
    lengths: "Sekunder borta från skärmen", daysAgo: "för {0} dagar sedan", noLengths: "Ingen händelse de senaste sju dagarna.",
    lengthsAre: "Från första tecknet till första friska stunden. {0} på sju dagar;"
      + " av dem som är över är medianen {1}, den längsta {2}. Kvadrater: inte över, eller så avslutades kioskd.",
    nothingOver: "Från första tecknet till nu. {0} på sju dagar, ingen är över. Kvadrater: inte över, eller så avslutades kioskd.",
    memories: "Chromiums minne, MB", noMemories: "Inte mätt ännu: den första siffran kommer en minut efter webbläsarens start.",
    memoriesAre: "Punkter: tagna under händelser. Linje: som det kommit sedan sidan öppnades {0},"
      + " ungefär en gång i minuten; inget annat sparas. Lägst {1}, högst {2}. "
      + "Alla Chromiums processer; där kioskd är en tjänst, hela tjänsten.", lastMemory: "Senast: {0}.",
  },
}
const VERDICTS = {
  en: {
    HEALTHY: "All is well", LOADING: "The page is loading", PAUSED: "Left alone", SERVER_DOWN: "Waiting for the server", STALE: "A new build is coming",
    STUCK: "The page is stuck", BLANK: "The page is blank", UNREADABLE: "The page cannot be read", AWAY: "The page went elsewhere", HUNG: "The page hangs",
    CRASHED: "The page has crashed", FROZEN: "The browser is frozen", TOO_BIG: "The browser is too big", NO_BROWSER: "There is no browser",
  },
  sv: {
    HEALTHY: "Allt är väl", LOADING: "Sidan laddas", PAUSED: "Lämnas i fred", SERVER_DOWN: "Väntar på servern", STALE: "Ett nytt bygge är på väg",
    STUCK: "Sidan har fastnat", BLANK: "Sidan är tom", UNREADABLE: "Sidan går inte att läsa", AWAY: "Sidan är någon annanstans", HUNG: "Sidan har hängt sig",
    CRASHED: "Sidan har kraschat", FROZEN: "Webbläsaren har frusit", TOO_BIG: "Webbläsaren är för stor", NO_BROWSER: "Det finns ingen webbläsare",
  },
}
const RUNG_NAMES = {CALM: "lugnt", SUSPECT: "misstänkt", RELOADED: "omladdad", RESTARTED: "omstartad", REBOOTED: "datorn omstartad"}
const REMEDIES = {
  "start the browser": "starta webbläsaren", "open a new page": "öppna en ny sida", "stop loading": "avbryt laddningen", "go home": "gå hem",
  "show the holding page": "visa väntsidan", "reload the page": "ladda om sidan", "reload the page past its caches": "ladda om sidan förbi dess cacheminnen",
  "end the script and reload": "avsluta skriptet och ladda om", "kill the renderer": "döda sidans process", "restart the browser": "starta om webbläsaren",
  "restart the browser gracefully": "starta om webbläsaren varsamt", "reboot the machine": "starta om datorn",
}

export const language = swedish ? "sv" : "en"
export const t = (key, ...words) => TEXTS[language][key].replace(/\{(\d)\}/g, (_, number) => words[number])
export const verdictOf = verdict => VERDICTS[language][verdict] ?? verdict
export const rungOf = rung => swedish ? RUNG_NAMES[rung] : rung.toLowerCase()
export const remedyOf = remedy => swedish ? REMEDIES[remedy] ?? remedy : remedy

// --- moments

export const clock = moment => new Date(moment).toLocaleTimeString(language, {hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false})
export const day = moment => new Date(moment).toLocaleDateString(language, {weekday: "short", day: "numeric", month: "short"})
export const lasted = seconds => {
  if (seconds < 10) return `${seconds.toFixed(1)}\u00a0s`
  for (const [size, unit, less, name] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (seconds < size) continue
    const whole = Math.floor(seconds / size), rest = Math.floor(seconds % size / less)
    return `${whole}\u00a0${unit}` + (rest && whole < 10 ? `\u00a0${rest}\u00a0${name}` : "")
  }
  return `${Math.round(seconds)}\u00a0s`
}
export const ago = moment => lasted(Math.max(0, (Date.now() - new Date(moment)) / 1000))

// How an incident stands: its look and a sentence.
export const end = each => {
  if (each.interrupted) return ["wait", t("interrupted")]
  if (each.seconds === null) return ["bad", t("open_")]
  return ["good", t("over", lasted(each.seconds))]
}
