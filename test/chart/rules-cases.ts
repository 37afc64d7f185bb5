/** For each alert of the chart: series of something that is wrong beside series of something that is not, and what must fire. */

export type RuleCase = {
  readonly alert: string
  /** In promtool's notation, one sample a minute. */
  readonly series: Readonly<Record<string, string>>
  readonly atMinutes: number
  /** Labels of the alerts that fire then, without name and state; all others must not. */
  readonly fires: readonly string[]
}

const up = '1x90'
const build = { 'taskmill_build_info{job="taskmill-operator", instance="a", version="1"}': up }
const own = 'job="taskmill-operator", instance="a"'
/** Another operator in the cluster, with the same names of metrics. */
const foreign = 'job="other", instance="b"'

export const ruleCases: readonly RuleCase[] = [
  {
    alert: 'TaskmillNoLeader',
    series: { 'leader_election_master_status{name="taskmill-operator", instance="a"}': '1x10 0x80' },
    atMinutes: 20,
    fires: ['severity="critical"'],
  },
  {
    alert: 'TaskmillNoLeader',
    series: {
      'leader_election_master_status{name="taskmill-operator", instance="a"}': '1x10 0x80',
      'leader_election_master_status{name="taskmill-operator", instance="b"}': '0x10 1x80',
    },
    atMinutes: 20,
    fires: [],
  },
  {
    alert: 'TaskmillReconcileErrors',
    series: {
      ...build,
      [`controller_runtime_reconcile_total{${own}, controller="worker-pool", result="success"}`]: '0+1x90',
      [`controller_runtime_reconcile_total{${own}, controller="worker-pool", result="error"}`]: '0+9x90',
      [`controller_runtime_reconcile_errors_total{${own}, controller="worker-pool"}`]: '0+9x90',
      [`controller_runtime_reconcile_total{${own}, controller="task-broker", result="success"}`]: '0+9x90',
      [`controller_runtime_reconcile_errors_total{${own}, controller="task-broker"}`]: '0+1x90',
      [`controller_runtime_reconcile_total{${foreign}, controller="x", result="error"}`]: '0+9x90',
      [`controller_runtime_reconcile_errors_total{${foreign}, controller="x"}`]: '0+9x90',
    },
    atMinutes: 40,
    fires: ['controller="worker-pool", severity="warning"'],
  },
  {
    alert: 'TaskmillReconcilePanics',
    series: {
      ...build,
      [`controller_runtime_reconcile_panics_total{${own}, controller="worker-pool"}`]: '0x30 1x80',
      [`controller_runtime_reconcile_panics_total{${own}, controller="task-broker"}`]: '3x90',
      // Born with its first event.
      [`controller_runtime_reconcile_panics_total{${own}, controller="task-queue"}`]: '_x30 1x80',
      [`controller_runtime_reconcile_panics_total{${own}, controller="task-alert"}`]: '_x30 0x80',
      // Not read by Prometheus when the window began.
      [`controller_runtime_reconcile_panics_total{${own}, controller="task-schedule"}`]: '3x10 _x12 3x80',
      [`controller_runtime_reconcile_panics_total{${foreign}, controller="x"}`]: '0x30 1x80',
      [`controller_runtime_reconcile_panics_total{${foreign}, controller="y"}`]: '_x30 1x80',
    },
    atMinutes: 35,
    fires: ['controller="worker-pool", severity="warning"', 'controller="task-queue", severity="warning"'],
  },
  {
    alert: 'TaskmillReconcileStuck',
    series: {
      ...build,
      [`workqueue_longest_running_processor_seconds{${own}, name="worker-pool", controller="worker-pool"}`]: '0+60x90',
      [`workqueue_longest_running_processor_seconds{${own}, name="task-broker", controller="task-broker"}`]: '1x90',
      [`workqueue_longest_running_processor_seconds{${foreign}, name="x", controller="x"}`]: '0+60x90',
    },
    atMinutes: 10,
    fires: ['controller="worker-pool", severity="warning"'],
  },
  {
    alert: 'TaskmillOperatorMemoryShort',
    series: {
      [`taskmill_memory_used_ratio{${own}, limit="container"}`]: '0.7x10 0.85x80',
      [`taskmill_memory_used_ratio{${own}, limit="heap"}`]: '0.5x90',
      [`taskmill_memory_used_ratio{job="taskmill-operator", instance="b", limit="container"}`]: '0.7x10 0.9x2 0.7x80',
    },
    atMinutes: 20,
    fires: ['instance="a", limit="container", severity="warning"'],
  },
  {
    alert: 'TaskmillBrokerUnreachable',
    series: {
      'taskmill_broker_reachable{namespace="acme", broker="default"}': '1x10 0x80',
      'taskmill_broker_reachable{namespace="fine", broker="default"}': up,
    },
    atMinutes: 20,
    fires: ['namespace="acme", broker="default", severity="critical"'],
  },
  {
    alert: 'TaskmillBrokerMemoryHigh',
    series: {
      'taskmill_broker_memory_used_bytes{namespace="acme", broker="default"}': '95x90',
      'taskmill_broker_memory_max_bytes{namespace="acme", broker="default"}': '100x90',
      'taskmill_broker_memory_used_bytes{namespace="fine", broker="default"}': '50x90',
      'taskmill_broker_memory_max_bytes{namespace="fine", broker="default"}': '100x90',
      'taskmill_broker_memory_used_bytes{namespace="unlimited", broker="default"}': '9000x90',
    },
    atMinutes: 20,
    fires: ['namespace="acme", broker="default", severity="warning"'],
  },
  {
    alert: 'TaskmillBrokerClockSkewed',
    series: {
      'taskmill_broker_clock_skew_seconds{namespace="acme", broker="default"}': '-3x90',
      'taskmill_broker_clock_skew_seconds{namespace="fine", broker="default"}': '0.5x90',
    },
    atMinutes: 10,
    fires: ['namespace="acme", broker="default", severity="warning"'],
  },
  {
    alert: 'TaskmillBrokerDegraded',
    series: {
      'taskmill_object_condition{namespace="acme", name="default", kind="TaskBroker", condition="Degraded"}': up,
      'taskmill_object_condition{namespace="fine", name="default", kind="TaskBroker", condition="Degraded"}': '0x90',
    },
    atMinutes: 30,
    fires: ['namespace="acme", name="default", kind="TaskBroker", condition="Degraded", severity="warning"'],
  },
  {
    alert: 'TaskmillObjectStalled',
    series: {
      'taskmill_object_condition{namespace="acme", name="mail", kind="WorkerPool", condition="Stalled"}': up,
      'taskmill_object_condition{namespace="acme", name="fine", kind="WorkerPool", condition="Ready"}': up,
    },
    atMinutes: 10,
    fires: ['namespace="acme", name="mail", kind="WorkerPool", condition="Stalled", severity="warning"'],
  },
  {
    alert: 'TaskmillObjectNotReady',
    series: {
      'taskmill_object_condition{namespace="acme", name="mail", kind="WorkerPool", condition="Ready"}': '0x90',
      'taskmill_object_condition{namespace="acme", name="stalled", kind="WorkerPool", condition="Ready"}': '0x90',
      'taskmill_object_condition{namespace="acme", name="stalled", kind="WorkerPool", condition="Stalled"}': up,
      'taskmill_object_condition{namespace="acme", name="rollout", kind="WorkerPool", condition="Ready"}': '1x20 0x5 1x60',
    },
    atMinutes: 30,
    fires: ['namespace="acme", name="mail", kind="WorkerPool", condition="Ready", severity="warning"'],
  },
  {
    alert: 'TaskmillPoolBelowDesired',
    series: {
      'taskmill_pool_ready_replicas{namespace="acme", pool="mail"}': '2x90',
      'taskmill_pool_desired_replicas{namespace="acme", pool="mail"}': '5x90',
      'taskmill_pool_ready_replicas{namespace="acme", pool="fine"}': '0x90',
      'taskmill_pool_desired_replicas{namespace="acme", pool="fine"}': '0x90',
    },
    atMinutes: 30,
    fires: ['namespace="acme", pool="mail", severity="warning"'],
  },
  {
    alert: 'TaskmillPoolAtMaximum',
    series: {
      'taskmill_pool_desired_replicas{namespace="acme", pool="mail"}': '10x90',
      'taskmill_pool_max_replicas{namespace="acme", pool="mail"}': '10x90',
      'taskmill_pool_desired_replicas{namespace="acme", pool="fine"}': '9x90',
      'taskmill_pool_max_replicas{namespace="acme", pool="fine"}': '10x90',
    },
    atMinutes: 70,
    fires: ['namespace="acme", pool="mail", severity="info"'],
  },
  {
    alert: 'TaskmillQueueNotWorked',
    series: {
      'taskmill_queue_jobs{namespace="acme", broker="default", queue="mail", state="waiting"}': '7x90',
      'taskmill_queue_jobs{namespace="acme", broker="default", queue="busy", state="prioritized"}': '7x90',
      'taskmill_queue_jobs{namespace="acme", broker="default", queue="busy", state="active"}': '1x90',
      'taskmill_queue_jobs{namespace="acme", broker="default", queue="later", state="delayed"}': '7x90',
      'taskmill_queue_jobs{namespace="acme", broker="default", queue="held", state="waiting"}': '7x90',
      'taskmill_queue_paused{namespace="acme", broker="default", queue="held"}': up,
    },
    atMinutes: 30,
    fires: ['namespace="acme", broker="default", queue="mail", severity="warning"'],
  },
  {
    alert: 'TaskmillScheduleFailing',
    series: {
      'taskmill_schedule_consecutive_failures{namespace="acme", schedule="backup"}': '_ 1 2 3 4x80',
      'taskmill_schedule_consecutive_failures{namespace="acme", schedule="once"}': '_ 1 2 stale _x80',
    },
    atMinutes: 5,
    fires: ['namespace="acme", schedule="backup", severity="warning"'],
  },
  {
    alert: 'TaskmillScheduleLate',
    series: {
      'taskmill_object_condition{namespace="acme", name="backup", kind="TaskSchedule", condition="Late"}': up,
      'taskmill_object_condition{namespace="acme", name="fine", kind="TaskSchedule", condition="Late"}': '0x90',
    },
    atMinutes: 10,
    fires: ['namespace="acme", name="backup", kind="TaskSchedule", condition="Late", severity="warning"'],
  },
  {
    alert: 'TaskmillScheduleMissedSlots',
    series: {
      'taskmill_schedule_unplanned_misses_total{namespace="acme", schedule="backup"}': '0x70 1x80',
      // Of an operator that started after an outage: born with what it missed.
      'taskmill_schedule_unplanned_misses_total{namespace="acme", schedule="after-outage", instance="b"}': '_x70 3x80',
      // The operator before it counted some too.
      'taskmill_schedule_unplanned_misses_total{namespace="acme", schedule="restarted", instance="a"}': '2x70 stale',
      'taskmill_schedule_unplanned_misses_total{namespace="acme", schedule="restarted", instance="b"}': '_x72 0x80',
      'taskmill_schedule_unplanned_misses_total{namespace="acme", schedule="long-ago", instance="b"}': '_x10 3x90',
      'taskmill_schedule_unplanned_misses_total{namespace="acme", schedule="old"}': '4x90',
      // Not read by Prometheus when the window began.
      'taskmill_schedule_unplanned_misses_total{namespace="acme", schedule="unread"}': '4x4 _x15 4x90',
      'taskmill_schedule_missed_total{namespace="acme", reason="Suspended"}': '0+1x90',
    },
    atMinutes: 75,
    fires: ['namespace="acme", schedule="backup", severity="warning"', 'namespace="acme", schedule="after-outage", severity="warning"'],
  },
  {
    alert: 'TaskmillDependencyFailing',
    series: {
      'taskmill_object_condition{namespace="acme", name="morning", kind="TaskDependency", condition="LastRunSucceeded"}': '_x5 0x80',
      'taskmill_object_condition{namespace="acme", name="fine", kind="TaskDependency", condition="LastRunSucceeded"}': '0x5 stale _x80',
    },
    atMinutes: 10,
    fires: ['namespace="acme", name="morning", kind="TaskDependency", condition="LastRunSucceeded", severity="warning"'],
  },
  {
    alert: 'TaskmillRunsFailed',
    series: {
      'taskmill_execution_runs_total{namespace="acme", source="Task", outcome="Failed"}': '0x70 1x80',
      'taskmill_execution_runs_total{namespace="acme", source="Task", outcome="Succeeded"}': '0+1x80',
      'taskmill_execution_runs_total{namespace="acme", source="Job", outcome="Succeeded"}': '_x70 1x80',
      'taskmill_execution_runs_total{namespace="acme", source="TaskDependency", outcome="Failed"}': '0x70 1x80',
      // Its first run failed between two looks of Prometheus.
      'taskmill_execution_runs_total{namespace="new", source="Job", outcome="TimedOut"}': '_x70 1x80',
      'taskmill_execution_runs_total{namespace="new", source="TaskDependency", outcome="Failed"}': '_x70 1x80',
      'taskmill_execution_runs_total{namespace="old", source="Task", outcome="Failed"}': '7x90',
      'taskmill_execution_runs_total{namespace="unread", source="Task", outcome="Failed"}': '7x4 _x15 7x90',
    },
    atMinutes: 75,
    fires: [
      'namespace="acme", source="Task", outcome="Failed", severity="info"',
      'namespace="new", source="Job", outcome="TimedOut", severity="info"',
    ],
  },
  {
    alert: 'TaskmillLedgerRegressed',
    series: {
      'taskmill_object_condition{namespace="acme", name="backup", kind="TaskSchedule", condition="LedgerRegressed"}': up,
      'taskmill_object_condition{namespace="acme", name="fine", kind="TaskSchedule", condition="Late"}': '0x90',
    },
    atMinutes: 1,
    fires: ['namespace="acme", name="backup", kind="TaskSchedule", condition="LedgerRegressed", severity="critical"'],
  },
  {
    alert: 'TaskmillAlertFiring',
    series: {
      'taskmill_alert_active{namespace="acme", alert="failing", severity="Critical"}': '0x5 1x80',
      'taskmill_alert_active{namespace="acme", alert="slow", severity="Info"}': up,
      'taskmill_alert_active{namespace="acme", alert="fine", severity="Critical"}': '1x5 0x80',
      // With metrics.detail=namespace: how many fire.
      'taskmill_alert_active{namespace="shared", severity="Warning"}': '2x90',
    },
    atMinutes: 10,
    fires: [
      'namespace="acme", alert="failing", severity="critical"',
      'namespace="acme", alert="slow", severity="info"',
      'namespace="shared", severity="warning"',
    ],
  },
  {
    alert: 'TaskmillNotificationsNotTaken',
    series: {
      'taskmill_notifications_waiting{namespace="acme", channel="oncall"}': '2x90',
      'taskmill_notifications_waiting{namespace="acme", channel="fine"}': '0x5 1x2 0x80',
    },
    atMinutes: 20,
    fires: ['namespace="acme", channel="oncall", severity="warning"'],
  },
  {
    alert: 'TaskmillNotificationsGivenUp',
    series: {
      'taskmill_notifications_total{namespace="acme", channel="oncall", outcome="GivenUp"}': '0x70 1x80',
      'taskmill_notifications_total{namespace="acme", channel="oncall", outcome="Failed"}': '0+1x90',
      'taskmill_notifications_total{namespace="acme", channel="restarted", outcome="GivenUp"}': '_x70 2x80',
      'taskmill_notifications_total{namespace="acme", channel="restarted", outcome="Failed"}': '_x70 2x80',
      'taskmill_notifications_total{namespace="acme", channel="old", outcome="GivenUp"}': '3x90',
      'taskmill_notifications_total{namespace="acme", channel="unread", outcome="GivenUp"}': '3x4 _x15 3x90',
      'taskmill_notifications_total{namespace="acme", channel="slow", outcome="Failed"}': '0+1x90',
    },
    atMinutes: 75,
    fires: ['namespace="acme", channel="oncall", severity="critical"', 'namespace="acme", channel="restarted", severity="critical"'],
  },
]
