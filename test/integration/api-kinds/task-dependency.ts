import { taskDependency } from '../../../src/api/index.ts'
import { badJobManifests, jobTemplate, jobWords } from './job-template.ts'
import { apiVersion, conditions, type KindCase } from './kind-case.ts'

const least = {
  apiVersion,
  kind: 'TaskDependency',
  metadata: { name: 'least' },
  spec: { nodes: [{ name: 'fetch', task: { type: 'fetch', queue: 'sync' } }] },
}

const node = {
  when: 'nodes.summary.result.items > 0',
  timeoutSeconds: 600,
  required: false,
  task: {
    type: 'send-email',
    queue: 'email_tasks',
    payload: { body: '$(nodes.summary.result.html)' },
    priority: 50,
    retry: { maxRetries: 3, initialDelaySeconds: 30 },
  },
}

const full = {
  apiVersion,
  kind: 'TaskDependency',
  metadata: { name: 'full' },
  spec: {
    brokerRef: { name: 'mail' },
    parameters: { retainDays: 30 },
    timeoutSeconds: 10_800,
    onNodeFailure: 'Continue',
    nodes: [
      { ...node, name: 'send', dependsOn: [{ name: 'summary', condition: 'Completed' }] },
      { name: 'summary', required: true, task: { type: 'summary', queue: 'ai_tasks', retry: { maxRetries: 0, initialDelaySeconds: 10 } } },
    ],
    finally: [{ ...node, name: 'notify' }],
  },
  status: {
    conditions,
    observedGeneration: 1,
    nodes: 3,
    activeRuns: 1,
    lastRunTime: '2026-01-01T08:00:00Z',
    lastRunName: 'summary-x7k2p',
    lastResult: 'Failed',
  },
}

const ofJobs = {
  apiVersion,
  kind: 'TaskDependency',
  metadata: { name: 'of-jobs' },
  spec: { nodes: [{ name: 'build', job: jobTemplate }], finally: [{ name: 'tidy', job: jobTemplate }] },
}

const queueNames = ['.mail', 'a:b', 'a,b', 'a b', '{a}', 'a\n']
const nodeNames = ['', 'Send', '-a', '1a', 'a_b', 'a.b']

export const taskDependencyCase: KindCase = {
  kind: taskDependency,
  full,
  alternatives: [
    { path: ['spec', 'nodes', 0, 'job'], object: ofJobs },
    { path: ['spec', 'finally', 0, 'job'], object: ofJobs },
  ],
  least: {
    object: least,
    spec: {
      brokerRef: { name: 'default' },
      onNodeFailure: 'Stop',
      nodes: [{ name: 'fetch', required: true, task: { type: 'fetch', queue: 'sync', retry: { maxRetries: 0, initialDelaySeconds: 10 } } }],
    },
  },
  words: [
    { field: 'spec.brokerRef', values: [{ name: 'other' }, undefined] },
    { field: 'spec.brokerRef.name', values: ['Default', '-a', 'a_b'] },
    ...['nodes', 'finally'].flatMap((list) => {
      const field = `spec.${list}[0]`
      const values = [{ name: 'a' }, { name: 'a', task: { type: 'a', queue: 'a' }, job: jobTemplate }]
      return [{ field, named: `${field}.task`, values }, ...jobWords(`${field}.job`, field, (job) => ({ name: 'a', job }))]
    }),
    { field: 'spec.nodes[0].name', values: nodeNames },
    { field: 'spec.nodes[0].task.queue', values: queueNames },
    { field: 'spec.finally[0].name', values: nodeNames },
    { field: 'spec.finally[0].task.queue', values: queueNames },
    { field: 'status.conditions[0].type', values: ['not a type'] },
    { field: 'status.conditions[0].reason', values: ['not a reason', '9', 'a-b'] },
  ],
  columns: {
    heading: ['NAME', 'NODES', 'ACTIVE', 'LAST', 'RESULT', 'READY'],
    row: /^full +3 +1 +\d+[smhdy]\S* +Failed +True$/u,
  },
  badManifests: [
    {
      title: 'a graph that moves to another broker',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: full }
        spec:
          brokerRef: { name: other }
          nodes: [{ name: fetch, task: { type: fetch, queue: sync } }]
      `,
      answer:
        'spec.brokerRef: Forbidden: brokerRef cannot be changed: the runs would stay behind. Create another TaskDependency for the other broker.',
    },
    {
      title: 'a graph that ignores failures',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: summary }
        spec:
          onNodeFailure: Ignore
          nodes: [{ name: fetch, task: { type: fetch, queue: sync } }]
      `,
      answer: 'spec.onNodeFailure: Unsupported value: "Ignore": supported values: "Stop", "Continue"',
    },
    {
      title: 'an edge with a condition of another tool',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: summary }
        spec:
          nodes:
            - name: send
              dependsOn: [{ name: fetch, condition: all_done }]
              task: { type: send, queue: email }
      `,
      answer: 'spec.nodes[0].dependsOn[0].condition: Unsupported value: "all_done": supported values: "Succeeded", "Failed", "Completed"',
    },
    {
      title: 'a node that is both, a task and a Job',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: summary }
        spec:
          nodes:
            - name: fetch
              task: { type: fetch, queue: sync }
              job: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: main, image: "app:1" }] } } } }
      `,
      answer: 'spec.nodes[0].task: Invalid value: "object": exactly one of task, job must be set',
    },
    {
      title: 'a node at the end that is nothing',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: summary }
        spec:
          nodes: [{ name: fetch, task: { type: fetch, queue: sync } }]
          finally: [{ name: tidy }]
      `,
      answer: 'spec.finally[0].task: Invalid value: "object": exactly one of task, job must be set',
    },
    ...badJobManifests(
      'spec.nodes[0].job',
      (job) => `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: summary }
        spec:
          nodes: [{ name: build, job: ${job} }]
      `,
    ),
    ...badJobManifests(
      'spec.finally[0].job',
      (job) => `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: summary }
        spec:
          nodes: [{ name: fetch, task: { type: fetch, queue: sync } }]
          finally: [{ name: tidy, job: ${job} }]
      `,
    ),
    {
      title: 'a last result of a graph that is none',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: full }
        status:
          lastResult: Maybe
      `,
      answer: 'status.lastResult: Unsupported value: "Maybe": supported values: "Succeeded", "Failed", "TimedOut", "Cancelled", "Skipped"',
    },
    {
      title: 'a condition of a TaskDependency that is neither true nor false',
      manifest: `
        apiVersion: taskmill.dev/v1alpha1
        kind: TaskDependency
        metadata: { name: full }
        status:
          conditions:
            - { type: Ready, status: Perhaps, reason: Fine, message: hm, lastTransitionTime: "2026-11-23T08:00:00Z" }
      `,
      answer: 'status.conditions[0].status: Unsupported value: "Perhaps": supported values: "True", "False", "Unknown"',
    },
  ],
}
