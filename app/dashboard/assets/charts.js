/** Loads Plotly and draws charts with the page's fonts and colours. */

/** @import { Layout, Picture, Plotly } from "../types/plotly.js" */

import { colour } from "./colours.js";
import { el } from "./elements.js";
import { t } from "./words.js";

const SOURCE = new URL("plotly.min.js", import.meta.url).href;
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false, showTips: false };

/** What draws, in any view: the library is fetched for the first chart, and kept. */
export class Charts {
  #library = kept(plotly);

  /**
   * Draw, or draw anew with as little change as can be.
   * @param {HTMLElement} host an element with role="img"
   * @param {Picture} picture
   */
  async draw(host, { traces, layout, summary }) {
    host.setAttribute("aria-label", summary);
    const library = await this.#library().catch(() => null);
    if (library === null) {
      host.replaceChildren(el("p.small.unavailable", {}, t("charts.unavailable")));
      return;
    }
    if (!host.isConnected || host.clientWidth === 0) return;
    host.querySelector(":scope > .unavailable")?.remove();
    await library.react(host, traces, whole(layout), CONFIG);
  }

  /**
   * Give back what charts hold before their elements go.
   * @param {Element} root
   */
  forget(root) {
    for (const host of root.querySelectorAll(".js-plotly-plot")) window.Plotly?.purge(host);
  }
}

/**
 * What is fetched for the first who asks, and kept; where that failed, the next who asks fetches again.
 * @template T
 * @param {() => Promise<T>} fetched
 * @returns {() => Promise<T>}
 */
export function kept(fetched) {
  /** @type {Promise<T> | null} */
  let coming = null;
  return () => {
    coming ??= fetched().catch((error) => {
      coming = null;
      throw error;
    });
    return coming;
  };
}

/** @returns {Promise<Plotly>} */
function plotly() {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = SOURCE;
    script.onload = () => (window.Plotly ? done(window.Plotly) : failed(new Error("no Plotly")));
    script.onerror = () => {
      script.remove();
      failed(new Error("not fetched"));
    };
    document.head.append(script);
  });
}

/**
 * Text that stays text where Plotly would read a tag.
 * @param {string} text
 */
export function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** @param {Layout} layout */
function whole(layout) {
  const { xaxis = {}, yaxis = {}, ...rest } = layout;
  return {
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: {
      family: getComputedStyle(document.body).fontFamily,
      size: 12,
      color: colour("quiet"),
    },
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
