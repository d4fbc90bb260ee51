// Answers from its cache first, and so shows an old build after a deploy: the kind of service worker kioskd has to get past.
"use strict"
self.addEventListener("install", () => self.skipWaiting())
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()))
self.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url)
  if (event.request.method !== "GET" || !(pathname === "/" || pathname.startsWith("/assets/"))) return
  event.respondWith((async () => {
    const cache = await caches.open("build")
    const kept = await cache.match(event.request)
    if (kept) return kept
    const answer = await fetch(event.request)
    if (answer.ok) await cache.put(event.request, answer.clone())
    return answer
  })())
})
