// A scanner types and presses Enter: that goes to the next field instead of sending a half-filled form.
(function () {
  "use strict";
  var who = document.querySelector("[data-scan]");
  if (who) { who.focus(); }
  var lines = document.querySelector("[data-lines]");
  if (!lines) { return; }
  lines.addEventListener("keydown", function (event) {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT" || !event.target.value) { return; }
    event.preventDefault();
    var fields = Array.prototype.slice.call(lines.querySelectorAll("input"));
    var next = fields[fields.indexOf(event.target) + 1];
    if (!next) {
      var row = lines.querySelector("tr:last-child");
      var copy = row.cloneNode(true);
      copy.querySelectorAll("input").forEach(function (field) { field.value = field.name === "quantity" ? "1" : ""; });
      row.parentNode.appendChild(copy);
      next = copy.querySelector("input");
    }
    next.focus();
    next.select();
  });
})();
