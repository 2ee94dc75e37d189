"""All Prometheus counters, gauges and histograms of the service."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.monitoring.metric_buffer import BulkHistogram, MetricBuffer

REQUEST_SECONDS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
BATCH_SECONDS = (0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1, 4)
BATCH_WORK = (50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400)
ENTROPY = (
    *(0.001, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    *(0.8, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2, 3, 5),
)
"""Bucket bounds of predictive entropy, nats; ln 7 is 1.946."""
INFORMATION = (
    *(0.0001, 0.0003, 0.001, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04),
    *(0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1),
)
"""Bucket bounds of mutual information, nats."""
SET_SIZES = (0, 1, 2, 3, 4, 5, 6, 7, 10, 20, 50)
SPREADS = (0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 3)
"""Bucket bounds of a number's deviation, relative to that of its values in training."""
WIDTHS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 10, 30)
"""Bucket bounds of the width of a number's interval, relative as the deviation."""
DIFFERENCES = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1)
"""Bucket bounds of differences to a shadow's answers."""


class Instruments:
    """All instruments, in base units and named by Prometheus' conventions."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        """Set the registry; None with several workers, whose shared files are collected instead."""
        self.buffer = MetricBuffer(is_shared=registry is None)
        """Counts and values of requests and answers that the instruments below do not have yet."""
        self.requests = Counter(
            "dubito_requests_total",
            "Requests answered, by the route's template.",
            ("route", "method", "status"),
            registry=registry,
        )
        self.request_seconds = BulkHistogram(
            "dubito_request_duration_seconds",
            "Time from a request to the beginning of its answer.",
            ("route",),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self.refusals = Counter(
            "dubito_refusals_total",
            "Requests that were given up for want of time, room or records.",
            ("reason",),
            registry=registry,
        )
        self.batch_seconds = BulkHistogram(
            "dubito_batch_duration_seconds",
            "Time a batch computed.",
            ("model",),
            buckets=BATCH_SECONDS,
            registry=registry,
        )
        self.batch_work = BulkHistogram(
            "dubito_batch_work",
            "Work of a batch, in rows times passes.",
            ("model",),
            buckets=BATCH_WORK,
            registry=registry,
        )
        self.queue = Gauge(
            "dubito_queue_work",
            "Work that waits, in rows times passes.",
            ("model",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.rows = Counter(
            "dubito_rows_total",
            "Rows graded.",
            ("endpoint", "model", "version", "grade"),
            registry=registry,
        )
        self.passes = Counter(
            "dubito_passes_total",
            "Stochastic passes that graded rows rest on.",
            ("model", "version"),
            registry=registry,
        )
        self.decisions = Counter(
            "dubito_decisions_total",
            "Decisions about graded rows.",
            ("model", "version", "action"),
            registry=registry,
        )
        self.reasons = Counter(
            "dubito_referral_reasons_total",
            "Reasons why a person should look; a row may have several.",
            ("model", "version", "reason"),
            registry=registry,
        )
        self.entropy = BulkHistogram(
            "dubito_predictive_entropy_nats",
            "Predictive entropy of graded rows: total uncertainty.",
            ("model", "version"),
            buckets=ENTROPY,
            registry=registry,
        )
        self.information = BulkHistogram(
            "dubito_mutual_information_nats",
            "Mutual information of graded rows: epistemic uncertainty.",
            ("model", "version"),
            buckets=INFORMATION,
            registry=registry,
        )
        self.set_sizes = BulkHistogram(
            "dubito_prediction_set_size",
            "Grades in the prediction sets of graded rows.",
            ("model", "version"),
            buckets=SET_SIZES,
            registry=registry,
        )
        self.spread = BulkHistogram(
            "dubito_number_std_ratio",
            "Deviation of predicted numbers over the passes, relative to that in training.",
            ("model", "version"),
            buckets=SPREADS,
            registry=registry,
        )
        self.widths = BulkHistogram(
            "dubito_interval_width_ratio",
            "Width of the intervals of numbers, relative to their deviation in training.",
            ("model", "version"),
            buckets=WIDTHS,
            registry=registry,
        )
        self.shadow_rows = Counter(
            "dubito_shadow_rows_total",
            "Rows whose answers were compared with those of a shadow.",
            ("model", "version"),
            registry=registry,
        )
        self.shadow_skipped = Counter(
            "dubito_shadow_skipped_total",
            "Rows whose answers were not compared, for want of time or of a like answer.",
            ("model", "version"),
            registry=registry,
        )
        self.disagreements = Counter(
            "dubito_shadow_disagreements_total",
            "Rows on which a shadow disagrees, by what it disagrees in.",
            ("model", "version", "kind"),
            registry=registry,
        )
        self.differences = BulkHistogram(
            "dubito_shadow_difference",
            "Largest difference of a probability to the shadow's; of numbers relative to their "
            "deviation in training.",
            ("model", "version"),
            buckets=DIFFERENCES,
            registry=registry,
        )
        self.warnings = Counter(
            "dubito_warnings_total",
            "Warnings about graded rows.",
            ("model", "version", "kind"),
            registry=registry,
        )
        self.model = Gauge(
            "dubito_model_info",
            "The bundle that is served.",
            ("name", "version", "digest"),
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.inferences = Counter(
            "dubito_inferences_total",
            "Requests of the Open Inference Protocol, and the parts of those that succeeded.",
            ("model", "version", "part"),
            registry=registry,
        )
        self.inference_seconds = Counter(
            "dubito_inference_seconds_total",
            "Time of these requests, and of their parts; that in the queue is a part of computing.",
            ("model", "version", "part"),
            registry=registry,
        )
        self.inference_rows = Counter(
            "dubito_inference_rows_total",
            "Rows of these requests that were answered.",
            ("model", "version"),
            registry=registry,
        )
        self.inference_batches = Counter(
            "dubito_inference_batches_total",
            "Batches that a model computed, for requests of any kind.",
            ("model", "version"),
            registry=registry,
        )
        self.last_inference = Gauge(
            "dubito_last_inference_timestamp_seconds",
            "When a request of the Open Inference Protocol was last answered.",
            ("model", "version"),
            multiprocess_mode="max",
            registry=registry,
        )
        self.behind = Gauge(
            "dubito_records_behind",
            "Events that wait to be written.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.failures = Counter(
            "dubito_records_failures_total",
            "Groups of events that could not be written.",
            registry=registry,
        )
