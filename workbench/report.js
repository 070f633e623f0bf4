"use strict";
// Each chart lies beside its place as JSON that no browser runs.
for (const source of document.querySelectorAll("script.figure")) {
  const figure = JSON.parse(source.textContent);
  const place = document.createElement("div");
  place.className = "chart";
  source.after(place);
  Plotly.newPlot(place, figure.data, figure.layout, figure.config);
}
