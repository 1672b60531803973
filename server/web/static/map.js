// The places of one submission on a map of lines: no tiles, so that nothing is asked of any other host.
(function () {
  "use strict";
  const box = document.getElementById("map");
  if (!box || !window.L) { return; }
  const [SOUTH, WEST, NORTH, EAST] = JSON.parse(box.dataset.bounds), STEP = Math.max(0.1, Math.ceil(Math.max(NORTH - SOUTH, EAST - WEST) * 4) / 100);
  const places = JSON.parse(box.dataset.places);
  const map = L.map(box, { attributionControl: false, zoomSnap: 0.5, minZoom: 4, maxZoom: 18, scrollWheelZoom: false });
  // As an element, never as HTML: a label is whatever a form's author wrote.
  function words(text) {
    const element = document.createElement("span");
    element.textContent = text;
    return element;
  }
  const line = { color: "#b9c4cf", weight: 1, interactive: false };
  for (let k = 0; k <= Math.round((NORTH - SOUTH) / STEP); k += 1) {
    L.polyline([[SOUTH + k * STEP, WEST], [SOUTH + k * STEP, EAST]], line).addTo(map);
  }
  for (let k = 0; k <= Math.round((EAST - WEST) / STEP); k += 1) {
    L.polyline([[SOUTH, WEST + k * STEP], [NORTH, WEST + k * STEP]], line).addTo(map);
  }
  // Every fifth line is named, so that a place can be read off the lines.
  function name(at, direction, text) {
    L.tooltip({ permanent: true, direction: direction, className: "degree", opacity: 1 }).setLatLng(at).setContent(text).addTo(map);
  }
  for (let at = SOUTH; at <= NORTH; at += 5 * STEP) { name([at, WEST], "left", at.toFixed(1) + "°N"); }
  for (let at = WEST; at <= EAST; at += 5 * STEP) { name([SOUTH, at], "bottom", at.toFixed(1) + "°E"); }
  const county = L.rectangle([[SOUTH, WEST], [NORTH, EAST]], { color: "#0f6b5c", weight: 2, fillOpacity: 0.04 }).addTo(map);
  county.bindTooltip(words(box.dataset.county), { sticky: true });
  const bounds = L.latLngBounds([[SOUTH, WEST], [NORTH, EAST]]);
  const mark = { color: "#b3261e", weight: 3, fillColor: "#b3261e", fillOpacity: 0.9 };
  for (const place of places) {
    const points = place.points.map(function (point) { return [point[0], point[1]]; });
    let shape;
    if (place.kind === "geopoint") {
      shape = L.circleMarker(points[0], Object.assign({ radius: 7 }, mark));
      if (place.points[0][2]) {
        L.circle(points[0], { radius: place.points[0][2], color: "#b3261e", weight: 1, fillOpacity: 0.12, interactive: false }).addTo(map);
      }
    } else if (place.kind === "geotrace") {
      shape = L.polyline(points, { color: "#b3261e", weight: 4 });
    } else {
      shape = L.polygon(points, { color: "#b3261e", weight: 3, fillOpacity: 0.2 });
    }
    shape.addTo(map).bindTooltip(words(place.label));
    points.forEach(function (point) { bounds.extend(point); });
  }
  L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);
  map.fitBounds(bounds, { padding: [28, 28] });
})();
