import { taskExecution } from '../../../src/api/index.ts'
import { badJobManifests, jobTemplate, jobWords } from './job-template.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const task = { type: 'backup', queue: 'files' }

const least = { apiVersion, kind: 'TaskExecution', metadata: { name: 'least' }, spec: { task } }

const full = {
  apiVersion,
  kind: 'TaskExecution',
  metadata: { name: 'full' },
  spec: {
    brokerRef: { name: 'mail' },
    task: {
      type: 'backup-user-data',
      queue: 'file_tasks',
      payload: { retainDays: 30, slot: '$(slot)' },
      priority: 50,
      retry: { maxRetries: 3, initialDelaySeconds: 30 },
    },
    startTime: '2026-01-01T08:00:00Z',
    slotTime: '2026-01-01T07:00:00Z',
    timeoutSeconds: 600,
    desiredState: 'Running',
    ttlSecondsAfterFinished: 86_400,
  },
  status: {
    conditions,
    observedGeneration: 1,
    state: 'Running',
    source: 'tdep/morning-summary',
    broker: 'mail',
    dependency: 'morning-summary',
    schedule: 'nightly',
    progress: '2/4, 1 failed',
    waitingFor: 'summary',
    startTime: '2026-01-01T08:00:00Z',
    finishTime: '2026-01-01T08:10:00Z',
    attempts: 3,
    queueSeconds: 2,
    durationSeconds: 600,
    result: '{"items":3}',
    failureMessage: 'fetch: AttemptsExhausted, "timeout"',
    nodeTable: ['NODE  STATE', 'task  Failed'],
    nodes: [
      {
        name: 'task',
        state: 'Failed',
        attempt: 4,
        startTime: '2026-01-01T08:00:00Z',
        finishTime: '2026-01-01T08:10:00Z',
        worker: 'files-7d9c-x2',
        job: 'full-task-1a2b3c4d',
        execution: 'full-1a2b3c4d',
        reason: 'AttemptsExhausted',
        message: 'timeout',
      },
    ],
  },
}

const ofSchedule = {
  apiVersion,
  kind: 'TaskExecution',
  metadata: { name: 'of-schedule' },
  spec: { scheduleRef: { name: 'nightly' }, payload: { retainDays: 1 } },
}

const ofRange = {
  apiVersion,
  kind: 'TaskExecution',
  metadata: { name: 'of-range' },
  spec: {
    scheduleRef: { name: 'nightly' },
    range: { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z', order: 'NewestFirst', parallelism: 2, maxRuns: 10 },
  },
}

const ofGraph = {
  apiVersion,
  kind: 'TaskExecution',
  metadata: { name: 'of-graph' },
  spec: { dependencyRef: { name: 'summary' }, parameters: { retainDays: 1 } },
}

const delayed = { apiVersion, kind: 'TaskExecution', metadata: { name: 'delayed' }, spec: { task, delaySeconds: 600 } }

const ofJob = { apiVersion, kind: 'TaskExecution', metadata: { name: 'of-job' }, spec: { job: jobTemplate } }

const cancelled = { ...least, metadata: { name: 'cancelled' }, spec: { task, desiredState: 'Cancelled' } }

const names = ['', 'Nightly', '-a', 'a_b']

export const taskExecutionCase: KindCase = {
  kind: taskExecution,
  full,
  alternatives: [
    { path: ['spec', 'job'], object: ofJob },
    { path: ['spec', 'scheduleRef'], object: ofSchedule },
    { path: ['spec', 'payload'], object: ofSchedule },
    { path: ['spec', 'dependencyRef'], object: ofGraph },
    { path: ['spec', 'parameters'], object: ofGraph },
    { path: ['spec', 'delaySeconds'], object: delayed },
    { path: ['spec', 'range'], object: ofRange },
  ],
  besides: [cancelled],
  least: {
    object: least,
    spec: { desiredState: 'Running', task: { ...task, retry: { maxRetries: 0, initialDelaySeconds: 10 } } },
  },
  words: [
    { field: 'spec', values: [{ dependencyRef: { name: 'summary' } }, {}, { task, scheduleRef: { name: 'nightly' } }] },
    ...jobWords('spec.job', 'spec.job', (job) => job),
    { field: 'spec.brokerRef.name', values: ['Default', '-a', 'a_b'] },
    { field: 'spec.task.queue', values: ['.mail', 'a:b', 'a,b', 'a b', '{a}', 'a\n'] },
    { field: 'spec.scheduleRef.name', at: 'spec.scheduleRef', values: names.map((name) => ({ name })) },
    { field: 'spec.dependencyRef.name', at: 'spec.dependencyRef', values: names.map((name) => ({ name })) },
    {
      field: 'spec.range',
      values: [{ from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z', order: 'OldestFirst', parallelism: 1, maxRuns: 1 }],
    },
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: {
    heading: ['NAME', 'SOURCE', 'STATE', 'PROGRESS', 'WAITING-FOR', 'STARTED'],
    row: /^full +tdep\/morning-summary +Running +2\/4, 1 failed +summary +\d+[smhdy]\S*$/u,
  },
  badManifests: [
    {
      title: 'a run of nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: now }
        spec: {}
      `,
      answer: 'spec.task: Invalid value: "object": exactly one of task, job, scheduleRef, dependencyRef must be set',
    },
    {
      title: 'a run of a graph on a broker of its own',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: now }
        spec:
          brokerRef: { name: other }
          dependencyRef: { name: summary }
      `,
      answer:
        'spec.brokerRef: Invalid value: "object": brokerRef goes with task and job only: a schedule or a graph runs on its own broker. Remove brokerRef',
    },
    {
      title: 'a range of a task that has no slots',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: again }
        spec:
          task: { type: backup, queue: files }
          range: { from: 2026-11-01T00:00:00Z, to: 2026-11-02T00:00:00Z }
      `,
      answer:
        'spec.range: Invalid value: "object": range goes with scheduleRef only: its slots are those of a schedule. Set scheduleRef, or remove range',
    },
    {
      title: 'a range in another order',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: again }
        spec:
          scheduleRef: { name: nightly }
          range: { from: 2026-11-01T00:00:00Z, to: 2026-11-02T00:00:00Z, order: Newest }
      `,
      answer: 'spec.range.order: Unsupported value: "Newest": supported values: "OldestFirst", "NewestFirst"',
    },
    {
      title: 'a range that ends before it begins',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: again }
        spec:
          scheduleRef: { name: nightly }
          range: { from: 2026-11-02T00:00:00Z, to: 2026-11-01T00:00:00Z }
      `,
      answer: 'spec.range.to: Invalid value: "object": to is before from, so that the range has no slot. Exchange them',
    },
    {
      title: 'a range from before the first of all slots',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: again }
        spec:
          scheduleRef: { name: nightly }
          range: { from: 0001-01-01T00:00:00Z, to: 2026-11-01T00:00:00Z }
      `,
      answer: 'spec.range.from: Invalid value: "object": no slot is before 1970. Write a later time',
    },
    {
      title: 'a range with one slot for all runs',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: again }
        spec:
          scheduleRef: { name: nightly }
          range: { from: 2026-11-01T00:00:00Z, to: 2026-11-02T00:00:00Z }
          slotTime: 2026-11-01T00:00:00Z
      `,
      answer: 'spec.slotTime: Invalid value: "object": with range, each run has a slot of its own. Remove slotTime',
    },
    {
      title: 'a run with two times for its start',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: later }
        spec:
          task: { type: backup, queue: files }
          startTime: 2026-11-29T01:00:00Z
          delaySeconds: 600
      `,
      answer: 'spec.delaySeconds: Invalid value: "object": startTime and delaySeconds both say when the run starts. Remove one of them',
    },
    ...badJobManifests(
      'spec.job',
      (job) => `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: now }
        spec: { job: ${job} }
      `,
    ),
    {
      title: 'a run of a graph with a payload',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: now }
        spec:
          dependencyRef: { name: summary }
          payload: { a: 1 }
      `,
      answer:
        'spec.payload: Invalid value: "object": payload goes with scheduleRef only, where it changes the payload of the template; a task has its own payload, a graph has parameters',
    },
    {
      title: 'a run of a schedule with parameters',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: now }
        spec:
          scheduleRef: { name: nightly }
          parameters: { a: 1 }
      `,
      answer: 'spec.parameters: Invalid value: "object": parameters go with dependencyRef only. Remove parameters',
    },
    {
      title: 'a cancelled run that is to go on',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: cancelled }
        spec:
          desiredState: Running
          task: { type: backup, queue: files }
      `,
      answer: 'spec.desiredState: Forbidden: a cancelled run cannot continue. Create another TaskExecution',
    },
    {
      title: 'a state that a run cannot be brought to',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: now }
        spec:
          desiredState: Suspended
          task: { type: backup, queue: files }
      `,
      answer: 'spec.desiredState: Unsupported value: "Suspended": supported values: "Running", "Paused", "Cancelled"',
    },
    {
      title: 'another task for a run that has begun',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: full }
        spec:
          task: { type: backup, queue: other }
      `,
      answer:
        'spec: Forbidden: a run that has started cannot be changed, except desiredState and ttlSecondsAfterFinished. Create another TaskExecution',
    },
    {
      title: 'a status of a run with a state of its own',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: full }
        status:
          state: Stuck
      `,
      answer:
        'status.state: Unsupported value: "Stuck": supported values: "Pending", "Running", "Succeeded", "Failed", "TimedOut", "Cancelled", "Skipped"',
    },
    {
      title: 'a node with a state of its own',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: full }
        status:
          nodes: [{ name: task, state: Stuck }]
      `,
      answer:
        'status.nodes[0].state: Unsupported value: "Stuck": supported values: "Pending", "Running", "Stopping", "Succeeded", "Failed", "TimedOut", "Cancelled", "Skipped", "Omitted"',
    },
    {
      title: 'a condition of a TaskExecution that is neither true nor false',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskExecution
        metadata: { name: full }
        status:
          conditions:
            - { type: Ready, status: Perhaps, reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
      `,
      answer: 'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
    },
  ],
}
