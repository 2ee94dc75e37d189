/**
 * The service's JSON as the page reads it. Interfaces are named as in `/openapi.json`; they have the
 * members that the page uses, and a test compares these with the document.
 */

export type Action = "automate" | "refer";

export interface Model {
  name: string;
  version: number;
  digest: string;
}

export interface ListedModel {
  name: string;
  version: number | null;
  digest: string | null;
  ready: boolean;
  shadow: CandidateDescription | null;
}

export interface CandidateDescription {
  version: number;
}

export interface ShadowIdentity {
  version: number;
}

export interface DisagreeingShare {
  rows: number;
  share: number | null;
  lower: number | null;
  upper: number | null;
}

export interface ShadowAnswer {
  predicted: string | number;
  action: string | null;
}

export interface Disagreeing {
  prediction: string;
  time: string;
  kinds: string[];
  difference: number;
  answer: ShadowAnswer;
  other: ShadowAnswer;
}

export interface RowDifferences {
  edges: number[];
  rows: number[];
}

export interface ShadowDescription {
  served: ShadowIdentity;
  shadow: ShadowIdentity;
  rows: number;
  skipped: number;
  disagreements: Record<string, DisagreeingShare>;
  differences: RowDifferences;
  newest: Disagreeing[];
}

export interface ModelList {
  models: ListedModel[];
}

export interface Seen {
  minimum: number;
  maximum: number;
  quantiles: Record<string, number>;
  histogram_edges: number[];
  histogram_counts: number[];
}

export interface ValueCounts {
  counts: number[];
  unknown: number;
}

export interface Category {
  name: string;
  aliases: string[];
}

export interface BooleanFeature {
  name: string;
  title: string;
  aliases: string[];
  kind: "boolean";
  nullable: boolean;
  imputed: number | null;
  missing_refers: boolean;
  seen: ValueCounts;
}

export interface CategoryFeature {
  name: string;
  title: string;
  aliases: string[];
  kind: "category";
  categories: Category[];
  takes_unknown: boolean;
  nullable: boolean;
  imputed: number | null;
  missing_refers: boolean;
  seen: ValueCounts;
}

export type ListedFeature = BooleanFeature | CategoryFeature;
/** An array of fixed shape, the only input of a bundle; its statistics are those of norms. */
export interface TensorFeature {
  name: string;
  title: string;
  aliases: string[];
  kind: "tensor";
  unit: string;
  shape: number[];
  minimum: number;
  maximum: number;
  seen: Seen;
}

export type AnyFeature = Feature | ListedFeature | TensorFeature;
/** A feature's value; an empty text is one that is not in its list, a list is a tensor. */
export type Value = number | boolean | string | unknown[] | null;

export interface Feature {
  name: string;
  title: string;
  aliases: string[];
  kind: "integer" | "float";
  unit: string;
  nullable: boolean;
  imputed: number | null;
  missing_refers: boolean;
  minimum: number;
  maximum: number;
  seen: Seen;
}

export interface Band {
  bound: number;
  share: number;
  automated: number;
  wrong: number;
}

export interface Promise {
  target: number;
  automated: number;
  wrong: number;
  band: Band | null;
  wanting: number | null;
}

export interface CalibrationDescription {
  passes: number;
  rows: number;
  coverage: number;
  target: number;
  confidence: number;
  case_limit: number | null;
  likelihood: number | null;
  promises: Promise[];
}

export interface Environment {
  fingerprint: string;
  facts: Record<string, string>;
}

export interface ModelDescription extends Model {
  features: AnyFeature[];
  /** None where the bundle predicts a number: the page fills them in as an empty list. */
  classes: string[];
  /** Networks whose passes alternate; 1 unless it is an ensemble. */
  members: number;
  passes: number;
  calibration: CalibrationDescription | null;
  metrics: Record<string, Record<string, number>>;
  metrics_on: "held_out" | "unknown";
  trained: { [fact: string]: unknown; versions: Record<string, string> };
  environment: Environment;
  limits: { passes: number };
}

/** A caution of any kind; which members it has depends on its kind. */
export interface Warning {
  kind: string;
  feature?: string;
  value?: Value;
  seen_minimum?: number;
  seen_maximum?: number;
  passes?: number;
  calibrated_passes?: number;
  asked_passes?: number;
}

export interface Decision {
  action: Action;
  reasons: string[];
  target: number;
  guaranteed: boolean;
  /** Bundles before version 5 have none. */
  case_limit?: number;
}

export interface PredictionSet {
  coverage: number;
  grades: string[];
  guaranteed: boolean;
}

export interface Uncertainty {
  predictive_entropy: number;
  expected_entropy: number;
  mutual_information: number;
  variation_ratio: number;
  /** Only of an ensemble. */
  between_members?: number;
}

export interface MonteCarloPrediction {
  id: string;
  grade: string;
  mean: Record<string, number>;
  std: Record<string, number>;
  passes: number;
  seed: number;
  uncertainty: Uncertainty;
  /** A bundle that is not calibrated gives neither sets nor decisions. */
  prediction_set?: PredictionSet;
  decision?: Decision;
  warnings: Warning[];
}

export interface MonteCarloPredictionWithDraws extends MonteCarloPrediction {
  draws: Record<string, number[]>;
}

/** What is recorded of an answer, of one pass or of many. */
export interface Answer {
  grade: string;
  mean?: Record<string, number>;
  std?: Record<string, number>;
  probabilities?: Record<string, number>;
  uncertainty?: Uncertainty;
  prediction_set?: PredictionSet;
  decision?: Decision;
}

export interface Outcome {
  id: string;
  grade: string;
  time: string;
}

export interface Review {
  id: string;
  grade: string;
  time: string;
  note: string | null;
  reviewer: string | null;
}

export interface Said {
  kind: string;
  time: string;
  grade: string | null;
  corrects: string | null;
  why: string | null;
  note: string | null;
  reviewer: string | null;
}

export interface RecordedPrediction {
  id: string;
  time: string;
  model: Model;
  features: Record<string, Value> | null;
  reference: string | null;
  answer: Answer;
  warnings: Warning[];
  outcome: Outcome | null;
  review: Review | null;
  assignee: string | null;
  history: Said[];
}

export interface Replay {
  identical: boolean;
  largest_difference: number;
  environment_changed: boolean;
  facts: ChangedFact[];
}

export interface ChangedFact {
  name: string;
  then: string | null;
  now: string | null;
}

export interface WhatIf {
  features: Record<string, Value>;
  recorded: Answer;
  corrected: Answer;
}

export interface ListedPrediction {
  id: string;
  time: string;
  reference: string | null;
  grade: string;
  likelihood: number;
  action: Action | null;
  reasons: string[];
}

export interface PredictionList {
  predictions: ListedPrediction[];
  next: string | null;
}

export interface ReferredPrediction {
  id: string;
  time: string;
  reference: string | null;
  grade: string;
  reasons: string[];
  predictive_entropy: number | null;
  assignee: string | null;
  decided: string | null;
  verdict: string | null;
  reviewer: string | null;
}

export interface ReviewQueue {
  waiting: number;
  found: number | null;
  reviews: ReferredPrediction[];
  next: string | null;
}

export interface Acknowledgement {
  at: string;
  name: string | null;
  note: string | null;
}

export interface PastRun {
  ended_at: string;
  raised_at: string | null;
  largest: number;
  rows: number;
  name: string | null;
  note: string | null;
}

export interface Alarm {
  name: string;
  raised: boolean;
  evidence: number;
  largest: number;
  threshold: number;
  rows: number;
  raised_at: string | null;
  largest_feature: string | null;
  acknowledged: Acknowledgement | null;
  past: PastRun[];
}

export interface AutomatedErrors {
  promised: number | null;
  wrong: number | null;
  rows: number;
}

export interface Coverage {
  promised: number;
  seen: number | null;
  rows: number;
}

export interface ReliabilityBin {
  confidence: number;
  accuracy: number;
  rows: number;
}

export interface RiskPoint {
  coverage: number;
  risk: number;
}

export interface Outcomes {
  known: number;
  accuracy: number | null;
  ece: number | null;
  coverage: Coverage | null;
  automated: AutomatedErrors | null;
  band: AutomatedErrors | null;
  reliability: ReliabilityBin[];
  risk_coverage: RiskPoint[];
}

export interface Estimate {
  accuracy: number | null;
  automated_wrong: number | null;
}

export interface FeatureDrift {
  feature: string;
  rows: number;
  missing: number;
  psi: number | null;
  statistic: number | null;
  p_value: number | null;
}

export interface Drift {
  features: FeatureDrift[];
}

export interface ExchangeFigures {
  requests: number;
  errors: number;
  refused: number;
  invalid: number;
}

export interface StepServiceFigures {
  grading: ExchangeFigures;
  latency: Record<string, number | null>;
}

export interface ServiceFigures extends StepServiceFigures {
  last_record: string | null;
  queue: number;
  trouble: string | null;
}

export interface Figures {
  rows: number;
  passes: number;
  grades: Record<string, number>;
  automated: number;
  referred: number;
  referral_rate: number | null;
  reasons: Record<string, number>;
  predictive_entropy: Record<string, number | null>;
  mutual_information: Record<string, number | null>;
  set_sizes: Record<string, number>;
}

export interface StepFigures extends Figures {
  start: string;
  service: StepServiceFigures;
}

export interface UncertaintyFigures {
  step: string;
  end: string;
  total: Figures;
  steps: StepFigures[];
  drift: Drift;
  outcomes: Outcomes;
  estimate: Estimate | null;
  alarms: Alarm[];
  service: ServiceFigures;
}

export interface FieldProblem {
  field: string;
  pointer: string;
  code: string;
  minimum: number | null;
  maximum: number | null;
}

/** What the page reads of `/openapi.json` itself: an example row. */
export interface Documentation {
  paths: Record<string, { post: { requestBody: { content: Record<string, Content> } } }>;
}

interface Content {
  examples: { one: { value: Record<string, Value> } };
}
