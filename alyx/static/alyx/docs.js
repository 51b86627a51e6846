"use strict";
// A call made on this page by somebody who is logged in carries the site's own cookie, so it must show the token of its forms.
const cookie = document.cookie.split("; ").find((one) => one.startsWith("csrftoken="));
SwaggerUIBundle({
  url: "/api/schema",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  requestInterceptor: (request) => {
    if (cookie && new URL(request.url, location.href).origin === location.origin) {
      request.headers["X-CSRFToken"] = decodeURIComponent(cookie.split("=")[1]);
    }
    return request;
  },
});
