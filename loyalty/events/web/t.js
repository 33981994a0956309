/* Visitor events, only with consent: nothing is stored or sent before loyalty("consent", true). */
(function (w, d, n) {
  var me = d.currentScript, site = me.dataset.site, to = me.src.replace(/t\.js.*$/, "t/e"), name = "_loyalty",
    kept = [], on = 0, id, token, timer, events = { page: "page_viewed", product: "product_viewed", cart: "cart_updated" };
  function store(v) {
    try { if (v) localStorage[name] = v; else if (v === "") delete localStorage[name]; else return localStorage[name]; } catch (e) {}
  }
  function random(bytes) {
    return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), function (b) { return (b + 256).toString(16).slice(1); }).join("");
  }
  function start() { on = 1; store(id = store() || id || random(16)); later(); }
  function stop() { on = -1; kept = []; token = id = 0; store(""); }
  function later() { if (on > 0 && !timer) timer = setTimeout(send, 800); }
  function post(body, last) {
    body = JSON.stringify(body);
    if (last && n.sendBeacon && n.sendBeacon(to, body)) return;
    return fetch(to, { method: "POST", body: body, keepalive: true, credentials: "omit", headers: { "Content-Type": "text/plain" } }).catch(function () {});
  }
  function send(last) {
    clearTimeout(timer); timer = 0;
    if (on < 1) return;
    while (kept.length) post({ k: site, a: id, e: kept.splice(0, 20).map(function (e) { e.d = Date.now() - e.d; return e; }) }, last === true);
    if (token) identify(token, 1);
    token = 0;
  }
  function identify(t, again) {
    (post({ k: site, a: id, t: t }) || Promise.resolve()).then(function (r) { return r && r.status == 200 && r.json(); }).then(function (r) {
      if (r && r.new && again && on > 0) { store(id = random(16)); identify(t); }
    });
  }
  function page(p) {
    var all = { url: location.origin + location.pathname, title: d.title.slice(0, 200) };
    try { if (d.referrer) all.referrer = new URL(d.referrer).host; } catch (e) {}
    location.search.replace(/[?&](utm_\w+)=([^&]*)/g, function (m, k, v) { try { all[k] = decodeURIComponent(v); } catch (e) {} });
    return Object.assign(all, p);
  }
  function call(what, a, b) {
    if (what == "consent") return a && !n.globalPrivacyControl ? start() : stop();
    if (on < 0) return;
    if (what == "identify") token = a;
    else if (kept.length < 50) kept.push({ i: random(6), n: events[what] || a, d: Date.now(), p: what == "page" ? page(a) : events[what] ? a : b });
    later();
  }
  if (n.globalPrivacyControl) stop(); else if (store()) start();
  d.addEventListener("visibilitychange", function () { if (d.visibilityState == "hidden") send(true); });
  var before = (w.loyalty || {}).q || [];
  w.loyalty = call;
  before.forEach(function (c) { call.apply(0, c); });
})(window, document, navigator);
