/**
 * The service's JSON where the bundle predicts a number, as the page reads it. Interfaces are named as
 * in that service's `/openapi.json`, with the members that the page uses.
 */

import type {
  Action,
  Alarm,
  Drift,
  Promise as Line,
  Model,
  Seen,
  ServiceFigures,
  StepServiceFigures,
  Warning,
} from "./wire.js";

export interface NumberDescription {
  kind: "number";
  name: string;
  title: string;
  aliases: string[];
  unit: string;
  head: "point" | "normal" | "quantiles";
  levels: number[];
  std: number;
  seen: Seen;
}

export interface NumberCalibrationDescription {
  passes: number;
  rows: number;
  tested: number;
  coverage: number;
  target: number;
  confidence: number;
  case_limit: number;
  promises: Line[];
}

export interface Interval {
  coverage: number;
  lower: number | null;
  upper: number | null;
  guaranteed: boolean;
}

export interface NumberDecision {
  action: Action;
  reasons: string[];
  target: number;
  guaranteed: boolean;
  case_limit: number;
}

export interface MonteCarloPrediction {
  id: string;
  mean: number;
  std: number;
  passes: number;
  seed: number;
  /** Only with a noise head. */
  aleatoric_std?: number;
  total_std?: number;
  /** Only of an ensemble. */
  between_members_std?: number;
  interval?: Interval;
  decision?: NumberDecision;
  warnings: Warning[];
}

export interface MonteCarloPredictionWithDraws extends MonteCarloPrediction {
  draws: { value: number[] };
}

/** What is recorded of an answer, of one pass or of many. */
export interface Answer {
  value?: number;
  mean?: number;
  std?: number;
  aleatoric_std?: number;
  total_std?: number;
  between_members_std?: number;
  interval?: Interval | null;
  decision?: NumberDecision | null;
}

export interface ListedNumber {
  id: string;
  time: string;
  reference: string | null;
  value: number;
  std: number | null;
  action: Action | null;
  reasons: string[];
}

export interface ReferredNumber {
  id: string;
  time: string;
  reference: string | null;
  value: number;
  std: number | null;
  lower: number | null;
  upper: number | null;
  reasons: string[];
  assignee: string | null;
  decided: string | null;
  verdict: number | null;
  reviewer: string | null;
}

export interface ValueHistogram {
  edges: number[];
  rows: number[];
}

export interface NumberFigures {
  rows: number;
  passes: number;
  automated: number;
  referred: number;
  referral_rate: number | null;
  reasons: Record<string, number>;
  values: ValueHistogram;
  std: Record<string, number | null>;
  width: Record<string, number | null>;
}

export interface NumberStepFigures extends NumberFigures {
  start: string;
  service: StepServiceFigures;
}

export interface IntervalCoverage {
  promised: number;
  seen: number | null;
  rows: number;
}

export interface MissedIntervals {
  promised: number | null;
  wrong: number | null;
  rows: number;
}

export interface NumberOutcomes {
  known: number;
  rmse: number | null;
  mae: number | null;
  coverage: IntervalCoverage;
  automated: MissedIntervals;
  band: MissedIntervals;
}

export interface NumberEstimateFigures {
  rmse: number | null;
}

export interface NumberUncertaintyFigures {
  step: string;
  end: string;
  model: Model;
  total: NumberFigures;
  steps: NumberStepFigures[];
  drift: Drift;
  outcomes: NumberOutcomes;
  estimate: NumberEstimateFigures;
  alarms: Alarm[];
  service: ServiceFigures;
}
