// Answers from its cache first, and so shows an old build after a deploy: the kind of service worker kioskd has to get past.
"use strict"
const precache = location.search === "?precache"
self.addEventListener("install", (event) => {
  self.skipWaiting()
  if (precache) event.waitUntil(caches.open("build").then((cache) => cache.add("/index.html"))) // from the HTTP cache, if that has it
})
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()))
self.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url)
  if (event.request.method !== "GET" || !(pathname === "/" || pathname.startsWith("/assets/"))) return
  event.respondWith((async () => {
    const cache = await caches.open("build")
    const kept = await cache.match(precache && pathname === "/" ? "/index.html" : event.request)
    if (kept) return kept
    const answer = await fetch(event.request)
    if (answer.ok) await cache.put(event.request, answer.clone())
    return answer
  })())
})
