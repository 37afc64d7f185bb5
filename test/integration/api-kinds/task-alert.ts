import { taskAlert } from '../../../src/api/index.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const alert = (name: string, spec: object) => ({ apiVersion, kind: 'TaskAlert', metadata: { name }, spec, status: {} })
const pool = { kind: 'WorkerPool', name: 'email' }
const queue = { kind: 'TaskQueue', name: 'email' }
const graph = { kind: 'TaskDependency', name: 'morning' }
const schedule = { kind: 'TaskSchedule', name: 'backup' }

const least = alert('least', { target: pool, queueBacklog: { above: 1000 } })

/** Of the conditions there is only one. */
const full = {
  apiVersion,
  kind: 'TaskAlert',
  metadata: { name: 'full' },
  spec: {
    target: schedule,
    noSuccess: {},
    windowSeconds: 604_800,
    forSeconds: 60,
    severity: 'Critical',
    cooldownSeconds: 900,
    channelRefs: [{ name: 'oncall' }],
    message: '$(target.name) has not succeeded for $(value) s',
    runbookURL: 'https://runbooks.acme.dev/backup',
    override: { until: '2026-11-29T04:00:00Z', by: 'oncall', reason: 'incident 4711', acknowledge: true, silence: false },
  },
  status: {
    conditions,
    observedGeneration: 1,
    state: 'Firing',
    sinceTime: '2026-01-01T08:00:00Z',
    target: 'tsch/backup',
    value: 'last success 2026-11-20T01:00:00Z',
    ackedBy: 'oncall until 2026-11-29T04:00:00Z',
    sequence: 1,
    suspendedTime: '2026-01-01T08:00:00Z',
    resumedTime: '2026-01-01T08:00:00Z',
    timing: { hash: '3a9f10c2', changeTime: '2026-01-01T08:00:00Z' },
    longestRun: { seconds: 240, sinceTime: '2026-01-01T08:00:00Z', formerSeconds: 300 },
    transitions: [
      { sequence: 1, state: 'Firing', changeTime: '2026-01-01T08:00:00Z', value: 'last success 2026-11-20T01:00:00Z', amount: '604801' },
    ],
    notifications: [
      {
        channel: 'oncall',
        sequence: 1,
        state: 'Firing',
        decisionTime: '2026-01-01T08:00:00Z',
        firingTime: '2026-01-01T08:00:00Z',
        delivery: 'Pending',
        message: 'HTTP 500, attempt 4, retry 03:12:05Z',
      },
    ],
  },
}

export const taskAlertCase: KindCase = {
  kind: taskAlert,
  full,
  alternatives: [
    { path: ['spec', 'queueBacklog'], object: least },
    { path: ['spec', 'queueLatency'], object: alert('latency', { target: queue, queueLatency: { aboveSeconds: 30 } }) },
    {
      path: ['spec', 'failureRate'],
      object: alert('rate', { target: graph, failureRate: { abovePercent: 10, minimumRuns: 20 }, windowSeconds: 300 }),
    },
    { path: ['spec', 'taskFailures'], object: alert('failures', { target: pool, taskFailures: { moreThan: 3 }, windowSeconds: 300 }) },
    {
      path: ['spec', 'scheduleMissed'],
      object: alert('missed', { target: schedule, scheduleMissed: { moreThan: 0 }, windowSeconds: 3600 }),
    },
  ],
  least: { object: least, spec: { ...least.spec, forSeconds: 0, severity: 'Warning', cooldownSeconds: 300 } },
  words: [
    { field: 'spec', values: [{ target: pool }, { target: pool, queueBacklog: { above: 1 }, queueLatency: { aboveSeconds: 1 } }] },
    { field: 'spec.target', values: [{ kind: 'TaskSchedule', name: 'other' }] },
    { field: 'spec.target.name', values: ['Email', '-a', 'a/b'] },
    { field: 'spec.windowSeconds', values: [90, 3601] },
    { field: 'spec.channelRefs[0].name', values: ['Oncall', 'a/b'] },
    { field: 'spec.runbookURL', values: ['runbooks.acme.dev', 'https://a b', 'javascript:alert'] },
    { field: 'spec.override', values: [{ until: '2026-11-29T04:00:00Z' }, { until: '2026-11-29T04:00:00Z', silence: false }] },
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: {
    heading: ['NAME', 'SEVERITY', 'STATE', 'TARGET', 'VALUE', 'SINCE', 'ACKED-BY'],
    row: /^full +Critical +Firing +tsch\/backup +last success 2026-11-20T01:00:00Z +\d+[smhdy]\S* +oncall until 2026-11-29T04:00:00Z$/u,
  },
  badManifests: [
    {
      title: 'an alert on nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
      `,
      answer:
        'spec: Invalid value: "object": exactly one of taskFailures, failureRate, queueBacklog, queueLatency, scheduleMissed, noSuccess must be set',
    },
    {
      title: 'a backlog of a schedule',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: TaskSchedule, name: backup }
          queueBacklog: { above: 100 }
      `,
      answer: 'spec.target: Invalid value: "object": queueBacklog and queueLatency look at queues: target a WorkerPool or a TaskQueue',
    },
    {
      title: 'missed slots of a pool',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
          scheduleMissed: { moreThan: 0 }
          windowSeconds: 3600
      `,
      answer: 'spec.target: Invalid value: "object": scheduleMissed and noSuccess look at slots: target a TaskSchedule',
    },
    {
      title: 'a rate without a window',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
          failureRate: { abovePercent: 10 }
      `,
      answer:
        'spec.windowSeconds: Invalid value: "object": windowSeconds is needed by taskFailures, failureRate, scheduleMissed and noSuccess; queueBacklog and queueLatency look at now, and take forSeconds only',
    },
    {
      title: 'failures of a week',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
          taskFailures: { moreThan: 10 }
          windowSeconds: 604800
      `,
      answer: 'spec.windowSeconds: Invalid value: "object": windowSeconds must not exceed 86400: runs are counted for a day',
    },
    {
      title: 'a window that ends before it could fire',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
          taskFailures: { moreThan: 10 }
          windowSeconds: 300
          forSeconds: 600
      `,
      answer:
        'spec.forSeconds: Invalid value: "object": forSeconds must not exceed windowSeconds: what happened once would have left the window before it could fire',
    },
    {
      title: 'a window of half a minute more',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
          taskFailures: { moreThan: 10 }
          windowSeconds: 90
      `,
      answer: 'spec.windowSeconds: Invalid value: "integer": must be whole minutes: runs are counted by the minute',
    },
    {
      title: 'an alert that moves to another schedule',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: full }
        spec:
          target: { kind: TaskSchedule, name: sync }
          noSuccess: {}
          windowSeconds: 604800
      `,
      answer: 'spec.target: Forbidden: target cannot be changed: the record of the alert is about this one. Create another TaskAlert.',
    },
    {
      title: 'an override that says nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
          queueBacklog: { above: 100 }
          override: { until: "2026-11-29T04:00:00Z", acknowledge: false }
      `,
      answer: 'spec.override: Invalid value: "object": an override of an alert needs acknowledge: true or silence: true',
    },
    {
      title: 'a target that nobody can watch',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: Deployment, name: email }
          queueBacklog: { above: 100 }
      `,
      answer:
        'spec.target.kind: Unsupported value: "Deployment": supported values: "WorkerPool", "TaskQueue", "TaskSchedule", "TaskDependency"',
    },
    {
      title: 'a severity that is none',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: failing }
        spec:
          target: { kind: WorkerPool, name: email }
          queueBacklog: { above: 100 }
          severity: critical
      `,
      answer: 'spec.severity: Unsupported value: "critical": supported values: "Info", "Warning", "Critical"',
    },
    {
      title: 'a state that is none',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: full }
        status:
          state: Burning
      `,
      answer: 'status.state: Unsupported value: "Burning": supported values: "Inactive", "Pending", "Firing", "Unknown"',
    },
    {
      title: 'a transition to nowhere',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: full }
        status:
          transitions:
            - { sequence: 1, state: Gone, changeTime: "2026-11-23T08:00:00Z", value: "1", amount: "1" }
      `,
      answer: 'status.transitions[0].state: Unsupported value: "Gone": supported values: "Firing", "Resolved"',
    },
    {
      title: 'a notification of nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: full }
        status:
          notifications:
            - { channel: oncall, sequence: 1, state: Gone, decisionTime: "2026-11-23T08:00:00Z", delivery: Pending }
      `,
      answer: 'status.notifications[0].state: Unsupported value: "Gone": supported values: "Firing", "Resolved"',
    },
    {
      title: 'a delivery that got lost',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: full }
        status:
          notifications:
            - { channel: oncall, sequence: 1, state: Firing, decisionTime: "2026-11-23T08:00:00Z", delivery: Lost }
      `,
      answer: 'status.notifications[0].delivery: Unsupported value: "Lost": supported values: "Pending", "Delivered", "GivenUp"',
    },
    {
      title: 'a condition of a TaskAlert that is neither true nor false',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskAlert
        metadata: { name: full }
        status:
          conditions:
            - { type: Ready, status: Perhaps, reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
      `,
      answer: 'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
    },
  ],
}
