// Stands in every frame of every page, and takes what leads out of it: keys, links, a mouse's other buttons. Called as (guards)(stand): stand(type,
// hear, how) is addEventListener of the window. Part of the observer; a frame whose scripts are forbidden has it alone, in a world of its own.
(stand => {
  "use strict";
  const {apply} = Reflect, {getOwnPropertyDescriptor} = Object;
  const free = method => (self, ...args) => apply(method, self, args);
  const getter = (type, key) => free(getOwnPropertyDescriptor(type.prototype, key).get);

  // --- keys that lead out of the page: of a page in full screen the browser acts only on those that the page leaves to it

  const keyOf = getter(KeyboardEvent, "keyCode"), prevent = free(Event.prototype.preventDefault); // a letter by what is printed on it, in every alphabet
  const [ctrl, alt, meta, shift] = ["ctrlKey", "altKey", "metaKey", "shiftKey"].map(modifier => getter(KeyboardEvent, modifier));
  const BACKSPACE = 8, ESCAPE = 27, END = 35, DOWN = 40, DELETE = 46, A = 65, C = 67, R = 82, V = 86, X = 88, Y = 89, Z = 90, F1 = 112, F5 = 116, F24 = 135;
  const BROWSER_KEYS = 166, LAUNCH_KEYS = 183; // "back", "home", "mail" and their like
  const among = keys => { const set = {__proto__: null}; for (let i = 0; i < keys.length; i++) set[keys[i]] = 1; return set; };
  const editing = among([BACKSPACE, DELETE, A, C, R, V, X, Y, Z]), editingWithShift = among([BACKSPACE, R, V, Z]);
  const leadsOut = event => {
    const key = keyOf(event);
    if ((key >= F1 && key <= F24 && key !== F5) || (key >= BROWSER_KEYS && key <= LAUNCH_KEYS) || alt(event) || meta(event)) return true;
    if (key === ESCAPE) return shift(event); // the task manager
    return ctrl(event) && !(key >= END && key <= DOWN) && !(shift(event) ? editingWithShift : editing)[key];
  };
  stand("keydown", event => { if (event.isTrusted && leadsOut(event)) prevent(event); });

  // --- clicks that lead out of it: into a window of their own, onto the disk, to another program

  const pathOf = free(Event.prototype.composedPath), protocolOf = getter(HTMLAnchorElement, "protocol"), buttonOf = getter(MouseEvent, "button");
  const held = ["ctrlKey", "altKey", "metaKey", "shiftKey"].map(modifier => getter(MouseEvent, modifier));
  const WEB = {"http:": 1, "https:": 1, "blob:": 1, "data:": 1, "about:": 1, "javascript:": 1, ":": 1, __proto__: null};
  const aside = event => {
    for (let i = 0; i < held.length; i++) if (held[i](event)) return true;
    return buttonOf(event) === 1;
  };
  const leadsAway = event => {
    if (aside(event)) return true; // a link can be drawn, or hidden in a closed shadow
    const path = pathOf(event);
    for (let i = 0; i < path.length; i++) {
      let protocol = null;
      try { protocol = protocolOf(path[i]); } catch { continue; /* no link */ }
      return !WEB[protocol];
    }
    return false;
  };
  const click = event => { if (event.isTrusted && leadsAway(event)) prevent(event); };
  stand("click", click);
  stand("auxclick", click);

  // --- a mouse's other buttons go back and forward, and its wheel with Ctrl leaves the page small for ever

  const sideways = event => { if (buttonOf(event) > 2) prevent(event); };
  stand("mousedown", sideways);
  stand("mouseup", sideways);
  stand("wheel", event => { if (held[0](event)) prevent(event); }, {capture: true, passive: false});
})
