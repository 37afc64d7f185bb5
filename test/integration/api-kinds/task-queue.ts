import { taskQueue } from '../../../src/api/index.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const least = { apiVersion, kind: 'TaskQueue', metadata: { name: 'least' }, spec: { queueName: 'email_tasks' } }

const full = {
  apiVersion,
  kind: 'TaskQueue',
  metadata: { name: 'full' },
  spec: {
    brokerRef: { name: 'mail' },
    queueName: 'email_tasks',
    suspend: true,
    maxConcurrency: 40,
    retention: { completedSeconds: 3600, failedSeconds: 604_800 },
    override: { until: '2026-01-01T09:00:00Z', by: 'oncall', reason: 'incident 4711', suspend: false },
  },
  status: {
    conditions,
    observedGeneration: 1,
    ready: 312,
    active: 18,
    delayed: 4,
    failed: 7,
    oldestJobTime: '2026-01-01T08:00:00Z',
    arrivalsPerMinute: 660,
    departuresPerMinute: 655,
    limit: 40,
    suspended: 'Override',
  },
}

export const taskQueueCase: KindCase = {
  kind: taskQueue,
  full,
  least: { object: least, spec: { ...least.spec, brokerRef: { name: 'default' }, suspend: false } },
  words: [
    { field: 'spec.brokerRef.name', values: ['Default', '-a', 'a_b'] },
    { field: 'spec.brokerRef', values: [{ name: 'other' }, undefined] },
    { field: 'spec.queueName', values: ['.mail', 'a:b', 'a,b', 'a b', '{a}', 'a\n', 'other'] },
    { field: 'spec.retention', values: [{}] },
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: {
    heading: ['NAME', 'READY', 'ACTIVE', 'DELAYED', 'FAILED', 'OLDEST', 'LIMIT', 'SUSPENDED'],
    row: /^full +312 +18 +4 +7 +\d+[smhdy]\S* +40 +Override$/u,
  },
  badManifests: [
    {
      title: 'a TaskQueue that moves to another broker',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskQueue
        metadata: { name: full }
        spec:
          brokerRef: { name: other }
          queueName: email_tasks
      `,
      answer:
        'spec.brokerRef: Forbidden: brokerRef cannot be changed: the settings applied to the queue would stay behind. Create another TaskQueue.',
    },
    {
      title: 'a TaskQueue that turns to another queue',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskQueue
        metadata: { name: full }
        spec:
          brokerRef: { name: mail }
          queueName: sync_tasks
      `,
      answer:
        'spec.queueName: Forbidden: queueName cannot be changed: the settings applied to the queue would stay behind. Create another TaskQueue.',
    },
    {
      title: 'a retention of nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskQueue
        metadata: { name: email }
        spec:
          queueName: email_tasks
          retention: {}
      `,
      answer: 'spec.retention: Invalid value: "object": retention needs at least one of completedSeconds and failedSeconds',
    },
    {
      title: 'a status of a TaskQueue that is suspended a little',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskQueue
        metadata: { name: full }
        status:
          suspended: Partly
      `,
      answer: 'status.suspended: Unsupported value: "Partly": supported values: "No", "Yes", "Override", "ByOthers"',
    },
    {
      title: 'a condition of a TaskQueue that is neither true nor false',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskQueue
        metadata: { name: full }
        status:
          conditions:
            - { type: Ready, status: Perhaps, reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
      `,
      answer: 'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
    },
  ],
}
