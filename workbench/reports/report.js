"use strict";
// Each chart lies beside its place as JSON that no browser runs.
for (const source of document.querySelectorAll("script.figure")) {
  const figure = JSON.parse(source.textContent);
  const place = document.createElement("div");
  place.className = "chart";
  // Said of the place too: when the window changes its size or is printed, the chart takes its height from there.
  place.style.height = `${(figure.layout.height || 400) + 10}px`;
  source.after(place);
  Plotly.newPlot(place, figure.data, figure.layout, figure.config);
}
