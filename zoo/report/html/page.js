"use strict";
(() => {
  // Tables: a click on a header sorts by the plain value of each cell, the search field hides rows without its text.
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    table.tHead.querySelectorAll("th").forEach((header, column) => {
      header.querySelector("button").addEventListener("click", () => {
        const next = { ascending: "descending", descending: "none" }[header.getAttribute("aria-sort")] || "ascending";
        for (const other of table.tHead.querySelectorAll("th")) other.setAttribute("aria-sort", "none");
        header.setAttribute("aria-sort", next);
        const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const compare = (one, other) => {
          const [a, b] = [value(one), value(other)];
          if (a === "" || b === "") return (a === "") - (b === ""); // what is unknown stays below
          const [x, y] = [Number(a), Number(b)];
          const order = Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
          return next === "ascending" ? order : -order;
        };
        body.append(...(next === "none" ? original : [...original].sort(compare)));
      });
    });
    const search = document.querySelector(`input[data-table="${table.id}"]`);
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      for (const row of original) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    });
  }

  // Pictures: each is drawn when it comes into view, in the colours of the page.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const [ink, line, tint] = ["--ink", "--line", "--tint"].map((name) => style.getPropertyValue(name).trim());
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line };
    const hover = { bgcolor: tint, bordercolor: line, font: { color: ink } };
    return { ink, axis, hover };
  };
  const isNarrow = () => innerWidth < 640;
  const furnished = (layout) => {
    const { ink, axis, hover } = colours();
    const shown = structuredClone(layout);
    Object.assign(shown, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" });
    shown.font = { color: ink, family: "system-ui, sans-serif", size: 13 };
    shown.hoverlabel = hover;
    shown.modebar = { bgcolor: "rgba(0,0,0,0)", color: ink, activecolor: ink };
    shown.margin = { l: 70, r: 20, t: 20, b: 50, ...shown.margin };
    if (isNarrow()) shown.legend = { orientation: "h", yref: "container", y: 0, yanchor: "bottom" };
    for (const name of ["xaxis", "yaxis"]) shown[name] = { ...axis, automargin: true, ...shown[name] };
    return shown;
  };
  const isCrowded = ({ text = [] }) => text.length > 6 && text.some((label) => label.length > 6);
  const LIGHTER = { "#0072B2": "#4C8DFF" }; // of the colours, the one that is too dark on the dark page
  const toned = (trace, part) => {
    const colour = trace.ink ? colours().ink : dark.matches && LIGHTER[trace[part]?.color];
    return colour && trace[part] && { [part]: { ...trace[part], color: colour } };
  };
  const traces = (data) => data.map((trace) => ({
    ...trace,
    ...toned(trace, "line"),
    ...toned(trace, "marker"),
    ...(isNarrow() && isCrowded(trace) && { mode: "markers" }), // a tap shows the label
  }));
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const draw = (place) => {
    const { data, layout } = figures[place.id];
    const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["sendDataToCloud"] };
    return Plotly.react(place, traces(data), furnished(layout), config).then(() => { place.dataset.drawn = "yes"; });
  };
  const places = [...document.querySelectorAll(".plot")];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
    }
  }, { rootMargin: "400px" });
  for (const place of places) seen.observe(place);
  dark.addEventListener("change", () => places.filter((place) => place.dataset.drawn).forEach(draw));
  addEventListener("beforeprint", () => places.filter((place) => !place.dataset.drawn).forEach(draw));
})();
