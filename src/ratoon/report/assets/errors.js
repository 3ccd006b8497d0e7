"use strict";
// First of the scripts: says on the page that scripts run, and what went wrong if something did.
document.documentElement.classList.add("js");
addEventListener("error", (event) => {
  document.documentElement.dataset.error = event.message || "an error without a message";
});
addEventListener("unhandledrejection", (event) => {
  document.documentElement.dataset.error = String(event.reason);
});
document.addEventListener("securitypolicyviolation", (event) => {
  document.documentElement.dataset.error = `blocked: ${event.violatedDirective}`;
});
