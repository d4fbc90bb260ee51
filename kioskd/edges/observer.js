// Runs before any script of the page, in every document and worker. Knows each WebSocket and EventSource, and answers one question:
// how are you? What it uses of the language is taken now, because a page may replace any of it later. Called as (observer)("name", screen, text, guards):
// `screen` is null, or the port of kioskd on this machine and the key by which it knows this screen's connections from other screens'; `text` the
// one that shows a page that is stuck, or null; `guards` is guards.js.
((name, screen, text, guards) => {
  "use strict";
  const world = globalThis;
  if (Object.getOwnPropertyDescriptor(world, name)) return; // an initial about:blank hands its window to the document that follows

  const MAX_GROUPS = 32, MAX_FRAMES = 64, MAX_KINDS = 32, MAX_NODES = 3000, LOOK_MS = 20, FRAME_MS = 250;
  const {apply, construct} = Reflect, {defineProperty, getOwnPropertyDescriptor} = Object;
  const free = method => (self, ...args) => apply(method, self, args);
  const getter = (type, key) => free(getOwnPropertyDescriptor(type.prototype, key).get);
  const P = Promise, S = String, clock = performance, now = clock.now.bind(clock);
  const listen = free(EventTarget.prototype.addEventListener);
  const {get: mapGet, set: mapSet, delete: mapDelete, keys: mapKeys} = Map.prototype, nextKey = free(new Map().keys().next);
  const groups = new Map(), group = free(mapGet), keep = free(mapSet), drop = free(mapDelete), names = free(mapKeys);
  const tracks = new WeakMap(), trackOf = free(WeakMap.prototype.get), track = free(WeakMap.prototype.set);
  const [indexOf, slice, trim, lower, replace] = ["indexOf", "slice", "trim", "toLowerCase", "replace"].map(m => free(S.prototype[m]));

  // --- connections: one group for all of one URL without query, so that endless reconnects need no memory

  let size = 0;
  const before = (text, mark) => { const at = indexOf(text, mark); return at < 0 ? text : slice(text, 0, at); };
  const groupOf = url => {
    url = before(before(url, "#"), "?");
    url = slice(url, 0, 1000);
    let known = group(groups, url);
    if (!known) {
      if (size >= MAX_GROUPS && !forgetOne()) return null;
      size++;
      known = {url, open: 0, since: now(), closedByPage: false, messages: 0, last: 0, gap: 0};
      keep(groups, url, known);
    }
    return known;
  };

  const forgetOne = () => {
    const all = names(groups);
    for (let key = nextKey(all); !key.done; key = nextKey(all)) {
      if (group(groups, key.value).open) continue;
      drop(groups, key.value);
      size--;
      return true;
    }
    return false;
  };

  const opened = one => {
    if (one.open || one.ended) return;
    one.open = true;
    if (one.group.open++ === 0) one.group.since = one.group.last = now();
    one.group.closedByPage = false;
  };
  const lost = (one, byPage) => {
    if (!one.open) return;
    one.open = false;
    if (--one.group.open > 0) return;
    one.group.since = now();
    one.group.closedByPage = byPage;
  };
  const heard = one => {
    const at = now(), of = one.group;
    if (at - of.last > of.gap) of.gap = at - of.last;
    of.last = at;
    of.messages++;
  };

  // A connection to kioskd itself hears what is meant for other screens, and says nothing about the page: it is marked, not counted.
  const doors = [], hosts = ["127.0.0.1", "localhost", "[::1]"], schemes = ["ws", "http"];
  for (let s = 0; screen && s < 2; s++) for (let h = 0; h < 3; h++) doors[doors.length] = `${schemes[s]}://${hosts[h]}:${screen[0]}/ws`;
  const leadsToKioskd = url => {
    const door = before(before(url, "#"), "?");
    for (let i = 0; i < doors.length; i++) if (doors[i] === door) return true;
    return false;
  };

  const observe = (kind, urlOf, stateOf, follow) => {
    const Native = world[kind];
    if (!Native) return;
    const Seen = new Proxy(Native, {
      construct(target, args, newTarget) {
        const url = typeof args[0] === "object" && args[0] !== null ? S(args[0]) : args[0]; // a URL, said once
        const inside = typeof url === "string" && leadsToKioskd(url);
        if (inside) args[0] = `${before(url, "#")}${indexOf(url, "?") < 0 ? "?" : "&"}kioskd=${screen[1]}`;
        else if (args.length) args[0] = url;
        const made = construct(target, args, newTarget === Seen ? target : newTarget);
        if (inside) return made;
        const of = groupOf(urlOf(made));
        if (of) {
          of.closedByPage = false; // it tries again
          const one = {group: of, open: false, ended: false, kinds: 0};
          track(tracks, made, one);
          listen(made, "open", () => opened(one));
          listen(made, "message", () => heard(one));
          follow(made, one);
        }
        return made;
      },
    });
    const proto = Native.prototype, close = proto.close;
    proto.close = new Proxy(close, {
      apply(target, self, args) {
        const one = trackOf(tracks, self);
        const wasOpen = one && stateOf(self) === 1;
        const result = apply(target, self, args); // throws where its arguments are bad, and then nothing was closed
        if (one) { if (wasOpen) lost(one, true); one.ended = true; }
        return result;
      },
    });
    defineProperty(proto, "constructor", {...getOwnPropertyDescriptor(proto, "constructor"), value: Seen});
    defineProperty(world, kind, {...getOwnPropertyDescriptor(world, kind), value: Seen});
  };

  if (world.WebSocket)
    observe("WebSocket", getter(WebSocket, "url"), getter(WebSocket, "readyState"), (socket, one) =>
      listen(socket, "close", () => { lost(one, false); one.ended = true; }));

  if (world.EventSource) {
    const state = getter(EventSource, "readyState");
    observe("EventSource", getter(EventSource, "url"), state, (source, one) =>
      listen(source, "error", () => { lost(one, false); if (state(source) === 2) one.ended = true; }));
    // A named event reaches only listeners of its name, so each name the page listens to is listened to.
    const known = {message: 1, open: 1, error: 1, __proto__: null};
    defineProperty(EventSource.prototype, "addEventListener", {
      configurable: true, enumerable: true, writable: true,
      value: new Proxy(EventTarget.prototype.addEventListener, {
        apply(target, self, args) {
          const one = trackOf(tracks, self), kind = args[0];
          if (one && typeof kind === "string" && !known[kind] && !(one.names ??= {__proto__: null})[kind] && one.kinds++ < MAX_KINDS) {
            one.names[kind] = 1;
            listen(self, kind, () => heard(one));
          }
          return apply(target, self, args);
        },
      }),
    });
  }

  const connections = () => {
    const found = [], at = now(), seconds = since => (at - since) / 1000, all = names(groups);
    for (let key = nextKey(all), i = 0; !key.done; key = nextKey(all)) {
      const g = group(groups, key.value), age = seconds(g.since);
      found[i++] = {
        url: g.url, open_for: g.open ? age : null, dead_for: g.open ? null : age, closed_by_page: g.closedByPage,
        messages: g.messages, silent_for: g.open ? seconds(g.last) : 0, longest_gap: g.gap / 1000,
      };
    }
    return found;
  };

  const hide = answer => defineProperty(world, name, {value: answer}); // not enumerable, and there for good
  if (!world.document) return void hide(() => ({connections: connections()}));

  // --- the document: is anything to be seen?

  const rectOf = free(Element.prototype.getBoundingClientRect), rendered = free(Element.prototype.checkVisibility);
  const style = world.getComputedStyle.bind(world), backgroundOf = free(CSSStyleDeclaration.prototype.getPropertyValue), frame = world.requestAnimationFrame.bind(world);
  const timer = world.setTimeout.bind(world); // a worker that has not begun yet has none
  const walkerOf = free(Document.prototype.createTreeWalker), step = free(TreeWalker.prototype.nextNode);
  const typeOf = getter(Node, "nodeType"), textOf = getter(Node, "textContent"), parentOf = getter(Node, "parentElement"), firstOf = getter(Node, "firstChild");
  const tagOf = getter(Element, "localName"), shadowOf = getter(Element, "shadowRoot"), innerText = getter(HTMLElement, "innerText");
  const bodyOf = getter(Document, "body"), rootOf = getter(Document, "documentElement"), urlOf = getter(Document, "URL"), readyOf = getter(Document, "readyState");
  const shownOf = getter(Document, "visibilityState"), naturalWidth = getter(HTMLImageElement, "naturalWidth");
  const entries = free(Performance.prototype.getEntriesByType), SEEN = {opacityProperty: true, visibilityProperty: true};
  const CONTENT = {canvas: 1, video: 1, iframe: 1, frame: 1, svg: 1, object: 1, embed: 1, input: 1, textarea: 1, select: 1, button: 1,
    progress: 1, meter: 1, math: 1, __proto__: null};
  const SILENT = {script: 1, style: 1, noscript: 1, template: 1, title: 1, option: 1, __proto__: null};

  const pictured = element => indexOf(backgroundOf(style(element), "background-image"), "url(") >= 0;
  const onScreen = element => {
    if (!rendered(element, SEEN)) return false;
    const r = rectOf(element);
    return r.width > 0 && r.height > 0 && r.right > 0 && r.bottom > 0 && r.left < world.innerWidth && r.top < world.innerHeight;
  };
  const shows = (element, budget) => {
    const tag = tagOf(element);
    if (CONTENT[tag]) return onScreen(element);
    if (tag === "img") return naturalWidth(element) > 0 && onScreen(element);
    const shadow = shadowOf(element);
    if (shadow) return anything(shadow, budget);
    if (indexOf(tag, "-") > 0 && !firstOf(element)) return onScreen(element); // a closed shadow root may hold anything
    return pictured(element) && onScreen(element);
  };
  const anything = (root, budget) => {
    const walker = walkerOf(document, root, 5); // elements and text
    for (let node = step(walker); node; node = step(walker)) {
      if (--budget.nodes < 0 || now() > budget.until) return true; // not known, which is not bad
      if (typeOf(node) === 1 ? shows(node, budget) : saysSomething(node)) return true;
    }
    return false;
  };
  const saysSomething = text => {
    if (trim(textOf(text)) === "") return false;
    const parent = parentOf(text); // none: it stands right below a shadow root
    return !parent || (!SILENT[tagOf(parent)] && onScreen(parent));
  };
  const visible = () => {
    const root = rootOf(document);
    if (!root) return false;
    if (tagOf(root) !== "html") return true; // an image, a PDF or an SVG by itself
    const body = bodyOf(document);
    if (!body) return false;
    if (tagOf(body) === "frameset" || pictured(body)) return true;
    return anything(body, {nodes: MAX_NODES, until: now() + LOOK_MS});
  };

  const plain = text => lower(replace(text, /\s+/g, " "));
  const stuck = wanted => {
    const body = bodyOf(document);
    if (!wanted || !body || tagOf(body) !== "body") return false;
    const text = trim(plain(wanted)), space = indexOf(text, " ");
    const first = space < 0 ? text : slice(text, 0, space); // innerText is exact but needs a layout: asked only where it can be true
    return indexOf(lower(textOf(body)), first) >= 0 && indexOf(plain(innerText(body)), text) >= 0;
  };

  const alive = () => {
    try {
      const said = world.kioskd?.alive?.();
      return typeof said === "boolean" ? said : null;
    } catch { return null; }
  };

  // --- listeners of the window. document.open() takes all of them away: they are put back at once, and at each question

  const standing = [], viewOf = getter(Document, "defaultView"); // it may be another frame's document
  const stand = (type, hear, how = true) => { standing[standing.length] = {type, hear, how}; listen(world, type, hear, how); };
  const arm = () => { for (let i = 0; i < standing.length; i++) listen(world, standing[i].type, standing[i].hear, standing[i].how); };
  for (const method of ["open", "write", "writeln"]) {
    Document.prototype[method] = new Proxy(Document.prototype[method], {
      apply(target, self, args) {
        const result = apply(target, self, args);
        try { viewOf(self)[name].arm(); } catch { /* no document of a window */ }
        return result;
      },
    });
  }

  // --- the other frames: those of other origins can only be written to, and the page must not read that

  const post = (frame, ...words) => { try { frame.postMessage([name, ...words], "*"); } catch { /* it has gone */ } };
  const own = wanted => { arm(); return {connections: connections(), stuck: stuck(wanted)}; };
  let answers = null;
  const page = world.top;
  const dataOf = getter(MessageEvent, "data"), sourceOf = getter(MessageEvent, "source"), stop = free(Event.prototype.stopImmediatePropagation);
  stand("message", event => {
    const data = dataOf(event);
    if (typeof data !== "object" || data === null || data[0] !== name) return;
    stop(event);
    // Any frame can find the name, and ask: only the page itself is answered, and never about a text of the asker's choice.
    if (data[1] !== "ask") answers?.(sourceOf(event), data[2], data[3]);
    else if (sourceOf(event) === page) post(page, "answer", data[2], own(text));
  });

  // What a frame of another origin says, it may say of itself: nothing endless, and not of a connection that this document has.
  const number = value => typeof value === "number" ? value : null;
  const bounded = (answer, wanted) => {
    const taken = [], told = answer.connections;
    for (let i = 0; i < told.length && i < MAX_GROUPS; i++) {
      const c = told[i], url = slice(S(c.url), 0, 1000);
      if (group(groups, url)) continue;
      taken[taken.length] = {
        url, open_for: number(c.open_for), dead_for: number(c.dead_for), closed_by_page: c.closed_by_page === true,
        messages: number(c.messages), silent_for: number(c.silent_for), longest_gap: number(c.longest_gap),
      };
    }
    return {connections: taken, stuck: typeof wanted === "string" && answer.stuck === true};
  };

  let asked = 0;
  const others = wanted => new P(resolve => {
    const found = [], far = [], heard = [], id = ++asked;
    const visit = parent => {
      for (let i = 0; found.length + far.length < MAX_FRAMES; i++) {
        let child = null, near = null;
        try { child = parent[i]; } catch { /* one past the last, of another origin's */ }
        if (!child) return;
        try { near = child[name]; } catch { /* another origin */ }
        if (near) found[found.length] = near.own(wanted);
        else far[far.length] = child;
        visit(child);
      }
    };
    visit(world);
    let missing = far.length;
    if (!missing) return resolve(found);
    answers = (from, to, answer) => {
      if (to !== id) return;
      for (let i = 0; i < far.length; i++) {
        if (far[i] !== from || heard[i]) continue; // who was asked, and once
        heard[i] = true;
        try { found[found.length] = bounded(answer, wanted); } catch { /* no answer */ }
        if (--missing === 0) resolve(found);
        return;
      }
    };
    for (let i = 0; i < far.length; i++) post(far[i], "ask", id);
    timer(() => resolve(found), FRAME_MS); // a frame without scripts never answers
  });

  const status = () => {
    const url = urlOf(document);
    if (indexOf(url, "http") !== 0 && indexOf(url, "chrome-error:") !== 0) return null;
    return entries(clock, "navigation")[0]?.responseStatus ?? null;
  };

  const answer = async wanted => {
    const frames = others(wanted);
    // A page that scripts well but no longer paints is a frozen picture; one that is hidden gets no frames.
    if (shownOf(document) === "visible") await new P(resolve => frame(resolve));
    const found = await frames, mine = own(wanted);
    return {
      url: urlOf(document), ready: readyOf(document) === "complete", status: status(), visible: visible(), alive: alive(),
      stuck: mine.stuck, connections: mine.connections, frames: found,
    };
  };
  answer.own = own;
  answer.arm = arm;

  // --- what went wrong of late: scripts that threw, and what the document names and could not be had

  const MAX_TROUBLES = 20, troubles = [];
  let troubled = 0;
  const note = (kind, text) => {
    try { troubles[troubled % MAX_TROUBLES] = {kind, number: troubled, text: slice(S(text), 0, 300)}; troubled++; } catch { /* a text that is none */ }
  };
  const messageOf = getter(ErrorEvent, "message"), fileOf = getter(ErrorEvent, "filename"), lineOf = getter(ErrorEvent, "lineno");
  const reasonOf = getter(PromiseRejectionEvent, "reason"), targetOf = getter(Event, "target");
  stand("error", event => {
    const target = targetOf(event);
    if (target === world) note("error", `${messageOf(event)} (${before(fileOf(event), "?")}:${lineOf(event)})`);
    else try { note("request", before(S(target.currentSrc || target.src || target.href || ""), "?")); } catch { /* no element of ours */ }
  });
  stand("unhandledrejection", event => { try { note("error", reasonOf(event)); } catch { /* it cannot be said */ } });
  answer.troubles = () => troubles;

  hide(answer);
  defineProperty(world, Symbol.for("kioskd"), {value: true}); // for kioskd.js: here somebody sees to the page, and decides when to reload

  guards(stand);

  // A print dialog would stand on the wall for ever, and DevTools does not see it.
  world.print = new Proxy(world.print, {apply() {}});
})
