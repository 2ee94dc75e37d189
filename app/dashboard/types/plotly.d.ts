/** What the page uses of Plotly, which its script puts into the window. */

export interface Picture {
  traces: object[];
  /** What differs from every chart's layout. */
  layout: Layout;
  /** The picture in one sentence, for those who cannot see it. */
  summary: string;
}

export interface Layout {
  xaxis?: object;
  yaxis?: object;
  [name: string]: unknown;
}

export interface Plotly {
  react(host: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
  purge(host: Element): void;
}

/** An element that holds a chart. */
export interface Chart extends HTMLElement {
  on?(event: "plotly_click", listener: (event: Click) => void): void;
  removeAllListeners?(event: "plotly_click"): void;
}

export interface Click {
  points: { curveNumber: number; pointNumber: number }[];
}

declare global {
  interface Window {
    Plotly?: Plotly;
  }
}
