/** Charts by Plotly, in the page's own type and colours. */

import { colour } from "./colours.js";

const SOURCE = new URL("plotly.min.js", import.meta.url).href;
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };

let loading = null;

/** Plotly, fetched when the first chart is drawn. */
function plotly() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = SOURCE;
    script.onload = () => done(window.Plotly);
    script.onerror = failed;
    document.head.append(script);
  });
  return loading;
}

/**
 * Draw, or draw anew with as little change as can be.
 * @param {HTMLElement} host an element with role="img"
 * @param {object[]} traces
 * @param {object} layout what differs from every chart's
 * @param {string} summary the picture in one sentence, for those who cannot see it
 */
export async function draw(host, traces, layout, summary) {
  host.setAttribute("aria-label", summary);
  const library = await plotly();
  if (!host.isConnected || host.clientWidth === 0) return;
  await library.react(host, traces, whole(layout), CONFIG);
}

/** Give back what a chart holds before its element goes. */
export function forget(root) {
  for (const host of root.querySelectorAll(".js-plotly-plot")) window.Plotly?.purge(host);
}

/** Text that stays text where Plotly would read a tag. */
export function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function whole(layout) {
  const { xaxis = {}, yaxis = {}, ...rest } = layout;
  return {
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("quiet") },
    margin: { l: 44, r: 8, t: 8, b: 32 },
    bargap: 0.18,
    dragmode: false,
    showlegend: false,
    hovermode: "closest",
    hoverlabel: {
      bgcolor: colour("raised"),
      bordercolor: colour("line"),
      font: { color: colour("text"), size: 12 },
    },
    legend: {
      orientation: "h",
      x: 0,
      y: 1.02,
      yanchor: "bottom",
      itemwidth: 30,
      itemclick: false,
      itemdoubleclick: false,
    },
    ...rest,
    xaxis: { ...axis(), showgrid: false, ...xaxis },
    yaxis: { ...axis(), ...yaxis },
  };
}

function axis() {
  return {
    fixedrange: true,
    zeroline: false,
    gridcolor: colour("line"),
    linecolor: colour("line"),
    automargin: true,
  };
}
